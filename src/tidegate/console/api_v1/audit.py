"""The audit log: who changed what, when, from where."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from tidegate.console.access import Need
from tidegate.console.api_v1.operation import Call, NoBody
from tidegate.console.api_v1.paging import Page, PageQuery, read_cursor, write_cursor
from tidegate.console.api_v1.table import get
from tidegate.console.api_v1.times import Time, bounds_us, time
from tidegate.store.ports import AuditEntry

Word = Annotated[str, msgspec.Meta(max_length=100)]
_LIST = "audit log"


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A change. `actor` is a member's id, or `cli` or `setup`; `detail` never holds a secret."""

    id: str
    at: Time
    actor: str
    action: str
    target: str
    detail: dict[str, str]
    address: str


class AuditQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    actor: Annotated[Word, msgspec.Meta(description="Who: a member's id, or cli.")] = ""
    action: Annotated[
        Word, msgspec.Meta(description="What: an action, or the beginning of one, as in key.")
    ] = ""
    target: Annotated[Word, msgspec.Meta(description="On what: an id.")] = ""
    start: Annotated[Time, msgspec.Meta(description="From then on.")] | UnsetType = UNSET
    end: Annotated[Time, msgspec.Meta(description="Until before then.")] | UnsetType = UNSET


def list_audit_log(call: Call[AuditQuery, NoBody]) -> Page[AuditRecord]:
    """List what was changed, newest first."""
    query = call.query
    start_us, end_us = bounds_us(query.start, query.end)
    page = call.services.audit_log.page(
        call.organization_id,
        actor=query.actor,
        action=query.action,
        target=query.target,
        start_us=start_us,
        end_us=end_us,
        before=read_cursor(_LIST, query.cursor),
        limit=query.limit,
    )
    after = write_cursor(_LIST, page.next) if page.next else None
    return Page([_record(entry) for entry in page.entries], after)


def _record(entry: AuditEntry) -> AuditRecord:
    return AuditRecord(
        id=entry.audit_id,
        at=time(entry.at_us),
        actor=entry.actor,
        action=entry.action,
        target=entry.target,
        detail=entry.detail,
        address=entry.address,
    )


OPERATIONS = (get("/audit-log", list_audit_log, need=Need.ADMIN, tag="Audit log"),)
