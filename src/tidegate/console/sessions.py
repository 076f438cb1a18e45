"""The Sessions page and the page of one session."""

from collections.abc import Sequence
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from tidegate.console.access import Need, page
from tidegate.console.dialogs import Dialogs
from tidegate.console.log_range import own_rows
from tidegate.console.session_look import SessionLook
from tidegate.console.session_privacy import ShareLine, share_lines
from tidegate.console.session_query import PATH, read_session_query
from tidegate.console.session_view import SessionView, correctors, session_view
from tidegate.console.web import SEE_OTHER, Web
from tidegate.services.logins import Viewer

_INVALID: Final = 422
_OF: Final = "of"  # a parameter that is no filter


class Sessions:
    """For everyone who is signed in; a member sees own sessions only."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._services = web.services
        self._dialogs = Dialogs(web)

    def routes(self) -> Sequence[BaseRoute]:
        return [
            page(PATH, self.sessions, need=Need.MEMBER),
            page(f"{PATH}/parts", self.sessions_parts, need=Need.MEMBER),
            page(f"{PATH}/choices", self.sessions_choices, need=Need.MEMBER),
            page(f"{PATH}/{{session_id}}", self.session, need=Need.MEMBER),
        ]

    async def sessions(self, request: Request, viewer: Viewer) -> Response:
        view = await run_in_threadpool(lambda: self._look(request, viewer).view())
        return self._web.page(
            request,
            "sessions.html",
            status=_INVALID if view.faults else 200,
            viewer=viewer,
            current="sessions",
            view=view,
            now_ms=self._web.clock() // 1000,
        )

    async def sessions_parts(self, request: Request, viewer: Viewer) -> Response:
        """The page without what stands around it; what is wrong with the address is told there."""
        view = await run_in_threadpool(lambda: self._look(request, viewer).view())
        return self._web.fragment(request, "sessions_parts.html", viewer=viewer, view=view)

    async def sessions_choices(self, request: Request, viewer: Viewer) -> Response:
        """Models, repositories or branches to choose from."""
        name = request.query_params.get(_OF, "model")
        group = await run_in_threadpool(lambda: self._look(request, viewer, _OF).choices(name))
        return self._web.part(
            request, "list_choices.html", viewer=viewer, current="sessions", group=group
        )

    async def session(self, request: Request, viewer: Viewer) -> Response:
        session_id = request.path_params["session_id"]
        view, shares = await run_in_threadpool(self._session, viewer, session_id)
        if view.session_id != session_id:  # a sub-agent's
            return RedirectResponse(view.path, SEE_OTHER)
        return self._web.page(
            request,
            "session.html",
            viewer=viewer,
            current="sessions",
            view=view,
            shares=shares,
            now_ms=self._web.clock() // 1000,
        )

    # what runs beside the event loop

    def _session(self, viewer: Viewer, session_id: str) -> tuple[SessionView, list[ShareLine]]:
        detail = self._services.session_reports.detail(
            viewer.organization_id, session_id, member_id=own_rows(viewer)
        )
        shares = self._services.session_shares.of(viewer.organization_id, detail.row.session_id)
        people = self._services.session_reports.names(viewer.organization_id, correctors(detail))
        view = session_view(detail, people, now_us=self._web.clock(), zone_name=viewer.time_zone)
        return view, share_lines(self._dialogs, viewer, shares)

    def _look(self, request: Request, viewer: Viewer, *more: str) -> SessionLook:
        return SessionLook(self._web, viewer, read_session_query(request.query_params, *more))
