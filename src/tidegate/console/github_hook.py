"""Where GitHub sends its webhooks: no login, no form, but a signature over the body as it came."""

from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tidegate.console.web import Web
from tidegate.services.github_hooks import MOST_BYTES, Hook, Taken

_PATH: Final = "/webhooks/github/{hook_id}"
_TOLD: Final = {
    Taken.UNKNOWN: "Not found.\n",
    Taken.FORGED: "Not accepted.\n",
    Taken.UNREADABLE: "Not understood.\n",
    Taken.IGNORED: "Not needed.\n",
    Taken.SEEN: "Seen before.\n",
}


class GithubHook:
    def __init__(self, web: Web) -> None:
        self._hooks = web.services.github.hooks

    def routes(self) -> list[Route]:
        limit = Middleware(RequestBodyLimitMiddleware, max_body_size=MOST_BYTES)
        return [Route(_PATH, self.receive, methods=["POST"], middleware=[limit])]

    async def receive(self, request: Request) -> Response:
        """Nobody's body is read who does not know the address."""
        headers = request.headers
        hook = Hook(
            hook_id=request.path_params["hook_id"],
            signature=headers.get("x-hub-signature-256", ""),
            delivery_id=headers.get("x-github-delivery", ""),
            event=headers.get("x-github-event", ""),
        )
        if not await run_in_threadpool(self._hooks.expects, hook.hook_id):
            return _answer(Taken.UNKNOWN)
        if not hook.signature:
            return _answer(Taken.FORGED)
        body = await request.body()
        return _answer(await run_in_threadpool(self._hooks.receive, hook, body))


def _answer(taken: Taken) -> Response:
    if taken is Taken.DONE:
        return Response(status_code=taken.value)
    return PlainTextResponse(_TOLD[taken], taken.value)
