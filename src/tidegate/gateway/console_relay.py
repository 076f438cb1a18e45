"""Relays one request to the console over its Unix socket. Nothing is read or metered here."""

import asyncio
from typing import Any, Final, Protocol

from tidegate.core.headers import console_headers, from_console_headers
from tidegate.gateway.client import ClientConnection
from tidegate.gateway.options import GatewayOptions
from tidegate.gateway.request import Request
from tidegate.gateway.upstream import Answer, Pool, UpstreamConnection
from tidegate.services.ids import new_id

_UNAVAILABLE: Final = b"The console is not available at the moment. Try again in a few seconds.\n"


class Crew(Protocol):
    """What a relay needs of its worker."""

    options: GatewayOptions
    pool: Pool

    def now(self) -> float: ...
    def console_failed(self, request_id: str) -> None: ...
    def driver_done(self, driver: Any) -> None: ...


class ConsoleRelay:
    """One request and its answer between a client and the console.

    `peer` and `secure` are the client's address and whether it spoke TLS, the trusted proxies'
    word taken into account; the console believes them because only we can write to its socket.
    """

    __slots__ = (
        "_answer",
        "_client",
        "_crew",
        "_fresh_only",
        "_over",
        "_peer",
        "_request",
        "_request_id",
        "_secure",
        "_task",
        "_upstream",
        "deadline",
    )

    def __init__(
        self, crew: Crew, client: ClientConnection, request: Request, *, peer: str, secure: bool
    ) -> None:
        self._crew = crew
        self._client = client
        self._request = request
        self._request_id = new_id("req")  # in both processes' logs, and told to the client
        self._peer = peer
        self._secure = secure
        self._upstream: UpstreamConnection | None = None
        self._answer: Answer | None = None
        self._task: asyncio.Task[None] | None = None
        self._fresh_only = False
        self._over = False
        self.deadline = 0.0
        client.take_turn(self)

    def start(self) -> None:
        self.deadline = self._crew.now() + self._crew.options.stream_timeout_s
        pool, path = self._crew.pool, self._crew.options.console_socket
        connection = pool.take(path) if not self._fresh_only else None
        if connection is not None:
            self._send(connection)
        else:
            self._fresh_only = True
            self._task = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        try:
            connection = await self._crew.pool.connect(self._crew.options.console_socket)
        except OSError:
            self._task = None
            self._fail()
        else:
            self._task = None
            self._send(connection)

    def _send(self, connection: UpstreamConnection) -> None:
        request = self._request
        request.close_body()
        lines = [b"%b %b HTTP/1.1\r\n" % (request.method, request.target)]
        lines += console_headers(request.headers, connection=request.first.get(b"connection", b""))
        lines.append(self._id_line())
        lines.append(b"x-tidegate-peer: %b\r\n" % self._peer.encode())
        lines.append(b"x-tidegate-proto: %b\r\n" % (b"https" if self._secure else b"http"))
        if request.body or request.method in {b"POST", b"PUT", b"PATCH"}:
            lines.append(b"content-length: %d\r\n" % len(request.body))
        lines.append(b"\r\n")
        self._upstream = connection
        head_only = request.method == b"HEAD"
        connection.send(b"".join(lines), request.body, self, head_only=head_only)

    def _fail(self) -> None:
        self._leave()
        self._crew.console_failed(self._request_id)
        lines = (b"retry-after: 2\r\n", self._id_line())
        self._client.reply(503, b"text/plain; charset=utf-8", _UNAVAILABLE, lines)

    def _id_line(self) -> bytes:
        return b"x-request-id: %b\r\n" % self._request_id.encode()

    def _leave(self) -> None:
        self._over = True
        self.deadline = 0.0
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.abort()
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._crew.driver_done(self)

    def check(self, now: float) -> None:
        """Look at the clock, now and then."""
        if self.deadline and self.deadline < now:
            self.expired()

    def expired(self) -> None:
        self._give_up()

    def upstream_head(self, answer: Answer) -> None:
        self._answer = answer
        connection = answer.first.get(b"connection", b"")
        lines = from_console_headers(answer.headers, connection=connection)
        lines.append(self._id_line())
        self._client.write_head(answer.status, lines, answer.length)

    def upstream_flush(self) -> None:
        self._client.flush()

    def upstream_body(self, chunk: bytes, *, last: bool) -> None:
        if last:
            self._client.hold()
        self._client.write_body(chunk)

    def upstream_end(self) -> None:
        self._upstream = None
        self._leave()
        self._client.end()

    def upstream_lost(self, *, garbled: bool, untouched: bool) -> None:
        self._upstream = None
        if self._over:
            return
        if untouched and not self._fresh_only:
            # A kept connection that the console closed just as we used it: it saw nothing.
            self._fresh_only = True
            self.start()
        else:
            self._give_up()

    def _give_up(self) -> None:
        if self._answer is None:
            self._fail()
        else:
            self._leave()
            self._client.abort()

    def client_paused(self) -> None:
        if self._upstream is not None:
            self._upstream.pause()

    def client_resumed(self) -> None:
        if self._upstream is not None:
            self._upstream.resume()

    def client_gone(self) -> None:
        self._leave()
