"""The start page: who used what, by member, agent and model; and the same as JSON."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tidegate.console import first_run
from tidegate.console.first_run import FirstRun
from tidegate.console.refusals import ApiRefusal
from tidegate.console.usage_view import DEFAULT_RANGE, RANGES, UsageView, usage_json, usage_view
from tidegate.console.web import Web
from tidegate.core.model import Role
from tidegate.services.logins import Viewer
from tidegate.services.usage import UsageTable
from tidegate.store.ports import StoredKey


class UsagePage:
    """Members see their own requests, admins and owners everyone's."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._services = web.services

    def routes(self) -> list[Route]:
        return [Route("/", self.page), Route("/api/usage", self.json)]

    async def page(self, request: Request) -> Response:
        viewer = await self._web.viewer(request)
        if viewer is None:
            ready = await run_in_threadpool(self._services.organizations.exists)
            return self._web.page(request, "sign_in.html", ready=ready)
        view, missing = await run_in_threadpool(self._look, viewer, _range(request))
        return self._web.page(
            request, "usage.html", viewer=viewer, current="team", page=view, first_run=missing
        )

    async def json(self, request: Request) -> Response:
        viewer = await self._web.viewer(request)
        if viewer is None:
            raise ApiRefusal(401, "not_signed_in", "Sign in first.")
        name = request.query_params.get("range", DEFAULT_RANGE.name)
        if name not in {each.name for each in RANGES}:
            choices = ", ".join(each.name for each in RANGES)
            raise ApiRefusal(400, "bad_range", f"The range is one of {choices}.")
        return JSONResponse(usage_json(await run_in_threadpool(self._table, viewer, name)))

    def _table(self, viewer: Viewer, range_name: str) -> UsageTable:
        return self._services.usage.table(
            viewer.organization_id, range_name, self._web.clock(), _only(viewer)
        )

    def _look(self, viewer: Viewer, range_name: str) -> tuple[UsageView, FirstRun | None]:
        table = self._table(viewer, range_name)
        own_only = bool(_only(viewer))
        if table.rows:
            return usage_view(table, own_only=own_only), None
        last_us = self._last_us(viewer)
        view = usage_view(table, own_only=own_only, last_us=last_us)
        return view, None if last_us else self._first_run(viewer)

    def _last_us(self, viewer: Viewer) -> int:
        """When the last request that the viewer may see was made; 0 if there was none ever."""
        used = self._services.usage.last_used(viewer.organization_id)
        if _only(viewer):
            own = {key.record.key_id for key in self._keys(viewer)}
            used = {key_id: at_us for key_id, at_us in used.items() if key_id in own}
        return max(used.values(), default=0)

    def _first_run(self, viewer: Viewer) -> FirstRun:
        has_key = bool(self._keys(viewer))
        if _only(viewer):
            return first_run.for_member(self._web.options, has_key=has_key)
        available = self._services.credentials.available(viewer.organization_id)
        return first_run.for_admin(
            viewer, self._web.options, has_credential=bool(available), has_key=has_key
        )

    def _keys(self, viewer: Viewer) -> list[StoredKey]:
        keys = self._services.enrolment.list_keys(viewer.organization_id)
        return [key for key in keys if _only(viewer) in {"", key.record.member_id}]


def _range(request: Request) -> str:
    """The range of the URL; one that does not exist is the usual one."""
    asked = request.query_params.get("range", "")
    return asked if asked in {each.name for each in RANGES} else DEFAULT_RANGE.name


def _only(viewer: Viewer) -> str:
    """The member whose rows a viewer may see; empty: all of the organization."""
    return viewer.member_id if viewer.role == Role.MEMBER else ""
