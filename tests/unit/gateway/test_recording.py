"""What a client and an upstream see of a spool that is full, or slow to reach the disk."""

import asyncio
from typing import Any

import pytest
from tests.unit.core.tickets import MESSAGES_STREAM
from tests.unit.gateway.world import (
    OK,
    STREAM_HEAD,
    Peer,
    World,
    answering,
    in_loop,
    play,
    post,
    until,
)

from tidegate.gateway.recording import GroupCommit

pytestmark = pytest.mark.slow

FULL = OSError(28, "No space left on device")
READY = b"GET /readyz HTTP/1.1\r\nhost: h\r\n\r\n"
EVENTS = [e + b"\n\n" for e in MESSAGES_STREAM.split(b"\n\n")[:-1]]


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces)


@in_loop
async def test_the_start_is_handed_over_before_the_request_goes_out() -> None:
    seen: list[int] = []

    async def script(peer: Peer) -> None:
        await peer.request()
        seen.append(len(world.spool.starts))
        peer.send(OK)

    async with play(script) as (world, _):
        await world.ask(post())
        event = await world.event()
        [start] = world.spool.starts
    assert seen == [1]
    assert start.event.event_id == event.event_id


@in_loop
async def test_a_second_try_is_the_same_request() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number > 1 or not upstream.requests:
            upstream.requests.append(b"")
            peer.send(OK)
            if peer.number == 1:
                await peer.request()  # and closed, untouched, as if it had been idle for long
        peer.reset()

    async with play(script) as (world, upstream):
        await world.ask(post())
        await world.ask(post())
        await world.quiet()
        assert upstream.connections == 2
        assert len(world.spool.starts) == 2
        assert len(world.events) == 2


@in_loop
async def test_what_is_not_metered_begins_nothing() -> None:
    async with play(answering(OK)) as (world, _):
        await world.ask(post("/v1/messages/count_tokens"))
        await world.quiet()
        assert (world.spool.starts, world.events) == ([], [])


@in_loop
async def test_under_pass_a_request_goes_on_and_is_counted() -> None:
    async with play(answering(OK)) as (world, _):
        world.spool.full = FULL
        for _ in range(3):
            assert (await world.ask(post())).startswith(b"HTTP/1.1 200 ")
        await world.quiet()
        assert (world.spool.unmetered, world.events) == (3, [])
        assert world.count("requests_unmetered") == 3
        ready = await world.ask(READY)
        assert ready.startswith(b"HTTP/1.1 200 ")
        assert ready.endswith(b"ready\n[Errno 28] No space left on device; 3 requests unmetered\n")
        world.spool.full = None
        await world.ask(post())
        await world.event()
        assert world.spool.unmetered == 3


@in_loop
async def test_under_refuse_the_upstream_sees_nothing() -> None:
    requests = []

    async def script(peer: Peer) -> None:
        while True:
            requests.append(await peer.request())
            peer.send(OK)

    async with play(script, spool_policy="refuse") as (world, _):
        world.spool.full = FULL
        answer = await world.ask(post())
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Usage cannot be recorded at the moment" in answer
        await world.quiet()
        assert (world.spool.unmetered, world.events, requests) == (0, [], [])
        assert world.count("requests_unrecordable") == 1
        world.spool.full = None
        assert (await world.ask(post())).startswith(b"HTTP/1.1 200 ")
        await world.event()


@in_loop
async def test_a_ledger_that_is_away_is_told_and_changes_nothing() -> None:
    async with play(answering(OK)) as (world, _):
        assert (await world.ask(READY)).endswith(b"\r\n\r\nready\n")
        world.spool.age_s = 61
        ready = await world.ask(READY)
        assert ready.startswith(b"HTTP/1.1 200 ")
        assert b"ready\nusage has been waiting for the ledger for 61 s\n" in ready
        assert (await world.ask(post())).startswith(b"HTTP/1.1 200 ")
        await world.event()


@in_loop
async def test_with_sync_nothing_goes_out_before_the_disk_holds_the_start() -> None:
    async with play(answering(OK), spool_sync=True) as (world, upstream):
        seen = watch(upstream)
        world.spool.disk.clear()
        client = (await world.client()).send(post())
        await until(lambda: upstream.connections)
        await breathe()
        assert (len(world.spool.starts), seen) == (1, [])
        world.spool.disk.set()
        assert (await client.response()).startswith(b"HTTP/1.1 200 ")
        await world.event()
        assert len(seen) == 1
        assert world.spool.syncs == 2


def watch(upstream: Any) -> list[bytes]:
    """The requests that reach the upstream."""
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        while True:
            seen.append(await peer.request())
            peer.send(OK)

    upstream.script = script
    return seen


async def breathe() -> None:
    """Let the loop do all that it can do now."""
    for _ in range(50):
        await asyncio.sleep(0.001)


@in_loop
async def test_with_sync_the_end_is_held_until_the_disk_has_the_event() -> None:
    async with Streaming(spool_sync=True) as (world, upstream):
        client = (await world.client()).send(post())
        assert EVENTS[-2] in await client.until(EVENTS[-2])
        world.spool.disk.clear()
        upstream.gate.set()
        await until(lambda: world.events)
        await breathe()
        assert b"message_stop" not in client.reader._buffer  # type: ignore[attr-defined]
        world.spool.disk.set()
        assert b"message_stop" in await client.until(b"0\r\n\r\n")
        await world.quiet()
        assert len(world.events) == 1


@pytest.mark.parametrize("before", ["start", "end"])
@in_loop
async def test_with_sync_a_client_may_leave_meanwhile(before: str) -> None:
    async with Streaming(spool_sync=True) as (world, upstream):
        if before == "start":
            world.spool.disk.clear()
        client = (await world.client()).send(post())
        if before == "start":
            await until(lambda: world.spool.starts)
        else:
            await client.until(EVENTS[-2])
            world.spool.disk.clear()
            upstream.gate.set()
            await until(lambda: world.events)
        client.close()
        await breathe()
        world.spool.disk.set()
        event = await world.event()
        assert event.outcome == ("cancelled" if before == "start" else "ok")
        assert (event.tokens.total == 0) is (before == "start")


@in_loop
async def test_with_sync_a_connection_lost_meanwhile_is_replaced() -> None:
    async with play(answering(OK), spool_sync=True) as (world, upstream):
        await world.ask(post())
        await world.quiet()
        world.spool.disk.clear()
        client = (await world.client()).send(post())
        await until(lambda: len(world.spool.starts) == 2)
        for connection in list(world.gateway.pool._open):
            connection.transport.abort()
        await breathe()
        world.spool.disk.set()
        assert (await client.response()).startswith(b"HTTP/1.1 200 ")
        await world.quiet()
        assert upstream.connections == 2
        assert (len(world.spool.starts), len(world.events)) == (2, 2)


class Streaming:
    """A gateway before an upstream that holds its stream before the last event."""

    def __init__(self, **options: Any) -> None:
        self.gate = asyncio.Event()
        self._playing = play(self._script, **options)

    async def _script(self, peer: Peer) -> None:
        await peer.request()
        peer.send(STREAM_HEAD + chunked(*EVENTS[:-1]))
        await self.gate.wait()
        peer.send(chunked(EVENTS[-1]) + b"0\r\n\r\n")

    async def __aenter__(self) -> tuple[World, Any]:
        world, _ = await self._playing.__aenter__()
        return world, self

    async def __aexit__(self, *fault: Any) -> None:
        self.gate.set()
        await self._playing.__aexit__(*fault)


@in_loop
async def test_a_sync_that_fails_is_told_and_holds_nobody() -> None:
    def syncing() -> Any:
        def sync() -> None:
            raise OSError(5, "Input/output error")

        return sync

    faults: list[BaseException] = []
    commits = GroupCommit(syncing, faults.append)
    done = asyncio.Event()
    commits.after(done.set)
    await done.wait()
    await commits.idle.wait()
    assert len(faults) == 1


@in_loop
async def test_those_who_come_during_a_sync_share_the_next() -> None:
    async with play(answering(OK), spool_sync=True) as (world, _):
        world.spool.disk.clear()
        clients = [(await world.client()).send(post()) for _ in range(8)]
        await until(lambda: len(world.spool.starts) == 8)
        world.spool.disk.set()
        for client in clients:
            await client.response()
        await world.quiet()
        assert world.spool.syncs < 16
