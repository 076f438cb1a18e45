"""What stands around every page: the error border with the access log, the host, the headers."""

import re
import time
import traceback
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tidegate.console.api_v1.operation import PREFIX
from tidegate.console.api_v1.problems import Kind, ProblemRaised, respond
from tidegate.console.options import ConsoleOptions
from tidegate.services.log import Log

_POLICY: Final = "content-security-policy"
_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_REQUEST_ID: Final = re.compile(r"req_[0-9a-f]{32}")
_HSTS: Final = "max-age=31536000"
_PLAIN: Final = {
    421: b"This host name is not served here.\n",
    500: b"Something failed here. It was written down; try again in a moment.\n",
}


class SecurityHeaders:
    """Outermost: every answer goes out with them, refusals and faults too."""

    def __init__(self, app: ASGIApp, options: ConsoleOptions) -> None:
        self._app = app
        self._headers = dict(_HEADERS)
        if options.secure:
            self._headers["strict-transport-security"] = _HSTS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def harden(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                headers.setdefault(_POLICY, _CSP)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, harden)


class Border:
    """No exception leaves it. Logs each request, without the tokens that its path may hold."""

    def __init__(self, app: ASGIApp, log: Log) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as fault:  # noqa: BLE001  # the border: no fault shows itself outside
            # Formatted here, as log renderers like to add the values of local variables.
            told = "".join(traceback.format_exception(fault))
            self._log.error(
                "page failed",
                request_id=request_id_of(scope),
                route=route_of(scope),
                traceback=told,
            )
            if not status:
                await _send_fault(scope, receive, watch)
        finally:
            self._log.info(
                "page",
                request_id=request_id_of(scope),
                method=scope["method"],
                route=route_of(scope),
                status=status,
                duration_ms=round((time.perf_counter() - started) * 1000, 1),
                peer=Headers(scope=scope).get("x-tidegate-peer", ""),
            )


class OwnHosts:
    """Answers to its own host names alone, so that no other site can point its name here."""

    def __init__(self, app: ASGIApp, options: ConsoleOptions) -> None:
        self._app = app
        self._hosts = options.hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hosts = Headers(scope=scope).getlist("host") if scope["type"] == "http" else []
        if scope["type"] == "http" and (len(hosts) != 1 or hosts[0].lower() not in self._hosts):
            await send_plain(send, 421)
            return
        await self._app(scope, receive, send)


def policy_with_form_to(origin: str) -> str:
    """The policy of a page with a form that goes elsewhere; such a page sets it itself."""
    return _CSP.replace("form-action 'self'", f"form-action 'self' {origin}")


def route_of(scope: Scope) -> str:
    """The pattern of the path: what stands in for its parameters may be secret."""
    return getattr(scope.get("route"), "path", "-")


def request_id_of(scope: Scope) -> str:
    """What the gateway calls the request; it takes away what clients call it."""
    request_id = Headers(scope=scope).get("x-request-id", "")
    return request_id if _REQUEST_ID.fullmatch(request_id) else ""


async def _send_fault(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"].startswith(f"{PREFIX}/"):
        await respond(ProblemRaised(Kind.FAILED))(scope, receive, send)
    else:
        await send_plain(send, 500)


async def send_plain(send: Send, status: int) -> None:
    """A page-less answer."""
    body = _PLAIN[status]
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
