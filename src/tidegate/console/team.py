"""The Team page: what an admin opens every morning."""

from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from tidegate.console.access import Need, page
from tidegate.console.live import LivePage
from tidegate.console.merged_view import (
    MERGED_PATH,
    PER_PAGE,
    MergedView,
    forges_of,
    left_out,
    merged_row,
    page_tiles,
    period_line,
    with_cursor,
)
from tidegate.console.range_picker import choose_period, range_picker
from tidegate.console.team_look import TeamLook
from tidegate.console.team_query import TeamQuery, read_query
from tidegate.console.team_view import ACTIVE_US
from tidegate.console.web import SEE_OTHER, Web
from tidegate.services.logins import Viewer

_PATH = "/"
_MEMBERS_START = "/my-usage"


class TeamPage:
    """For admins and owners; a member's start page is My usage."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._live = LivePage(web, "team", TeamLook(web).view, passing=self._passing)

    def routes(self) -> Sequence[BaseRoute]:
        return [
            page(_PATH, self.team, need=Need.MEMBER, name="team"),
            page("/team/parts", self.team_parts, need=Need.ADMIN),
            page(MERGED_PATH, self.merged, need=Need.ADMIN),
        ]

    async def team(self, request: Request, viewer: Viewer) -> Response:
        if not Need.ADMIN.met_by(viewer.role):
            return RedirectResponse(_MEMBERS_START, SEE_OTHER)
        query = read_query(request.query_params, _PATH)
        return await run_in_threadpool(self._live.page, request, viewer, query)

    async def team_parts(self, request: Request, viewer: Viewer) -> Response:
        query = read_query(request.query_params, _PATH)
        return await run_in_threadpool(self._live.parts, request, viewer, query)

    async def merged(self, request: Request, viewer: Viewer) -> Response:
        query = read_query(request.query_params, MERGED_PATH)
        at = request.query_params.get("at", "")
        view = await run_in_threadpool(self._merged, viewer, query, at)
        return self._web.page(request, "merged.html", viewer=viewer, current="team", view=view)

    def _merged(self, viewer: Viewer, query: TeamQuery, at: str) -> MergedView:
        """Pull requests merged in the range, some of them."""
        services, organization_id, now_us = (
            self._web.services,
            viewer.organization_id,
            self._web.clock(),
        )
        period, errors = choose_period(services.team, organization_id, query, now_us)
        totals = services.team.merged(organization_id, period)
        rows, cursor = services.team.merged_page(organization_id, period, at, PER_PAGE)
        forges = forges_of(services, organization_id)
        return MergedView(
            query=query,
            picker=range_picker(period, query, errors, now_us=now_us),
            period=period_line(period),
            tiles=page_tiles(totals, services.team.merged_median(organization_id, period)),
            rows=[merged_row(row, forges, period, now_us) for row in rows],
            left_out=left_out(totals),
            connected=forges.connected,
            next_href=with_cursor(query, cursor) if cursor else "",
            first_href=query.url() if at else "",
        )

    def _passing(self, viewer: Viewer, now_us: int) -> tuple[int, int]:
        """How many are active, and the windows of budgets."""
        services, organization_id = self._web.services, viewer.organization_id
        active = services.team.active_since(organization_id, now_us - ACTIVE_US)
        return active, services.budget_bars.turn(organization_id)
