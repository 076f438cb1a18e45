"""Who may open a page: said once at its route, checked before its code runs.

A route made by `page` carries its need, so that a test can try each of them in every role. The
endpoint of a form finds its fields in `request.state.form`, of which it is certain that one of
our own pages sent them.
"""

from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Any, Final
from urllib.parse import quote, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tidegate.console.web import SEE_OTHER, Web, is_partial
from tidegate.core.model import Role

Endpoint = Callable[..., Awaitable[Response]]

SIGN_IN: Final = "/sign-in"
_MAX_NEXT_CHARS: Final = 2000
_NOT_YOURS: Final = {
    "admin": "This is for the admins and owners of the organization. Ask one of them.",
    "owner": "This is for the owners of the organization. Ask one of them.",
}


class Need(StrEnum):
    """What it takes to open a page."""

    ANYONE = "anyone"
    MEMBER = "member"  # signed in
    ADMIN = "admin"  # an admin or owner
    OWNER = "owner"

    def met_by(self, role: str) -> bool:
        """Whether someone signed in with this role may."""
        match self:
            case Need.ADMIN:
                return role in {Role.ADMIN, Role.OWNER}
            case Need.OWNER:
                return role == Role.OWNER
        return True


class PageRoute(Route):
    """A route that says what it takes to open it."""

    def __init__(self, path: str, endpoint: Any, *, need: Need, **more: Any) -> None:
        super().__init__(path, endpoint, **more)
        self.need = need


def page(
    path: str,
    endpoint: Endpoint,
    *,
    methods: Sequence[str] = ("GET",),
    need: Need,
    name: str | None = None,
) -> PageRoute:
    """A page: `endpoint(request)` if anyone may open it, else `endpoint(request, viewer)`."""

    async def guarded(request: Request) -> Response:
        web: Web = request.app.state.web
        viewer = await web.viewer(request)
        if need is not Need.ANYONE:
            if viewer is None:
                return to_sign_in(request)
            if not need.met_by(viewer.role):
                raise HTTPException(403, _NOT_YOURS[need])
        if request.method == "POST":
            request.state.form = await web.form(request)
        return await (endpoint(request) if need is Need.ANYONE else endpoint(request, viewer))

    return PageRoute(
        path, guarded, need=need, methods=list(methods), name=name or endpoint_name(endpoint)
    )


def endpoint_name(endpoint: Endpoint) -> str:
    """What a route is called in the list of routes."""
    return getattr(endpoint, "__name__", "page")


def to_sign_in(request: Request) -> Response:
    """To the sign-in page and, after it, back here; nothing that was posted is kept."""
    target = _wanted(request)
    address = SIGN_IN if target in {"", "/"} else f"{SIGN_IN}?next={quote(target, safe='/')}"
    if is_partial(request):
        return Response(status_code=204, headers={"hx-redirect": address})
    return RedirectResponse(address, SEE_OTHER)


def own_path(text: str) -> str:
    """The path if it leads to a page of ours, else nothing: no link leads elsewhere from here."""
    if not text.startswith("/") or text.startswith("//") or len(text) > _MAX_NEXT_CHARS:
        return ""
    if "\\" in text or not text.isprintable() or not text.isascii() or " " in text:
        return ""
    parts = urlsplit(text)
    return "" if parts.scheme or parts.netloc else text


def _wanted(request: Request) -> str:
    if is_partial(request):
        try:
            current = urlsplit(request.headers.get("hx-current-url", ""))
        except ValueError:
            return ""
        return own_path(f"{current.path}?{current.query}" if current.query else current.path)
    if request.method != "GET":
        return ""
    query = request.url.query
    return own_path(f"{request.url.path}?{query}" if query else request.url.path)
