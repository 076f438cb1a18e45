"""One's own account: name, password, the browsers that are signed in, and tokens for the API."""

from dataclasses import dataclass
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.browser_names import browser_name
from tidegate.console.dialogs import Moment, actor_of
from tidegate.console.formats import plural
from tidegate.console.settings import SettingsView
from tidegate.console.web import Web, peer_of
from tidegate.services.errors import InvalidField, NotFound, Refused
from tidegate.services.logins import Viewer
from tidegate.store.people import AccessTokenRecord, LoginRecord

_PATH: Final = "/account"
SCOPES: Final = (
    ("read", "Read", "Sees what you see."),
    ("write", "Read and write", "Does what you may do."),
)
LIFETIMES: Final = (("30", "30 days"), ("90", "90 days"), ("365", "A year"), ("", "No end"))


@dataclass(frozen=True)
class LoginRow:
    login_id: str
    browser: str
    address: str
    created: Moment
    seen: Moment
    is_current: bool


@dataclass(frozen=True)
class TokenRow:
    token_id: str
    name: str
    prefix: str
    scope: str
    created: Moment
    used: Moment | None
    expires: Moment | None
    expired: bool


class Account:
    def __init__(self, web: Web) -> None:
        self._view = SettingsView(web)
        self._web = web
        self._services = web.services

    def routes(self) -> list[Route]:
        member, post = Need.MEMBER, ["POST"]
        token = _PATH + "/tokens/{token_id}/revoke"
        return [
            page(_PATH, self.show, need=member),
            page(_PATH + "/name", self.rename, methods=post, need=member),
            page(_PATH + "/password", self.set_password, methods=post, need=member),
            page(_PATH + "/logins/others", self.end_others, methods=post, need=member),
            page(_PATH + "/logins/{login_id}", self.end_login, methods=post, need=member),
            page(_PATH + "/tokens", self.token_form, need=member),
            page(_PATH + "/tokens", self.make_token, methods=post, need=member),
            page(token, self.ask_revoke, need=member),
            page(token, self.revoke, methods=post, need=member),
        ]

    async def show(self, request: Request, viewer: Viewer) -> Response:
        return await self._show(request, viewer, {})

    async def rename(self, request: Request, viewer: Viewer) -> Response:
        try:
            await run_in_threadpool(
                self._services.members.rename,
                viewer.organization_id,
                viewer.member_id,
                request.state.form.get("name", ""),
                actor=actor_of(request, viewer),
            )
        except InvalidField as refused:
            return await self._show(request, viewer, {refused.field: refused.message})
        return self._web.done(request, _PATH, "Your name is saved.", leave=True)

    async def set_password(self, request: Request, viewer: Viewer) -> Response:
        """Who has a password must give it: a borrowed browser is not enough."""
        form: dict[str, str] = request.state.form
        self._web.refuse_hurried(request)
        try:
            await run_in_threadpool(self._set_password, request, viewer, form)
        except Refused as refused:
            if refused.field == "current":
                self._web.failures.failed(peer_of(request))
            return await self._show(request, viewer, {refused.field: refused.message})
        told = "Your password is set. Other browsers are signed out of this organization."
        return self._web.done(request, _PATH, told, leave=True)

    async def end_login(self, request: Request, viewer: Viewer) -> Response:
        login_id = request.path_params["login_id"]
        await run_in_threadpool(
            self._services.logins.revoke,
            viewer.organization_id,
            viewer.member_id,
            login_id,
            actor=actor_of(request, viewer),
        )
        own = login_id == viewer.login_id
        return self._web.done(
            request, "/sign-in" if own else _PATH, "That browser is signed out.", leave=True
        )

    async def end_others(self, request: Request, viewer: Viewer) -> Response:
        ended = await run_in_threadpool(
            self._services.logins.revoke_others,
            viewer.organization_id,
            viewer.member_id,
            viewer.login_id,
            actor=actor_of(request, viewer),
        )
        told = f"{plural(ended, 'other browser')} signed out." if ended else "There was no other."
        return self._web.done(request, _PATH, told, leave=True)

    async def token_form(self, request: Request, viewer: Viewer) -> Response:
        return self._token_form(request, viewer, {})

    async def make_token(self, request: Request, viewer: Viewer) -> Response:
        """The secret stands in this answer and nowhere else."""
        form: dict[str, str] = request.state.form
        try:
            made = await run_in_threadpool(
                self._services.access_tokens.create,
                viewer.organization_id,
                viewer.member_id,
                form.get("name", ""),
                form.get("scope", ""),
                days=_days(form.get("days", "")),
                actor=actor_of(request, viewer),
            )
        except NotFound:
            raise
        except Refused as refused:
            return self._token_form(request, viewer, {refused.field: refused.message})
        return self._view.dialog(
            request,
            viewer,
            "account_token_made.html",
            home=_PATH,
            row=self._token_row(viewer, made.record),
            secret=made.secret,
            api=f"{self._web.options.public_url.rstrip('/')}/api/v1",
            changed=True,
        )

    async def ask_revoke(self, request: Request, viewer: Viewer) -> Response:
        row = await self._token(request, viewer)
        return self._view.confirm(
            request,
            viewer,
            f"Revoke the access token “{row.name}”?",
            "Programs that use it are refused from now on.",
            f"It was last used {row.used.ago}." if row.used else "It was never used.",
            verb="Revoke the token",
            home=_PATH,
        )

    async def revoke(self, request: Request, viewer: Viewer) -> Response:
        await run_in_threadpool(
            self._services.access_tokens.revoke,
            viewer.organization_id,
            request.path_params["token_id"],
            by=viewer.member_id,
            actor=actor_of(request, viewer),
        )
        return self._web.done(request, _PATH, "The access token is revoked.")

    def _set_password(self, request: Request, viewer: Viewer, form: dict[str, str]) -> None:
        self._services.passwords.set(
            viewer.organization_id,
            viewer.member_id,
            form.get("password", ""),
            current=form.get("current", ""),
            keep_login_id=viewer.login_id,
            actor=actor_of(request, viewer),
        )

    async def _show(self, request: Request, viewer: Viewer, errors: dict[str, str]) -> Response:
        typed = request.state.form if request.method == "POST" else {}
        looked = await run_in_threadpool(self._look, viewer)
        return self._web.page(
            request,
            "account.html",
            status=422 if errors else 200,
            viewer=viewer,
            errors=errors,
            name=typed.get("name", viewer.name),
            **looked,
        )

    def _look(self, viewer: Viewer) -> dict[str, Any]:
        whose = viewer.organization_id, viewer.member_id
        logins = [self._login_row(viewer, each) for each in self._services.logins.list(*whose)]
        return {
            "has_password": self._services.passwords.has(*whose),
            "logins": sorted(logins, key=lambda row: not row.is_current),
            "tokens": [
                self._token_row(viewer, each) for each in self._services.access_tokens.list(*whose)
            ],
        }

    async def _token(self, request: Request, viewer: Viewer) -> TokenRow:
        looked = await run_in_threadpool(
            self._services.access_tokens.list, viewer.organization_id, viewer.member_id
        )
        token_id = request.path_params["token_id"]
        for record in looked:
            if record.token_id == token_id:
                return self._token_row(viewer, record)
        raise NotFound("There is no such access token; it may be revoked already.")

    def _token_form(self, request: Request, viewer: Viewer, errors: dict[str, str]) -> Response:
        typed = request.state.form if request.method == "POST" else {}
        return self._view.dialog(
            request,
            viewer,
            "account_token.html",
            home=_PATH,
            status=422 if errors else 200,
            errors=errors,
            scopes=SCOPES,
            lifetimes=LIFETIMES,
            values={
                "name": typed.get("name", ""),
                "scope": typed.get("scope", "read"),
                "days": typed.get("days", "90"),
            },
        )

    def _login_row(self, viewer: Viewer, login: LoginRecord) -> LoginRow:
        return LoginRow(
            login_id=login.login_id,
            browser=browser_name(login.user_agent),
            address=login.address,
            created=self._view.moment(viewer, login.created_us),
            seen=self._view.moment(viewer, login.last_seen_us),
            is_current=login.login_id == viewer.login_id,
        )

    def _token_row(self, viewer: Viewer, token: AccessTokenRecord) -> TokenRow:
        def moment(at_us: int) -> Moment | None:
            return self._view.moment(viewer, at_us) if at_us else None

        return TokenRow(
            token_id=token.token_id,
            name=token.name,
            prefix=token.prefix,
            scope=token.scope,
            created=self._view.moment(viewer, token.created_us),
            used=moment(token.last_used_us),
            expires=moment(token.expires_us),
            expired=0 < token.expires_us <= self._web.clock(),
        )


def _days(text: str) -> int | None:
    if text not in {days for days, _ in LIFETIMES}:
        raise InvalidField("Choose how long it lasts.", field="days")
    return int(text) if text else None
