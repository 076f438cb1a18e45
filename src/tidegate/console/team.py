"""The Team page: what an admin opens every morning."""

from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from tidegate.console.access import Need, page
from tidegate.console.live import LivePage
from tidegate.console.team_look import TeamLook
from tidegate.console.team_query import read_query
from tidegate.console.team_view import ACTIVE_US
from tidegate.console.web import SEE_OTHER, Web
from tidegate.services.logins import Viewer

_PATH = "/"
_MEMBERS_START = "/my-usage"


class TeamPage:
    """For admins and owners; a member's start page is My usage."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._live = LivePage(web, "team", TeamLook(web).view, passing=self._active)

    def routes(self) -> Sequence[BaseRoute]:
        return [
            page(_PATH, self.team, need=Need.MEMBER, name="team"),
            page("/team/parts", self.team_parts, need=Need.ADMIN),
        ]

    async def team(self, request: Request, viewer: Viewer) -> Response:
        if not Need.ADMIN.met_by(viewer.role):
            return RedirectResponse(_MEMBERS_START, SEE_OTHER)
        query = read_query(request.query_params, _PATH)
        return await run_in_threadpool(self._live.page, request, viewer, query)

    async def team_parts(self, request: Request, viewer: Viewer) -> Response:
        query = read_query(request.query_params, _PATH)
        return await run_in_threadpool(self._live.parts, request, viewer, query)

    def _active(self, viewer: Viewer, now_us: int) -> int:
        team = self._web.services.team
        return team.active_since(viewer.organization_id, now_us - ACTIVE_US)
