"""A client's connection: requests in, answers out, in order. HTTP/1.0 and 1.1.

One request is served at a time, and none while the client does not read its answers. What it
sends meanwhile waits, bounded, and reading goes on all the same: only a connection that is read
tells that its client has left.
"""

import asyncio
from collections import deque
from enum import Enum
from http import HTTPStatus
from typing import Any, Final

import httptools

from tidegate.gateway.known_heads import HeadFacts, KnownHeads
from tidegate.gateway.request import HeadRefused, Request
from tidegate.gateway.sockets import keep_alive
from tidegate.gateway.turns import Host, Turn

_PIPELINE_BYTES: Final = 256 << 10  # unread bytes of later requests before reading stops
_JOIN_BYTES: Final = 8 << 10  # below this a copy is cheaper than three buffers
_LINGER_S: Final = 2.0  # how long a refused client may go on sending so that it reads the answer
_LINGER_BYTES: Final = 64 << 20
_FREE_BYTES: Final = 1 << 20  # larger bodies are taken from those only whom the host knows
_SLOWEST_BYTES_PER_S: Final = 4096
_REASONS: Final = {s.value: s.phrase.encode() for s in HTTPStatus}


class Framing(Enum):
    LENGTH = 1
    CHUNKED = 2
    CLOSE = 3
    NONE = 4  # no body: HEAD, 204, 304


_CHUNKED: Final = Framing.CHUNKED


class ClientConnection(asyncio.Protocol):
    """The parser's callbacks, the queue of requests, and the writer of answers."""

    __slots__ = (
        "_advancing",
        "_body_since",
        "_broken",
        "_close_after",
        "_framing",
        "_free_bytes",
        "_head_bytes",
        "_held",
        "_holding",
        "_host",
        "_in_head",
        "_known",
        "_left",
        "_lingering",
        "_parser",
        "_pending",
        "_pending_bytes",
        "_queue",
        "_reading",
        "_request",
        "_serving",
        "_turn",
        "deadline",
        "paused",
        "peer",
        "secure",
        "transport",
    )

    def __init__(self, host: Host) -> None:
        self._host = host
        self._free_bytes = min(_FREE_BYTES, host.options.body_limit_bytes)
        self._parser: Any = httptools.HttpRequestParser(self)
        self._request: Request | None = None
        self._queue: deque[Request] = deque()
        self._serving: Request | None = None
        self._turn: Turn | None = None
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._head_bytes = 0
        self._in_head = False
        self._known = KnownHeads()
        self._left = 0  # bytes still to come of a body whose head was known
        self._body_since = 0.0
        self._broken: HeadRefused | None = None
        self._close_after = False
        self._lingering = 0
        self._framing = Framing.NONE
        self._held: list[bytes] = []  # written, not sent: each send is a system call and a packet
        self._holding = False
        self._reading = True
        self._advancing = False
        self.paused = False
        self.deadline = 0.0  # loop time at which the host calls `expired`, 0 for never
        self.peer = ""
        self.secure = False
        self.transport: Any = None

    # -- transport -----------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        peer = transport.get_extra_info("peername")
        self.peer = peer[0] if isinstance(peer, tuple) else ""
        self.secure = transport.get_extra_info("ssl_object") is not None
        keep_alive(transport.get_extra_info("socket"))
        self.deadline = self._host.now() + self._host.options.head_timeout_s
        self._host.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        self._parser = self._request = self._serving = self._broken = None  # cycles: free all now
        self._host.left(self)

    def eof_received(self) -> bool:
        self._leave()
        self.deadline = self._host.now() + self._host.options.write_timeout_s
        return False  # the transport closes once all that was written is delivered

    def _leave(self) -> None:
        turn, self._turn = self._turn, None
        self._queue.clear()
        self._drop_pending()
        if turn is not None:
            turn.client_gone()

    def pause_writing(self) -> None:
        self.paused = True
        self.deadline = self._host.now() + self._host.options.write_timeout_s
        if self._turn is not None:
            self._turn.client_paused()

    def resume_writing(self) -> None:
        self.paused = False
        self.deadline = 0.0 if self._serving is not None else self.deadline
        if self._turn is not None:
            self._turn.client_resumed()
        self._next()

    def expired(self) -> None:
        """A deadline of this connection has passed."""
        self.deadline = 0.0
        if self._lingering or self.paused or self.transport.is_closing():
            self.transport.abort()  # a client that reads nothing, or sends on after a refusal
        elif self._request is not None or self._head_bytes:
            self._refuse(HeadRefused(408, "the request did not arrive in time"))
        else:
            self.close()

    def close(self) -> None:
        """Close once all that was written is delivered, or after the longest wait for that."""
        self.deadline = self._host.now() + self._host.options.write_timeout_s
        self.transport.close()

    # -- bytes in ------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._lingering:
            self._lingering += len(data)
            if self._lingering > _LINGER_BYTES:
                self.transport.abort()
        elif self._serving is not None or self.paused or self._broken is not None:
            self._pending.append(data)
            self._pending_bytes += len(data)
            if self._pending_bytes > _PIPELINE_BYTES and self._reading:
                self._reading = False
                self.transport.pause_reading()
        else:
            self._feed(data)
            self._next()

    def _feed(self, data: bytes) -> None:
        if self._left:
            self._feed_body(data)
        elif self._request is None and not self._head_bytes:
            known = self._known.recall(data)
            if known is not None and known[1] <= self._free_bytes:
                request, self._left, begin = known
                self._body_since = self._host.now()
                self._request = request.again(self._left)
                self._feed_body(data[begin:])
            else:
                self._feed_parser(data)
                self._learn(data)
        else:
            self._feed_parser(data)

    def _learn(self, data: bytes) -> None:
        """Remember the head that `data` began with, if it came whole and was accepted."""
        first = self._queue[0] if self._queue else self._request
        if first is not None and self._broken is None and (self._queue or not self._in_head):
            first.facts = HeadFacts()
            self._known.learn(data, first)

    def _feed_body(self, data: bytes) -> None:
        """Take bytes of a body whose head was known, and what follows it."""
        request = self._request
        assert request is not None
        if len(data) < self._left:
            self._left -= len(data)
            request.add_body(data)
            self.deadline = self._body_deadline(request)
            return
        left, self._left = self._left, 0
        self._request = None
        request.add_body(data if len(data) == left else data[:left])
        request.end_body()
        self._queue.append(request)
        if len(data) > left:  # pipelined: the parser takes however many there are in one go
            self._feed_parser(data[left:])

    def _feed_parser(self, data: bytes) -> None:
        options = self._host.options
        if self._request is None or self._in_head:
            if not self._head_bytes:
                self.deadline = self._host.now() + options.head_timeout_s
            self._head_bytes += len(data)
        else:
            self.deadline = self._body_deadline(self._request)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # answered as a plain request; nothing after it is read
        except httptools.HttpParserError as exc:  # also around what a callback raises
            cause = exc.__context__
            refused = cause if isinstance(cause, HeadRefused) else None
            self._broken = refused or HeadRefused(400, "malformed request")
        if self._broken is None and self._in_head and self._head_bytes > options.head_limit_bytes:
            self._broken = HeadRefused(431, "the request's head is too large")

    def _body_deadline(self, request: Request) -> float:
        """When a body is too slow: it has its time, and more the more of it has come."""
        earned_s = request.body_bytes / _SLOWEST_BYTES_PER_S
        return self._body_since + self._host.options.body_timeout_s + earned_s

    def on_message_begin(self) -> None:
        self._request = Request()
        self._in_head = True

    def on_url(self, url: bytes) -> None:
        assert self._request is not None
        self._request.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            assert self._request is not None
            self._request.add_header(name, value or b"")
            return
        # A trailer: it comes after all decisions, so it is not taken for a header.
        self._head_bytes += len(name) + len(value or b"") + 4
        if self._head_bytes > self._host.options.head_limit_bytes:
            raise HeadRefused(431, "the request's trailers are too large")

    def on_headers_complete(self) -> None:
        request = self._request
        assert request is not None
        self._in_head = False
        self._body_since = self._host.now()
        request.method = self._parser.get_method()
        request.upgrade = self._parser.should_upgrade()
        request.keep_alive = self._parser.should_keep_alive() and not request.upgrade
        size = self._head_bytes = len(request.target) + sum(
            len(n) + len(v) + 4 for _, n, v in request.headers
        )
        if size > self._host.options.head_limit_bytes:
            raise HeadRefused(431, "the request's head is too large")
        request.check_head(self._parser.get_http_version())
        request.body_limit = self._free_bytes
        if request.length > request.body_limit:
            self._judge_size(request, request.length)
        if request.expects_continue and self._serving is None and not self._queue:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.expects_continue = False

    def on_body(self, body: bytes) -> None:
        request = self._request
        if request is None:
            return
        request.add_body(body)
        if request.body_bytes > request.body_limit:
            self._judge_size(request, request.body_bytes)

    def _judge_size(self, request: Request, size: int) -> None:
        """Take a body that is, or will be, of `size` bytes only if that may be."""
        if self._host.welcomes(request):
            request.body_limit = self._host.options.body_limit_bytes
        if size > request.body_limit:
            request.refused, request.keep_alive = True, False
            request.parts, request.body_bytes = [], size
            self._request = None
            self._queue.append(request)
            raise HeadRefused(413, "the body is too large")

    def on_message_complete(self) -> None:
        request = self._request
        if request is None:
            return
        self._request = None
        self._head_bytes = 0
        request.end_body()
        self._queue.append(request)

    # -- one request after the other -----------------------------------------

    def _next(self) -> None:
        """Serve the next request, if the one before is over."""
        if self._advancing:
            return  # an answer ended within the loop below, which goes on by itself
        self._advancing = True
        try:
            self._advance()
        finally:
            self._advancing = False

    def _advance(self) -> None:
        while self._ready:
            if self._queue:
                self._start(self._queue.popleft())
            elif self._broken is not None:
                self._refuse(self._broken)
                return
            elif self._pending:
                data = b"".join(self._pending)
                self._drop_pending()
                self._resume_reading()
                self._feed(data)
            else:
                self._rest()
                return

    @property
    def _ready(self) -> bool:
        """Whether another answer can be begun."""
        return not (
            self._serving is not None
            or self.paused
            or self._lingering
            or self.transport.is_closing()
        )

    def _start(self, request: Request) -> None:
        self._serving = request
        self.deadline = 0.0
        if request.refused:
            self._host.refuse_body(self, request)
        else:
            self._host.serve(self, request)

    def _rest(self) -> None:
        """Wait for the next request, or for the rest of one."""
        options = self._host.options
        request = self._request
        if request is None and not self._head_bytes:
            self.deadline = self._host.now() + options.idle_timeout_s
            if self._host.draining:
                self.close()
        elif request is None or self._in_head:
            self.deadline = self.deadline or self._host.now() + options.head_timeout_s
        else:
            self.deadline = self._body_deadline(request)
            if request.expects_continue:
                request.expects_continue = False
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _drop_pending(self) -> None:
        self._pending = []
        self._pending_bytes = 0

    def _resume_reading(self) -> None:
        if not self._reading:
            self._reading = True
            self.transport.resume_reading()

    def _refuse(self, refused: HeadRefused) -> None:
        """Answer a head that cannot be accepted, and close."""
        self._host.refused_head(refused.status)
        body = refused.reason.encode()
        self.transport.write(
            b"HTTP/1.1 %d %b\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n"
            b"connection: close\r\n\r\n%b"
            % (refused.status, _REASONS[refused.status], len(body), body)
        )
        self._linger()

    def _linger(self) -> None:
        """Close so that the client reads the answer: an unread byte would make it a reset."""
        if self.transport.is_closing():
            return
        self._lingering = 1
        self._drop_pending()
        self._resume_reading()
        self.deadline = self._host.now() + _LINGER_S
        if self.transport.can_write_eof():
            self.transport.write_eof()

    # -- bytes out, for the turn ---------------------------------------------

    def take_turn(self, turn: Turn) -> None:
        """Name who serves the current request from now on."""
        self._turn = turn
        if self.paused:
            turn.client_paused()

    def write_head(self, status: int, lines: list[bytes], length: int = -1) -> None:
        """Write a head. `length` is the body's, or -1 where its end is not known yet.

        It is sent with what follows: bytes of the body, the end, or `flush`.
        """
        request = self._serving
        assert request is not None
        out = [b"HTTP/1.1 %d %b\r\n" % (status, _REASONS.get(status, b"Status")), *lines]
        if request.method == b"HEAD" or status in {204, 304}:
            self._framing = Framing.NONE
            if length >= 0 and status != 204:
                out.append(b"content-length: %d\r\n" % length)
        elif length >= 0:
            self._framing = Framing.LENGTH
            out.append(b"content-length: %d\r\n" % length)
        elif request.http10:
            self._framing = Framing.CLOSE
        else:
            self._framing = Framing.CHUNKED
            out.append(b"transfer-encoding: chunked\r\n")
        if self._framing is Framing.CLOSE or not request.keep_alive or self._host.draining:
            self._close_after = True
            out.append(b"connection: close\r\n")
        elif request.http10:
            out.append(b"connection: keep-alive\r\n")
        out.append(b"\r\n")
        self._held = [b"".join(out)]

    def write_body(self, chunk: bytes) -> None:
        held = self._held
        if self._framing is _CHUNKED:
            if not held and not self._holding and len(chunk) < _JOIN_BYTES:
                self.transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                return
            held += (b"%x\r\n" % len(chunk), chunk, b"\r\n")
        elif self._framing is not Framing.NONE:
            held.append(chunk)
        if not self._holding:
            self.flush()

    def hold(self) -> None:
        """Send nothing until `end`, which is about to come: then all in one piece."""
        self._holding = True

    def flush(self) -> None:
        """Send what was written so far."""
        held, self._held = self._held, []
        self._holding = False
        if not held:
            return
        if sum(map(len, held)) < _JOIN_BYTES:
            self.transport.write(b"".join(held))
        else:
            self.transport.writelines(held)

    def end(self) -> None:
        """End the answer regularly and go on with the next request."""
        if self._framing is Framing.CHUNKED:
            self._held.append(b"0\r\n\r\n")
        self.flush()
        self._serving = self._turn = None
        self._body_since = self._host.now()  # of a request that begun to come meanwhile
        if self._broken is not None and self._broken.status == 413 and self._close_after:
            self._broken = None
            self._linger()
        elif self._close_after or self.transport.is_closing():
            self._broken = None
            self.close()
        else:
            self._next()

    def abort(self) -> None:
        """Close without an end: what was sent goes out, and the client sees that more was due."""
        self.flush()
        self._serving = self._turn = None
        self._broken = None
        self.close()

    def reply(
        self, status: int, content_type: bytes, body: bytes, lines: tuple[bytes, ...] = ()
    ) -> None:
        """Send a whole answer of our own."""
        head = [b"content-type: %b\r\n" % content_type, b"cache-control: no-store\r\n", *lines]
        self.write_head(status, head, len(body))
        if body:
            self.write_body(body)
        self.end()

    @property
    def idle(self) -> bool:
        """Between two requests: nothing is lost by closing."""
        busy = self._serving or self._request or self._head_bytes or self._pending
        return not busy
