"""The Logs page: every request, found by any filter; what one used and cost, line by line."""

from collections.abc import Sequence
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from tidegate.console.access import Need, page
from tidegate.console.log_look import Look
from tidegate.console.log_query import PATH, LogQuery, read_log_query
from tidegate.console.web import Web
from tidegate.services.errors import InvalidField
from tidegate.services.logins import Viewer

_NO_CONTENT: Final = 204
_INVALID: Final = 422
_SINCE: Final = "since"  # parameters beside those of the filter
_OF: Final = "of"


class Logs:
    """For everyone who is signed in; a member sees own requests only."""

    def __init__(self, web: Web) -> None:
        self._web = web

    def routes(self) -> Sequence[BaseRoute]:
        return [
            page(PATH, self.logs, need=Need.MEMBER),
            page(f"{PATH}/parts", self.logs_parts, need=Need.MEMBER),
            page(f"{PATH}/histogram", self.logs_histogram, need=Need.MEMBER),
            page(f"{PATH}/totals", self.logs_totals, need=Need.MEMBER),
            page(f"{PATH}/new", self.logs_new, need=Need.MEMBER),
            page(f"{PATH}/choices", self.logs_choices, need=Need.MEMBER),
            page(f"{PATH}/{{event_id}}", self.logs_event, need=Need.MEMBER),
        ]

    async def logs(self, request: Request, viewer: Viewer) -> Response:
        view = await run_in_threadpool(lambda: self._look(request, viewer).view())
        return self._web.page(
            request,
            "logs.html",
            status=_INVALID if view.faults else 200,
            viewer=viewer,
            current="logs",
            view=view,
            now_ms=self._web.clock() // 1000,
        )

    async def logs_parts(self, request: Request, viewer: Viewer) -> Response:
        """The page without what stands around it; what is wrong with the address is told there."""
        view = await run_in_threadpool(lambda: self._look(request, viewer).view())
        return self._web.fragment(request, "logs_parts.html", viewer=viewer, view=view)

    async def logs_histogram(self, request: Request, viewer: Viewer) -> Response:
        found = await run_in_threadpool(lambda: self._sound_look(request, viewer).histogram())
        return self._part(request, viewer, "logs_histogram.html", histogram=found)

    async def logs_totals(self, request: Request, viewer: Viewer) -> Response:
        totals = await run_in_threadpool(lambda: self._sound_look(request, viewer).totals())
        return self._part(request, viewer, "logs_totals.html", totals=totals)

    async def logs_new(self, request: Request, viewer: Viewer) -> Response:
        """How many rows came since the page was made, if any did."""
        top = request.query_params.get(_SINCE, "")
        count = await run_in_threadpool(
            lambda: self._sound_look(request, viewer, _SINCE).count_new(top)
        )
        if not count:
            return Response(status_code=_NO_CONTENT)
        query = read_log_query(request.query_params, _SINCE)
        return self._part(request, viewer, "logs_new.html", count=count, href=query.url())

    async def logs_choices(self, request: Request, viewer: Viewer) -> Response:
        """Models or repositories to choose from."""
        name = request.query_params.get(_OF, "model")
        group = await run_in_threadpool(lambda: self._look(request, viewer, _OF).choices(name))
        return self._part(request, viewer, "list_choices.html", group=group)

    async def logs_event(self, request: Request, viewer: Viewer) -> Response:
        """One request, on a page of its own or beside the list."""
        event_id = request.path_params["event_id"]
        detail = await run_in_threadpool(
            lambda: Look(self._web, viewer, LogQuery()).detail(event_id)
        )
        return self._part(request, viewer, "logs_event.html", detail=detail, close=PATH)

    def _look(self, request: Request, viewer: Viewer, *more: str) -> Look:
        return Look(self._web, viewer, read_log_query(request.query_params, *more))

    def _sound_look(self, request: Request, viewer: Viewer, *more: str) -> Look:
        """The same where the address means something, else its first fault."""
        look = self._look(request, viewer, *more)
        for name, text in look.faults.items():
            raise InvalidField(text, field=name)
        return look

    def _part(self, request: Request, viewer: Viewer, template: str, **context: Any) -> Response:
        return self._web.part(request, template, viewer=viewer, current="logs", **context)
