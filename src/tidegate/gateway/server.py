"""A gateway worker: listens, hands each request to whom it is for, keeps time, drains."""

import asyncio
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from tidegate.core import errors
from tidegate.core.compression.requests_savings import Compression, CountTokens
from tidegate.core.errors import Failure, render
from tidegate.core.exchange import Exchange
from tidegate.core.identity import ClientFacts, read_client
from tidegate.core.model import RequestStart, UsageEvent
from tidegate.core.pricing import PriceBook
from tidegate.core.redaction import redact_name
from tidegate.core.routing import Endpoint, Route, endpoint
from tidegate.core.ticket import Ticket
from tidegate.gateway.admission import Caller, Reading, body_encoding, decide, identify, read_body
from tidegate.gateway.capture import CaptureKeeper, Draft
from tidegate.gateway.captured_driver import CapturedDriver
from tidegate.gateway.client import ClientConnection
from tidegate.gateway.compressor import DEFAULTS as COMPRESSION_DEFAULTS
from tidegate.gateway.compressor import CompressionOptions, Compressor
from tidegate.gateway.connector import Connector
from tidegate.gateway.console_relay import ConsoleRelay
from tidegate.gateway.counters import Counters, PromptMemory
from tidegate.gateway.directory import Directory
from tidegate.gateway.driver import ExchangeDriver
from tidegate.gateway.hold_thread import HoldSource
from tidegate.gateway.limits import Limits
from tidegate.gateway.options import GatewayOptions
from tidegate.gateway.rate_counters import SharedCounters
from tidegate.gateway.recording import Recorder, Spool
from tidegate.gateway.request import Request
from tidegate.gateway.session_signs import look_for_signs
from tidegate.gateway.upstream import Pool
from tidegate.services.ids import new_id
from tidegate.store.pins import PinStore

_SWEEP_S: Final = 0.5
_OFF_LOOP_BYTES: Final = 1 << 20  # larger bodies, and encoded ones, are read in a thread
_READERS: Final = 2  # threads for that, their own so that nothing else waits behind large bodies
_BACKLOG: Final = 4096  # the kernel lowers it to its own limit
_TEXT: Final = b"text/plain; charset=utf-8"


class Gateway:
    """The data plane of one process."""

    def __init__(
        self,
        options: GatewayOptions,
        *,
        directory: Directory,
        spool: Spool,
        price_book: PriceBook,
        log: Any,
        captures: CaptureKeeper | None = None,
    ) -> None:
        self.options = options
        self.draining = False
        self.pool = Pool(Connector(options), options.pool_idle_s)
        self._directory = directory
        self._book = price_book
        self._log = log
        self._captures = captures
        self._counters = Counters()
        self._recorder = Recorder(
            spool, self._counters, log, policy=options.spool_policy, sync=options.spool_sync
        )
        self._compressor: Compressor | None = None
        self._limits = Limits(directory, self._counters, log)
        self._prompts = PromptMemory()
        self._proxies = tuple(
            ipaddress.ip_network(p, strict=False) for p in options.trusted_proxies
        )
        self._connections: set[ClientConnection] = set()
        self._drivers: set[ExchangeDriver | ConsoleRelay] = set()
        self._servers: list[asyncio.AbstractServer] = []
        self._tls: ssl.SSLContext | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Event = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="body")
        self._reads: set[asyncio.Future[None]] = set()  # of answers, which usage events wait for

    # -- life ----------------------------------------------------------------

    def compress_with(
        self,
        pins: PinStore,
        count_tokens: CountTokens | None,
        options: CompressionOptions = COMPRESSION_DEFAULTS,
    ) -> None:
        """Make tool results shorter, as organizations and keys say. Before the start."""
        self._compressor = Compressor(options, pins, count_tokens, self._counters, self._log)

    def limit_with(self, holds: HoldSource | None, rates: SharedCounters | None) -> None:
        """Hold requests to budgets and to limits of rate. Before the start."""
        if holds is not None:
            self._limits.hold(holds, self._book, self.options.hold_wait_s)
        if rates is not None:
            self._limits.count(rates)

    async def start(self, sockets: list[socket.socket], tls: ssl.SSLContext | None) -> None:
        """Serve on listening sockets that somebody else opened."""
        self._loop = asyncio.get_running_loop()
        if tls is not None:
            self._tls = tls
            tls.sni_callback = self._choose_tls
        for sock in sockets:
            self._servers.append(
                await self._loop.create_server(
                    lambda: ClientConnection(self),
                    sock=sock,
                    backlog=_BACKLOG,
                    ssl=tls,
                    ssl_handshake_timeout=self.options.head_timeout_s if tls else None,
                    ssl_shutdown_timeout=self.options.write_timeout_s if tls else None,
                )
            )
        self._sweeper = self._loop.call_later(_SWEEP_S, self._sweep)

    def _choose_tls(self, sock: Any, name: str | None, context: ssl.SSLContext) -> None:
        if self._tls is not None:
            sock.context = self._tls

    def set_tls(self, tls: ssl.SSLContext) -> None:
        """Use another certificate for the connections to come."""
        self._tls = tls

    def close_listeners(self) -> None:
        """Accept nothing more; what is accepted goes on."""
        for server in self._servers:
            server.close()
        self._servers.clear()

    async def drain(self, timeout_s: float) -> None:
        """Close the listeners, let running requests end for at most `timeout_s`, then abort."""
        self.draining = True
        self.close_listeners()
        for connection in list(self._connections):
            if connection.idle:
                connection.close()
        if self._connections:
            try:
                await asyncio.wait_for(self._emptied.wait(), timeout_s)
            except TimeoutError:
                self._log.warning("gateway.drain_timeout", connections=len(self._connections))
        self.abort()
        if self._reads:
            await asyncio.wait(self._reads)
        await self._recorder.settled()

    def abort(self) -> None:
        """End everything now. Running requests are recorded as cancelled."""
        self.close_listeners()
        for connection in list(self._connections):
            connection.transport.abort()
        for driver in list(self._drivers):
            driver.client_gone()
        self.pool.close()
        if self._compressor is not None:
            self._compressor.close()
        self._limits.close()
        self._readers.shutdown(wait=False)
        if self._sweeper is not None:
            self._sweeper.cancel()

    def counters(self) -> dict[str, int]:
        """What happened since the start, and what is open now."""
        captures = self._captures.counters() if self._captures is not None else {}
        compressor = self._compressor.counters() if self._compressor is not None else {}
        return (
            captures
            | compressor
            | self._limits.counters()
            | self._counters.as_dict()
            | {
                "client_connections": len(self._connections),
                "upstream_connections": self.pool.open_connections,
                "requests_running": len(self._drivers),
            }
        )

    def now(self) -> float:
        """The loop's monotonic clock, in seconds."""
        assert self._loop is not None
        return self._loop.time()

    def _sweep(self) -> None:
        assert self._loop is not None
        self._sweeper = self._loop.call_later(_SWEEP_S, self._sweep)
        now = self.now()
        for connection in [c for c in self._connections if c.deadline and c.deadline < now]:
            connection.expired()
        for driver in list(self._drivers):
            driver.check(now)
        self.pool.sweep(now)
        self._recorder.watch(now)
        if self._captures is not None:
            self._captures.watch(now)

    # -- for connections -----------------------------------------------------

    def joined(self, connection: ClientConnection) -> None:
        self._connections.add(connection)

    def left(self, connection: ClientConnection) -> None:
        self._connections.discard(connection)
        if self.draining and not self._connections:
            self._emptied.set()

    def refused_head(self, status: int) -> None:
        self._counters.add("heads_refused")

    def welcomes(self, request: Request) -> bool:
        """Whether the request is an agent's with a known key."""
        if endpoint(request.method, request.path, request.first) is None:
            return False
        return identify(self._directory, request.first, time.time_ns() // 1000) is not None

    def serve(self, connection: ClientConnection, request: Request) -> None:
        """Answer a complete request, or start what does."""
        point = endpoint(request.method, request.path, request.first)
        if point is not None:
            self._serve_agent(connection, request, point)
        elif not self._serve_probe(connection, request):
            self._relay_to_console(connection, request)

    def refuse_body(self, connection: ClientConnection, request: Request) -> None:
        """Answer a request whose body is larger than the limit and was not read."""
        point = endpoint(request.method, request.path, request.first)
        failure = errors.body_too_large(self.options.body_limit_bytes)
        if point is None:
            connection.reply(413, _TEXT, b"The request is too large.\n")
        else:
            self._serve_agent(connection, request, point, failure)

    # -- requests ------------------------------------------------------------

    def _serve_probe(self, connection: ClientConnection, request: Request) -> bool:
        """Answer the agents' and operators' probes; False if the request is none."""
        method, path = request.method, request.path
        reads = method in {b"GET", b"HEAD"}
        if request.upgrade and path == "/v1/responses":
            connection.reply(426, _TEXT, b"Use POST.\n", (b"upgrade: HTTP/1.1\r\n",))
        elif (path == "/" and method == b"HEAD") or (path == "/api/hello" and reads):
            connection.reply(200, _TEXT, b"")
        elif path == "/healthz" and reads:
            connection.reply(200, _TEXT, b"ok\n")
        elif path == "/readyz" and reads:
            ready = self._directory.fresh(self.now()) and not self.draining
            detail = self._recorder.detail()
            said = ("ready\n" if ready else "not ready\n") + (f"{detail}\n" if detail else "")
            connection.reply(200 if ready else 503, _TEXT, said.encode())
        else:
            return False
        return True

    def _relay_to_console(self, connection: ClientConnection, request: Request) -> None:
        peer, secure = self._origin_of(connection, request)
        relay = ConsoleRelay(self, connection, request, peer=peer, secure=secure)
        self._drivers.add(relay)
        relay.start()

    def _origin_of(self, connection: ClientConnection, request: Request) -> tuple[str, bool]:
        """The client's address and whether it spoke TLS, believing trusted proxies only."""
        peer, secure = connection.peer, connection.secure
        if not self._proxies or not self._trusted(peer):
            return peer, secure
        # The last word is the nearest proxy's; what comes before it the client may have sent.
        said = [v for n, _, v in request.headers if n == b"x-forwarded-proto"]
        secure = secure or b",".join(said).split(b",")[-1].strip().lower() == b"https"
        chain = b",".join(v for n, _, v in request.headers if n == b"x-forwarded-for")
        for hop in reversed(chain.decode("latin-1").split(",")):
            address = hop.strip()
            try:
                ipaddress.ip_address(address)
            except ValueError:
                break
            peer = address
            if not self._trusted(address):
                break
        return peer, secure

    def _trusted(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        if address.version == 6 and address.ipv4_mapped is not None:
            address = address.ipv4_mapped  # an IPv4 client of a socket that takes both
        return any(address in network for network in self._proxies)

    def _serve_agent(
        self,
        connection: ClientConnection,
        request: Request,
        point: Endpoint,
        failure: Failure | None = None,
    ) -> None:
        started_us = time.time_ns() // 1000
        facts = request.facts
        if facts is None:
            client = read_client(request.first)
        elif (client := facts.client) is None:
            client = facts.client = read_client(request.first)
        if not self._directory.fresh(self.now()):
            self._turn_away(connection, point, client, errors.directory_stale())
            return
        caller = identify(self._directory, request.first, started_us)
        if caller is None:
            self._counters.add("unknown_keys")
            self._log_unknown_key(connection, request)
            self._turn_away(connection, point, client, errors.unknown_key())
            return
        ticket = Ticket(
            event_id=new_id("req"),
            key=caller.key,
            client=client,
            dialect=point.dialect,
            facts=None,
            route=None,
            request_bytes=request.body_bytes,
            started_us=started_us,
            started_mono_us=time.monotonic_ns() // 1000,
            squad_id=self._directory.squad_of(caller.key),
        )
        exchange = Exchange(ticket, self._book)
        made = (self, connection, request, ticket, exchange)
        if caller.key.debug_until_us > started_us and point.metered and self._captures is not None:
            draft = Draft(self._captures, request, ticket.event_id)
            driver: ExchangeDriver = CapturedDriver(draft, *made, metered=True)
        else:
            driver = ExchangeDriver(*made, metered=point.metered)
        self._drivers.add(driver)
        if failure is not None:
            driver.start(failure)
        else:
            self._read(driver, request, point, caller)

    def _read(
        self, driver: ExchangeDriver, request: Request, point: Endpoint, caller: Caller
    ) -> None:
        """Read the body, in a thread if that takes long, and decide."""
        limit = self.options.decoded_limit_bytes
        if request.method == b"GET":
            request.close_body()
            self._start(driver, request, point, caller, None)
        elif request.body_bytes <= _OFF_LOOP_BYTES and not body_encoding(request):
            self._start(driver, request, point, caller, read_body(point, request, limit))
        else:
            assert self._loop is not None
            driver.decide_later(
                self._loop.run_in_executor(self._readers, read_body, point, request, limit),
                lambda reading: self._start(driver, request, point, caller, reading),
            )

    def _start(
        self,
        driver: ExchangeDriver,
        request: Request,
        point: Endpoint,
        caller: Caller,
        reading: Reading | None,
    ) -> None:
        ticket = driver.ticket
        facts = reading.facts if reading is not None else None
        ticket.facts = facts
        ticket.prompt_bytes = len(reading.plain) if reading is not None else 0
        if reading is not None and reading.failure is not None:
            driver.start(reading.failure)
            return
        model = facts.model if facts is not None else None
        decision = decide(self._directory, caller, point, request.first, model)
        if not isinstance(decision, Route):
            driver.start(decision)
            return
        ticket.route = decision
        if facts is not None and ticket.client.session:
            session = (caller.key.key_id, ticket.client.session)
            ticket.previous_prompt_tokens = self._prompts.get(session, facts.model)
        if reading is not None:
            driver.read_later(reading)
        if not point.metered or reading is None:
            driver.start(None)
            return
        answer = self._limits.check(ticket, reading)
        if isinstance(answer, asyncio.Future):
            driver.decide_later(
                answer, lambda refusal: self._go_on(driver, request, caller, reading, refusal)
            )
        else:
            self._go_on(driver, request, caller, reading, answer)

    def _go_on(
        self,
        driver: ExchangeDriver,
        request: Request,
        caller: Caller,
        reading: Reading,
        refusal: Failure | None,
    ) -> None:
        """Make the request shorter, if it may go on at all."""
        if refusal is None and self._compressor is not None:
            work = self._compressor.consider(caller, request, driver.ticket, reading)
            if work is not None:
                driver.decide_later(work, lambda _: driver.start(None))
                return
        driver.start(refusal)

    def _turn_away(
        self, connection: ClientConnection, point: Endpoint, client: ClientFacts, failure: Failure
    ) -> None:
        """Answer somebody whom we do not know; nothing is recorded."""
        reply = render(failure, point.dialect, client.agent)
        lines = tuple(b"%b: %b\r\n" % header for header in reply.headers)
        connection.reply(reply.status, reply.content_type, reply.body, lines)

    def _log_unknown_key(self, connection: ClientConnection, request: Request) -> None:
        if (unreported := self._counters.due("unknown_keys", self.now())) is not None:
            peer, _ = self._origin_of(connection, request)
            self._log.warning(
                "gateway.unknown_key", peer=peer, path=redact_name(request.path), count=unreported
            )

    # -- for drivers ---------------------------------------------------------

    def begin(self, start: RequestStart) -> Failure | None:
        """Hand over that a request begins; why it may not, if it may not."""
        return self._recorder.begin(start)

    def when_durable(self, then: Callable[[], None]) -> bool:
        """See `Recorder.when_durable`."""
        return self._recorder.when_durable(then)

    def read_apart(self, read: Callable[[], None], then: Callable[[], None]) -> None:
        """Call `read` in a thread, `then` in the loop when it is done."""
        assert self._loop is not None
        try:
            future = self._loop.run_in_executor(self._readers, read)
        except RuntimeError:  # shut down: nothing else is left for this loop to do
            read()
            self._loop.call_soon(then)
            return
        self._reads.add(future)
        future.add_done_callback(self._reads.discard)
        future.add_done_callback(lambda _: then())

    def count_tokens(self, compression: Compression) -> None:
        """Count what compression saved of a request that is on its way."""
        if self._compressor is not None:
            self._compressor.count(compression)

    def look_for_signs(self, ticket: Ticket, reading: Reading) -> None:
        """Find what a request that is on its way says of its session."""
        look_for_signs(ticket, reading, self._counters)

    def record(self, event: UsageEvent) -> None:
        """Hand a usage event over."""
        self._counters.add(f"requests_{event.outcome}")
        if event.client_session and event.tokens.prompt:
            session = (event.key_id, event.client_session)
            self._prompts.put(session, event.model_asked, event.tokens.prompt)
        self._recorder.record(event)
        self._limits.ended(event)

    def connect_failed(self, reason: str) -> None:
        """Tell the operator why an upstream cannot be reached; the agent learns only that."""
        self._counters.add("connects_failed")
        if (unreported := self._counters.due("connects_failed", self.now())) is not None:
            self._log.warning("gateway.connect_failed", reason=reason, count=unreported)

    def console_failed(self, request_id: str) -> None:
        """A request for the console was not answered by it."""
        self._counters.add("console_failures")
        if (unreported := self._counters.due("console_failures", self.now())) is not None:
            self._log.warning("gateway.console_failed", request_id=request_id, count=unreported)

    def driver_done(self, driver: ExchangeDriver | ConsoleRelay) -> None:
        self._drivers.discard(driver)
