"""What is kept of requests in debug mode, over real sockets; what happens when room is short."""

import asyncio
import gzip
import json
import zlib
from pathlib import Path

import msgspec
import pytest
import zstandard
from tests.unit.gateway.world import (
    KEY,
    OK,
    ORGANIZATION,
    SECRET,
    STREAM_HEAD,
    SUBKEYS,
    Peer,
    World,
    answering,
    in_loop,
    play,
    post,
    until,
)

from tidegate.core.capture_records import FILES, read_captures
from tidegate.core.captures import Capture, unpack
from tidegate.core.frames import read_frames
from tidegate.core.model import DirectorySnapshot
from tidegate.gateway.capture import CaptureKeeper, CaptureOptions
from tidegate.services.log import NoLog
from tidegate.services.vault import unseal_capture

pytestmark = pytest.mark.slow

DELTA = (
    'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}\n\n'
)
STOP = b'data: {"type":"message_stop"}\n\n'


def keeper(tmp_path: Path, **options: int) -> CaptureKeeper:
    given = CaptureOptions(**{"free_bytes": 0, **options})
    return CaptureKeeper(tmp_path, "test", SUBKEYS.capture, NoLog(), given)


def kept(tmp_path: Path) -> list[Capture]:
    """What is in the files, in its order."""
    found = []
    for path in sorted(tmp_path.glob(FILES)):
        for sealed in read_captures(read_frames(path.read_bytes())[0]):
            assert sealed.organization_id == ORGANIZATION
            plain = unseal_capture(
                SUBKEYS.capture, ORGANIZATION, sealed.event_id, sealed.ciphertext
            )
            found.append(unpack(plain))
    return found


async def only(world: World, keeping: CaptureKeeper, tmp_path: Path) -> Capture:
    """The capture of the only request, whose event tells of it."""
    event = await world.event()
    await keeping.settled()
    assert event.captured
    [capture] = kept(tmp_path)
    assert capture.event_id == event.event_id
    assert (capture.first_byte_us, capture.duration_us) == (event.first_byte_us, event.duration_us)
    return capture


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces)


@in_loop
async def test_both_forms_of_a_request_and_its_answer(tmp_path: Path) -> None:
    keeping = keeper(tmp_path)
    body = (
        b'{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}'
    )
    async with play(answering(OK), captures=keeping) as (world, _):
        await world.ask(
            post("/v1/messages?beta=true&key=opensesame", body, "Cookie: a=b", "X-A: 1")
        )
        capture = await only(world, keeping, tmp_path)
    assert (capture.method, capture.path) == ("POST", "/v1/messages?beta=true&key=[removed]")
    assert capture.status == 200
    assert capture.received.body == body
    assert ("Cookie", "[removed]") in capture.received.headers
    assert ("authorization", "[removed]") in capture.received.headers
    assert ("X-A", "1") in capture.received.headers
    assert capture.sent is not None
    assert capture.sent.body == body
    assert ("x-api-key", "[removed]") in capture.sent.headers
    assert ("accept-encoding", "identity") in capture.sent.headers
    assert capture.response.body == b"{}"
    assert not capture.truncated
    for secret in (KEY, SECRET, "opensesame"):
        assert secret.encode() not in msgspec_bytes(capture)


def msgspec_bytes(capture: Capture) -> bytes:
    return repr(capture).encode()


@in_loop
async def test_a_stream_with_a_secret_spread_over_its_events(tmp_path: Path) -> None:
    keeping = keeper(tmp_path)
    secret = "ghp_Zr4Tq8Wm1Kx7Lb3Nc9Vd5Hf2Jg6Ps0Qa4We8"
    said = f"It is {secret}."
    events = [(DELTA % said[at : at + 5]).encode() for at in range(0, len(said), 5)]

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(STREAM_HEAD)
        for event in events:
            peer.send(chunked(event))
            await asyncio.sleep(0)
        peer.send(chunked(STOP) + b"0\r\n\r\n")

    async with play(script, captures=keeping) as (world, _):
        client = await world.client()
        answer = await client.send(post()).until(b"0\r\n\r\n")
        capture = await only(world, keeping, tmp_path)
    assert all(event.strip() in answer for event in events)
    lines = [line[6:] for line in capture.response.body.split(b"\n") if line.startswith(b"data")]
    texts = [json.loads(line).get("delta", {}).get("text", "") for line in lines]
    assert "".join(texts) == "It is [redacted:github-token]."
    assert len(lines) == len(events) + 1


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b'{"a":"' + b"b" * 9000 + b'"}', mtime=0)),
        ("deflate", zlib.compress(b'{"a":"' + b"b" * 9000 + b'"}')),
        ("zstd", zstandard.compress(b'{"a":"' + b"b" * 9000 + b'"}')),
    ],
)
@in_loop
async def test_encoded_answers_are_kept_decoded(
    tmp_path: Path, encoding: str, packed: bytes
) -> None:
    keeping = keeper(tmp_path)
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: %b\r\ncontent-length: %d\r\n\r\n"
    answer = head % (encoding.encode(), len(packed)) + packed
    async with play(answering(answer), captures=keeping) as (world, _):
        await world.ask(post())
        capture = await only(world, keeping, tmp_path)
    assert capture.response.body == b'{"a":"' + b"b" * 9000 + b'"}'
    assert capture.response.encoding == encoding
    assert not capture.truncated


@in_loop
async def test_an_encoded_request_is_kept_decoded(tmp_path: Path) -> None:
    keeping = keeper(tmp_path)
    body = b'{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[]}'
    async with play(answering(OK), captures=keeping) as (world, _):
        await world.ask(post("/v1/messages", gzip.compress(body), "content-encoding: gzip"))
        capture = await only(world, keeping, tmp_path)
    assert capture.received.body == body
    assert capture.sent is not None
    assert capture.sent.body == body


@in_loop
async def test_what_cannot_be_decoded_is_left_out(tmp_path: Path) -> None:
    keeping = keeper(tmp_path)
    answer = b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 9\r\n\r\nsk-secret"
    async with play(answering(answer), captures=keeping) as (world, _):
        await world.ask(post())
        capture = await only(world, keeping, tmp_path)
    assert capture.response.body == b""
    assert capture.response.truncated_bytes == 9
    assert "cannot be decoded" in capture.response.note
    assert capture.truncated


@pytest.mark.parametrize("leaver", ["client", "upstream"])
@in_loop
async def test_an_answer_that_is_not_whole(tmp_path: Path, leaver: str) -> None:
    keeping = keeper(tmp_path)
    left = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(STREAM_HEAD + chunked((DELTA % "Half").encode()))
        await left.wait()
        if leaver == "upstream":
            peer.reset()
        await peer.rest()

    async with play(script, captures=keeping) as (world, _):
        client = await world.client()
        await client.send(post()).until(b"Half")
        if leaver == "client":
            client.reset()
        left.set()
        capture = await only(world, keeping, tmp_path)
    assert b"Half" in capture.response.body
    assert capture.status == 200


@in_loop
async def test_our_own_refusal(tmp_path: Path) -> None:
    keeping = keeper(tmp_path)
    async with play(answering(OK), captures=keeping) as (world, _):
        await world.ask(post("/v1/messages", b"no json at all"))
        capture = await only(world, keeping, tmp_path)
    assert capture.received.body == b"no json at all"
    assert capture.sent is None
    assert capture.status == 400
    assert b"JSON" in capture.response.body or b"json" in capture.response.body
    assert capture.response.note


@in_loop
async def test_an_upstream_that_repeats_the_credential(tmp_path: Path) -> None:
    keeping = keeper(tmp_path)
    said = b'{"error":"bad key %b"}' % SECRET.encode()
    answer = b"HTTP/1.1 401 Unauthorized\r\nx-echo: %b\r\ncontent-length: %d\r\n\r\n%b" % (
        SECRET.encode(),
        len(said),
        said,
    )
    async with play(answering(answer), captures=keeping) as (world, _):
        await world.ask(post())
        capture = await only(world, keeping, tmp_path)
    assert capture.response.body == b'{"error":"bad key [redacted:credential]"}'
    assert ("x-echo", "[removed]") in capture.response.headers


@in_loop
async def test_large_bodies_are_cut_and_no_secret_is_cut_in_two(tmp_path: Path) -> None:
    keeping = keeper(tmp_path, part_bytes=1 << 20)
    secret = b"sk-ant-api03-" + b"Zr4Tq8Wm1Kx7Lb3Nc9Vd5Hf2Jg6Ps0Qa4We8"
    filler = b" " * ((1 << 20) - 100)
    body = b'{"model":"claude-sonnet-4-5","messages":[],"x":"%b%b"}' % (filler, secret * 4000)
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    async with play(answering(answer), captures=keeping) as (world, _):
        client = await world.client()
        await client.send(post("/v1/messages", body)).response()
        capture = await only(world, keeping, tmp_path)
    for part in (capture.received, capture.sent, capture.response):
        assert part is not None
        assert 900_000 < len(part.body) <= 1 << 20
        assert part.truncated_bytes > 100_000
        assert b"sk-ant" not in part.body
    assert capture.truncated


@in_loop
async def test_memory_is_bounded_and_the_request_goes_on(tmp_path: Path) -> None:
    keeping = keeper(tmp_path, flight_bytes=1000)
    body = b'{"model":"claude-sonnet-4-5","messages":[],"x":"%b"}' % (b"y" * 2000)
    async with play(answering(OK), captures=keeping) as (world, _):
        answer = await world.ask(post("/v1/messages", body))
        event = await world.event()
        await keeping.settled()
    assert answer.endswith(b"{}")
    assert not event.captured
    assert kept(tmp_path) == []
    assert keeping.counters() == {
        "captures_kept": 0,
        "captures_lost": 1,
        "capture_bytes_held": 0,
    }


@in_loop
async def test_an_answer_that_grows_too_large_after_its_event(tmp_path: Path) -> None:
    """The event has told of a capture: it is kept, as far as there was room."""
    keeping = keeper(tmp_path, flight_bytes=2000)

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(STREAM_HEAD + chunked(STOP))
        await until(lambda: world.events)
        peer.send(chunked(b": " + b"z" * 9000 + b"\n\n") + b"0\r\n\r\n")

    async with play(script, captures=keeping) as (world, _):
        client = await world.client()
        await client.send(post()).until(b"0\r\n\r\n")
        capture = await only(world, keeping, tmp_path)
    assert capture.response.truncated_bytes >= 9000
    assert keeping.counters()["capture_bytes_held"] == 0


@in_loop
async def test_a_disk_without_room_loses_captures_only(tmp_path: Path) -> None:
    for options in ({"free_bytes": 1 << 62}, {"disk_bytes": 0}):
        keeping = keeper(tmp_path, **options)
        async with play(answering(OK), captures=keeping) as (world, _):
            answer = await world.ask(post())
            await world.event()
            await keeping.settled()
        assert answer.endswith(b"{}")
        assert kept(tmp_path) == []
        assert keeping.counters()["captures_lost"] == 1


@in_loop
async def test_a_key_that_is_not_in_debug_mode(tmp_path: Path) -> None:
    keeping = keeper(tmp_path)
    async with play(answering(OK), captures=keeping) as (world, _):
        world.source.current = _without_debug(world)
        await world.directory.refresh()
        await world.ask(post())
        event = await world.event()
        await keeping.settled()
    assert not event.captured
    assert kept(tmp_path) == []


def _without_debug(world: World) -> DirectorySnapshot:
    current = world.source.current
    keys = tuple(msgspec.structs.replace(k, debug_until_us=1) for k in current.keys)
    return msgspec.structs.replace(current, version=current.version + 1, keys=keys)


@in_loop
async def test_many_at_once(tmp_path: Path) -> None:
    keeping = keeper(tmp_path)
    async with play(answering(OK), captures=keeping) as (world, _):
        await asyncio.gather(*(world.ask(post()) for _ in range(40)))
        await world.quiet()
        await keeping.settled()
    captures = kept(tmp_path)
    assert {c.event_id for c in captures} == {e.event_id for e in world.events}
    assert len(captures) == 40
    assert keeping.counters()["captures_kept"] == 40


def test_a_torn_tail_is_ignored(tmp_path: Path) -> None:
    @in_loop
    async def make() -> None:
        keeping = keeper(tmp_path)
        async with play(answering(OK), captures=keeping) as (world, _):
            for _ in range(3):
                await world.ask(post())
            await world.quiet()
            await keeping.settled()

    make()
    [path] = tmp_path.glob(FILES)
    whole = path.read_bytes()
    assert len(kept(tmp_path)) == 3
    for size in range(0, len(whole), 37):
        path.write_bytes(whole[:size])
        assert len(kept(tmp_path)) == min(2, size * 3 // len(whole)) or size > len(whole) - 3
