"""What every route of the console needs: rendering, the viewer, forms, and refusals."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from tidegate.console import csrf, formats
from tidegate.console.limits import FailureLimit
from tidegate.console.options import ConsoleOptions
from tidegate.console.services import ConsoleServices
from tidegate.console.static import Assets
from tidegate.console.usage_view import billed_nusd
from tidegate.services.context import Clock, now_us
from tidegate.services.logins import LOGIN_LIFETIME_US, Viewer
from tidegate.services.vault import new_token

_TEMPLATES: Final = Path(__file__).resolve().parent / "templates"
_FORM_TYPE: Final = "application/x-www-form-urlencoded"
_MAX_FIELDS: Final = 50


@dataclass(frozen=True)
class Navigation:
    """An entry of the sidebar. Only pages that exist have one."""

    title: str
    href: str
    icon: str
    current: bool = False


@dataclass(frozen=True)
class Web:
    services: ConsoleServices
    options: ConsoleOptions
    assets: Assets
    failures: FailureLimit
    clock: Clock = now_us
    templates: Environment = field(init=False, repr=False)

    def __post_init__(self) -> None:
        templates = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
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
        response.delete_cookie(
            self.login_cookie, path="/", secure=self.options.secure, httponly=True, samesite="lax"
        )

    # who looks, and what they send

    async def viewer(self, request: Request) -> Viewer | None:
        """The signed-in person, if any."""
        secret = request.cookies.get(self.login_cookie, "")
        if not secret:
            return None
        return await run_in_threadpool(self.services.logins.viewer, secret)

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
        **context: Any,
    ) -> HTMLResponse:
        """A page. One with a form for a visitor without a login comes with a cookie for it."""
        owner = self._form_owner(request)
        made = "" if owner or not with_form else new_token()
        token = csrf.token_for(owner or made)
        body = self.templates.get_template(template).render(csrf=token, **context)
        response = HTMLResponse(body, status)
        if made:
            self._set_cookie(response, self.form_cookie, made, max_age_s=None)
        return response


def peer_of(request: Request) -> str:
    """The address that the gateway saw; the gateway removes what clients claim."""
    return request.headers.get("x-tidegate-peer", "")


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
    "billed_nusd": billed_nusd,
}
