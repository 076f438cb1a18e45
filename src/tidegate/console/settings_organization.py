"""Settings: the organization's name, its calendar, and the tools that its agents get."""

import zoneinfo
from functools import cache
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.dialogs import actor_of
from tidegate.console.settings import SettingsView, refuse_stale, seen
from tidegate.console.web import Web
from tidegate.core.model import OrganizationRecord
from tidegate.services.errors import InvalidField, Refused
from tidegate.services.logins import Viewer

_PATH: Final = "/settings/organization"
_SECTION: Final = "organization"
_SWITCH: Final = {"on": True, "off": False}
DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NO_PLACES: Final = ("posix/", "right/", "Etc/", "SystemV/")
_NO_ZONES: Final = frozenset({"localtime", "Factory", "posixrules"})


class OrganizationSettings:
    def __init__(self, web: Web) -> None:
        self._view = SettingsView(web)
        self._organizations = web.services.organizations

    def routes(self) -> list[Route]:
        return [
            page(_PATH, self.form, need=Need.ADMIN),
            page(_PATH, self.save, methods=["POST"], need=Need.ADMIN),
            page(_PATH + "/session-tools", self.switch, methods=["POST"], need=Need.ADMIN),
        ]

    async def form(self, request: Request, viewer: Viewer) -> Response:
        now = await run_in_threadpool(self._organizations.get, viewer.organization_id)
        return self._form(request, viewer, now)

    async def save(self, request: Request, viewer: Viewer) -> Response:
        fields: dict[str, str] = request.state.form
        now = await run_in_threadpool(self._organizations.get, viewer.organization_id)
        try:
            refuse_stale(fields, *_shown(now))
        except Refused as refused:
            told = {refused.field: refused.message}
            return self._form(request, viewer, now, status=409, errors=told)
        try:
            await run_in_threadpool(self._update, request, viewer, fields)
        except Refused as refused:
            told = {refused.field: refused.message}
            return self._form(request, viewer, now, status=422, errors=told, typed=fields)
        return self._view.web.done(request, _PATH, "Saved.", leave=True)

    async def switch(self, request: Request, viewer: Viewer) -> Response:
        """Set what was chosen, not the opposite of what holds: a second click changes nothing."""
        wanted = _SWITCH.get(request.state.form.get("session_tools", ""))
        if wanted is None:
            raise InvalidField("Session tools are on or off.", field="session_tools")
        await run_in_threadpool(
            self._organizations.update,
            viewer.organization_id,
            session_tools=wanted,
            actor=actor_of(request, viewer),
        )
        told = "New launches get the tools." if wanted else "Agents do not get the tools any more."
        return self._view.web.done(request, _PATH, told, leave=True)

    def _update(self, request: Request, viewer: Viewer, fields: dict[str, str]) -> None:
        week_start = fields.get("week_start", "")
        if week_start not in {str(day) for day in range(1, 8)}:
            raise InvalidField("Choose a day of the week.", field="week_start")
        self._organizations.update(
            viewer.organization_id,
            name=fields.get("organization", ""),
            time_zone=zone_named(fields.get("time_zone", "")),
            week_start=int(week_start),
            actor=actor_of(request, viewer),
        )

    def _form(
        self,
        request: Request,
        viewer: Viewer,
        now: OrganizationRecord,
        *,
        status: int = 200,
        errors: dict[str, str] | None = None,
        typed: dict[str, str] | None = None,
    ) -> Response:
        stored = {
            "organization": now.name,
            "time_zone": now.time_zone,
            "week_start": str(now.week_start),
        }
        return self._view.show(
            request,
            viewer,
            _SECTION,
            status=status,
            errors=errors or {},
            values=stored | {key: text for key, text in (typed or {}).items() if key in stored},
            seen=seen(*_shown(now)),
            session_tools=now.session_tools,
            zones=time_zones(),
            days=DAYS,
        )


@cache
def time_zones() -> list[str]:
    """The names that are offered: places and UTC, none of the old aliases without a place."""
    names = zoneinfo.available_timezones() - _NO_ZONES
    return ["UTC", *sorted(n for n in names if "/" in n and not n.startswith(_NO_PLACES))]


def zone_named(text: str) -> str:
    """The name as the database of zones writes it; one that is not there stays as typed."""
    wanted = text.strip().replace(" ", "_").casefold()
    return next((name for name in time_zones() if name.casefold() == wanted), text)


def _shown(record: OrganizationRecord) -> tuple[str, str, int]:
    return record.name, record.time_zone, record.week_start
