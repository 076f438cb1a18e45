"""A gateway, a scripted upstream and raw clients, all in the test's own event loop.

Leaving a world asserts what holds after every test: no request, connection or task is left over,
and nothing was reported to the event loop as unhandled.
"""

import asyncio
import contextlib
import functools
import gc
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any, Self

import msgspec
import uvloop
from tests.spools import ListSpool

from tidegate.core.model import (
    CredentialRecord,
    DirectorySnapshot,
    KeyRecord,
    OrganizationRecord,
    SecretRecord,
    UsageEvent,
)
from tidegate.core.pricing import PriceBook
from tidegate.core.routing import Origin
from tidegate.gateway.capture import CaptureKeeper
from tidegate.gateway.compressor import DEFAULTS, CompressionOptions
from tidegate.gateway.directory import Directory
from tidegate.gateway.hold_thread import HoldSource
from tidegate.gateway.options import GatewayOptions
from tidegate.gateway.rate_counters import SharedCounters
from tidegate.gateway.server import Gateway
from tidegate.services.log import NoLog
from tidegate.services.price_book import compile_price_book
from tidegate.services.vault import derive, hash_secret, seal
from tidegate.store.pins import PinStore

PATIENCE_S = 20.0
ORGANIZATION = "org_1"
KEY = "tg_" + "k" * 40
SECRET = "sk-organization"
SUBKEYS = derive(b"m" * 32)
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)


@functools.cache
def price_book() -> PriceBook:
    return compile_price_book()


async def until(condition: Callable[[], object]) -> None:
    """Wait for what another task brings about."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  the condition is another task's
            await asyncio.sleep(0.001)


class Peer:
    """One end of a connection that a test plays by hand."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int = 0
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.number = number

    def send(self, data: bytes) -> Self:
        """Send, unless the other side closed already."""
        if not self.writer.transport.is_closing():
            self.writer.write(data)
        return self

    async def until(self, mark: bytes) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.readuntil(mark)

    async def request(self) -> bytes:
        """One request with its sized body, as raw bytes."""
        head = await self.until(b"\r\n\r\n")
        return head + await self.exactly(_length(head))

    async def response(self) -> bytes:
        """One answer with its sized body, as raw bytes."""
        return await self.request()

    async def exactly(self, size: int) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.readexactly(size)

    async def rest(self) -> bytes:
        """All that comes until the other side closes, or breaks off."""
        received = bytearray()
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(OSError):
                while chunk := await self.reader.read(1 << 16):
                    received += chunk
        return bytes(received)

    def reset(self) -> None:
        """Close so that the other side gets a reset."""
        if self.writer.transport.is_closing():
            return
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.writer.transport.abort()

    def finish(self) -> None:
        """Send no more, and go on reading."""
        if not self.writer.transport.is_closing():
            self.writer.write_eof()

    def close(self) -> None:
        self.writer.close()

    async def closed(self) -> None:
        """Close and wait until it is."""
        self.writer.transport.abort()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


Script = Callable[[Peer], Awaitable[None]]


class Upstream:
    """Plays `script` on every connection that it gets."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self._tasks: set[asyncio.Task[None]] = set()
        self._peers: list[Peer] = []
        self.connections = 0
        self.requests: list[bytes] = []
        self.port = 0

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._play, "127.0.0.1", 0, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        peer = Peer(reader, writer, self.connections)
        try:
            await self.script(peer)
        except (OSError, EOFError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # the gateway closed, sent something else, or the test is over
        finally:
            peer.close()
            self._peers.append(peer)

    async def stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks)
        for peer in self._peers:
            await peer.closed()


def answering(*answers: bytes) -> Script:
    """Answer the requests of each connection in turn, the last one again and again."""

    async def script(peer: Peer) -> None:
        number = 0
        while True:
            await peer.request()
            peer.send(answers[min(number, len(answers) - 1)])
            number += 1

    return script


class Source:
    """The directory as a test writes it down."""

    def __init__(self, snapshot: DirectorySnapshot) -> None:
        self.current = snapshot
        self.away = False

    def version(self) -> int:
        if self.away:
            raise OSError("the store is away")
        return self.current.version

    def snapshot(self) -> DirectorySnapshot:
        return self.current


class World:
    """What a test has at hand."""

    spool: ListSpool

    def __init__(self, gateway: Gateway, directory: Directory, source: Source, port: int) -> None:
        self.gateway = gateway
        self.directory = directory
        self.source = source
        self.port = port
        self.events: list[UsageEvent] = []
        self._clients: list[Peer] = []

    def append(self, event: UsageEvent) -> None:
        self.events.append(event)

    async def client(self, tls: ssl.SSLContext | None = None) -> Peer:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=tls, server_hostname="localhost" if tls else None
        )
        self._clients.append(Peer(reader, writer))
        return self._clients[-1]

    async def ask(self, data: bytes) -> bytes:
        """The sized answer to one request on a connection of its own."""
        client = await self.client()
        answer = await client.send(data).response()
        client.close()
        return answer

    def lead_own_credentials_to(self, port: int) -> None:
        """Reach the constant hosts of own credentials at a port of the test."""
        connector = self.gateway.pool._connector
        direct = connector.connect

        async def connect(origin: Origin, factory: Callable[[], asyncio.Protocol]) -> Any:
            return await direct(Origin(False, "127.0.0.1", port), factory)

        connector.connect = connect  # type: ignore[method-assign]

    def count(self, name: str) -> int:
        return self.gateway.counters().get(name, 0)

    async def event(self) -> UsageEvent:
        """The only event, once all is over."""
        await until(lambda: self.events)
        await self.quiet()
        [event] = self.events
        return event

    async def quiet(self) -> None:
        """Wait until no request runs."""
        await until(lambda: self.count("requests_running") == 0)

    async def send_clients_away(self) -> None:
        for client in self._clients:
            await client.closed()

    async def leave(self) -> None:
        await self.send_clients_away()
        await self.quiet()
        await until(lambda: self.count("client_connections") == 0)
        self.gateway.abort()
        await until(lambda: self.count("upstream_connections") == 0)


def credential(provider: str, base_url: str, secret: str = SECRET) -> CredentialRecord:
    credential_id = f"cred_{provider}"
    context = f"{ORGANIZATION}:{credential_id}"
    return CredentialRecord(
        credential_id=credential_id,
        organization_id=ORGANIZATION,
        provider=provider,
        base_url=base_url,
        ciphertext=seal(SUBKEYS.credential, secret, context=context),
        is_default=True,
    )


def snapshot(base_url: str, **key: Any) -> DirectorySnapshot:
    record = KeyRecord(
        **{
            "key_id": "key_1",
            "organization_id": ORGANIZATION,
            "member_id": "mem_1",
            "agent": "claude_code",
            **key,
        }
    )
    return DirectorySnapshot(
        version=1,
        organizations=(OrganizationRecord(organization_id=ORGANIZATION, name="Acme"),),
        keys=(record,),
        secrets=(SecretRecord(hash_secret(SUBKEYS.lookup, KEY), "key_1"),),
        credentials=tuple(credential(p, base_url) for p in ("anthropic", "openai")),
    )


@contextlib.asynccontextmanager
async def world(
    upstream: Upstream | str,
    *,
    tls: ssl.SSLContext | None = None,
    captures: CaptureKeeper | None = None,
    pins: PinStore | None = None,
    compression: CompressionOptions = DEFAULTS,
    holds: HoldSource | None = None,
    rates: SharedCounters | None = None,
    records: Mapping[str, Any] = MappingProxyType({}),
    **options: Any,
) -> AsyncIterator[World]:
    """Run a gateway whose credentials lead to `upstream`; `records` go into its directory."""
    base = upstream if isinstance(upstream, str) else f"http://127.0.0.1:{upstream.port}"
    plain = snapshot(base, debug_until_us=0 if captures is None else 1 << 60)
    source = Source(msgspec.structs.replace(plain, **records))
    log = NoLog()
    directory = Directory(
        source, lookup=SUBKEYS.lookup, credential=SUBKEYS.credential, log=log, max_age_s=600
    )
    await directory.refresh()
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    port = listener.getsockname()[1]
    events = _Events()
    gateway = Gateway(
        GatewayOptions(
            **{"console_socket": "", "allow_upstreams": ("127.0.0.1:*", "localhost:*"), **options}
        ),
        directory=directory,
        spool=events,
        price_book=price_book(),
        log=log,
        captures=captures,
    )
    if pins is not None:
        gateway.compress_with(
            pins, lambda texts: [len(text.split()) for text in texts], compression
        )
    gateway.limit_with(holds, rates)
    await gateway.start([listener], tls)
    made = World(gateway, directory, source, port)
    made.spool = events
    events.take = made.append
    try:
        yield made
        await made.leave()
    finally:
        await made.send_clients_away()
        gateway.abort()
        if isinstance(upstream, Upstream):
            await upstream.stop()


class _Events(ListSpool):
    """A spool that hands on."""

    take: Callable[[UsageEvent], None]

    def append(self, event: UsageEvent) -> None:
        self.take(event)


@contextlib.asynccontextmanager
async def play(script: Script, **options: Any) -> AsyncIterator[tuple[World, Upstream]]:
    """A gateway in front of an upstream that plays `script`."""
    upstream = Upstream(script)
    await upstream.start()
    async with world(upstream, **options) as made:
        yield made, upstream


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test in uvloop and fail it if anything went unhandled meanwhile."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        unhandled: list[dict[str, Any]] = []

        async def watched() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: unhandled.append(context))
            await test(*args, **kwargs)
            gc.collect()
            await asyncio.sleep(0)
            mine = asyncio.current_task()
            assert [t for t in asyncio.all_tasks() if t is not mine and "_play" not in str(t)] == []

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(watched())
        assert unhandled == []

    return run


def post(
    path: str = "/v1/messages",
    body: bytes = b'{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[]}',
    *lines: str,
    key: str = KEY,
) -> bytes:
    """A request with our key as bearer."""
    head = [f"POST {path} HTTP/1.1", "host: h", f"content-length: {len(body)}", *lines]
    if key:
        head.append(f"authorization: Bearer {key}")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body
