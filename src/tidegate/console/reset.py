"""Who cannot sign in: a one-time link or a new password, by mail.

The answer is the same whether or not the address is known, and comes before anything is looked
up: neither its words nor its time tell who is a member.
"""

from collections.abc import Callable

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.sign_in import enter, invalid_link, token_of
from tidegate.console.web import Web, browser_of, peer_of
from tidegate.services import fields
from tidegate.services.errors import InvalidCode, InvalidField, Refused

_LINK = "link"
_RESET = "reset"


class Reset:
    def __init__(self, web: Web) -> None:
        self._web = web
        self._passwords = web.services.passwords

    def routes(self) -> list[Route]:
        post = ["POST"]
        return [
            page("/sign-in/link", self.ask_link, need=Need.ANYONE),
            page("/sign-in/link", self.send_link, methods=post, need=Need.ANYONE),
            page("/sign-in/forgot", self.ask_reset, need=Need.ANYONE),
            page("/sign-in/forgot", self.send_reset, methods=post, need=Need.ANYONE),
            page("/reset/{token}", self.form, need=Need.ANYONE),
            page("/reset/{token}", self.reset, methods=post, need=Need.ANYONE),
        ]

    async def ask_link(self, request: Request) -> Response:
        return self._ask(request, _LINK)

    async def ask_reset(self, request: Request) -> Response:
        return self._ask(request, _RESET)

    async def send_link(self, request: Request) -> Response:
        return self._asked(request, _LINK, self._mail_links)

    async def send_reset(self, request: Request) -> Response:
        return self._asked(request, _RESET, self._mail_resets)

    async def form(self, request: Request) -> Response:
        self._web.refuse_hurried(request)
        offer = await run_in_threadpool(self._passwords.peek_reset, token_of(request))
        if offer is None:
            return invalid_link(self._web, request, _RESET)
        return self._web.page(request, "reset.html", with_form=True, offer=offer)

    async def reset(self, request: Request) -> Response:
        self._web.refuse_hurried(request)
        token = token_of(request)
        try:
            secret = await run_in_threadpool(
                self._passwords.redeem_reset,
                token,
                request.state.form.get("password", ""),
                address=peer_of(request),
                user_agent=browser_of(request),
                login_secret=self._web.login_secret(request),
            )
        except InvalidField as refused:
            offer = await run_in_threadpool(self._passwords.peek_reset, token)
            if offer is not None:
                return self._web.refused(request, "reset.html", refused, offer=offer)
            return invalid_link(self._web, request, _RESET)
        except InvalidCode:
            return invalid_link(self._web, request, _RESET)
        return enter(self._web, secret)

    def _ask(
        self, request: Request, kind: str, email: str = "", errors: dict[str, str] | None = None
    ) -> Response:
        return self._web.page(
            request,
            "sign_in_ask.html",
            status=422 if errors else 200,
            with_form=True,
            kind=kind,
            email=email,
            errors=errors or {},
        )

    def _asked(self, request: Request, kind: str, mail: Callable[[str, str], None]) -> Response:
        """Promise a mail; whether one goes out is found out after the answer."""
        typed = request.state.form.get("email", "")
        try:
            email = fields.email_address(typed)
        except Refused as refused:
            errors = {refused.field: refused.message}
            return self._ask(request, kind, typed, errors)
        if wait_s := self._web.failures.wait_s(peer_of(request)):
            raise HTTPException(429, headers={"retry-after": str(wait_s)})
        self._web.failures.failed(peer_of(request))  # asking costs an attempt, like a wrong guess
        response = self._web.page(request, "sign_in_asked.html", kind=kind, email=email)
        response.background = BackgroundTask(run_in_threadpool, mail, email, peer_of(request))
        return response

    def _mail_links(self, email: str, address: str) -> None:
        for link in self._passwords.make_links(email, address=address):
            self._web.services.notices.sign_in_link(link)

    def _mail_resets(self, email: str, address: str) -> None:
        for reset in self._passwords.make_reset(email, address=address):
            self._web.services.notices.reset(reset)
