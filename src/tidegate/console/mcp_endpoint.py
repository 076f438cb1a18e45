"""/mcp: who may call, and how often. What is called is in mcp_server.py.

Agents authenticate with their key, as for models. No cookie counts here, so that no page of
another site can call in somebody's name; where an Origin is sent, it must be ours all the same.
"""

from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from tidegate.console.web import Web
from tidegate.core.identity import find_key
from tidegate.core.model import KeyRecord
from tidegate.services.attempts import AttemptLimit
from tidegate.services.errors import TooMany
from tidegate.services.log import Log
from tidegate.services.session_calls import Caller

if TYPE_CHECKING:
    from tidegate.console.mcp_server import McpServer

PATH: Final = "/mcp"
_REFILL_S: Final = 1  # until a key gets another request
_MAX_LAUNCH_CHARS: Final = 200
_REFUSED: Final = -32000  # JSON-RPC: for the server's own errors


class McpEndpoint:
    """The route. The SDK is loaded by the first request, or by a launch, which comes before."""

    def __init__(self, web: Web, log: Log) -> None:
        self._services = web.services
        self._options = web.options
        self._log = log
        self._limit = AttemptLimit(web.clock, burst=web.options.tool_calls, refill_s=_REFILL_S)
        self._server: McpServer | None = None
        self._loading = Lock()

    def routes(self) -> list[Route]:
        return [Route(PATH, _Endpoint(self))]

    def load(self) -> "McpServer":
        """The server, made at the first call."""
        with self._loading:
            if self._server is None:
                # A second of work and tens of megabytes, which many installations never need.
                module = import_module("tidegate.console.mcp_server")
                made: McpServer = module.McpServer(
                    self._services.session_calls, self._options.version, self._log
                )
                self._server = made
            return self._server

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        refusal = await self._refusal(request)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        body = await request.body()  # here, where one that is too large is refused as elsewhere
        server = await run_in_threadpool(self.load)
        await server.serve(scope, _replay(body, receive), send)

    async def _refusal(self, request: Request) -> Response | None:
        """What is answered without asking the server; the caller is known after None."""
        origin = request.headers.get("origin")
        if origin is not None and origin.lower() not in self._options.origins:
            return _refused(403, "Requests from this origin are not accepted.")
        if request.method == "DELETE":
            return Response(status_code=204)  # there is no session to end
        if request.method != "POST":
            refused = _refused(405, "There is no stream here; use POST.")
            refused.headers["allow"] = "POST, DELETE"
            return refused
        key = await run_in_threadpool(self._key, request.headers)
        if key is None:
            refused = _refused(401, "This key is not known, or was switched off.")
            refused.headers["www-authenticate"] = "Bearer"
            return refused
        try:
            self._limit.begin(key.key_id)
        except TooMany as hurried:
            refused = _refused(429, "Too many calls; wait a little.")
            refused.headers["retry-after"] = str(hurried.wait_s)
            return refused
        if not await run_in_threadpool(self._offered, key.organization_id):
            return _refused(403, "Your organization has switched Tidegate's session tools off.")
        request.state.mcp_caller = Caller(
            organization_id=key.organization_id,
            key_id=key.key_id,
            launch_id=request.headers.get("x-tidegate-launch", "")[:_MAX_LAUNCH_CHARS],
        )
        return None

    def _key(self, headers: Headers) -> KeyRecord | None:
        first: dict[bytes, bytes] = {}
        for name, value in headers.raw:
            first.setdefault(name, value)
        secret, _ = find_key(first)
        key = self._services.enrolment.authenticate(secret) if secret else None
        return None if key is None or key.disabled else key

    def _offered(self, organization_id: str) -> bool:
        return self._services.organizations.get(organization_id).session_tools


class _Endpoint:
    """An ASGI application, which a route of Starlette takes with every method."""

    def __init__(self, endpoint: McpEndpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._endpoint.serve(scope, receive, send)


def _replay(body: bytes, receive: Receive) -> Receive:
    """What was read, once more; then whatever else comes."""
    whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def read() -> Message:
        return whole.pop() if whole else await receive()

    return read


def _refused(status: int, message: str) -> Response:
    """A refusal in the protocol's own form."""
    error = {"code": _REFUSED, "message": message}
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, status)
