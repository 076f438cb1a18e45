"""Following an invitation: who invites, to what, as which role; then a name and, if wanted, a
password."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.sign_in import enter, invalid_link, token_of
from tidegate.console.web import Web, browser_of, peer_of
from tidegate.services.errors import InvalidCode, Refused

_KIND = "invitation"


class Join:
    """A link is looked at by GET, as mail scanners do, and used by POST alone."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._invitations = web.services.invitations

    def routes(self) -> list[Route]:
        return [
            page("/join/{token}", self.form, need=Need.ANYONE),
            page("/join/{token}", self.accept, methods=["POST"], need=Need.ANYONE),
        ]

    async def form(self, request: Request) -> Response:
        self._web.refuse_hurried(request)
        return await self._form(request, {})

    async def accept(self, request: Request) -> Response:
        self._web.refuse_hurried(request)
        fields: dict[str, str] = request.state.form
        try:
            secret = await run_in_threadpool(
                self._invitations.accept,
                token_of(request),
                name=fields.get("name", ""),
                password=fields.get("password", ""),
                address=peer_of(request),
                user_agent=browser_of(request),
                login_secret=self._web.login_secret(request),
            )
        except InvalidCode:
            return invalid_link(self._web, request, _KIND)
        except Refused as refused:
            return await self._form(request, {refused.field: refused.message})
        return enter(self._web, secret)

    async def _form(self, request: Request, errors: dict[str, str]) -> Response:
        offer = await run_in_threadpool(self._invitations.peek, token_of(request))
        if offer is None:
            return invalid_link(self._web, request, _KIND)
        fields = request.state.form if request.method == "POST" else {}
        return self._web.page(
            request,
            "join.html",
            status=422 if errors else 200,
            with_form=True,
            offer=offer,
            signed_in=request.state.viewer,
            name=fields.get("name", ""),
            errors=errors,
        )
