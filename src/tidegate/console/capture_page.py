"""`/logs/{event_id}/capture`: what debug mode kept of a request, for admins and the key's owner.

Pages and the fragments that they load are bounded, however large the capture is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from tidegate.console import capture_parts as parts
from tidegate.console.access import Need, page
from tidegate.console.capture_compare import compare
from tidegate.console.capture_head import PARTS, absence, dialect_of, head
from tidegate.console.capture_text import CHUNK_CHARS, excerpt
from tidegate.console.log_query import PATH
from tidegate.console.log_range import own_rows
from tidegate.console.web import Web, peer_of
from tidegate.core.captures import Capture
from tidegate.core.model import Dialect
from tidegate.services.audit import Actor
from tidegate.services.errors import NotFound
from tidegate.services.logins import Viewer
from tidegate.services.request_log import LogDetail

T = TypeVar("T")

_CAPTURE: Final = f"{PATH}/{{event_id}}/capture"
_NOT_FOUND: Final = 404
_DIGITS: Final = 9
_CHOICES: Final = ((parts.RECEIVED, "Received"), (parts.SENT, "Sent"), (parts.RESPONSE, "Answer"))


@dataclass(frozen=True)
class _Found:
    """A capture that may be read, and its row of the log if that is still there."""

    capture: Capture
    detail: LogDetail | None
    days: int

    @property
    def dialect(self) -> Dialect:
        return dialect_of(self.capture, self.detail.event if self.detail else None)

    @property
    def model(self) -> str:
        return self.detail.event.model_asked if self.detail else ""


class CapturePage:
    def __init__(self, web: Web) -> None:
        self._web = web
        self._services = web.services

    def routes(self) -> Sequence[BaseRoute]:
        return [
            page(_CAPTURE, self.capture, need=Need.MEMBER),
            page(f"{_CAPTURE}/text", self.capture_text, need=Need.MEMBER),
            page(f"{_CAPTURE}/tree", self.capture_tree, need=Need.MEMBER),
            page(f"{_CAPTURE}/raw", self.capture_raw, need=Need.MEMBER),
        ]

    async def capture(self, request: Request, viewer: Viewer) -> Response:
        """One of its parts, or why there is nothing."""
        context = await run_in_threadpool(self._context, request, viewer)
        gone = context.get("absence") is not None
        template = "capture_absent.html" if gone else "capture.html"
        status = _NOT_FOUND if gone else 200
        return self._web.page(
            request, template, status=status, viewer=viewer, current="logs", **context
        )

    async def capture_text(self, request: Request, viewer: Viewer) -> Response:
        """More of a text: put behind what is shown, or on a page of its own."""
        source = request.query_params.get("at", f"raw:{parts.RECEIVED}")
        start = _number(request, "from")
        text = await self._read(
            request, viewer, lambda it: parts.text_at(it.dialect, it.capture, source)
        )
        more = excerpt(text, source, start, CHUNK_CHARS)
        return self._part(request, viewer, "capture_text.html", text=more, start=start)

    async def capture_tree(self, request: Request, viewer: Viewer) -> Response:
        """What is at a place of a body."""
        source = request.query_params.get("at", f"{parts.RECEIVED}:")
        start = _number(request, "from")
        found = await self._read(
            request, viewer, lambda it: parts.tree_level(it.capture, source, start)
        )
        of = source.partition(":")[0]
        return self._part(request, viewer, "capture_tree.html", level=found, of=of)

    async def capture_raw(self, request: Request, viewer: Viewer) -> Response:
        """A body as it was kept, as a file."""
        of = request.query_params.get("of", parts.RECEIVED)
        part = await self._read(request, viewer, lambda it: parts.body_of(it.capture, of))
        name = f"{request.path_params['event_id'][:40]}-{of}.txt"
        told = {"content-disposition": f'attachment; filename="{name}"'}
        return Response(part.body, media_type="application/octet-stream", headers=told)

    def _context(self, request: Request, viewer: Viewer) -> dict[str, Any]:
        event_id, now_us = request.path_params["event_id"], self._web.clock()
        days = self._days(viewer)
        detail = self._detail(viewer, event_id)
        try:
            capture = self._services.captures.look(
                viewer.organization_id, event_id, viewer, _actor(request, viewer)
            )
        except NotFound as refused:
            why = absence(detail, refused.message, days=days, now_us=now_us)
            return {"absence": why, "event_id": event_id, "row": detail is not None}
        part = request.query_params.get("part", "messages")
        part = part if part in PARTS else "messages"
        found = _Found(capture, detail, days)
        return {
            "absence": None,
            "head": head(
                capture, detail, part, days=days, now_us=now_us, zone_name=viewer.time_zone
            ),
            "event_id": event_id,
            "part": part,
            **_PART_CONTEXTS[part](found, request),
        }

    async def _read(self, request: Request, viewer: Viewer, reading: Callable[[_Found], T]) -> T:
        """What a fragment needs of a capture; NotFound where there is nothing."""
        event_id = request.path_params["event_id"]

        def read() -> T:
            capture = self._services.captures.look(
                viewer.organization_id, event_id, viewer, _actor(request, viewer)
            )
            return reading(_Found(capture, self._detail(viewer, event_id), self._days(viewer)))

        return await run_in_threadpool(read)

    def _detail(self, viewer: Viewer, event_id: str) -> LogDetail | None:
        try:
            return self._services.request_log.detail(
                viewer.organization_id, event_id, member_id=own_rows(viewer)
            )
        except NotFound:
            return None

    def _days(self, viewer: Viewer) -> int:
        return self._services.organizations.get(viewer.organization_id).capture_days

    def _part(self, request: Request, viewer: Viewer, template: str, **context: Any) -> Response:
        context |= {"event_id": request.path_params["event_id"]}
        return self._web.part(request, template, viewer=viewer, current="logs", **context)


def _messages(found: _Found, request: Request) -> dict[str, Any]:
    view = parts.messages_view(found.dialect, found.capture, _number(request, "page"))
    return {"view": view}


def _body(found: _Found, request: Request) -> dict[str, Any]:
    capture, query = found.capture, request.query_params
    of = query.get("of", parts.RECEIVED)
    of = of if of in dict(_CHOICES) and (of != parts.SENT or capture.sent) else parts.RECEIVED
    as_raw = query.get("as") == "raw"
    choices = [(name, title) for name, title in _CHOICES if name != parts.SENT or capture.sent]
    same = capture.sent is not None and capture.sent.body == capture.received.body
    return {
        "view": parts.body_view(capture, of, as_raw=as_raw, at=query.get("at", "")),
        "choices": choices,
        "as_raw": as_raw,
        "same": same,
    }


def _headers(found: _Found, _request: Request) -> dict[str, Any]:
    return {"views": parts.headers_views(found.capture)}


def _response(found: _Found, request: Request) -> dict[str, Any]:
    return {
        "view": parts.response_view(found.dialect, found.capture, _number(request, "page")),
        "capture": found.capture,
    }


def _compare(found: _Found, _request: Request) -> dict[str, Any]:
    capture = found.capture
    if capture.sent is None:
        return {"comparison": None}
    return {"comparison": compare(found.dialect, capture.received, capture.sent, found.model)}


_PART_CONTEXTS: Final[dict[str, Callable[[_Found, Request], dict[str, Any]]]] = {
    "messages": _messages,
    "body": _body,
    "headers": _headers,
    "response": _response,
    "compare": _compare,
}


def _actor(request: Request, viewer: Viewer) -> Actor:
    return Actor(viewer.member_id, peer_of(request))


def _number(request: Request, name: str) -> int:
    """A number of the address; what is none counts as not given."""
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS else 0
