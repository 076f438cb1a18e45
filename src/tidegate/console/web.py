"""What every route of the console needs: rendering, the viewer, forms, and refusals."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tidegate.console import csrf, formats
from tidegate.console.limits import FailureLimit
from tidegate.console.options import ConsoleOptions
from tidegate.console.services import ConsoleServices
from tidegate.console.static import Assets
from tidegate.core.model import Role
from tidegate.services.browser_logins import LOGIN_LIFETIME_US
from tidegate.services.context import Clock, now_us
from tidegate.services.errors import Refused
from tidegate.services.logins import Viewer
from tidegate.services.vault import new_token

_TEMPLATES: Final = Path(__file__).resolve().parent / "templates"
_FORM_TYPE: Final = "application/x-www-form-urlencoded"
_MAX_FIELDS: Final = 50
_MAX_TOAST_CHARS: Final = 300
_MAX_AGENT_CHARS: Final = 300
SEE_OTHER: Final = 303


@dataclass(frozen=True)
class Navigation:
    """An entry of the sidebar. Only pages that exist have one."""

    title: str
    href: str
    icon: str
    current: bool = False
    count: int = 0  # of what waits there to be looked at


def navigation(viewer: Viewer, current: str, alerts: int = 0) -> Sequence[Navigation]:
    """The entries that this person has; `current` is the name of one, such as "my_usage"."""
    entries = [
        Navigation("My usage", "/my-usage", "chart-column", current == "my_usage"),
        Navigation("Sessions", "/sessions", "terminal", current == "sessions"),
        Navigation("Logs", "/logs", "scroll-text", current == "logs"),
        Navigation("Alerts", "/alerts", "bell", current == "alerts", alerts),
        Navigation("Budgets", "/budgets", "wallet", current == "budgets"),
    ]
    if viewer.role == Role.MEMBER:
        return entries
    return [
        Navigation("Team", "/", "users", current == "team"),
        *entries,
        Navigation("Settings", "/settings", "settings", current == "settings"),
    ]


@dataclass(frozen=True)
class Web:
    services: ConsoleServices
    options: ConsoleOptions
    assets: Assets
    failures: FailureLimit  # per peer: wrong codes, tokens and passwords
    clock: Clock = now_us
    templates: Environment = field(init=False, repr=False)

    def __post_init__(self) -> None:
        templates = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            auto_reload=False,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        templates.globals.update(asset=self.assets.url, dash=formats.DASH)
        templates.filters.update(_FILTERS)
        object.__setattr__(self, "templates", templates)

    # cookies

    @property
    def login_cookie(self) -> str:
        return self._cookie("tidegate_login")

    @property
    def form_cookie(self) -> str:
        return self._cookie("tidegate_form")

    @property
    def toast_cookie(self) -> str:
        return self._cookie("tidegate_toast")

    def _cookie(self, name: str) -> str:
        """Over TLS the prefix keeps other hosts of the domain from setting it."""
        return f"__Host-{name}" if self.options.secure else name

    def set_login(self, response: Response, login_secret: str) -> None:
        self._set_cookie(
            response, self.login_cookie, login_secret, max_age_s=LOGIN_LIFETIME_US // 1_000_000
        )

    def _set_cookie(
        self, response: Response, name: str, value: str, *, max_age_s: int | None
    ) -> None:
        response.set_cookie(
            name,
            value,
            max_age=max_age_s,
            path="/",
            secure=self.options.secure,
            httponly=True,
            samesite="lax",
        )

    def end_login(self, response: Response) -> None:
        self._end_cookie(response, self.login_cookie)

    def _end_cookie(self, response: Response, name: str) -> None:
        response.delete_cookie(
            name, path="/", secure=self.options.secure, httponly=True, samesite="lax"
        )

    # who looks, and what they send

    async def viewer(self, request: Request) -> Viewer | None:
        """The signed-in person, if any; looked up once in a request."""
        if not hasattr(request.state, "viewer"):
            secret = self.login_secret(request)
            found = await run_in_threadpool(self._look_up, request, secret) if secret else None
            request.state.viewer = found
        viewer: Viewer | None = request.state.viewer
        return viewer

    def _look_up(self, request: Request, secret: str) -> Viewer | None:
        """Whose login it is; for a page also how many alerts wait, which stands beside it."""
        viewer = self.services.logins.viewer(secret)
        if viewer is not None and not is_partial(request):
            request.state.alerts = self.services.alerts.history.waiting(viewer)
        return viewer

    async def form(self, request: Request) -> dict[str, str]:
        """The fields of a form that one of our pages sent, or 403."""
        if not csrf.is_own_origin(request.headers, self.options.origins):
            raise HTTPException(403)
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != _FORM_TYPE:
            raise HTTPException(415)
        try:
            body = (await request.body()).decode()
            fields = dict(parse_qsl(body, keep_blank_values=True, max_num_fields=_MAX_FIELDS))
        except ValueError:
            raise HTTPException(400) from None
        if not csrf.is_token_for(self._form_owner(request), fields.get(csrf.FIELD, "")):
            raise HTTPException(403)
        return fields

    def _form_owner(self, request: Request) -> str:
        cookies = request.cookies
        return cookies.get(self.login_cookie) or cookies.get(self.form_cookie) or ""

    def login_secret(self, request: Request) -> str:
        """What the browser's login cookie holds; good or not."""
        return request.cookies.get(self.login_cookie, "")

    def refuse_hurried(self, request: Request) -> None:
        """429 for a peer whose attempts failed too often."""
        if wait_s := self.failures.wait_s(peer_of(request)):
            raise HTTPException(429, headers={"retry-after": str(wait_s)})

    # pages

    def page(
        self,
        request: Request,
        template: str,
        *,
        status: int = 200,
        with_form: bool = False,
        viewer: Viewer | None = None,
        current: str = "",
        **context: Any,
    ) -> HTMLResponse:
        """A page. One with a form for a visitor without a login comes with a cookie for it.

        With a viewer it stands in the shell: `current` names its entry of the navigation.
        """
        owner = self._form_owner(request)
        made = "" if owner or not with_form else new_token()
        toast = request.cookies.get(self.toast_cookie, "")
        if viewer is not None:
            waiting = getattr(request.state, "alerts", 0)
            context |= {"viewer": viewer, "entries": navigation(viewer, current, waiting)}
        body = self._render(
            template,
            layout="shell.html",
            csrf=csrf.token_for(owner or made),
            toast=unquote(toast)[:_MAX_TOAST_CHARS],
            **context,
        )
        response = HTMLResponse(body, status)
        if made:
            self._set_cookie(response, self.form_cookie, made, max_age_s=None)
        if toast:
            self._end_cookie(response, self.toast_cookie)
        return response

    def fragment(
        self, request: Request, template: str, *, status: int = 200, **context: Any
    ) -> HTMLResponse:
        """A part of a page, without what stands around it."""
        token = csrf.token_for(self._form_owner(request))
        return HTMLResponse(
            self._render(template, layout="partial.html", csrf=token, **context), status
        )

    def part(
        self, request: Request, template: str, *, viewer: Viewer, current: str, **context: Any
    ) -> HTMLResponse:
        """A part of a page; with what stands around it where a browser leads to it."""
        if is_partial(request):
            return self.fragment(request, template, viewer=viewer, **context)
        return self.page(request, template, viewer=viewer, current=current, **context)

    def refused(
        self, request: Request, template: str, refused: Refused, **context: Any
    ) -> HTMLResponse:
        """The form again, with the reason at its field; nothing was changed."""
        errors = {refused.field: refused.message}
        if is_partial(request):
            return self.fragment(request, template, status=422, errors=errors, **context)
        return self.page(request, template, status=422, errors=errors, **context)

    def done(self, request: Request, url: str, toast: str = "", *, leave: bool = False) -> Response:
        """What follows a change that was made.

        A plain form goes to `url`. A form that htmx sent stays: the dialog closes and the page
        renews its parts; with `leave` it goes to `url` as well.
        """
        if is_partial(request) and not leave:
            return Response(status_code=204, headers={"hx-trigger": _events(toast)})
        response: Response = RedirectResponse(url, SEE_OTHER)
        if is_partial(request):
            response = Response(status_code=204, headers={"hx-redirect": url})
        if toast:
            self._set_cookie(response, self.toast_cookie, quote(toast), max_age_s=60)
        return response

    def _render(self, template: str, **context: Any) -> str:
        return self.templates.get_template(template).render(**{"errors": {}} | context)


def is_partial(request: Request) -> bool:
    """Whether htmx asks, for a part of the page that it is on."""
    return request.headers.get("hx-request") == "true"


def toast_header(text: str, *, failed: bool = False) -> str:
    """The event that makes the page on view show a message. ASCII, as headers are."""
    return json.dumps({"tg:toast": _toast(text, failed=failed)})


def _events(toast: str) -> str:
    events: dict[str, object] = {"tg:changed": {"target": "body"}}
    if toast:
        events["tg:toast"] = _toast(toast)
    return json.dumps(events)


def _toast(text: str, *, failed: bool = False) -> dict[str, object]:
    return {"target": "body", "text": text, "failed": failed}


def peer_of(request: Request) -> str:
    """The address that the gateway saw; the gateway removes what clients claim."""
    return request.headers.get("x-tidegate-peer", "")


def browser_of(request: Request) -> str:
    """What the browser says it is, as far as it is worth keeping."""
    agent = request.headers.get("user-agent", "")[:_MAX_AGENT_CHARS]
    return "".join(char for char in agent if char.isprintable())


def make_web(services: ConsoleServices, options: ConsoleOptions, clock: Clock = now_us) -> Web:
    failures = FailureLimit(
        burst=options.attempts, per_minute=options.attempts_per_minute, clock=time.monotonic
    )
    return Web(services, options, Assets(), failures, clock)


_FILTERS: Mapping[str, Callable[..., object]] = {
    "money": formats.money,
    "exact_money": formats.exact_money,
    "count": formats.count,
    "tokens": formats.tokens,
    "initials": formats.initials,
    "first_letter": formats.first_letter,
    "plural": formats.plural,
}
