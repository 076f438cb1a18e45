"""Requests with tool results over real sockets: what goes out, when it does not, what is told."""

import gzip
import json
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from tests.tool_requests import PATHS, Turn, body, reading, sent, source
from tests.unit.gateway.test_capture import keeper, only
from tests.unit.gateway.world import (
    OK,
    ORGANIZATION,
    Peer,
    World,
    in_loop,
    play,
    post,
    until,
)

from tidegate.core.model import Dialect
from tidegate.gateway.compressor import CompressionOptions
from tidegate.store.pins import Pin

pytestmark = pytest.mark.slow

MESSAGES = Dialect.MESSAGES
SESSION = "x-claude-code-session-id: 0198c5a2"
TURNS = [reading(1), reading(2)]
LOSSLESS = Pin("lossless", 1)
USAGE = b'{"usage":{"input_tokens":10,"cache_read_input_tokens":5,"output_tokens":2}}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(USAGE),
    USAGE,
)


class Pins:
    """A store of pins in memory, as a test wants it."""

    def __init__(self, stored: Pin | None = None) -> None:
        self.stored: dict[tuple[str, str], Pin] = {}
        self.first = stored
        self.asked: list[Pin] = []
        self.given_up: list[str] = []
        self.away = False
        self.open = threading.Event()
        self.open.set()

    def pin(
        self, organization_id: str, session_id: str, wanted: Pin, started_us: int
    ) -> tuple[Pin, bool]:
        assert organization_id == ORGANIZATION
        assert started_us > 0
        self.open.wait(20)
        if self.away:
            raise OSError("the store is away")
        self.asked.append(wanted)
        is_new = (organization_id, session_id) not in self.stored
        pin = self.stored.setdefault((organization_id, session_id), self.first or wanted)
        return pin, is_new

    def give_up(self, organization_id: str, session_id: str, pin: Pin) -> None:
        self.given_up.append(session_id)


class Provider:
    """Answers everything and keeps what it got."""

    def __init__(self, answer: bytes = ANSWER) -> None:
        self.answer = answer
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []

    async def __call__(self, peer: Peer) -> None:
        while True:
            head, _, content = (await peer.request()).partition(b"\r\n\r\n")
            self.heads.append(head.lower())
            self.bodies.append(content)
            peer.send(self.answer)


async def ask(world: World, dialect: Dialect, content: bytes, *lines: str) -> None:
    answer = await world.ask(post(PATHS[dialect], content, *lines))
    assert answer.startswith(b"HTTP/1.1 200"), answer


def change_key(world: World, **fields: Any) -> None:
    snapshot = world.source.current
    keys = tuple(msgspec.structs.replace(key, **fields) for key in snapshot.keys)
    raised = msgspec.structs.replace(snapshot, keys=keys, version=snapshot.version + 1)
    world.source.current = raised


def change_organization(world: World, **fields: Any) -> None:
    snapshot = world.source.current
    changed = tuple(msgspec.structs.replace(o, **fields) for o in snapshot.organizations)
    raised = msgspec.structs.replace(snapshot, organizations=changed, version=snapshot.version + 1)
    world.source.current = raised


@pytest.mark.parametrize("dialect", list(Dialect), ids=lambda d: d.value)
def test_a_growing_session_is_compressed_alike_from_turn_to_turn(dialect: Dialect) -> None:
    @in_loop
    async def run() -> None:
        provider = Provider()
        turns = [reading(n) for n in range(1, 6)]
        requests = [body(dialect, turns[:count]) for count in range(len(turns) + 1)]
        async with play(provider, pins=Pins()) as (world, _):
            for request in requests:
                await ask(world, dialect, request, SESSION)
            await world.quiet()
        assert provider.bodies[0] == requests[0]
        assert provider.bodies == [sent(dialect, request) for request in requests]
        assert all(
            len(out) < len(came)
            for out, came in zip(provider.bodies[1:], requests[1:], strict=True)
        )
        for head, content in zip(provider.heads, provider.bodies, strict=True):
            assert b"content-length: %d" % len(content) in head
        assert world.count("compression_faults") == 0
        assert [event.compression for event in world.events] == ["", *["lossless"] * 5]

    run()


@in_loop
async def test_the_event_tells_what_was_saved() -> None:
    turns = [reading(1), reading(2), Turn("c3", "Bash", {"command": "true"}, "done")]
    request = body(MESSAGES, turns)
    async with play(Provider(), pins=Pins()) as (world, _):
        await ask(world, MESSAGES, request, SESSION)
        event = await world.event()
    shown = json.loads(sent(MESSAGES, request))["messages"]
    reads = [m["content"][0]["content"] for m in shown[2:5:2]]
    before = sum(len(str(turn.result).split()) for turn in turns[:2])
    after = sum(len(text.split()) for text in reads)
    assert after < before
    assert [msgspec.structs.astuple(saving) for saving in event.tool_savings] == [
        ("read", 2, before, after),
        ("shell", 1, 1, 1),
    ]
    assert (event.saved_tokens_new, event.saved_tokens_again) == (0, before - after)
    assert event.saved_nano > 0
    assert (event.compression, event.compression_version) == ("lossless", 1)
    assert event.compression_faults == 0
    assert event.request_bytes == len(request)


@in_loop
async def test_of_the_newest_results_the_saving_is_new() -> None:
    async with play(Provider(), pins=Pins()) as (world, _):
        for count in (1, 2):
            await ask(world, MESSAGES, body(MESSAGES, TURNS[:count]), SESSION)
        await world.quiet()
    one, two = world.events
    assert one.saved_tokens_again == 0
    assert one.saved_tokens_new == two.saved_tokens_again > 0
    assert two.saved_tokens_new > 0


@pytest.mark.parametrize(
    ("key", "organization", "stored", "expected"),
    [
        ({"compression": False}, {}, None, "off"),
        ({"compression": False}, {"compression_locked": True}, None, "lossless"),
        ({}, {"compression_locked": True, "compression_default": False}, None, "off"),
        ({}, {"compression_level": "references"}, None, "references"),
        ({}, {"compression_level": "another"}, None, "off"),
        ({}, {"holdout_permille": 1000}, None, "holdout"),
        ({"compression": False}, {"holdout_permille": 1000}, None, "off"),
        ({"compression": False}, {}, LOSSLESS, "lossless"),
        ({}, {}, Pin("off"), "off"),
        ({}, {}, Pin("holdout"), "holdout"),
        ({}, {}, Pin("trims", 1), "trims"),
    ],
)
def test_what_a_session_is_pinned_to(
    key: dict[str, Any], organization: dict[str, Any], stored: Pin | None, expected: str
) -> None:
    @in_loop
    async def run() -> None:
        provider, request = Provider(), body(MESSAGES, TURNS)
        async with play(provider, pins=Pins(stored)) as (world, _):
            change_key(world, **key)
            change_organization(world, **organization)
            await world.directory.refresh()
            for _ in range(2):
                await ask(world, MESSAGES, request, SESSION)
            await world.quiet()
        is_compressed = expected not in {"off", "holdout"}
        due = sent(MESSAGES, request, expected) if is_compressed else request
        assert provider.bodies == [due, due]
        assert [event.compression for event in world.events] == [expected] * 2
        assert all(bool(event.tool_savings) is is_compressed for event in world.events)

    run()


@in_loop
async def test_a_version_that_is_no_longer_known_leaves_the_request() -> None:
    provider, request = Provider(), body(MESSAGES, TURNS)
    async with play(provider, pins=Pins(Pin("lossless", 99))) as (world, _):
        await ask(world, MESSAGES, request, SESSION)
        event = await world.event()
    assert provider.bodies == [request]
    assert (event.compression, event.compression_version) == ("lossless", 99)
    assert event.compression_faults == 1


@in_loop
async def test_what_is_left_as_it_came() -> None:
    """No session, one request switched off, other paths: to the byte, and nothing is told."""
    provider, request = Provider(), body(MESSAGES, TURNS)
    async with play(provider, pins=Pins()) as (world, _):
        await ask(world, MESSAGES, request)
        await ask(world, MESSAGES, request, SESSION, "X-Tidegate-Compression: OFF")
        await world.ask(post("/v1/messages/count_tokens", request, SESSION))
        await world.quiet()
        assert provider.bodies == [request] * 3
        assert not any(b"tidegate" in head for head in provider.heads)
        await ask(world, MESSAGES, request, SESSION)
        await world.quiet()
    assert provider.bodies[3] == sent(MESSAGES, request)
    assert [event.compression for event in world.events] == ["", "", "lossless"]
    assert [event.tool_savings == () for event in world.events] == [True, True, False]


@pytest.mark.parametrize(
    ("coding", "encode"),
    [("gzip", partial(gzip.compress, mtime=0)), ("zstd", zstandard.ZstdCompressor().compress)],
)
def test_an_encoded_body_goes_on_encoded_only_if_nothing_changed(coding: str, encode: Any) -> None:
    @in_loop
    async def run() -> None:
        provider = Provider()
        same, changed = body(MESSAGES, [reading(1, "short")]), body(MESSAGES, TURNS)
        lines = (SESSION, f"content-encoding: {coding}", "digest: sha-256=x", "x-kept: 1")
        async with play(provider, pins=Pins()) as (world, _):
            for request in (same, changed):
                await ask(world, MESSAGES, encode(request), *lines)
            await world.quiet()
        assert provider.bodies == [encode(same), sent(MESSAGES, changed)]
        for header in (b"\r\ncontent-encoding: %b" % coding.encode(), b"\r\ndigest: "):
            assert [header in head for head in provider.heads] == [True, False]
        assert all(b"\r\nx-kept: 1" in head for head in provider.heads)

    run()


@in_loop
async def test_a_large_request_is_compressed_in_a_thread() -> None:
    turns = [reading(n, source(f"f{n}", 4000)) for n in range(8)]
    request = body(MESSAGES, turns)
    assert len(request) > 1 << 20
    provider = Provider()
    async with play(provider, pins=Pins()) as (world, _):
        for _ in range(2):
            await ask(world, MESSAGES, request, SESSION)
        await world.quiet()
    assert provider.bodies == [sent(MESSAGES, request)] * 2


@in_loop
async def test_a_store_that_is_away_leaves_the_session_uncompressed_for_good() -> None:
    pins, provider, request = Pins(), Provider(), body(MESSAGES, TURNS)
    pins.away = True
    async with play(provider, pins=pins) as (world, _):
        for _ in range(2):
            await ask(world, MESSAGES, request, SESSION)
            pins.away = False
        await ask(world, MESSAGES, request, "x-session-id: new")  # for a moment all new ones too
        await world.quiet()
    assert provider.bodies == [request] * 3
    assert {event.compression for event in world.events} == {"off"}
    assert pins.asked == []
    assert world.count("compression_pins_failed") == 1


@in_loop
async def test_a_store_that_hangs_holds_up_nothing_and_finds_no_pin_of_ours() -> None:
    pins, provider, request = Pins(), Provider(), body(MESSAGES, TURNS)
    pins.open.clear()
    async with play(provider, pins=pins) as (world, _):
        await ask(world, MESSAGES, request, SESSION)  # after two seconds
        assert provider.bodies == [request]
        pins.open.set()
        await until(lambda: pins.given_up)
        await ask(world, MESSAGES, request, SESSION)
        await world.quiet()
    assert provider.bodies == [request] * 2
    assert [pin.level for pin in pins.asked] == ["lossless"]


@in_loop
async def test_the_first_request_does_not_wait_for_its_pin() -> None:
    pins, provider = Pins(), Provider()
    pins.open.clear()
    async with play(provider, pins=pins) as (world, _):
        await ask(world, MESSAGES, body(MESSAGES, []), SESSION)
        await world.quiet()
        assert pins.stored == {}
        pins.open.set()
        await ask(world, MESSAGES, body(MESSAGES, TURNS), SESSION)
        await world.quiet()
    assert provider.bodies[1] == sent(MESSAGES, body(MESSAGES, TURNS))
    assert len(pins.stored) == 1


@in_loop
async def test_sessions_and_subagents_do_not_mix() -> None:
    provider = Provider()
    mine, other = body(MESSAGES, TURNS), body(MESSAGES, [reading(1, source("f9")), reading(2)])
    subagent = "x-claude-code-agent-id: a1"
    pins = Pins(Pin("references", 1))
    async with play(provider, pins=pins) as (world, _):
        for request, *lines in (
            (mine, SESSION),
            (other, SESSION, subagent),
            (mine, SESSION),
            (other, "x-session-id: other"),
            (other, SESSION, subagent),
        ):
            await ask(world, MESSAGES, request, *lines)
        await world.quiet()
    due = [sent(MESSAGES, request, "references") for request in (mine, other)]
    assert provider.bodies == [due[0], due[1], due[0], due[1], due[1]]
    assert len(pins.stored) == 2


@pytest.mark.parametrize(
    "content",
    [
        b'{"model":"m","messages":[{"role":"user","content":"tool_result"}],"messages":[]}',
        b'{"model":"m","messages":["tool_result",NaN]}',
        '{"model":"m","messages":["tool_result"]}'.encode("utf-16"),
    ],
)
def test_a_body_in_doubt_goes_out_as_it_came_and_is_counted(content: bytes) -> None:
    @in_loop
    async def run() -> None:
        provider = Provider()
        async with play(provider, pins=Pins()) as (world, _):
            await ask(world, MESSAGES, content, SESSION)
            event = await world.event()
            counted = world.count("compression_faults")
        assert provider.bodies == [content]
        if b"tool_result" in content:
            assert (event.compression_faults, counted) == (1, 1)

    run()


@in_loop
async def test_a_client_that_leaves_while_its_request_is_compressed() -> None:
    pins, provider = Pins(), Provider()
    pins.open.clear()
    async with play(provider, pins=pins) as (world, _):
        client = await world.client()
        client.send(post("/v1/messages", body(MESSAGES, TURNS), SESSION))
        await until(lambda: world.count("requests_running") == 1)
        client.reset()
        event = await world.event()
        pins.open.set()
    assert event.outcome == "cancelled"
    assert provider.bodies == []


@in_loop
async def test_a_lost_connection_is_tried_again_with_the_same_bytes() -> None:
    provider, request = Provider(), body(MESSAGES, TURNS)

    async def script(peer: Peer) -> None:
        if peer.number > 1:
            await provider(peer)
            return
        await peer.request()
        peer.send(OK)
        await peer.request()  # and hangs up

    async with play(script, pins=Pins()) as (world, _):
        await ask(world, MESSAGES, body(MESSAGES, []), SESSION)
        await ask(world, MESSAGES, request, SESSION)
        await world.quiet()
    assert provider.bodies == [sent(MESSAGES, request)]


@in_loop
async def test_debug_mode_shows_both_forms(tmp_path: Path) -> None:
    keeping, provider, request = keeper(tmp_path), Provider(), body(MESSAGES, TURNS)
    async with play(provider, captures=keeping, pins=Pins()) as (world, _):
        await ask(world, MESSAGES, request, SESSION)
        capture = await only(world, keeping, tmp_path)
    assert capture.received.body == request
    assert capture.sent is not None
    assert capture.sent.body == provider.bodies[0] == sent(MESSAGES, request)


@in_loop
async def test_estimates_go_by_what_was_sent() -> None:
    request = body(MESSAGES, TURNS)
    async with play(Provider(OK), pins=Pins()) as (world, _):
        await ask(world, MESSAGES, request, SESSION)
        await world.event()
    [start] = world.spool.starts
    assert start.prompt_bytes == len(sent(MESSAGES, request))
    assert (start.event.compression, start.event.compression_version) == ("lossless", 1)


@in_loop
async def test_a_count_that_takes_long_is_not_waited_for() -> None:
    gate = threading.Event()

    def slow(texts: Sequence[str]) -> list[int]:
        gate.wait(20)
        return [1 for _ in texts]

    async with play(Provider(), pins=Pins()) as (world, _):
        world.gateway.compress_with(Pins(), slow)
        await ask(world, MESSAGES, body(MESSAGES, TURNS), SESSION)
        event = await world.event()
        gate.set()
    [saving] = event.tool_savings
    assert saving.tokens_before > saving.tokens_after > 100  # by their size


@in_loop
async def test_what_takes_too_much_time_of_a_thread_goes_out_as_it_came() -> None:
    provider = Provider()
    requests = [body(MESSAGES, [reading(n) for n in range(count)]) for count in (30, 31)]
    async with play(provider, pins=Pins(), compression=CompressionOptions(cpu_s=0)) as (world, _):
        for request in requests:
            await ask(world, MESSAGES, request, SESSION)
        await world.quiet()
        assert world.count("compression_faults") == 31
    assert provider.bodies == requests
    assert [event.compression_faults for event in world.events] == [30, 1]


@in_loop
async def test_what_does_not_end_in_time_is_not_tried_again() -> None:
    provider = Provider()
    request = body(MESSAGES, [reading(n, source(f"f{n}", 4000)) for n in range(8)])
    async with play(provider, pins=Pins(), compression=CompressionOptions(wait_s=0)) as (world, _):
        for _ in range(2):
            await ask(world, MESSAGES, request, SESSION)
        await world.quiet()
        assert world.count("compression_timeouts") == 1
    assert provider.bodies == [request] * 2
    assert [event.compression for event in world.events] == ["lossless", "off"]
    assert [event.compression_faults for event in world.events] == [1, 0]


@in_loop
async def test_what_was_forgotten_comes_out_the_same() -> None:
    provider, request = Provider(), body(MESSAGES, TURNS)
    async with play(provider, pins=Pins(), compression=CompressionOptions(cache_bytes=0)) as (
        world,
        _,
    ):
        for _ in range(3):
            await ask(world, MESSAGES, request, SESSION)
        await world.quiet()
        assert world.count("compression_sessions_kept") == world.count("compression_bytes_kept")
        assert world.count("compression_bytes_kept") == 0
    assert provider.bodies == [sent(MESSAGES, request)] * 3
