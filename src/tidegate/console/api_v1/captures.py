"""Captures: what debug mode stored of a request. Each reading is written to the audit log."""

import msgspec

from tidegate.console.access import Need
from tidegate.console.api_v1.operation import Call, NoBody, NoQuery
from tidegate.console.api_v1.table import delete, get
from tidegate.core import captures

_ITEM = "/requests/{request_id}/capture"
_TAG = "Requests"


class Header(msgspec.Struct, frozen=True):
    name: str
    value: str


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Headers and body, without credentials and known forms of secrets; `body` is decoded."""

    headers: list[Header]
    body: str  # what is no UTF-8 in it is replaced
    truncated_bytes: int  # that are not here
    encoding: str  # that it was sent with
    note: str  # why the body is not whole


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """As received from the agent, as sent to the provider (null: it never was), the answer."""

    request_id: str
    method: str
    path: str
    received: Message
    sent: Message | None
    status: int
    response: Message
    first_byte_us: int
    duration_us: int


def get_capture(call: Call[NoQuery, NoBody]) -> Capture:
    """Read what was stored of a request.

    Admins and owners read all, members those of their own keys.
    """
    found = call.services.captures.get(
        call.organization_id, call.path["request_id"], call.viewer, call.actor
    )
    return Capture(
        request_id=found.event_id,
        method=found.method,
        path=found.path,
        received=_message(found.received),
        sent=_message(found.sent) if found.sent else None,
        status=found.status,
        response=_message(found.response),
        first_byte_us=found.first_byte_us,
        duration_us=found.duration_us,
    )


def delete_capture(call: Call[NoQuery, NoBody]) -> None:
    """Delete a capture for good, before its time. The request stays in the log."""
    call.services.captures.delete(
        call.organization_id, call.path["request_id"], call.viewer, call.actor
    )


def _message(part: captures.Part) -> Message:
    return Message(
        headers=[Header(name, value) for name, value in part.headers],
        body=part.body.decode("utf-8", "replace"),
        truncated_bytes=part.truncated_bytes,
        encoding=part.encoding,
        note=part.note,
    )


OPERATIONS = (
    get(_ITEM, get_capture, need=Need.MEMBER, tag=_TAG),
    delete(_ITEM, delete_capture, need=Need.MEMBER, tag=_TAG),
)
