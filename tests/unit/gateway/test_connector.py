"""Ways to an upstream: TLS, proxies, and what goes wrong on them."""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.unit.gateway.world import (
    OK,
    Peer,
    Script,
    Upstream,
    answering,
    in_loop,
    play,
    post,
    until,
    world,
)
from tests.wire.authority import Authority

from tidegate.core.routing import Origin
from tidegate.gateway.address_guard import AddressForbidden
from tidegate.gateway.connector import ConnectFailed, Connector, Proxy
from tidegate.gateway.options import GatewayOptions
from tidegate.gateway.upstream import Pool

pytestmark = pytest.mark.slow

SOMEWHERE = Origin(True, "api.example.com", 443)


@asynccontextmanager
async def pool_behind(script: Script, **options: Any) -> AsyncIterator[Pool]:
    """A pool whose proxy plays `script`."""
    proxy = Upstream(script)
    await proxy.start()
    usual = {
        "https_proxy": f"http://us%65r:p%40ss@127.0.0.1:{proxy.port}",
        "connect_timeout_s": 5,
    }
    pool = Pool(Connector(GatewayOptions(console_socket="", **{**usual, **options})), 55)
    try:
        yield pool
    finally:
        pool.close()
        await proxy.stop()


async def _refuse(peer: Peer) -> None:
    await peer.request()
    peer.send(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
    await peer.rest()


async def _nonsense(peer: Peer) -> None:
    await peer.request()
    peer.send(b"\0\1\2 nonsense\r\n\r\n")
    await peer.rest()


async def _endless(peer: Peer) -> None:
    await peer.request()
    peer.send(b"a" * 20_000)
    await peer.rest()


async def _close_at_once(peer: Peer) -> None:
    peer.reset()


async def _close(peer: Peer) -> None:
    await peer.request()


async def _open_and_close(peer: Peer) -> None:
    await peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\n\r\n")


async def _open_and_talk_nonsense(peer: Peer) -> None:
    await peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
    await peer.exactly(50)
    peer.send(b"HTTP/1.1 500 no TLS here\r\n\r\n")
    await peer.rest()


@pytest.mark.parametrize(
    "script",
    [
        _refuse,
        _nonsense,
        _endless,
        _close_at_once,
        _close,
        _open_and_close,
        _open_and_talk_nonsense,
    ],
)
@in_loop
async def test_a_proxy_that_fails_is_a_failed_connect_and_leaves_nothing(script: Script) -> None:
    async with pool_behind(script) as pool:
        for _ in range(5):
            with pytest.raises(ConnectFailed):
                await pool.connect(SOMEWHERE)
        assert pool.open_connections == 0


@in_loop
async def test_a_proxy_that_stalls_is_given_up() -> None:
    async def stall(peer: Peer) -> None:
        await peer.request()
        await peer.rest()

    async with pool_behind(stall, connect_timeout_s=0.2) as pool:
        with pytest.raises(ConnectFailed):
            await pool.connect(SOMEWHERE)


@in_loop
async def test_a_connect_that_is_called_off_leaves_nothing() -> None:
    asked = asyncio.Event()

    async def stall(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await peer.rest()
        asked.clear()

    async with pool_behind(stall) as pool:
        connecting = asyncio.create_task(pool.connect(SOMEWHERE))
        await asked.wait()
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        await until(lambda: not asked.is_set())
        assert pool.open_connections == 0


@in_loop
async def test_the_proxy_is_told_the_password_and_the_upstream_is_not(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    heads: list[bytes] = []
    upstream = Upstream(answering(OK))
    await upstream.start(authority.server_context())

    async def tunnel(peer: Peer) -> None:
        heads.append(await peer.request())
        reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
        far = Peer(reader, writer)
        peer.send(b"HTTP/1.1 200 Connection established\r\nvia: proxy\r\n\r\n")
        try:
            await asyncio.wait(
                [asyncio.create_task(_pump(peer, far)), asyncio.create_task(_pump(far, peer))]
            )
        finally:
            await far.closed()

    proxy = Upstream(tunnel)
    await proxy.start()
    base = f"https://localhost:{upstream.port}"
    options: dict[str, Any] = {
        "https_proxy": f"http://us%65r:p%40ss@127.0.0.1:{proxy.port}",
        "upstream_ca": str(authority.ca_file),
    }
    async with world(base, **options) as made:
        client = await made.client()
        for _ in range(3):
            assert b" 200 " in await client.send(post()).response()
        assert len(heads) == 1  # the tunnel is kept
    await proxy.stop()
    await upstream.stop()
    assert heads[0].startswith(b"CONNECT localhost:%d HTTP/1.1\r\n" % upstream.port)
    assert b"proxy-authorization: Basic " + base64.b64encode(b"user:p@ss") in heads[0]


async def _pump(near: Peer, far: Peer) -> None:
    while chunk := await near.reader.read(1 << 16):
        far.send(chunk)
    far.close()


@in_loop
async def test_an_upstreams_certificate_is_checked_and_http_1_1_agreed(tmp_path: Path) -> None:
    ours = Authority(tmp_path / "ours")
    agreed: list[str | None] = []

    async def script(peer: Peer) -> None:
        tls = peer.writer.get_extra_info("ssl_object")
        agreed.append(tls.selected_alpn_protocol())
        await answering(OK)(peer)

    upstream = Upstream(script)
    await upstream.start(ours.server_context())
    base = f"https://localhost:{upstream.port}"
    async with world(base, upstream_ca=str(ours.ca_file)) as made:
        assert b" 200 " in await made.ask(post())
    async with world(base) as made:
        assert b" 502 " in await made.ask(post())
        assert (await made.event()).error_code == "upstream_unreachable"
    await upstream.stop()
    assert agreed == ["http/1.1"]


@in_loop
async def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path, ("other.example.com",))
    upstream = Upstream(answering(OK))
    await upstream.start(authority.server_context())
    options: dict[str, Any] = {"upstream_ca": str(authority.ca_file)}
    async with world(f"https://localhost:{upstream.port}", **options) as made:
        assert b" 502 " in await made.ask(post())
    await upstream.stop()


@in_loop
async def test_an_upstream_that_speaks_no_tls_is_a_failed_connect() -> None:
    upstream = Upstream(_refuse)
    await upstream.start()
    async with world(f"https://localhost:{upstream.port}", connect_timeout_s=0.5) as made:
        assert b" 502 " in await made.ask(post())
    await upstream.stop()


@in_loop
async def test_a_refused_connect_is_told_once() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    async with world(f"http://127.0.0.1:{port}") as made:
        assert b" 502 " in await made.ask(post())
        event = await made.event()
    assert (event.outcome, event.error_code) == ("upstream_error", "upstream_unreachable")


class Failing:
    """Stands before a connector and fails some of its connects."""

    def __init__(self, connector: Connector, times: int) -> None:
        self._connector = connector
        self._left = times
        self.tried = 0

    async def connect(self, origin: Origin, factory: Any) -> Any:
        self.tried += 1
        if self._left:
            self._left -= 1
            raise ConnectFailed("api.example.com: Connection refused")
        return await self._connector.connect(origin, factory)


@pytest.mark.parametrize(("times", "status"), [(1, b" 200 "), (2, b" 502 ")])
@in_loop
async def test_a_failed_connect_is_tried_again_exactly_once(times: int, status: bytes) -> None:
    async with play(answering(OK)) as (made, _):
        pool = made.gateway.pool
        failing = Failing(pool._connector, times)
        pool._connector = failing  # type: ignore[assignment]
        assert status in await made.ask(post())
        await made.event()
        assert failing.tried == 2
        assert made.count("connects_failed") == (times == 2)


class Scripted(Connector):
    """Fails or hangs on some addresses of a name."""

    def __init__(self, addresses: list[str], options: GatewayOptions) -> None:
        super().__init__(options)
        self.found = addresses
        self.tried: list[str] = []

    async def _addresses(self, origin: Origin) -> list[str]:
        return self.found

    async def _to_address(self, address: str, origin: Origin, factory: Any) -> Any:
        self.tried.append(address)
        if address == "hangs":
            await asyncio.Event().wait()
        if address == "refuses":
            raise ConnectionRefusedError
        return factory()


@in_loop
async def test_an_address_that_drops_packets_does_not_use_up_the_time_of_the_others() -> None:
    options = GatewayOptions(console_socket="", connect_timeout_s=4.2)
    connector = Scripted(["hangs", "refuses", "answers"], options)
    await connector.connect(SOMEWHERE, asyncio.Protocol)
    assert connector.tried == ["hangs", "refuses", "answers"]


@in_loop
async def test_a_name_that_tls_cannot_take_is_a_failed_connect() -> None:
    connector = Connector(GatewayOptions(console_socket="", allow_upstreams=("127.0.0.1:*",)))
    for host in (".example.com", "a" * 70 + ".example.com", "x..example.com"):
        with pytest.raises(ConnectFailed):
            await connector.connect(Origin(True, host, 1), asyncio.Protocol)


@pytest.mark.parametrize(
    "host",
    [
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "169.254.43518",
        "metadata.",
        "localhost",
        "LOCALHOST.",
        "api.localhost",
    ],
)
@in_loop
async def test_what_a_proxy_would_resolve_to_this_machine_is_refused_before_it(host: str) -> None:
    async with pool_behind(_refuse) as pool:
        with pytest.raises(AddressForbidden):
            await pool.connect(Origin(True, host, 443))


@pytest.mark.parametrize("url", ["https://proxy:443", "socks5://proxy:1080", "http://"])
def test_a_proxy_of_another_kind_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValueError, match="HTTPS_PROXY"):
        Proxy(url, "")
