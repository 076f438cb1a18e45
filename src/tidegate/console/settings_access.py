"""Settings: how people sign in, and whether members enrol themselves."""

from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.dialogs import actor_of
from tidegate.console.settings import SettingsView, read_switch
from tidegate.console.web import Web
from tidegate.services.logins import Viewer

_PATH: Final = "/settings/access"
_SECTION: Final = "access"


class AccessSettings:
    def __init__(self, web: Web) -> None:
        self._view = SettingsView(web)
        self._services = web.services

    def routes(self) -> list[Route]:
        return [
            page(_PATH, self.show, need=Need.ADMIN),
            page(_PATH + "/self-enrolment", self.switch, methods=["POST"], need=Need.ADMIN),
        ]

    async def show(self, request: Request, viewer: Viewer) -> Response:
        return self._view.show(
            request, viewer, _SECTION, **await run_in_threadpool(self._look, viewer)
        )

    async def switch(self, request: Request, viewer: Viewer) -> Response:
        wanted = read_switch(request.state.form, "self_enrolment")
        await run_in_threadpool(
            self._services.organizations.update,
            viewer.organization_id,
            self_enrolment=wanted,
            actor=actor_of(request, viewer),
        )
        told = "Members may enrol themselves now." if wanted else "Only admins enrol agents now."
        return self._view.web.done(request, _PATH, told, leave=True)

    def _look(self, viewer: Viewer) -> dict[str, Any]:
        members = [
            each
            for each in self._services.members.list(viewer.organization_id)
            if not each.removed_us
        ]
        return {
            "self_enrolment": self._services.organizations.get(
                viewer.organization_id
            ).self_enrolment,
            "mail_configured": self._services.mail_settings.configured(viewer.organization_id),
            "members": len(members),
            "with_password": sum(1 for each in members if each.password_us),
        }
