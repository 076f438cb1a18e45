"""Settings: the mail server that invitations and links go out by."""

from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.dialogs import actor_of
from tidegate.console.settings import SettingsView, refuse_stale, seen
from tidegate.console.web import Web
from tidegate.services.errors import NotFound, Refused
from tidegate.services.logins import Viewer
from tidegate.services.mail_form import MailForm
from tidegate.services.mail_settings import Delivery, MailView

_PATH: Final = "/settings/email"
_SECTION: Final = "email"
_FIELDS: Final = ("host", "port", "security", "user_name", "sender")
SECURITIES: Final = (
    ("starttls", "STARTTLS, usually port 587"),
    ("tls", "TLS, usually port 465"),
    ("none", "None, for a server of your own network"),
)
_NEW: Final = {"host": "", "port": "587", "security": "starttls", "user_name": "", "sender": ""}


class EmailSettings:
    def __init__(self, web: Web) -> None:
        self._view = SettingsView(web)
        self._web = web
        self._mail = web.services.mail_settings

    def routes(self) -> list[Route]:
        admin, post = Need.ADMIN, ["POST"]
        return [
            page(_PATH, self.form, need=admin),
            page(_PATH, self.save, methods=post, need=admin),
            page(_PATH + "/test", self.test, methods=post, need=admin),
            page(_PATH + "/remove", self.ask_remove, need=admin),
            page(_PATH + "/remove", self.remove, methods=post, need=admin),
        ]

    async def form(self, request: Request, viewer: Viewer) -> Response:
        now = await run_in_threadpool(self._mail.get, viewer.organization_id)
        return self._form(request, viewer, now)

    async def save(self, request: Request, viewer: Viewer) -> Response:
        fields: dict[str, str] = request.state.form
        now = await run_in_threadpool(self._mail.get, viewer.organization_id)
        try:
            refuse_stale(fields, _mark(now))
        except Refused as refused:
            return self._form(request, viewer, now, status=409, errors={"": refused.message})
        form = MailForm(
            **{name: fields.get(name, "") for name in _FIELDS},
            password=fields.get("password", "") or None,
        )
        try:
            await run_in_threadpool(
                self._mail.set, viewer.organization_id, form, actor=actor_of(request, viewer)
            )
        except Refused as refused:
            told = {refused.field: refused.message}
            return self._form(request, viewer, now, status=422, errors=told, typed=fields)
        return self._web.done(request, _PATH, "Saved. Send a test mail now.", leave=True)

    async def test(self, request: Request, viewer: Viewer) -> Response:
        """Send a test mail with what is stored; what came of it stands on the page."""
        to = request.state.form.get("to", "")
        now = await run_in_threadpool(self._mail.get, viewer.organization_id)
        try:
            delivery = await run_in_threadpool(
                self._mail.test, viewer.organization_id, to, actor=actor_of(request, viewer)
            )
        except Refused as refused:
            errors = {"to": refused.message}
            return self._form(request, viewer, now, status=422, errors=errors, to=to)
        return self._form(request, viewer, now, to=to, delivery=delivery)

    async def ask_remove(self, request: Request, viewer: Viewer) -> Response:
        now = await run_in_threadpool(self._mail.get, viewer.organization_id)
        if now is None:
            raise NotFound("There is no mail server to remove.")
        return self._view.confirm(
            request,
            viewer,
            f"Remove the mail server {now.host}?",
            "No mail goes out any more: invitations are copied as links, and nobody can ask for a"
            " one-time link or a new password.",
            verb="Remove the mail server",
            home=_PATH,
        )

    async def remove(self, request: Request, viewer: Viewer) -> Response:
        await run_in_threadpool(
            self._mail.remove, viewer.organization_id, actor=actor_of(request, viewer)
        )
        return self._web.done(request, _PATH, "The mail server is removed.")

    def _form(  # noqa: PLR0913 -- by name beyond the third
        self,
        request: Request,
        viewer: Viewer,
        now: MailView | None,
        *,
        status: int = 200,
        errors: dict[str, str] | None = None,
        typed: dict[str, str] | None = None,
        to: str | None = None,
        delivery: Delivery | None = None,
    ) -> Response:
        stored = {name: str(getattr(now, name)) for name in _FIELDS} if now else _NEW
        return self._view.show(
            request,
            viewer,
            _SECTION,
            status=status,
            errors=errors or {},
            mail=now,
            values={name: (typed or {}).get(name, text) for name, text in stored.items()},
            seen=seen(_mark(now)),
            securities=SECURITIES,
            to=viewer.email if to is None else to,
            delivery=delivery,
        )


def _mark(now: MailView | None) -> int:
    """Changes with each saving of the settings."""
    return now.updated_us if now else 0
