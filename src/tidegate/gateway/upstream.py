"""Connections to upstreams and the pool that keeps them. One exchange at a time on each."""

import asyncio
from collections import deque
from types import SimpleNamespace
from typing import Any, Final, Protocol

import httptools

from tidegate.core.headers import Header
from tidegate.core.routing import Origin
from tidegate.gateway.connector import Connector

_HEAD_BYTES: Final = 256 << 10
_MAX_HEADERS: Final = 512
_LENGTH_DIGITS: Final = 19
_INTERIM_MAX: Final = 32  # 1xx heads before we take it for a flood
_IDLE_PER_ORIGIN: Final = 256


class Answer:
    """The head of an upstream's answer. `length` is -1 where it was not announced."""

    __slots__ = ("chunked", "first", "headers", "length", "status")

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[Header] = []
        self.first: dict[bytes, bytes] = {}
        self.length = -1
        self.chunked = False

    def add_header(self, raw: bytes, value: bytes) -> None:
        """Keep a header field. Raises Garbled."""
        if len(self.headers) == _MAX_HEADERS:
            raise Garbled
        name = raw.lower()
        value = value.strip(b" \t")  # the parser leaves what stands after it
        self.headers.append((name, raw, value))
        if name not in self.first:
            self.first[name] = value
        elif name in {b"connection", b"transfer-encoding"}:
            self.first[name] += b"," + value

    def read_framing(self, status: int) -> None:
        """Note the status and how the body's end is told. Raises Garbled."""
        coding = self.first.get(b"transfer-encoding")
        if status > 599 or (coding is not None and coding.lower() != b"chunked"):
            raise Garbled  # a coding that we do not undo must not lose its name on the way
        if len(self.first.get(b"content-length", b"")) > _LENGTH_DIGITS:
            raise Garbled
        self.status = status
        self.chunked = coding is not None
        length = self.first.get(b"content-length", b"")
        self.length = int(length) if length.isdigit() and not self.chunked else -1
        if status in {204, 304}:
            self.length = max(0, self.length)


class Receiver(Protocol):
    """Who gets an answer. After `upstream_end` or `upstream_lost` nothing more comes."""

    def upstream_head(self, answer: Answer) -> None: ...
    def upstream_flush(self) -> None:
        """The head came alone: what follows it may take a while."""

    def upstream_body(self, chunk: bytes, *, last: bool) -> None:
        """`last`: the end has come too, and follows at once."""

    def upstream_end(self) -> None: ...
    def upstream_lost(self, *, garbled: bool, untouched: bool) -> None:
        """The answer cannot be completed. `untouched`: not one byte of it had arrived."""


class Garbled(Exception):
    """The upstream does not speak HTTP as it should."""


class UpstreamConnection(asyncio.Protocol):
    """A connection to one origin. Idle ones sit in the pool."""

    __slots__ = (
        "_answer",
        "_body",
        "_complete",
        "_head_bytes",
        "_head_only",
        "_in_body",
        "_interim",
        "_parser",
        "_paused",
        "_pool",
        "_receiver",
        "_reusable",
        "_untouched",
        "idle_since",
        "lost",
        "origin",
        "transport",
    )

    def __init__(self, pool: "Pool", origin: Origin | str) -> None:
        self._pool = pool
        self.origin = origin
        self._receiver: Receiver | None = None
        self._answer: Answer | None = None
        self._body: list[bytes] = []
        self._parser: Any = httptools.HttpResponseParser(
            SimpleNamespace(
                on_message_begin=self.on_message_begin,
                on_header=self.on_header,
                on_headers_complete=self.on_headers_complete,
                on_body=self._body.append,  # without a call of Python for each chunk
                on_message_complete=self.on_message_complete,
            )
        )
        self._complete = False
        self._in_body = False
        self._reusable = True
        self._untouched = True
        self._head_only = False
        self._head_bytes = 0
        self._interim = 0
        self._paused = False
        self.idle_since = 0.0
        self.lost = False
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def send(self, head: bytes, body: bytes, receiver: Receiver, *, head_only: bool) -> None:
        """Send a request. `head_only` says that the answer has no body whatever its head says."""
        self._receiver = receiver
        self._answer = None
        self._complete = False
        self._in_body = False
        self._untouched = True
        self._head_only = head_only
        self._head_bytes = self._interim = 0
        if self.lost:
            # It was closed between two turns of the loop, and nobody else would tell.
            asyncio.get_running_loop().call_soon(self._lose)
        elif body:
            self.transport.writelines([head, body])
        else:
            self.transport.write(head)

    def abort(self) -> None:
        """Give up at once; the receiver hears nothing more."""
        self._receiver = None
        self._reusable = False
        self.transport.abort()

    def pause(self) -> None:
        if not self._paused and not self.transport.is_closing():
            self._paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        if self._paused and not self.transport.is_closing():
            self._paused = False
            self.transport.resume_reading()

    # -- transport -----------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        receiver = self._receiver
        if receiver is None:
            self._reusable = False  # nobody asked: an answer to nothing cannot be trusted
            self.transport.abort()
            return
        self._untouched = False
        try:
            self._parser.feed_data(data)
            if not self._in_body:
                self._check_head_size(len(data))
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, Garbled):
            self._reusable = False
            if not self._complete:
                if self._answer is None or not self._answer.status:
                    self._body.clear()  # that of an interim answer
                self._deliver_body(receiver)
                self._lose(garbled=True)
                return
        body = self._body
        if len(body) == 1 and self._receiver is receiver and not self._head_only:
            receiver.upstream_body(body.pop(), last=self._complete)  # the usual: one event
        elif body:
            self._deliver_body(receiver)
        elif self._receiver is receiver and not self._complete:
            receiver.upstream_flush()
        if self._complete and self._receiver is receiver:
            self._finish(receiver)

    def _check_head_size(self, size: int) -> None:
        self._in_body = self._answer is not None and self._answer.status != 0
        if not self._in_body:
            self._refuse_interim_body()
            self._grow_head(size)

    def _refuse_interim_body(self) -> None:
        """An interim answer has no body, whatever its head says."""
        if self._body:
            self._body.clear()
            raise Garbled

    def _grow_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > _HEAD_BYTES:
            raise Garbled

    def _deliver_body(self, receiver: Receiver) -> None:
        """Hand over what one read brought as one piece, however the upstream cut it."""
        body = self._body
        if body:
            chunk = body[0] if len(body) == 1 else b"".join(body)
            body.clear()
            if self._receiver is receiver and not self._head_only:
                receiver.upstream_body(chunk, last=self._complete)

    def _finish(self, receiver: Receiver) -> None:
        self._receiver = None
        if self._rests():
            self.resume()
            self._pool.put_back(self)
        else:
            self.transport.abort()
        receiver.upstream_end()

    def _rests(self) -> bool:
        """Whether another request may follow: not behind one that is still being sent."""
        transport = self.transport
        return (
            self._reusable and not transport.is_closing() and not transport.get_write_buffer_size()
        )

    def _lose(self, *, garbled: bool = False) -> None:
        receiver, self._receiver = self._receiver, None
        self._reusable = False
        self.transport.abort()
        if receiver is not None:
            receiver.upstream_lost(garbled=garbled, untouched=self._untouched)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._parser = None  # it refers to us: without it, all goes at once
        self._pool.forget(self)
        receiver = self._receiver
        if receiver is None:
            return
        answer = self._answer
        open_ended = answer is not None and answer.status and not answer.chunked
        if exc is None and answer is not None and open_ended and answer.length < 0:
            self._receiver = None
            receiver.upstream_end()
        else:
            self._lose()

    # -- parser --------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._complete:
            raise Garbled
        self._answer = Answer()

    def on_header(self, raw: bytes, value: bytes) -> None:
        answer = self._answer
        assert answer is not None
        if answer.status:  # a trailer: the head is on its way already
            self._grow_head(len(raw) + len(value or b""))
        else:
            answer.add_header(raw, value or b"")

    def on_headers_complete(self) -> None:
        answer, receiver = self._answer, self._receiver
        assert answer is not None
        self._refuse_interim_body()
        status = self._parser.get_status_code()
        if status < 200:
            self._interim += 1
            if status < 100 or status == 101 or self._interim > _INTERIM_MAX:
                raise Garbled
            return
        answer.read_framing(status)
        self._head_bytes = 0
        self._reusable = self._reusable and self._parser.should_keep_alive()
        if receiver is not None:
            receiver.upstream_head(answer)
        if self._head_only:
            self._complete = True
            self._reusable = False

    def on_message_complete(self) -> None:
        if self._answer is not None and self._answer.status:
            self._complete = True
        else:
            self._refuse_interim_body()
            self._answer = None  # an interim head; the real one follows


class Pool:
    """Kept-alive connections by origin, the newest first. A str origin is a Unix socket's path."""

    def __init__(self, connector: Connector, idle_s: float) -> None:
        self._connector = connector
        self._idle_s = idle_s
        self._idle: dict[Origin | str, deque[UpstreamConnection]] = {}
        self._open: set[UpstreamConnection] = set()

    @property
    def open_connections(self) -> int:
        """Connections to upstreams now, idle ones included."""
        return len(self._open)

    def take(self, origin: Origin | str) -> UpstreamConnection | None:
        """An idle connection, or None."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if not connection.transport.is_closing():
                return connection
        return None

    async def connect(self, origin: Origin | str) -> UpstreamConnection:
        """A new connection. Raises ConnectFailed, AddressForbidden, or OSError (Unix socket)."""
        if isinstance(origin, str):
            loop = asyncio.get_running_loop()
            _, made = await loop.create_unix_connection(
                lambda: UpstreamConnection(self, origin), origin
            )
        else:
            made = await self._connector.connect(origin, lambda: UpstreamConnection(self, origin))
        assert isinstance(made, UpstreamConnection)
        if not made.lost:
            self._open.add(made)
        return made

    def put_back(self, connection: UpstreamConnection) -> None:
        connection.idle_since = asyncio.get_running_loop().time()
        idle = self._idle.setdefault(connection.origin, deque())
        idle.append(connection)
        if len(idle) > _IDLE_PER_ORIGIN:
            idle.popleft().transport.close()

    def forget(self, connection: UpstreamConnection) -> None:
        self._open.discard(connection)
        idle = self._idle.get(connection.origin)
        if idle and connection in idle:
            idle.remove(connection)
        if not idle:
            self._idle.pop(connection.origin, None)

    def sweep(self, now: float) -> None:
        """Close connections that were idle for too long; the upstream would do it soon."""
        for idle in list(self._idle.values()):
            while idle and idle[0].idle_since + self._idle_s < now:
                idle.popleft().transport.close()

    def close(self) -> None:
        for connection in list(self._open):
            connection.transport.abort()
