"""The switch of debug mode: a warning and a time come before it is on, and it ends by itself."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.agent_marks import agent_mark
from tidegate.console.dialogs import AgentKey, Dialogs, actor_of, key_id_of
from tidegate.console.formats import plural
from tidegate.console.log_query import ALL_TIME, LogQuery
from tidegate.console.web import Web, is_partial
from tidegate.services.errors import InvalidField, NotFound, Refused
from tidegate.services.logins import Viewer

Show = Callable[[Request, Viewer], Awaitable[Response]]
_PATH: Final = "/agents/{key_id}/debug"
_TITLE: Final = "Debug mode"
_OFF: Final = "Stores full requests and answers of this key, for a time that you choose."
_ON: Final = "Stores full requests and answers of this key."
_WARNING: Final = "Captures may hold sensitive prompts and code."


@dataclass(frozen=True)
class Switch:
    name: str
    title: str
    what: str
    on: bool
    warning: str = ""  # shown while it is on
    told: str = ""  # since when, by whom
    asks: str = ""  # the address of what is asked first, of one that is not turned on at once
    captures: str = ""  # the address of what was captured
    fixed: str = ""  # why it cannot be changed


@dataclass(frozen=True)
class Duration:
    hours: int
    title: str


_DURATIONS: Final = (
    Duration(1, "1 hour"),
    Duration(8, "8 hours"),
    Duration(24, "24 hours"),
    Duration(72, "3 days"),
    Duration(168, "7 days"),
)
_USUAL: Final = "1"


class DebugSwitch:
    """`manage` shows the dialog that the switch stands in."""

    def __init__(self, web: Web, manage: Show) -> None:
        self._dialogs = Dialogs(web)
        self._web = web
        self._services = web.services
        self._manage = manage

    def routes(self) -> list[Route]:
        return [
            page(_PATH, self.ask, need=Need.MEMBER, name="debug_ask"),
            page(_PATH, self.debug, methods=["POST"], need=Need.MEMBER),
        ]

    def look(self, viewer: Viewer, key: AgentKey) -> Switch:
        """The switch as it stands."""
        asks = f"/agents/{key.key_id}/debug"
        if not key.record.captures(self._web.clock()):
            return Switch("debug", _TITLE, _OFF, on=False, asks=asks)
        until = self._dialogs.moment(viewer, key.record.debug_until_us)
        entry = self._dialogs.last_change(viewer, key.key_id, "key.debug_on")
        name = self._dialogs.who_did(viewer, entry)
        since = f"On since {self._dialogs.moment(viewer, entry.at_us).exact}" if entry else "On"
        by = f" by {name}" if name else ""
        told = f"{since}{by}. Switches off by itself {until.exact}."
        return Switch(
            "debug",
            _TITLE,
            _ON,
            on=True,
            warning=_WARNING,
            told=told,
            asks=asks,
            captures=LogQuery(key=key.key_id, captured="yes", range=ALL_TIME).address(),
        )

    async def ask(self, request: Request, viewer: Viewer) -> Response:
        return await self._ask(request, viewer)

    async def debug(self, request: Request, viewer: Viewer) -> Response:
        try:
            switch = await run_in_threadpool(self._turn, request, viewer)
        except NotFound:
            raise
        except Refused as refused:
            if refused.field != "hours":
                raise
            return await self._ask(request, viewer, {"hours": refused.message})
        if not is_partial(request):
            told = "Debug mode is on." if switch.on else "Debug mode is off."
            return self._web.done(request, f"/agents/{key_id_of(request)}", told)
        if switch.on:
            return await self._manage(request, viewer)
        return self._web.fragment(
            request, "agent_switch.html", key_id=key_id_of(request), setting=switch
        )

    async def _ask(
        self, request: Request, viewer: Viewer, errors: dict[str, str] | None = None
    ) -> Response:
        shown = await run_in_threadpool(self._question, viewer, key_id_of(request))
        status = 422 if errors else 200
        return self._dialogs.show(
            request, viewer, "agent_debug.html", status=status, errors=errors or {}, **shown
        )

    def _question(self, viewer: Viewer, key_id: str) -> dict[str, Any]:
        key = self._dialogs.key(viewer, key_id)
        organization = self._services.organizations.get(viewer.organization_id)
        return {
            "agent": agent_mark(key.record.agent),
            "member": key.person,
            "own": key.person.member_id == viewer.member_id,
            "key_id": key_id,
            "on": key.record.captures(self._web.clock()),
            "kept": plural(organization.capture_days, "day"),
            "durations": _DURATIONS,
            "usual": _USUAL,
        }

    def _turn(self, request: Request, viewer: Viewer) -> Switch:
        key = self._dialogs.key(viewer, key_id_of(request))
        actor, form = actor_of(request, viewer), request.state.form
        enrolment, organization_id = self._services.enrolment, viewer.organization_id
        if is_on(form):
            hours = form.get("hours", "")
            if hours not in {str(each.hours) for each in _DURATIONS}:
                raise InvalidField("Choose one of these.", field="hours")
            enrolment.set_debug(organization_id, key.key_id, hours=int(hours), actor=actor)
        else:
            enrolment.end_debug(organization_id, key.key_id, actor=actor)
        return self.look(viewer, self._dialogs.key(viewer, key.key_id))


def is_on(form: Mapping[str, str]) -> bool:
    """Which way a switch is to be turned."""
    on = form.get("on", "")
    if on not in {"yes", "no"}:
        raise InvalidField("A switch is turned on with yes, off with no.", field="on")
    return on == "yes"
