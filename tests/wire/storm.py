"""A mixture of requests, regular and spoiled, at full speed, with the upstream that answers them.

What happens to a request stands in its header `x-storm`: the upstream answers as it says, and the
client behaves as its row in `KINDS` says.
"""

import asyncio
import contextlib
import re
import socket
import struct
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final, Self

import uvloop
from tests.wire.answers import Text, messages_document, messages_stream
from tests.wire.bills import Bill
from tests.wire.http1 import take_response
from tests.wire.loop_thread import LoopThread
from tests.wire.raw import message_body, request
from tests.wire.scripts import gzipped

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
_KIND: Final = re.compile(rb"\r\nx-storm: *(\S+)", re.I)
_ANSWER_S: Final = 60.0
_BILL: Final = Bill.for_messages("claude-opus-4-8", 7)
_STREAM: Final = messages_stream([Text("The tide is high, and rising still.")], _BILL, 7)
_WHOLE: Final = messages_document([Text("The tide is high.")], _BILL, 7)
_SSE: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
_JSON: Final = b"content-type: application/json\r\n"


def _chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def _sized(status: bytes, body: bytes, *lines: bytes) -> bytes:
    extra = b"".join(line + b"\r\n" for line in lines)
    head = b"HTTP/1.1 %b\r\n%b%bcontent-length: %d\r\n\r\n" % (status, _JSON, extra, len(body))
    return head + body


_EVENTS: Final = [piece.content for piece in _STREAM.pieces]
_CHUNKED: Final = _SSE + b"transfer-encoding: chunked\r\n\r\n"
_CHUNKS: Final = b"".join(map(_chunk, _EVENTS)) + b"0\r\n\r\n"
_ERROR: Final = b'{"type":"error","error":{"type":"api_error","message":"spoiled"}}'
_PACKED: Final = gzipped(_WHOLE).body

# What the upstream sends: pieces, and how its connection ends then.
_ANSWERS: Final[dict[bytes, tuple[list[bytes], str]]] = {
    b"stream": ([_CHUNKED + _chunk(_EVENTS[0]), _CHUNKS[len(_chunk(_EVENTS[0])) :]], ""),
    b"whole": ([_sized(b"200 OK", _WHOLE.body)], ""),
    b"until-close": ([_SSE + b"\r\n", *_EVENTS], "fin"),
    b"gzip": ([_sized(b"200 OK", _PACKED, b"content-encoding: gzip")], ""),
    b"broken-gzip": ([_sized(b"200 OK", _PACKED[:-20], b"content-encoding: gzip")], ""),
    b"interim": (
        [b"HTTP/1.1 103 Early\r\nlink: a\r\n\r\n" * 5, _sized(b"200 OK", _WHOLE.body)],
        "",
    ),
    b"interim-flood": ([b"HTTP/1.1 100 Continue\r\n\r\n" * 200], ""),
    b"interim-body": ([b"HTTP/1.1 103 E\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"], ""),
    b"cut": ([_CHUNKED + b"".join(map(_chunk, _EVENTS[:3]))], "fin"),
    b"reset": ([_CHUNKED + _chunk(_EVENTS[0])], "rst"),
    b"reset-at-once": ([], "rst"),
    b"nothing": ([], "fin"),
    b"garbage": ([b"\x00\xff no http\r\n\r\n"], ""),
    b"bad-chunk": ([_CHUNKED + _chunk(_EVENTS[0]), b"zz\r\n"], ""),
    b"short": ([b"HTTP/1.1 200 OK\r\n" + _JSON + b"content-length: 99\r\n\r\n{}"], "fin"),
    b"surplus": ([_sized(b"200 OK", _WHOLE.body) + b"HTTP/1.1 200 OK\r\n\r\npoison"], ""),
    b"not-json": ([_sized(b"200 OK", b'{"usage":{"input_tokens":')], ""),
    b"500": ([_sized(b"500 Oops", _ERROR)], ""),
    b"529": ([_sized(b"529 Overloaded", _ERROR)], ""),
    b"429": ([_sized(b"429 Too Many", _ERROR)], ""),
    b"429-retry": ([_sized(b"429 Too Many", _ERROR, b"retry-after: 3")], ""),
    b"stall": ([_CHUNKED + _chunk(_EVENTS[0])], "stay"),
    b"silent": ([], "stay"),
}


class StormUpstream(LoopThread):
    """Answers as the request's `x-storm` says; keeps nothing of it."""

    def __init__(self) -> None:
        super().__init__(uvloop.new_event_loop())
        self.port = 0
        self.requests: Counter[bytes] = Counter()
        self.transports: set[Any] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Answering(self), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        await self.close_connections()

    async def close_connections(self) -> None:
        for transport in list(self.transports):
            transport.close()


class _Answering(asyncio.Protocol):
    def __init__(self, upstream: StormUpstream) -> None:
        self._upstream = upstream
        self._buffer = bytearray()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._upstream.transports.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._upstream.transports.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[: end + 2])
            found = _LENGTH.search(head)
            size = end + 4 + (int(found[1]) if found else 0)
            if len(self._buffer) < size:
                return
            del self._buffer[:size]
            kind = _KIND.search(head)
            self._answer(kind[1] if kind else b"whole")

    def _answer(self, kind: bytes) -> None:
        self._upstream.requests[kind] += 1
        pieces, end = _ANSWERS[kind]
        for piece in pieces:
            self._transport.write(piece)
        if end == "fin":
            self._transport.close()
        elif end == "rst":
            linger = struct.pack("ii", 1, 0)
            raw = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._transport.abort()


@dataclass(frozen=True)
class Kind:
    """One request: its bytes, the statuses of its answers (0 for one that is cut), its events.

    `leave` is when the client closes without waiting: "sent", "head" or "" for not at all.
    """

    data: bytes
    statuses: tuple[int, ...] = (200,)
    events: int = 1
    leave: str = ""
    method: str = "POST"


def kinds(key: str) -> dict[str, Kind]:
    """All that a storm is mixed of."""
    line = f"x-api-key: {key}"
    path, body = "/v1/messages", message_body(stream=True)

    def ask(kind: str, body: bytes = body, *lines: str) -> bytes:
        return request(path, body, line, f"x-storm: {kind}", *lines)

    large = message_body(stream=False, system="tide " * 60_000)
    chunks = _chunk(body[:50]) + _chunk(body[50:]) + b"0\r\n\r\n"
    chunked = request(path, b"", line, "x-storm: whole", "Transfer-Encoding: chunked", length=-1)
    whole = ask("whole")
    found = {
        name: Kind(ask(name))
        for name in ("stream", "whole", "gzip", "broken-gzip", "interim", "surplus", "not-json")
    }
    found |= {name: Kind(ask(name), (0,)) for name in ("cut", "reset", "bad-chunk", "short")}
    found |= {
        name: Kind(ask(name), (502,))
        for name in ("garbage", "nothing", "reset-at-once", "interim-flood", "interim-body")
    }
    found |= {
        name: Kind(ask(name), (int(name[:3]),)) for name in ("500", "529", "429", "429-retry")
    }
    return found | {
        "until-close": Kind(ask("until-close")),
        "large": Kind(ask("whole", large)),
        "chunked": Kind(chunked + chunks),
        "pipelined": Kind(whole + ask("stream") + ask("500"), (200, 200, 500), 3),
        "then-garbage": Kind(whole + b"\0\0\r\n\r\n", (200, 400), 1),
        "leave-in-head": Kind(whole[:60], (), 0, "sent"),
        "leave-in-body": Kind(whole[:-30], (), 0, "sent"),
        "leave-when-sent": Kind(ask("silent"), (), 1, "sent"),
        "leave-in-answer": Kind(ask("stall"), (), 1, "head"),
        "truncated-json": Kind(ask("whole", body[:-9]), (400,)),
        "deep-json": Kind(ask("whole", b'{"model":"m","x":' + b"[" * 20_000), (400,)),
        "duplicate-key": Kind(ask("whole", b'{"model":"a","model":"b"}'), (400,)),
        "not-utf8": Kind(ask("whole", b'{"model":"\xff\xfe"}'), (400,)),
        "not-gzip": Kind(ask("whole", body, "content-encoding: gzip"), (400,)),
        "stranger": Kind(request(path, body, "x-api-key: tg_" + "b" * 40), (403,), 0),
        "two-lengths": Kind(request(path, b"{}", line, "Content-Length: 3"), (400,), 0),
        "smuggled": Kind(
            request(path, b"0\r\n\r\n", line, "Transfer-Encoding: chunked"), (400,), 0
        ),
        "head-flood": Kind(request(path, body, *(f"x-{n}: y" for n in range(400))), (431,), 0),
        "endless-body": Kind(request(path, b"{", line, length=10**12), (413,), 1),
        "health": Kind(request("/healthz", method="GET"), (200,), 0, "", "GET"),
    }


class Storm:
    """Sends so many requests over some connections; `wrong` is what did not end as it should."""

    def __init__(self, port: int, mixture: dict[str, Kind], connections: int = 24) -> None:
        self._port = port
        self._mixture = list(mixture.items())
        self._connections = connections
        self._next = 0
        self.events = 0
        self.wrong: list[str] = []

    def blow(self, count: int) -> Self:
        """Send `count` requests, each kind as often as the others."""
        end = self._next + count

        async def all_of_them() -> None:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._connections):
                    group.create_task(self._work(end))

        uvloop.run(all_of_them())
        return self

    async def _work(self, end: int) -> None:
        link: _Link | None = None
        while self._next < end:
            name, kind = self._mixture[self._next % len(self._mixture)]
            self._next += 1
            self.events += kind.events
            link = link or await _Link.open(self._port)
            try:
                async with asyncio.timeout(_ANSWER_S):
                    kept = await link.ask(kind)
            except (AssertionError, TimeoutError) as fault:
                kept = False
                self.wrong.append(f"{name}: {type(fault).__name__} {fault}")
            if not kept:
                await link.close()
                link = None
        if link is not None:
            await link.close()


class _Link:
    """One connection of a client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._buffer = bytearray()

    @classmethod
    async def open(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):  # reset by the other side
            await self._writer.wait_closed()

    async def ask(self, kind: Kind) -> bool:
        """Send, and check the answers; tells whether the connection may be used again."""
        self._writer.write(kind.data)
        if kind.leave == "sent":
            await self._writer.drain()
            return False
        if kind.leave == "head":
            while b"\r\n\r\n" not in self._buffer:
                assert await self._more(), "no head"
            return False
        kept = True
        for due in kind.statuses:
            status, kept = await self._answer(kind.method)
            assert status == due, f"{status} where {due} was due"
        return kept

    async def _answer(self, method: str) -> tuple[int, bool]:
        while (taken := take_response(self._buffer, method)) is None:
            if not await self._more():
                assert self._buffer, "no answer"
                return 0, False
        message, size = taken
        del self._buffer[:size]
        return message.status, message.header("connection") != "close"

    async def _more(self) -> bool:
        try:
            data = await self._reader.read(65536)
        except ConnectionResetError:
            return False
        self._buffer += data
        return bool(data)
