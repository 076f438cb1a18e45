"""Settings: the audit log, newest first, filtered by who, what and when."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.audit_words import GROUPS, Names, in_words
from tidegate.console.dialogs import Moment
from tidegate.console.settings import SettingsView
from tidegate.console.web import Web
from tidegate.core.calendar import date_start_us
from tidegate.services.audit_log import AuditPage
from tidegate.services.errors import InvalidField, Refused
from tidegate.services.logins import Viewer
from tidegate.store.ports import AuditEntry

_PATH: Final = "/settings/audit"
_SECTION: Final = "audit"
_FILTERS: Final = ("who", "what", "first", "last")
_MAX_ID_CHARS: Final = 100
_NOTHING: Final = AuditPage([], "")
_COMMAND_LINE: Final = "cli"


@dataclass(frozen=True)
class AuditRow:
    when: Moment
    who: str
    what: str
    where: str


@dataclass(frozen=True)
class _Asked:
    """What the address asks for, in microseconds where it is about time."""

    actor: str
    action: str
    start_us: int
    end_us: int


class AuditSettings:
    def __init__(self, web: Web) -> None:
        self._view = SettingsView(web)
        self._services = web.services

    def routes(self) -> list[Route]:
        return [page(_PATH, self.show, need=Need.ADMIN)]

    async def show(self, request: Request, viewer: Viewer) -> Response:
        """A filter that cannot be taken is told at its field, and nothing is listed."""
        values = {name: request.query_params.get(name, "") for name in _FILTERS}
        before = request.query_params.get("before", "")[:_MAX_ID_CHARS]
        errors: dict[str, str] = {}
        names = await run_in_threadpool(self._names, viewer)
        try:
            asked = _asked(values, names, viewer.time_zone)
            found = await run_in_threadpool(self._read, viewer, asked, before)
        except Refused as refused:
            found = _NOTHING
            errors = {"last" if refused.field == "end" else refused.field: refused.message}
        return self._view.show(
            request,
            viewer,
            _SECTION,
            status=422 if errors else 200,
            errors=errors,
            values={name: "" if name in errors else text for name, text in values.items()},
            filtered=any(values.values()),
            groups=GROUPS,
            people=_people(names),
            rows=[self._row(viewer, entry, names) for entry in found.entries],
            older=f"{_PATH}?{urlencode(_without_empty(values | {'before': found.next}))}"
            if found.next
            else "",
            newest=f"{_PATH}?{urlencode(_without_empty(values))}" if before else "",
        )

    def _names(self, viewer: Viewer) -> Names:
        members = self._services.members.list(viewer.organization_id)
        keys = self._services.enrolment.list_keys(viewer.organization_id)
        return Names(
            members={each.member_id: each.name or each.email for each in members},
            keys={k.record.key_id: (k.record.agent, k.record.member_id) for k in keys},
            time_zone=viewer.time_zone,
        )

    def _read(self, viewer: Viewer, asked: _Asked, before: str) -> AuditPage:
        return self._services.audit_log.page(
            viewer.organization_id,
            actor=asked.actor,
            action=asked.action,
            start_us=asked.start_us,
            end_us=asked.end_us,
            before=before,
        )

    def _row(self, viewer: Viewer, entry: AuditEntry, names: Names) -> AuditRow:
        return AuditRow(
            when=self._view.moment(viewer, entry.at_us),
            who=names.actor(entry.actor),
            what=in_words(entry, names),
            where=entry.address,
        )


def _asked(values: dict[str, str], names: Names, zone_name: str) -> _Asked:
    zone = ZoneInfo(zone_name)
    who, what = values["who"], values["what"]
    if who and who != _COMMAND_LINE and who not in names.members:
        raise InvalidField("There is no such member in this organization.", field="who")
    if what and what not in {prefix for prefix, _ in GROUPS}:
        raise InvalidField("There is no such kind of change.", field="what")
    first, last = _date(values, "first"), _date(values, "last")
    return _Asked(
        actor=who,
        action=what,
        start_us=date_start_us(first, zone) if first else 0,
        end_us=date_start_us(last + timedelta(days=1), zone) if last else 0,
    )


def _date(values: dict[str, str], name: str) -> date | None:
    text = values[name].strip()
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if not 1970 <= day.year <= 9000:
        raise InvalidField("Write the date like 2026-11-22.", field=name)
    return day


def _people(names: Names) -> list[tuple[str, str]]:
    members = sorted(names.members.items(), key=lambda each: each[1].casefold())
    return [*members, (_COMMAND_LINE, names.actor(_COMMAND_LINE))]


def _without_empty(values: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in values.items() if text}
