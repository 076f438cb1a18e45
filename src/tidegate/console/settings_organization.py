"""Settings: the organization's name, its calendar, and the tools that its agents get."""

import zoneinfo
from functools import cache
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.dialogs import actor_of
from tidegate.console.settings import read_switch
from tidegate.console.settings_form import OrganizationForm
from tidegate.core.model import OrganizationRecord
from tidegate.services.errors import InvalidField
from tidegate.services.logins import Viewer

DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NO_PLACES: Final = ("posix/", "right/", "Etc/", "SystemV/")
_NO_ZONES: Final = frozenset({"localtime", "Factory", "posixrules"})


class OrganizationSettings(OrganizationForm):
    PATH = "/settings/organization"
    SECTION = "organization"

    def routes(self) -> list[Route]:
        switch = page(self.PATH + "/session-tools", self.switch, methods=["POST"], need=Need.ADMIN)
        return [*super().routes(), switch]

    async def switch(self, request: Request, viewer: Viewer) -> Response:
        wanted = read_switch(request.state.form, "session_tools")
        await run_in_threadpool(
            self._services.organizations.update,
            viewer.organization_id,
            session_tools=wanted,
            actor=actor_of(request, viewer),
        )
        told = "New launches get the tools." if wanted else "Agents do not get the tools any more."
        return self._web.done(request, self.PATH, told, leave=True)

    def _set(
        self, request: Request, viewer: Viewer, fields: dict[str, str], now: OrganizationRecord
    ) -> None:
        week_start = fields.get("week_start", "")
        if week_start not in {str(day) for day in range(1, 8)}:
            raise InvalidField("Choose a day of the week.", field="week_start")
        self._services.organizations.update(
            viewer.organization_id,
            name=fields.get("organization", ""),
            time_zone=zone_named(fields.get("time_zone", "")),
            week_start=int(week_start),
            actor=actor_of(request, viewer),
        )

    def _compared(self, now: OrganizationRecord) -> tuple[object, ...]:
        return now.name, now.time_zone, now.week_start

    def _values(self, now: OrganizationRecord) -> dict[str, str]:
        return {
            "organization": now.name,
            "time_zone": now.time_zone,
            "week_start": str(now.week_start),
        }

    def _more(self, viewer: Viewer, now: OrganizationRecord) -> dict[str, Any]:
        return {"session_tools": now.session_tools, "zones": time_zones(), "days": DAYS}


@cache
def time_zones() -> list[str]:
    """The names that are offered: places and UTC, none of the old aliases without a place."""
    names = zoneinfo.available_timezones() - _NO_ZONES
    return ["UTC", *sorted(n for n in names if "/" in n and not n.startswith(_NO_PLACES))]


def zone_named(text: str) -> str:
    """The name as the database of zones writes it; one that is not there stays as typed."""
    wanted = text.strip().replace(" ", "_").casefold()
    return next((name for name in time_zones() if name.casefold() == wanted), text)
