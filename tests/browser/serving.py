"""The console on a loopback port, with a stand-in for the gateway before it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.browser.world import World, made_world


class Gateway:
    """Sets what the gateway would set, whatever the client claims."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            own = [(b"x-tidegate-peer", b"127.0.0.1"), (b"x-tidegate-proto", b"http")]
            kept = [(k, v) for k, v in scope["headers"] if not k.startswith(b"x-tidegate-")]
            scope = {**scope, "headers": kept + own}
        await self._app(scope, receive, send)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serving.set()


@contextmanager
def served_world(data_dir: Path, public_url: str = "", port: int = 0) -> Iterator[World]:
    """A world whose console is served under its public URL, on a free port unless one is given."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        url = public_url or f"http://127.0.0.1:{listener.getsockname()[1]}"
        with made_world(data_dir, public_url=url) as world:
            config = uvicorn.Config(
                Gateway(world.app), lifespan="off", ws="none", log_config=None, access_log=False
            )
            server = _Server(config)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            try:
                assert server.serving.wait(20)
                yield world
            finally:
                server.should_exit = True
                thread.join()
