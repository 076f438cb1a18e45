"""Many clients and upstreams that misbehave at random, all at once: nothing may be left over."""

import asyncio
import gzip
import random
from collections.abc import Awaitable, Callable

import pytest
from tests.unit.gateway.world import OK, STREAM_HEAD, Peer, World, in_loop, play, post

from tidegate.gateway.client import ClientConnection
from tidegate.gateway.request import Request

pytestmark = pytest.mark.slow

SIZED = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
BODY = (
    b'{"id":"msg_2","type":"message","model":"claude-sonnet-4-5","content":[],'
    b'"usage":{"input_tokens":5,"output_tokens":6}}'
)
STREAM = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","usage":'
    b'{"input_tokens":12,"output_tokens":1}}}\n\n'
    + b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"%b"}}\n\n'
    % (b"x" * 3000)
    * 30
    + b'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":57}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
PACKED = gzip.compress(STREAM)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


ANSWERS = [
    OK,
    SIZED % (len(BODY), BODY),
    SIZED % (len(BODY) + 9, BODY),
    SIZED % (len(BODY) - 9, BODY),
    STREAM_HEAD + chunk(STREAM) + b"0\r\n\r\n",
    STREAM_HEAD + chunk(STREAM[:999]) + chunk(STREAM[999:]) + b"0\r\nx-trailer: 1\r\n\r\n",
    STREAM_HEAD + chunk(STREAM[:5000]) + b"0\r\n\r\n",
    STREAM_HEAD + chunk(STREAM[:5000]) + b"nonsense\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + STREAM,
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(PACKED), PACKED),
    b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + OK,
    b"HTTP/1.1 100 Continue\r\n\r\n" * 40,
    b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n",
    b"HTTP/1.1 529 Overloaded\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}",
    b"\0\xff nonsense",
    b"",
]


def misbehaving(dice: random.Random) -> Callable[[Peer], Awaitable[None]]:
    async def script(peer: Peer) -> None:
        if dice.random() < 0.05:
            peer.reset()
            return
        while True:
            if dice.random() < 0.1:
                await peer.until(b"\r\n\r\n")  # answers before it has the body
            else:
                await peer.request()
            answer = dice.choice(ANSWERS)
            whole = dice.random() < 0.7
            answer = answer if whole else answer[: dice.randrange(len(answer) + 1)]
            while answer:
                size = dice.choice([1, 100, 5000, 1 << 20]) if len(answer) < 2000 else 1 << 16
                peer.send(answer[:size])
                answer = answer[size:]
                await asyncio.sleep(0)
            end = dice.random()
            if end < 0.2:
                peer.reset()
                return
            if end < 0.4 or not whole:
                return
            if end < 0.5:
                await peer.rest()  # keeps silent

    return script


async def misbehave(world: World, dice: random.Random) -> None:
    """One client: some requests, sent in some way, and an end of some kind."""
    client = await world.client()
    reading = asyncio.ensure_future(client.rest()) if dice.random() < 0.8 else None
    for _ in range(dice.randrange(1, 4)):
        client.send(b"".join(request(dice) for _ in range(dice.choice([1, 1, 1, 3]))))
        for _ in range(dice.randrange(20)):
            await asyncio.sleep(0)
        if dice.random() < 0.3:
            await asyncio.sleep(dice.random() / 50)
    end = dice.random()
    if end < 0.2:
        client.reset()
    elif end < 0.4:
        client.close()
    elif end < 0.6:
        client.finish()
    if reading is not None:
        await reading


def request(dice: random.Random) -> bytes:
    body = b'{"model":"claude-sonnet-4-5","pad":"%b"}' % (b"x" * dice.choice([0, 9, 9000, 1100000]))
    plain = post(body=body)
    return dice.choice(
        [
            plain,
            plain,
            plain,
            plain.replace(b"host: h\r\n", b"host: h\r\nexpect: 100-continue\r\n"),
            plain.replace(b"host: h\r\n", b"host: h\r\nconnection: close\r\n"),
            plain.replace(b"HTTP/1.1", b"HTTP/1.0"),
            post()[:-7],
            post("/v1/messages", gzip.compress(body, 1), "content-encoding: gzip"),
            post("/v1/messages", b"{}" * 9, "content-encoding: zstd"),
            post(body=b"{"),
            b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n",
            b"GET /page HTTP/1.1\r\nhost: h\r\n\r\n",
            b"nonsense\r\n\r\n",
        ]
    )


@pytest.mark.parametrize("seed", range(2))
@in_loop
async def test_everything_at_once_leaves_nothing_and_counts_each_request_once(seed: int) -> None:
    dice = random.Random(seed)
    short = {"stream_timeout_s": 0.5, "first_byte_timeout_s": 0.5, "write_timeout_s": 0.5}
    limits = {"head_timeout_s": 1.0, "body_timeout_s": 1.0, "idle_timeout_s": 1.0}
    async with play(misbehaving(dice), **short, **limits, pool_idle_s=0.2) as (world, _):
        accepted = 0
        serve = world.gateway.serve

        def counted(connection: ClientConnection, asked: Request) -> None:
            nonlocal accepted
            accepted += asked.path == "/v1/messages"
            serve(connection, asked)

        world.gateway.serve = counted  # type: ignore[assignment, method-assign]
        for _ in range(2):
            await asyncio.gather(*(misbehave(world, dice) for _ in range(50)))
        await world.quiet()
        assert len(world.events) == accepted
        assert len({event.event_id for event in world.events}) == accepted
        assert {e.outcome for e in world.events} >= {"ok", "cut", "cancelled", "upstream_error"}
