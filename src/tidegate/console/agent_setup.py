"""What is to be done on a developer's machine, and whether the first request is in."""

from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.agent_marks import agent_mark
from tidegate.console.dialogs import AgentKey, Dialogs, actor_of, key_id_of
from tidegate.console.setup_steps import setup_steps
from tidegate.console.web import SEE_OTHER, Web, is_partial
from tidegate.core.model import Agent
from tidegate.services.codes import LIFETIME_US, Purpose
from tidegate.services.enrolment import Enrolled
from tidegate.services.logins import Viewer

_TEMPLATE: Final = "agent_setup.html"
_COUNTED_S: Final = 3_600  # who waits longer looks at no clock


class Setup:
    """A login code is made by POST alone, and stands only in the answer to it."""

    def __init__(self, web: Web) -> None:
        self._dialogs = Dialogs(web)
        self._web = web
        self._services = web.services

    def routes(self) -> list[Route]:
        one = "/agents/{key_id}"
        return [
            page(f"{one}/setup", self.steps, need=Need.MEMBER),
            page(f"{one}/setup", self.make_code, methods=["POST"], need=Need.MEMBER),
            page(f"{one}/waiting", self.waiting, need=Need.MEMBER),
        ]

    async def steps(self, request: Request, viewer: Viewer) -> Response:
        key = await run_in_threadpool(self._dialogs.key, viewer, key_id_of(request))
        lead = "Two steps, on the machine that the agent runs on."
        return await self._show(request, viewer, key, lead=lead)

    async def make_code(self, request: Request, viewer: Viewer) -> Response:
        key, code = await run_in_threadpool(self._make_code, request, viewer)
        lead = f"Here is a new code. {_send(viewer, key)}"
        return await self._show(request, viewer, key, code, lead=lead)

    async def of_new_key(self, request: Request, viewer: Viewer, enrolled: Enrolled) -> Response:
        """The steps that follow an enrolment."""
        key = await run_in_threadpool(self._dialogs.key, viewer, enrolled.key_id)
        lead = f"Enrolled. {_send(viewer, key)}"
        return await self._show(
            request, viewer, key, enrolled.login_code, lead=lead, changed=True, waits=True
        )

    async def of_rotated_key(
        self, request: Request, viewer: Viewer, key: AgentKey, code: str, note: str
    ) -> Response:
        """The steps that follow a rotation; the tool is there already."""
        lead = f"The key is rotated. {_send(viewer, key)}"
        return await self._show(request, viewer, key, code, lead=lead, note=note, waits=False)

    async def waiting(self, request: Request, viewer: Viewer) -> Response:
        """204 until the first request is in: this is asked every second."""
        if not is_partial(request):
            return RedirectResponse(f"/agents/{key_id_of(request)}/setup", SEE_OTHER)
        key = await run_in_threadpool(self._dialogs.key, viewer, key_id_of(request))
        used_us = await run_in_threadpool(self._dialogs.last_used_us, key)
        if not used_us:
            return Response(status_code=204)
        used = self._dialogs.moment(viewer, used_us)
        return self._web.fragment(request, "agent_waiting.html", used=used, waited=True)

    def _make_code(self, request: Request, viewer: Viewer) -> tuple[AgentKey, str]:
        key = self._dialogs.key(viewer, key_id_of(request))
        code = self._services.enrolment.login_code(
            viewer.organization_id, key.key_id, actor=actor_of(request, viewer)
        )
        return key, code

    async def _show(
        self, request: Request, viewer: Viewer, key: AgentKey, code: str = "", **context: Any
    ) -> Response:
        now_us = self._web.clock()
        organization = await run_in_threadpool(
            self._services.organizations.get, viewer.organization_id
        )
        used_us = await run_in_threadpool(self._dialogs.last_used_us, key)
        until = self._dialogs.moment(viewer, now_us + LIFETIME_US[Purpose.ENROLMENT])
        waited_s = (now_us - key.stored.created_us) // 1_000_000
        steps = setup_steps(
            self._web.options.public_url, Agent(key.record.agent), code, until.exact
        )
        shown: dict[str, Any] = {
            "agent": agent_mark(key.record.agent),
            "member": key.person,
            "key_id": key.key_id,
            "prefix": key.stored.prefix,
            "compression": organization.compresses(key.record),
            "steps": steps,
            "note": "",
            "waits": True,
            "waited": False,
            "used": self._dialogs.moment(viewer, used_us) if used_us else None,
            "waited_s": waited_s if waited_s < _COUNTED_S else "",
        }
        return self._dialogs.show(request, viewer, _TEMPLATE, **(shown | context))


def _send(viewer: Viewer, key: AgentKey) -> str:
    if key.person.member_id == viewer.member_id:
        return "Two steps, on the machine that the agent runs on."
    return f"Send {key.person.name} these two steps."
