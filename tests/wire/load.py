"""Many clients at once that keep account of what they asked for and what they got."""

import asyncio
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

from tests.wire.loop_thread import LoopThread
from tests.wire.raw import message_body, request

SESSION = "x-claude-code-session-id"
TERMINAL = b'{"type":"message_stop"}\n\n'
PATIENCE_S = 60.0


@dataclass
class Asked:
    """One request, known by its session on all sides."""

    session: str
    stream: bool
    leaves: bool  # after the answer's first bytes
    received: bytes = b""
    over: bool = False

    @property
    def status(self) -> int:
        return int(self.received[9:12] or 0)

    @property
    def has_all(self) -> bool:
        """Whether the client holds the whole answer: its terminal event, or the whole body."""
        if self.status != 200:
            return False
        if self.stream:
            return TERMINAL in self.received
        head, _, body = self.received.partition(b"\r\n\r\n")
        lengths = [
            line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
        ]
        return len(body) == int(lengths[0].split(b":")[1])


class Load(LoopThread):
    """`width` clients ask one request after the other, each on a connection of its own."""

    def __init__(self, port: int, key: str, *, width: int = 16, seed: int = 0) -> None:
        super().__init__()
        self.asked: list[Asked] = []
        self._port = port
        self._key = key
        self._width = width
        self._random = random.Random(seed)
        self._changed = threading.Condition()
        self._stopping = False
        self._clients: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._clients = [asyncio.ensure_future(self._ask_on()) for _ in range(self._width)]

    async def stop(self) -> None:
        self._stopping = True
        await asyncio.gather(*self._clients)

    def wait_more(self, count: int) -> None:
        """Wait until so many more requests have got all of their answer."""
        with self._changed:
            wanted = self._got_all() + count
            if not self._changed.wait_for(lambda: self._got_all() >= wanted, PATIENCE_S):
                raise TimeoutError(f"{self._got_all()} of {wanted} answers")

    def _got_all(self) -> int:
        return sum(one.over and one.has_all for one in self.asked)

    async def _ask_on(self) -> None:
        while not self._stopping:
            draw = self._random.random
            one = Asked(f"ses-{len(self.asked):06d}", draw() < 0.8, draw() < 0.1)
            self.asked.append(one)
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._ask(one)
            except OSError:
                await asyncio.sleep(0.01)  # nobody listens at the moment
            with self._changed:
                one.over = True
                self._changed.notify_all()

    async def _ask(self, one: Asked) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        lines = (f"{SESSION}: {one.session}", f"x-api-key: {self._key}", "connection: close")
        try:
            writer.write(request("/v1/messages", message_body(stream=one.stream), *lines))
            while data := await reader.read(65536):
                one.received += data
                if one.leaves and len(one.received) > 300:
                    return
        finally:
            writer.transport.abort()


def each(asked: list[Asked], ready: Callable[[Asked], bool]) -> set[str]:
    """The sessions of those."""
    return {one.session for one in asked if ready(one)}
