"""Coming and going: email and password, one-time links, sign-out, and from one organization to
another of the same login."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tidegate.console.access import Need, own_path, page
from tidegate.console.web import SEE_OTHER, Web, browser_of, peer_of
from tidegate.services.errors import InvalidCode, TooMany
from tidegate.services.logins import Viewer

_MISSING = {"email": "Type in your email address.", "password": "Type in your password."}


class SignIn:
    """A link is looked at by GET, as mail scanners do, and used by POST alone."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._logins = web.services.logins

    def routes(self) -> list[Route]:
        post = ["POST"]
        return [
            page("/sign-in", self.form, need=Need.ANYONE),
            page("/sign-in", self.enter, methods=post, need=Need.ANYONE),
            page("/sign-in/{token}", self.offer, need=Need.ANYONE),
            page("/sign-in/{token}", self.redeem, methods=post, need=Need.ANYONE),
            page("/sign-out", self.sign_out, methods=post, need=Need.ANYONE),
            page("/switch", self.switch, methods=post, need=Need.MEMBER),
        ]

    async def form(self, request: Request) -> Response:
        if not await run_in_threadpool(self._web.services.organizations.exists):
            return self._web.page(request, "sign_in_setup.html")
        return self._form(request, next_path=own_path(request.query_params.get("next", "")))

    async def enter(self, request: Request) -> Response:
        """Every failure reads the same, whether the address is known or not."""
        fields: dict[str, str] = request.state.form
        email, password = fields.get("email", ""), fields.get("password", "")
        next_path = own_path(fields.get("next", ""))
        if missing := {name: told for name, told in _MISSING.items() if not fields.get(name)}:
            return self._form(request, 422, email=email, next_path=next_path, errors=missing)
        self._web.refuse_hurried(request)
        try:
            secret = await run_in_threadpool(
                self._logins.sign_in,
                email,
                password,
                address=peer_of(request),
                user_agent=browser_of(request),
                login_secret=self._web.login_secret(request),
            )
        except (InvalidCode, TooMany) as refused:
            self._web.failures.failed(peer_of(request))
            status, told = 429 if isinstance(refused, TooMany) else 422, {"": refused.message}
            again = self._form(request, status, email=email, next_path=next_path, errors=told)
            if isinstance(refused, TooMany):
                again.headers["retry-after"] = str(refused.wait_s)
            return again
        return enter(self._web, secret, next_path)

    async def offer(self, request: Request) -> Response:
        self._web.refuse_hurried(request)
        offer = await run_in_threadpool(self._logins.peek_sign_in, token_of(request))
        if offer is None:
            return invalid_link(self._web, request, "sign_in")
        signed_in = request.state.viewer
        return self._web.page(
            request, "sign_in_confirm.html", with_form=True, offer=offer, signed_in=signed_in
        )

    async def redeem(self, request: Request) -> Response:
        self._web.refuse_hurried(request)
        try:
            secret = await run_in_threadpool(
                self._logins.redeem_sign_in,
                token_of(request),
                address=peer_of(request),
                user_agent=browser_of(request),
                login_secret=self._web.login_secret(request),
            )
        except InvalidCode:
            return invalid_link(self._web, request, "sign_in")
        return enter(self._web, secret)

    async def sign_out(self, request: Request) -> Response:
        if secret := self._web.login_secret(request):
            await run_in_threadpool(self._logins.sign_out, secret, address=peer_of(request))
        response = RedirectResponse("/sign-in", SEE_OTHER)
        self._web.end_login(response)
        return response

    async def switch(self, request: Request, _viewer: Viewer) -> Response:
        wanted = request.state.form.get("organization", "")
        await run_in_threadpool(self._logins.switch, self._web.login_secret(request), wanted)
        return RedirectResponse("/", SEE_OTHER)

    def _form(
        self,
        request: Request,
        status: int = 200,
        *,
        email: str = "",
        next_path: str = "",
        errors: dict[str, str] | None = None,
    ) -> Response:
        return self._web.page(
            request,
            "sign_in.html",
            status=status,
            with_form=True,
            signed_in=request.state.viewer,
            email=email,
            next_path=next_path,
            errors=errors or {},
        )


def enter(web: Web, login_secret: str, next_path: str = "") -> Response:
    """To where the person wanted to go, with the cookie of the login."""
    response = RedirectResponse(next_path or "/", SEE_OTHER)
    web.set_login(response, login_secret)
    return response


def invalid_link(web: Web, request: Request, kind: str) -> Response:
    """Wrong, used and expired look the same, and count as a failed attempt."""
    web.failures.failed(peer_of(request))
    return web.page(request, "link_invalid.html", status=404, kind=kind)


def token_of(request: Request) -> str:
    """The secret of a link."""
    token: str = request.path_params["token"]
    return token
