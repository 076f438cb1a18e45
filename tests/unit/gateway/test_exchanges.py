"""Exchanges over real sockets: what a hostile member, client or upstream can do to them."""

import asyncio
import json

import pytest
from tests.unit.gateway.world import (
    KEY,
    OK,
    SECRET,
    STREAM_HEAD,
    Peer,
    World,
    answering,
    in_loop,
    play,
    post,
    until,
)

pytestmark = pytest.mark.slow

GET_MODELS = f"GET /v1/models HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {KEY}\r\n".encode()


@in_loop
async def test_a_body_of_a_get_does_not_become_a_request_of_its_own() -> None:
    async with play(answering(OK)) as (world, upstream):
        hidden = b"GET /hidden HTTP/1.1\r\nhost: h\r\n\r\n"
        seen: list[bytes] = []

        async def script(peer: Peer) -> None:
            while True:
                seen.append(await peer.request())
                peer.send(OK)

        upstream.script = script
        head = GET_MODELS + b"content-length: %d\r\n\r\n" % len(hidden)
        client = await world.client()
        await client.send(head + hidden).response()
        await client.send(GET_MODELS + b"\r\n").response()
    assert [r.split(b" ")[1] for r in seen] == [b"/v1/models", b"/v1/models"]
    assert seen[0].endswith(hidden)


@in_loop
async def test_our_key_and_the_callers_headers_stay_here() -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.request())
        peer.send(OK)

    lines = (
        "X-Tidegate-Launch: lch_1",
        "X-Api-Key: sk-ant-callers",
        "OpenAI-Organization: theirs",
        "ChatGPT-Account-Id: theirs",
        "Cookie: a=b",
        "Connection: x-one",
        "Connection: x-two",
        "X-One: 1",
        "X-Two: 2",
        "X-Kept: \xff-obs",
    )
    async with play(script) as (world, _):
        data = post("/v1/messages?beta=true", b'{"model":"m"}', *lines)
        await world.ask(data.replace(b"\xc3\xbf", b"\xff"))
        event = await world.event()
    head = seen[0].lower()
    for hidden in (b"tg_", b"tidegate", b"theirs", b"callers", b"cookie", b"x-one", b"x-two"):
        assert hidden not in head
    assert head.startswith(b"post /v1/messages?beta=true http/1.1\r\n")
    assert b"x-kept: \xff-obs\r\n" in head
    assert head.count(SECRET.encode()) == 1
    assert event.launch_id == "lch_1"


@in_loop
async def test_only_the_first_of_two_own_credentials_goes_along() -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.request())
        peer.send(OK)

    lines = (
        f"x-tidegate-key: {KEY} ",
        "authorization: Bearer sk-ant-mine",
        "authorization: Bearer sk-other-issuers",
    )
    async with play(script) as (world, upstream):
        world.lead_own_credentials_to(upstream.port)
        await world.ask(post("/v1/messages", b'{"model":"m"}', *lines, key=""))
        event = await world.event()
    assert b"sk-ant-mine" in seen[0]
    assert b"sk-other-issuers" not in seen[0]
    assert event.billing == "subscription"


@in_loop
async def test_a_redirect_is_passed_on_and_costs_nothing() -> None:
    answer = b"HTTP/1.1 307 Go\r\nlocation: https://evil.test/\r\ncontent-length: 0\r\n\r\n"
    async with play(answering(answer)) as (world, upstream):
        assert (await world.ask(post())).startswith(b"HTTP/1.1 307 ")
        event = await world.event()
        assert upstream.connections == 1
    assert (event.outcome, event.status) == ("upstream_error", 307)
    assert (event.tokens.total, event.cost.total) == (0, 0)


@in_loop
async def test_an_answer_before_the_request_was_read_is_relayed_and_its_connection_not_kept() -> (
    None
):
    answer = b"HTTP/1.1 413 Large\r\ncontent-length: 5\r\n\r\nlarge"
    gate = asyncio.Event()

    async def script(peer: Peer) -> None:
        if peer.number == 1:
            await peer.until(b"\r\n\r\n")
            peer.send(answer)
            await gate.wait()
        else:
            await answering(OK)(peer)

    body = json.dumps({"model": "m", "padding": "x" * (12 << 20)}).encode()
    async with play(script) as (world, upstream):
        client = await world.client()
        assert (await client.send(post(body=body)).response()).endswith(b"large")
        await world.quiet()
        assert (await client.send(post()).response()).endswith(b"{}")
        assert upstream.connections == 2
        gate.set()
        assert [e.outcome for e in world.events] == ["upstream_error", "ok"]


@pytest.mark.parametrize("first", ["reused", "fresh"])
@in_loop
async def test_a_connection_closed_without_a_byte_is_replaced_once_if_it_was_a_kept_one(
    first: str,
) -> None:
    asked = 0

    async def script(peer: Peer) -> None:
        nonlocal asked
        await peer.request()
        asked += 1
        if first == "reused" and asked == 1:
            peer.send(OK)
            await peer.request()
            asked += 1

    async with play(script) as (world, upstream):
        client = await world.client()
        if first == "reused":
            assert b" 200 " in await client.send(post()).response()
        assert b" 502 " in await client.send(post()).response()
        assert upstream.connections == (2 if first == "reused" else 1)
    assert asked == (3 if first == "reused" else 1)
    assert [e.outcome for e in world.events][-1] == "upstream_error"
    assert len(world.events) == (2 if first == "reused" else 1)


@in_loop
async def test_an_upstream_that_closes_before_it_was_asked_leaves_nothing_behind() -> None:
    async def script(peer: Peer) -> None:
        peer.reset()

    async with play(script) as (world, _):
        for _ in range(20):
            assert b" 502 " in await world.ask(post())
        await until(lambda: world.count("upstream_connections") == 0)
        assert [e.outcome for e in world.events] == ["upstream_error"] * 20


async def _stalled(peer: Peer) -> None:
    await peer.request()
    await peer.rest()


async def _mid_head(peer: Peer) -> None:
    await peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\ncontent-")
    await peer.rest()


async def _mid_body(peer: Peer) -> None:
    await peer.request()
    peer.send(STREAM_HEAD + b"7\r\n: ping\n\r\n")
    await peer.rest()


@pytest.mark.parametrize("leave", ["fin", "rst"])
@pytest.mark.parametrize("script", [_stalled, _mid_head, _mid_body])
@in_loop
async def test_a_client_that_leaves_closes_the_upstream_at_once(script: object, leave: str) -> None:
    closed = asyncio.Event()
    asked = asyncio.Event()

    async def watched(peer: Peer) -> None:
        request = peer.request

        async def noted() -> bytes:
            got = await request()
            asked.set()
            return got

        peer.request = noted  # type: ignore[method-assign]
        await script(peer)  # type: ignore[operator]
        closed.set()

    async with play(watched) as (world, _):
        client = await world.client()
        client.send(post())
        await asked.wait()
        if script is _mid_body:
            await client.until(b"ping")
        client.close() if leave == "fin" else client.reset()
        await asyncio.wait_for(closed.wait(), 10)
        event = await world.event()
        assert world.count("upstream_connections") == 0
    assert (event.outcome, event.estimated) == ("cancelled", True)


@in_loop
async def test_a_client_that_leaves_while_its_body_is_read_in_a_thread_makes_one_event() -> None:
    async with play(answering(OK)) as (world, upstream):
        body = json.dumps({"model": "m", "padding": "x" * (8 << 20)}).encode()
        client = await world.client()
        client.send(post(body=body))
        await until(lambda: world.count("requests_running"))
        client.reset()
        event = await world.event()
        assert upstream.connections <= 1
    assert event.outcome == "cancelled"


@in_loop
async def test_a_gateway_that_stops_while_a_body_is_read_in_a_thread_makes_one_event() -> None:
    async with play(answering(OK)) as (world, _):
        body = json.dumps({"model": "m", "padding": "x" * (8 << 20)}).encode()
        clients = [await world.client() for _ in range(4)]
        for client in clients:
            client.send(post(body=body))
        await until(lambda: world.count("requests_running") == 4)
        world.gateway.abort()
        await world.quiet()
        assert [e.outcome for e in world.events] == ["cancelled"] * 4


@in_loop
async def test_requests_behind_a_slow_one_are_not_served_once_their_client_left() -> None:
    async with play(_stalled) as (world, upstream):
        client = await world.client()
        client.send(post() * 3)
        await until(lambda: upstream.connections)
        client.reset()
        await world.event()
        assert upstream.connections == 1


@in_loop
async def test_pipelined_requests_of_every_kind_are_answered_in_order() -> None:
    async with play(answering(OK)) as (world, _):
        client = await world.client()
        parts = [
            b"HEAD / HTTP/1.1\r\nhost: h\r\n\r\n",
            post(),
            b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n",
            post(key="tg_unknown"),
            post("/v1/messages/count_tokens"),
            post(body=b"{"),
            b"NONSENSE\r\n\r\n",
        ]
        client.send(b"".join(parts))
        received = await client.rest()
    statuses = [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"200", b"200", b"403", b"200", b"400", b"400"]
    assert [e.outcome for e in world.events] == ["ok", "refused"]


@pytest.mark.parametrize(
    "lines",
    [["Expect: 100-continue"], ["Expect: 100-Continue", "Connection: close"]],
)
@in_loop
async def test_expect_continue(lines: list[str]) -> None:
    async with play(answering(OK)) as (world, _):
        client = await world.client()
        head, _, body = post("/v1/messages", b'{"model":"m"}', *lines).partition(b"\r\n\r\n")
        client.send(head + b"\r\n\r\n")
        assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert b" 200 " in await client.send(body).response()


@in_loop
async def test_the_prompt_of_a_sessions_last_request_is_what_the_next_one_read_from_the_cache() -> (
    None
):
    usage = b'"usage":{"input_tokens":5,"cache_read_input_tokens":95,"output_tokens":1}'
    body = b'{"id":"msg","type":"message","model":"claude-sonnet-4-5","content":[],%b}' % usage
    whole = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(whole % (len(body), body))
        await peer.request()
        await peer.rest()

    session = "x-claude-code-session-id: s1"
    async with play(script) as (world, _):
        client = await world.client()
        prompt = b'{"model":"claude-sonnet-4-5","messages":["%b"]}' % (b"word " * 500)
        await client.send(post("/v1/messages", prompt, session)).response()
        client.send(post("/v1/messages", prompt, session))
        await until(lambda: world.count("requests_running"))
        client.reset()
        await until(lambda: len(world.events) == 2)
        last = world.events[-1]
    assert last.estimated
    assert last.tokens.cache_read == 100
    assert last.tokens.input > 0


@in_loop
async def test_a_strangers_large_body_is_refused_by_its_head() -> None:
    async with play(answering(OK)) as (world, _):
        head, _, _ = post(key="tg_unknown").partition(b"content-length: ")
        for path, status in ((b"/v1/messages", b"403"), (b"/sign-in", b"413")):
            client = await world.client()
            client.send(head.replace(b"/v1/messages", path) + b"content-length: 9000000\r\n")
            client.send(b"authorization: Bearer tg_unknown\r\n\r\n" + b"x" * 100_000)
            assert (await client.rest()).startswith(b"HTTP/1.1 %b " % status)
        assert world.events == []
        body = b'{"model":"%b"}' % (b"m" * (2 << 20))
        assert b" 400 " in await world.ask(post(body=body))
        assert (await world.event()).outcome == "refused"


async def refused(world: World, data: bytes) -> tuple[bytes, int]:
    answer = await world.ask(data)
    return answer.split(b" ")[1], len(world.events)


@in_loop
async def test_who_makes_an_event_and_who_does_not() -> None:
    async with play(answering(OK)) as (world, upstream):
        assert await refused(world, post(key="tg_unknown")) == (b"403", 0)
        assert await refused(world, post(key="")) == (b"403", 0)
        assert await refused(world, post("/v1/messages/count_tokens", b"{")) == (b"400", 0)
        assert await refused(world, post("/v1/messages/count_tokens")) == (b"200", 0)
        assert await refused(world, GET_MODELS + b"\r\n") == (b"200", 0)
        assert await refused(world, post(body=b"{")) == (b"400", 1)
        assert await refused(world, post("//v1/messages")) == (b"503", 1)
        assert await refused(world, post("/v1/%6dessages")) == (b"503", 1)
        assert await refused(world, post("/v1/messages/")) == (b"503", 1)
        assert upstream.connections >= 1
        assert world.count("unknown_keys") == 2
        event = await world.event()
    assert (event.outcome, event.error_code, event.status) == ("refused", "malformed_body", 400)
