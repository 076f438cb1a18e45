"""Coming and going: the set-up link, one-time sign-in links, sign-out."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tidegate.console.web import Web, peer_of
from tidegate.services.errors import InvalidCode, Refused

_SEE_OTHER = 303
_FIELDS = ("organization", "email")


class SignIn:
    """A link is looked at by GET, as mail scanners do, and used by POST alone."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._logins = web.services.logins

    def routes(self) -> list[Route]:
        return [
            Route("/sign-in/{token}", self.offer, methods=["GET"]),
            Route("/sign-in/{token}", self.sign_in, methods=["POST"]),
            Route("/sign-out", self.sign_out, methods=["POST"]),
            Route("/setup/{token}", self.setup_form, methods=["GET"]),
            Route("/setup/{token}", self.set_up, methods=["POST"]),
        ]

    async def offer(self, request: Request) -> Response:
        self._web.refuse_hurried(request)
        offer = await run_in_threadpool(self._logins.peek_sign_in, _token(request))
        if offer is None:
            return self._invalid(request)
        return self._web.page(request, "sign_in_confirm.html", with_form=True, offer=offer)

    async def sign_in(self, request: Request) -> Response:
        self._web.refuse_hurried(request)
        await self._web.form(request)
        try:
            secret = await run_in_threadpool(
                self._logins.redeem_sign_in, _token(request), address=peer_of(request)
            )
        except InvalidCode:
            return self._invalid(request)
        return self._enter(secret)

    async def sign_out(self, request: Request) -> Response:
        await self._web.form(request)
        if secret := request.cookies.get(self._web.login_cookie):
            await run_in_threadpool(self._logins.sign_out, secret, address=peer_of(request))
        response = RedirectResponse("/", _SEE_OTHER)
        self._web.end_login(response)
        return response

    async def setup_form(self, request: Request) -> Response:
        self._web.refuse_hurried(request)
        if not await run_in_threadpool(self._logins.setup_open, _token(request)):
            return self._invalid(request)
        return self._setup_page(request, dict.fromkeys(_FIELDS, ""), {})

    async def set_up(self, request: Request) -> Response:
        self._web.refuse_hurried(request)
        form = await self._web.form(request)
        values = {name: form.get(name, "") for name in _FIELDS}
        try:
            secret = await run_in_threadpool(
                self._logins.redeem_setup,
                _token(request),
                values["organization"],
                values["email"],
                address=peer_of(request),
            )
        except InvalidCode:
            return self._invalid(request)
        except Refused as refused:
            faults = {refused.field: refused.message}
            return self._setup_page(request, values, faults)
        return self._enter(secret)

    def _setup_page(
        self, request: Request, values: dict[str, str], faults: dict[str, str]
    ) -> Response:
        status = 422 if faults else 200
        return self._web.page(
            request, "setup.html", status=status, with_form=True, values=values, faults=faults
        )

    def _enter(self, login_secret: str) -> Response:
        response = RedirectResponse("/", _SEE_OTHER)
        self._web.set_login(response, login_secret)
        return response

    def _invalid(self, request: Request) -> Response:
        """Wrong, used and expired look the same."""
        self._web.failures.failed(peer_of(request))
        return self._web.page(request, "link_invalid.html", status=404)


def _token(request: Request) -> str:
    token: str = request.path_params["token"]
    return token
