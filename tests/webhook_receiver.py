"""A receiver of webhooks on loopback that answers as a test says, and keeps what it got."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from tests.wire.loop_thread import LoopThread, close, port_of

Answer = int | bytes | None
"""A status, the bytes of an answer as they are, or None: nothing for ever."""


class Request(msgspec.Struct, frozen=True):
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Receiver(LoopThread):
    """Answers in turn as told, then 200."""

    def __init__(self, answers: Sequence[Answer] = ()) -> None:
        super().__init__()
        self.port = 0
        self.answers = list(answers)
        self.requests: list[Request] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?key=secret"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = port_of(self._server)

    async def stop(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.track()
        try:
            self.requests.append(await _read(reader))
            answer = self.answers.pop(0) if self.answers else 200
            if answer is None:
                await reader.read()
            else:
                head = b"HTTP/1.1 %d X\r\ncontent-length: 2\r\n\r\nok"
                writer.write(head % answer if isinstance(answer, int) else answer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            await close(writer)


async def _read(reader: asyncio.StreamReader) -> Request:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    pairs = (line.partition(": ") for line in lines if line)
    headers = {name.lower(): value for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(first.split()[1], headers, body)
