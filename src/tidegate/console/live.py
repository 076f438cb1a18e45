"""Pages that keep themselves up to date: their parts are asked for again and again.

The tag of the parts changes with whatever they show: the data, the address, who looks, the running
bucket, how many are active. Times that pass are no change: browsers reckon them from `<time>`
elements.
"""

import hashlib
from collections.abc import Callable
from typing import Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from tidegate.console.range_picker import choose_period
from tidegate.console.team_query import TeamQuery
from tidegate.console.web import Web
from tidegate.services.logins import Viewer
from tidegate.store.ports import StoreUnavailable

Value = TypeVar("Value")
_NOT_MODIFIED = 304


class LiveView(Protocol):
    """What a live page shows."""

    @property
    def whole(self) -> bool: ...


def attempt(read: Callable[[], Value]) -> Value | None:
    """What a part of a page shows; None if the store fails it, so that the others still stand."""
    try:
        return read()
    except StoreUnavailable:
        return None


class LivePage:
    """One such page: `NAME.html` around `NAME_parts.html`, both from a view."""

    def __init__(
        self,
        web: Web,
        name: str,
        look: Callable[[Viewer, TeamQuery, int], LiveView],
        *,
        passing: Callable[[Viewer, int], object] = lambda _viewer, _now_us: 0,
    ) -> None:
        """`passing` is what the view shows that time alone can change."""
        self._web = web
        self._name = name
        self._look = look
        self._passing = passing

    def page(self, request: Request, viewer: Viewer, query: TeamQuery) -> Response:
        """All of it."""
        now_us = self._web.clock()
        tag = self._tag(viewer, query, now_us)
        view = self._look(viewer, query, now_us)
        return self._web.page(
            request,
            f"{self._name}.html",
            viewer=viewer,
            current=self._name,
            view=view,
            parts=f"/{self._name.replace('_', '-')}/parts",
            tag=tag if view.whole else "",
            now_ms=now_us // 1000,
        )

    def parts(self, request: Request, viewer: Viewer, query: TeamQuery) -> Response:
        """Its parts; 304 to a browser that has them already."""
        now_us = self._web.clock()
        tag = self._tag(viewer, query, now_us)
        held = request.headers.get("if-none-match", "").split(",")
        if tag in [each.strip() for each in held]:
            return Response(status_code=_NOT_MODIFIED, headers={"etag": tag})
        view = self._look(viewer, query, now_us)
        response = self._web.fragment(request, f"{self._name}_parts.html", viewer=viewer, view=view)
        if view.whole:
            response.headers["etag"] = tag
        return response

    def _tag(self, viewer: Viewer, query: TeamQuery, now_us: int) -> str:
        """Taken before the view is read, so that what changes meanwhile is read anew."""
        team, organization_id = self._web.services.team, viewer.organization_id
        period, _ = choose_period(team, organization_id, query, now_us)
        shown = (
            self._web.assets.version,
            team.version(organization_id),
            query.url(),
            organization_id,
            viewer.member_id,
            viewer.role,
            str(period.end_us),
            str(self._passing(viewer, now_us)),
        )
        return f'W/"{hashlib.sha256(chr(0).join(shown).encode()).hexdigest()[:32]}"'
