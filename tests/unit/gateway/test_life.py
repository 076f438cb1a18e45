"""A worker's life: start, refresh of the directory, drain, abort; TLS towards the clients."""

import asyncio
import gc
import ssl
from pathlib import Path

import msgspec
import pytest
from tests.unit.gateway.world import (
    OK,
    STREAM_HEAD,
    Peer,
    Upstream,
    answering,
    in_loop,
    play,
    post,
    snapshot,
    until,
    world,
)
from tests.wire.authority import Authority

from tidegate.gateway.client import ClientConnection
from tidegate.gateway.request import Request
from tidegate.gateway.upstream import UpstreamConnection

pytestmark = pytest.mark.slow

HEALTH = b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n"
READY = b"GET /readyz HTTP/1.1\r\nhost: h\r\n\r\n"


class Gate:
    """An upstream that answers when it is told to."""

    def __init__(self, answer: bytes = OK) -> None:
        self.answer = answer
        self.asked = 0
        self.open = asyncio.Event()

    async def __call__(self, peer: Peer) -> None:
        while True:
            await peer.request()
            self.asked += 1
            await self.open.wait()
            peer.send(self.answer)


# -- drain and abort ---------------------------------------------------------


@in_loop
async def test_draining_ends_what_runs_and_what_waits_behind_it() -> None:
    gate = Gate()
    async with play(gate) as (world, _):
        idle, busy = await world.client(), await world.client()
        await idle.send(HEALTH).response()
        busy.send(post() + HEALTH)
        await until(lambda: gate.asked)
        draining = asyncio.create_task(world.gateway.drain(20))
        assert await idle.rest() == b""
        with pytest.raises(OSError):
            await world.client()
        gate.open.set()
        received = await busy.rest()
        await draining
        assert received.count(b"HTTP/1.1 200") >= 1
        assert b"connection: close\r\n" in received
        assert [e.outcome for e in world.events] == ["ok"]


@in_loop
async def test_a_drain_that_takes_too_long_cancels_what_is_left() -> None:
    gate = Gate()
    async with play(gate) as (world, _):
        client = await world.client()
        client.send(post())
        await until(lambda: gate.asked)
        await world.gateway.drain(0.05)
        assert (await world.event()).outcome == "cancelled"
        assert await client.rest() == b""


@in_loop
async def test_an_abort_while_connecting_records_and_leaves_no_task() -> None:
    async def silent(peer: Peer) -> None:
        await peer.rest()

    async with play(silent) as (world, upstream):
        base = f"https://127.0.0.1:{upstream.port}"  # a handshake that never goes on
        world.source.current = msgspec.structs.replace(snapshot(base), version=2)
        await world.directory.refresh()
        client = await world.client()
        client.send(post())
        await until(lambda: upstream.connections)
        world.gateway.abort()
        event = await world.event()
    assert (event.outcome, event.tokens.total) == ("cancelled", 0)


@in_loop
async def test_a_client_that_leaves_while_we_connect_ends_the_attempt() -> None:
    closed = asyncio.Event()

    async def silent(peer: Peer) -> None:
        await peer.rest()
        closed.set()

    async with play(silent) as (world, upstream):
        base = f"https://127.0.0.1:{upstream.port}"
        world.source.current = msgspec.structs.replace(snapshot(base), version=2)
        await world.directory.refresh()
        client = await world.client()
        client.send(post())
        await until(lambda: upstream.connections)
        client.reset()
        event = await world.event()
        await asyncio.wait_for(closed.wait(), 10)
        assert world.count("upstream_connections") == 0
    assert (event.outcome, event.status, event.tokens.total) == ("cancelled", 499, 0)


# -- the directory -----------------------------------------------------------


@in_loop
async def test_a_revoked_key_is_refused_within_a_second() -> None:
    async with play(answering(OK)) as (world, upstream):
        refreshing = asyncio.create_task(world.directory.run())
        assert b" 200 " in await world.ask(post())
        base = f"http://127.0.0.1:{upstream.port}"
        world.source.current = msgspec.structs.replace(snapshot(base, disabled=True), version=2)
        async with asyncio.timeout(1):
            while b" 403 " not in await world.ask(post()):
                pass
        plain = msgspec.structs.replace(snapshot(base), version=3)
        world.source.current = msgspec.structs.replace(plain, secrets=())
        async with asyncio.timeout(1):
            while not world.count("unknown_keys"):
                assert b" 403 " in await world.ask(post())
        refreshing.cancel()
        assert {e.error_code for e in world.events} == {"", "key_disabled"}


@in_loop
async def test_a_revocation_is_heard_within_a_second_of_the_stores_return() -> None:
    async with play(answering(OK)) as (world, upstream):
        world.source.away = True
        refreshing = asyncio.create_task(world.directory.run())
        await asyncio.sleep(2.5)  # long enough for any pause between attempts to grow
        assert b" 200 " in await world.ask(post())
        base = f"http://127.0.0.1:{upstream.port}"
        world.source.current = msgspec.structs.replace(snapshot(base, disabled=True), version=2)
        world.source.away = False
        async with asyncio.timeout(1):
            while b" 403 " not in await world.ask(post()):
                pass
        refreshing.cancel()


@in_loop
async def test_without_the_store_keys_expire_and_come_back() -> None:
    async with play(answering(OK)) as (world, _):
        assert b" 200 " in await world.ask(READY)
        world.directory._confirmed_at -= 601
        answer = await world.ask(post())
        assert b" 503 " in answer
        assert b"x-tidegate" not in answer
        assert b" 503 " in await world.ask(READY)
        assert b" 200 " in await world.ask(HEALTH)
        await world.directory.refresh()
        assert b" 200 " in await world.ask(post())
        assert len(world.events) == 1


@in_loop
async def test_a_credential_that_cannot_be_used_does_not_hide_the_others() -> None:
    async with play(answering(OK)) as (world, upstream):
        good = snapshot(f"http://127.0.0.1:{upstream.port}")
        first, second = good.credentials
        for spoiled in (
            msgspec.structs.replace(second, ciphertext=b"\x01" + b"x" * 40),
            msgspec.structs.replace(second, base_url="ftp://nowhere"),
            msgspec.structs.replace(second, provider="unheard_of"),
        ):
            world.source.current = msgspec.structs.replace(
                good, version=world.source.current.version + 1, credentials=(first, spoiled)
            )
            await world.directory.refresh()
            assert b" 200 " in await world.ask(post())
            assert b" 400 " in await world.ask(post("/v1/chat/completions"))


# -- back-pressure -----------------------------------------------------------


@in_loop
async def test_a_slow_reader_gets_every_byte_however_long_it_takes() -> None:
    piece = b"data: %b\n\n" % (b"x" * 60_000)
    pieces = 400

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(STREAM_HEAD)
        for _ in range(pieces):
            peer.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            await peer.writer.drain()
        peer.send(b"0\r\n\r\n")
        await peer.rest()

    async with play(script, stream_timeout_s=1) as (world, _):
        client = await world.client()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        client.send(post().replace(b"host: h", b"host: h\r\nconnection: close"))
        await until(lambda: any(c.paused for c in world.gateway._connections))
        await asyncio.sleep(2.2)  # the upstream's deadline must not run while we hold it back
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]
        received = await client.rest()
        assert received.partition(b"\r\n\r\n")[2].count(b"x") == pieces * 60_000
        assert received.endswith(b"\r\n0\r\n\r\n")
        await world.quiet()
        assert [e.response_bytes for e in world.events] == [pieces * len(piece)]


@in_loop
async def test_a_client_that_closes_its_sending_side_has_left() -> None:
    gate = Gate()
    async with play(gate) as (world, _):
        client = await world.client()
        client.send(post())
        await until(lambda: gate.asked)
        client.finish()
        assert await client.rest() == b""
        assert (await world.event()).outcome == "cancelled"


@in_loop
async def test_what_a_connection_held_goes_with_it() -> None:
    """Not when Python next looks for cycles: a partial body may be 32 MB, and it looks rarely."""
    async with play(answering(OK)) as (world, _):
        gc.collect()
        gc.disable()
        try:
            for _ in range(5):
                client = await world.client()
                assert b" 200 " in await client.send(post()).response()
                client.send(post(body=b"x" * 500_000)[:-1])
                await until(lambda: _alive(Request))
                client.reset()
                client = await world.client()
                await client.send(b"NONSENSE\r\n\r\n").rest()
                client.close()
            await until(lambda: world.count("client_connections") == 0)
            world.gateway.pool.close()
            await until(lambda: world.count("upstream_connections") == 0)
            await until(lambda: not _alive(ClientConnection, UpstreamConnection, Request))
        finally:
            gc.enable()


def _alive(*kinds: type) -> list[object]:
    return [thing for thing in gc.get_objects() if isinstance(thing, kinds)]


# -- TLS towards the clients ---------------------------------------------------


@in_loop
async def test_tls_keeps_pipelines_refuses_and_drains(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    trusting = authority.client_context()
    async with play(answering(OK), tls=authority.server_context()) as (world, _):
        client = await world.client(trusting)
        for _ in range(2):
            assert b" 200 " in await client.send(post()).response()
        client.send(post() + post().replace(b"host: h", b"host: h\r\nconnection: close") + post())
        received = await client.rest()
        assert received.count(b"HTTP/1.1 200") == 2
        assert len(world.events) == 4
        client = await world.client(trusting)
        assert (await client.send(b"NONSENSE\r\n\r\n").rest()).startswith(b"HTTP/1.1 400 ")
        idle = await world.client(trusting)
        await idle.send(HEALTH).response()
        draining = asyncio.create_task(world.gateway.drain(20))
        assert await idle.rest() == b""
        await draining


@in_loop
async def test_a_tls_handshake_that_is_never_made_is_given_up(tmp_path: Path) -> None:
    context = Authority(tmp_path).server_context()
    async with play(answering(OK), tls=context, head_timeout_s=0.3) as (world, _):
        client = await world.client()
        assert await client.rest() == b""


@in_loop
async def test_a_new_certificate_serves_the_next_connection(tmp_path: Path) -> None:
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    async with play(answering(OK), tls=old.server_context()) as (world, _):
        kept = await world.client(old.client_context())
        await kept.send(HEALTH).response()
        world.gateway.set_tls(new.server_context())
        await kept.send(HEALTH).response()
        with pytest.raises(ssl.SSLError):
            await world.client(old.client_context())
        fresh = await world.client(new.client_context())
        assert b" 200 " in await fresh.send(HEALTH).response()


@in_loop
async def test_tls_with_plain_text_and_with_clients_that_vanish(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    closed = 0

    async def endless(peer: Peer) -> None:
        nonlocal closed
        await peer.request()
        peer.send(STREAM_HEAD)
        while not peer.writer.transport.is_closing():
            peer.send(b"a\r\n: 3456789\n\r\n")
            await asyncio.sleep(0)
        closed += 1

    async with play(endless, tls=authority.server_context()) as (world, _):
        plain = await world.client()
        await plain.send(b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n").rest()
        for end in (Peer.reset, Peer.close):
            client = await world.client(authority.client_context())
            await client.send(post()).until(b": 3456789")
            end(client)
        await until(lambda: closed == 2)
        await world.quiet()
        assert [e.outcome for e in world.events] == ["cancelled"] * 2


@in_loop
async def test_an_upstream_that_breaks_off_over_tls_cuts_the_answer(tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    async def breaks(peer: Peer) -> None:
        await peer.request()
        peer.send(STREAM_HEAD + b"a\r\n: 3456789\n\r\n")
        await peer.writer.drain()
        if peer.number % 2:
            peer.writer.transport.abort()

    upstream = Upstream(breaks)
    await upstream.start(authority.server_context())
    base, ca = f"https://localhost:{upstream.port}", str(authority.ca_file)
    async with world(base, upstream_ca=ca) as made:
        for _ in range(4):
            client = await made.client()
            assert not (await client.send(post()).rest()).endswith(b"0\r\n\r\n")
        assert len(made.events) == 4
        assert {e.outcome for e in made.events} <= {"cut", "upstream_error"}
    await upstream.stop()
