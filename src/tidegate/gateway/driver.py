"""Runs one exchange: executes the machine's commands on a client's and an upstream's connection."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Protocol

from tidegate.core import errors
from tidegate.core.budget_words import UNIFIED_STATUS, standing_headers
from tidegate.core.compression.requests_savings import Compression
from tidegate.core.errors import Failure, Reply, render
from tidegate.core.exchange import (
    Abort,
    Begin,
    BeginRefused,
    ClientGone,
    CloseUpstream,
    Command,
    Event,
    Exchange,
    Forward,
    Read,
    Record,
    Relay,
    RelayEnd,
    RelayHead,
    RequestReceived,
    Respond,
    Send,
    UpstreamBytes,
    UpstreamConnected,
    UpstreamEnded,
    UpstreamFailed,
    UpstreamHead,
)
from tidegate.core.headers import OF_THE_BODY, client_headers, upstream_headers
from tidegate.core.model import RequestStart, UsageEvent
from tidegate.core.routing import Route
from tidegate.core.ticket import Ticket
from tidegate.gateway.address_guard import AddressForbidden
from tidegate.gateway.admission import Reading
from tidegate.gateway.client import ClientConnection
from tidegate.gateway.connector import ConnectFailed
from tidegate.gateway.options import GatewayOptions
from tidegate.gateway.request import Request
from tidegate.gateway.upstream import Answer, Pool, UpstreamConnection

_NO_SUCCESS: Final = 300
_ENDED: Final = UpstreamEnded()
_CONNECTED: Final = UpstreamConnected()
_GONE: Final = ClientGone()
_FOR_NOBODY: Final = frozenset({Record, CloseUpstream})  # what is done when the client has left


class Crew(Protocol):
    """What a driver needs of its worker."""

    options: GatewayOptions
    pool: Pool

    def now(self) -> float: ...
    def begin(self, start: RequestStart) -> Failure | None: ...
    def record(self, event: UsageEvent) -> None: ...
    def when_durable(self, then: Callable[[], None]) -> bool: ...
    def read_apart(self, read: Callable[[], None], then: Callable[[], None]) -> None: ...
    def count_tokens(self, compression: Compression) -> None: ...
    def look_for_signs(self, ticket: Ticket, reading: Reading) -> None: ...
    def connect_failed(self, reason: str) -> None: ...
    def driver_done(self, driver: Any) -> None: ...


class ExchangeDriver:
    """Stands between one request of a client's connection and the upstream's answer to it."""

    __slots__ = (
        "_answer",
        "_client",
        "_crew",
        "_exchange",
        "_fresh_only",
        "_gone",
        "_heard",
        "_held",
        "_metered",
        "_over",
        "_request",
        "_task",
        "_ticket",
        "_unread",
        "_upstream",
        "_waiting",
        "deadline",
    )

    def __init__(
        self,
        crew: Crew,
        client: ClientConnection,
        request: Request,
        ticket: Ticket,
        exchange: Exchange,
        *,
        metered: bool,
    ) -> None:
        self._crew = crew
        self._client = client
        self._request = request
        self._ticket = ticket
        self._exchange = exchange
        self._metered = metered
        self._unread: Reading | None = None
        self._over = False
        self._upstream: UpstreamConnection | None = None
        self._answer: Answer | None = None
        self._task: asyncio.Task[None] | None = None
        self._fresh_only = False
        self._gone = False
        self._held: Iterator[Command] | None = None
        self._waiting: deque[tuple[Event, int]] = deque()
        self._heard = False  # since the last look at the clock
        self.deadline = 0.0
        client.take_turn(self)

    @property
    def ticket(self) -> Ticket:
        return self._ticket

    def read_later(self, reading: Reading) -> None:
        """Once the request is on its way, look for what it says of its session."""
        if self._metered:
            self._unread = reading

    def start(self, refusal: Failure | None) -> None:
        """Go on with the decided request."""
        self._run(RequestReceived(refusal))

    def decide_later(self, decision: "asyncio.Future[Any]", then: Callable[[Any], None]) -> None:
        """Call `then` with a result that is computed off the loop, if the client still waits."""

        def done(future: "asyncio.Future[Any]") -> None:
            if not (self._over or future.cancelled()):
                then(future.result())

        decision.add_done_callback(done)

    def check(self, now: float) -> None:
        """Look at the clock, now and then: reading it for each event would cost more."""
        if self._heard:
            self._heard = False
            if self.deadline:
                self.deadline = now + self._crew.options.stream_timeout_s
        elif self.deadline and self.deadline < now:
            self.expired()

    def expired(self) -> None:
        """The upstream kept silent for too long."""
        self.deadline = 0.0
        self._run(UpstreamFailed(errors.upstream_timeout(self._host), timed_out=True))

    @property
    def _host(self) -> str:
        route = self._ticket.route
        return route.origin.host if route is not None else ""

    # -- the machine ---------------------------------------------------------

    def _run(self, event: Event) -> None:
        at_us = time.monotonic_ns() // 1000
        if self._held is None:
            self._carry_out(self._exchange.handle(event, at_us))
        else:
            self._waiting.append((event, at_us))

    def _carry_out(self, commands: Iterator[Command]) -> None:
        for command in commands:
            kind = type(command)
            if kind is Read:  # though the client may be gone: the usage event needs it
                self._hold(commands)
                self._crew.read_apart(command.read, self._go_on)  # type: ignore[union-attr]
                return
            if kind is Begin:
                refusal = self._begin(command.start)  # type: ignore[union-attr]
                if refusal is not None:
                    self._run(BeginRefused(refusal))
                    return
            elif self._gone and kind is Send:
                return  # the client left while the start was made durable
            elif not self._gone or kind in _FOR_NOBODY:
                self._execute(command)
            if (kind is Record or kind is Begin) and self._waits_for_disk():
                self._hold(commands)
                return

    def _begin(self, start: RequestStart) -> Failure | None:
        return self._crew.begin(start) if self._metered else None

    def _waits_for_disk(self) -> bool:
        """Whether to go on later, when what was handed over can outlive a loss of power."""
        return self._metered and not self._gone and self._crew.when_durable(self._go_on)

    def _hold(self, commands: Iterator[Command]) -> None:
        """Leave these commands, and all that happens meanwhile, for `_go_on`."""
        self._held = commands
        if self._upstream is not None:
            self._upstream.pause()

    def _go_on(self) -> None:
        """Carry out what was held, then what happened meanwhile, in its order."""
        commands, self._held = self._held, None
        if self._upstream is not None and not self._client.paused:
            self._upstream.resume()
        if commands is not None:
            self._carry_out(commands)
        while self._waiting and self._held is None:
            event, at_us = self._waiting.popleft()
            self._carry_out(self._exchange.handle(event, at_us))
        if self._gone and self._held is None:
            self._leave()

    def _execute(self, command: Command) -> None:
        kind = type(command)
        if kind is Relay:
            self._client.write_body(command.chunk)  # type: ignore[union-attr]
        elif kind is Record:
            if self._metered:
                self._record(command.event)  # type: ignore[union-attr]
        elif kind is RelayHead:
            self._relay_head()
        elif kind is RelayEnd:
            self._leave()
            self._client.end()
        elif kind is Forward:
            self._forward()
        elif kind is Send:
            self._send()
        elif kind is Respond:
            self._leave()
            self._respond(command.failure)  # type: ignore[union-attr]
        elif kind is Abort:
            self._leave()
            self._client.abort()
        elif kind is CloseUpstream:
            self._close_upstream()

    def _record(self, event: UsageEvent) -> None:
        self._crew.record(event)

    def _leave(self) -> None:
        self._over = True
        self.deadline = 0.0
        self._upstream = None
        self._crew.driver_done(self)

    def _close_upstream(self) -> None:
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.abort()
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _respond(self, failure: Failure) -> None:
        ticket = self._ticket
        reply = render(failure, ticket.dialect, ticket.client.agent, ticket.event_id)
        lines = [b"%b: %b\r\n" % header for header in reply.headers]
        lines.append(b"x-tidegate-request-id: %b\r\n" % ticket.event_id.encode())
        self._reply(reply, lines)

    def _reply(self, reply: Reply, lines: Sequence[bytes]) -> None:
        self._client.reply(reply.status, reply.content_type, reply.body, tuple(lines))

    # -- towards the upstream ------------------------------------------------

    def _forward(self) -> None:
        route = self._ticket.route
        assert route is not None
        self.deadline = self._crew.now() + self._crew.options.first_byte_timeout_s
        connection = None if self._fresh_only else self._crew.pool.take(route.origin)
        if connection is not None:
            self._connected(connection, reused=True)
        else:
            self._task = asyncio.get_running_loop().create_task(self._connect(route))

    async def _connect(self, route: Route) -> None:
        try:
            connection = await self._connect_twice(route)
        except AddressForbidden as exc:
            self._task = None
            self._crew.connect_failed(str(exc))
            self._run(UpstreamFailed(errors.upstream_forbidden(route.origin.host)))
        except ConnectFailed as exc:
            self._task = None
            self._crew.connect_failed(str(exc))
            self._run(UpstreamFailed(errors.upstream_unreachable(route.origin.host)))
        else:
            self._task = None
            self._connected(connection, reused=False)

    async def _connect_twice(self, route: Route) -> UpstreamConnection:
        try:
            return await self._crew.pool.connect(route.origin)
        except ConnectFailed:
            return await self._crew.pool.connect(route.origin)

    def _connected(self, connection: UpstreamConnection, *, reused: bool) -> None:
        self._upstream = connection
        self._fresh_only = self._fresh_only or not reused
        self._run(_CONNECTED)

    def _send(self) -> None:
        connection, route = self._upstream, self._ticket.route
        assert connection is not None
        assert route is not None
        connection.send(self._head(route), self._request.outgoing, self, head_only=False)
        if self._client.paused:
            connection.pause()
        if self._ticket.compression is not None:
            self._crew.count_tokens(self._ticket.compression)
        if self._unread is not None:
            unread, self._unread = self._unread, None
            self._crew.look_for_signs(self._ticket, unread)

    def _head(self, route: Route) -> bytes:
        request = self._request
        head = b"%b %b HTTP/1.1\r\nhost: %b\r\n%b" % (
            request.method,
            route.path.encode() + request.query,
            route.origin.authority.encode(),
            self._header_lines(route),
        )
        if request.method == b"POST" or request.body:
            return b"%bcontent-length: %d\r\n\r\n" % (head, len(request.outgoing))
        return head + b"\r\n"

    def _header_lines(self, route: Route) -> bytes:
        request, facts = self._request, self._request.facts
        if request.shorter is not None and not OF_THE_BODY.isdisjoint(request.first):
            return b"".join(self._lines(route, without=OF_THE_BODY))
        credential = (route.keep_credential, route.set_header)
        if facts is not None and facts.credential == credential:
            known: bytes = facts.header_lines
            return known
        lines = b"".join(self._lines(route))
        if facts is not None:
            facts.credential, facts.header_lines = credential, lines
        return lines

    def _lines(self, route: Route, without: frozenset[bytes] = frozenset()) -> list[bytes]:
        return upstream_headers(
            [header for header in self._request.headers if header[0] not in without],
            connection=self._request.first.get(b"connection", b""),
            keep_credential=route.keep_credential,
            set_header=route.set_header,
        )

    # -- from the upstream ---------------------------------------------------

    def upstream_head(self, answer: Answer) -> None:
        self._answer = answer
        self._request.body = b""  # it will not be sent again; an answer may last for minutes
        self._request.shorter = None
        self.deadline = self._crew.now() + self._crew.options.stream_timeout_s
        first = answer.first
        self._run(
            UpstreamHead(
                answer.status,
                first.get(b"content-type", b"")[:17].lower() == b"text/event-stream",
                answer.length,
                first.get(b"content-encoding", b"").decode("latin-1").strip().lower(),
                (first.get(b"request-id") or first.get(b"x-request-id") or b"").decode("latin-1")[
                    :200
                ],
            )
        )

    def _relay_head(self) -> None:
        answer, route = self._answer, self._ticket.route
        assert answer is not None
        assert route is not None
        lines = client_headers(
            answer.headers,
            connection=answer.first.get(b"connection", b""),
            organization_credential=route.set_header is not None,
        )
        lines.append(b"x-tidegate-request-id: %b\r\n" % self._ticket.event_id.encode())
        if self._ticket.budget_percent >= 0 and answer.status < _NO_SUCCESS:
            lines += self._budget_lines(answer)
        self._client.write_head(answer.status, lines, answer.length)

    def _budget_lines(self, answer: Answer) -> list[bytes]:
        """What of the budgets is gone, unless the upstream says as much of its own."""
        route, ticket = self._ticket.route, self._ticket
        theirs = route is not None and route.set_header is None
        if theirs and UNIFIED_STATUS in answer.first:
            return []
        said = standing_headers(ticket.budget_percent, ticket.budget_resets_us)
        return [b"%b: %b\r\n" % header for header in said]

    def upstream_flush(self) -> None:
        self._client.flush()

    def upstream_body(self, chunk: bytes, *, last: bool) -> None:
        self._heard = True
        if not last and self._held is None and self._exchange.passes(chunk):
            self._client.write_body(chunk)
            return
        if last:
            self._client.hold()
        self._run(UpstreamBytes(chunk))

    def upstream_end(self) -> None:
        self._upstream = None
        self._run(_ENDED)

    def upstream_lost(self, *, garbled: bool, untouched: bool) -> None:
        self._upstream = None
        if untouched and not garbled and not self._fresh_only:
            # A kept connection that the upstream closed just as we used it: it saw nothing.
            self._fresh_only = True
            self._forward()
            return
        failure = (
            errors.upstream_garbled if garbled or not untouched else errors.upstream_unreachable
        )
        self._run(UpstreamFailed(failure(self._host)))

    # -- from the client -----------------------------------------------------

    def client_paused(self) -> None:
        if self._upstream is not None:
            self.deadline = 0.0
            self._upstream.pause()

    def client_resumed(self) -> None:
        if self._upstream is not None:
            self.deadline = self._crew.now() + self._crew.options.stream_timeout_s
            self._upstream.resume()

    def client_gone(self) -> None:
        self._gone = True
        self._run(_GONE)
        if self._held is None:
            self._leave()
