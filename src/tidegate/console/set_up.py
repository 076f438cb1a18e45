"""The first visit to a new server: founding its first organization by the set-up link."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.settings_organization import time_zones, zone_named
from tidegate.console.sign_in import enter, invalid_link, token_of
from tidegate.console.web import Web, browser_of, peer_of
from tidegate.services.errors import InvalidCode, Refused

_KIND = "setup"
_FIELDS = ("organization", "email", "name")


class SetUp:
    def __init__(self, web: Web) -> None:
        self._web = web
        self._logins = web.services.logins

    def routes(self) -> list[Route]:
        return [
            page("/setup/{token}", self.form, need=Need.ANYONE),
            page("/setup/{token}", self.found, methods=["POST"], need=Need.ANYONE),
        ]

    async def form(self, request: Request) -> Response:
        self._web.refuse_hurried(request)
        if not await run_in_threadpool(self._logins.setup_open, token_of(request)):
            return invalid_link(self._web, request, _KIND)
        return self._form(request, {}, {})

    async def found(self, request: Request) -> Response:
        """A refused field leaves the link usable and nothing founded."""
        self._web.refuse_hurried(request)
        fields: dict[str, str] = request.state.form
        try:
            secret = await run_in_threadpool(
                self._logins.redeem_setup,
                token_of(request),
                fields.get("organization", ""),
                fields.get("email", ""),
                name=fields.get("name", ""),
                password=fields.get("password", ""),
                time_zone=_zone(fields.get("time_zone", "")),
                address=peer_of(request),
                user_agent=browser_of(request),
            )
        except InvalidCode:
            return invalid_link(self._web, request, _KIND)
        except Refused as refused:
            return self._form(request, fields, {refused.field: refused.message})
        return enter(self._web, secret)

    def _form(self, request: Request, fields: dict[str, str], errors: dict[str, str]) -> Response:
        return self._web.page(
            request,
            "setup.html",
            status=422 if errors else 200,
            with_form=True,
            values={name: fields.get(name, "") for name in _FIELDS},
            errors=errors,
        )


def _zone(text: str) -> str:
    """What the browser says its zone is; nobody typed it, so nobody is told where it is unknown."""
    zone = zone_named(text)
    return zone if zone in time_zones() else ""
