"""A cheap Anthropic-like upstream: `python -m tests.bench.mock_upstream`.

Listens on a free loopback port and prints it. Replies are made beforehand; which one is meant
stands in the model's name (`Workload.model`). Ends with its standard input.
"""

import asyncio
import functools
import re
import sys
import time
from typing import Any, Final

import uvloop
from tests.bench import replies

_MODEL: Final = re.compile(rb'"model":\s*"[^"]*?bench-e(\d+)-r(\d+)"')
_LENGTH: Final = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.I)
_STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\nrequest-id: req_bench\r\ntransfer-encoding: chunked\r\n\r\n"
)
_JSON_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: req_bench\r\n"
    b"content-length: %d\r\n\r\n"
)
_LAST_CHUNK: Final = b"0\r\n\r\n"


class MockConnection(asyncio.Protocol):
    """Reads requests with a content length, one after the other, and answers them."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._parts: list[bytes] = []
        self._arrived = 0
        self._wanted = 0  # of the request in hand, head included; 0 while its head is incomplete
        self._pacer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._pacer is not None:
            self._pacer.cancel()

    def data_received(self, data: bytes) -> None:
        self._parts.append(data)
        self._arrived += len(data)
        if not self._wanted:
            self._read_head()
        if self._wanted and self._arrived >= self._wanted:
            request = b"".join(self._parts)
            self._parts, self._arrived, self._wanted = [], 0, 0
            self._answer(request)

    def _read_head(self) -> None:
        begun = b"".join(self._parts)
        end = begun.find(b"\r\n\r\n") + 4
        self._parts = [begun]
        if end >= 4:
            length = _LENGTH.search(begun, 0, end)
            self._wanted = end + (int(length[1]) if length else 0)

    def _answer(self, request: bytes) -> None:
        found = _MODEL.search(request)
        events, rate = (int(found[1]), int(found[2])) if found else (0, 0)
        if rate:
            self._pace(events, rate)
        else:
            self._transport.write(_reply(events))

    def _pace(self, events: int, rate: int) -> None:
        """Write the deltas one by one, each with the time at which it was written."""
        self._transport.write(_STREAM_HEAD + b"".join(map(_chunk, replies.opening())))
        end = b"".join(map(_chunk, replies.closing(events))) + _LAST_CHUNK
        loop = asyncio.get_running_loop()
        begun, written, deltas = loop.time(), 0, events - 6

        def write_one() -> None:
            nonlocal written
            written += 1
            text = replies.CLOCK % time.monotonic_ns() + b"edits src/app/main.py and runs the tests"
            self._transport.write(_chunk(replies.delta(text)))
            if written < deltas:
                self._pacer = loop.call_at(begun + (written + 1) / rate, write_one)
            else:
                self._pacer = None
                self._transport.write(end)

        self._pacer = loop.call_at(begun + 1 / rate, write_one)


@functools.cache
def _reply(events: int) -> bytes:
    if not events:
        body = replies.json_body()
        return _JSON_HEAD % len(body) + body
    return _STREAM_HEAD + b"".join(map(_chunk, replies.stream(events))) + _LAST_CHUNK


def _chunk(event: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(event), event)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(MockConnection, "127.0.0.1", 0, backlog=2048)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve())
