"""What ends how under a hard budget, on every route: it settles at what the ledger says."""

from typing import Any

import msgspec
import pytest
from tests.unit.gateway.held import MemoryHolds, budget
from tests.unit.gateway.test_budgets import ANSWER, CODEX, MODEL, SONNET, status
from tests.unit.gateway.world import ORGANIZATION, Peer, answering, in_loop, play, post, until

from tidegate.core.identity import session_id
from tidegate.core.routing import ENDPOINTS

pytestmark = pytest.mark.slow

STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","model":'
    b'"claude-sonnet-4-5","usage":{"input_tokens":1000,"output_tokens":1}}}\n\n'
)
CHUNK = b"%x\r\n%b\r\n" % (len(START), START)
OVERLOADED = b"HTTP/1.1 529 Overloaded\r\ncontent-length: 2\r\n\r\n{}"
FORBIDDEN = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\n{}"


@pytest.mark.parametrize("path", sorted(path for _, path in ENDPOINTS))
@in_loop
async def test_whatever_can_cost_money_is_blocked_and_nothing_else(path: str) -> None:
    holds = MemoryHolds()
    records = {"budgets": (budget(amount_nusd=0),)}
    async with play(answering(ANSWER), holds=holds.source, records=records) as (world, upstream):
        free = path.endswith("/count_tokens")
        assert (status(await world.ask(post(path, MODEL))) == 200) == free
        assert upstream.connections == free
        assert len(holds.asked) == (not free)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/embeddings",
        "/v1/images/generations",
        "/v1/messages/batches",
        "/v1/messages/",
        "//v1/messages",
        "/V1/messages",
        "/v1/completions",
        "/v1/responses/resp_1/cancel",
        "/v1/audio/speech",
    ],
)
@in_loop
async def test_no_other_route_leads_to_a_provider(path: str) -> None:
    async with play(answering(ANSWER)) as (world, upstream):
        assert status(await world.ask(post(path, MODEL))) >= 400
        assert upstream.connections == 0


async def refusing(peer: Peer) -> None:
    await peer.request()
    peer.send(FORBIDDEN)


async def overloaded(peer: Peer) -> None:
    await peer.request()
    peer.send(OVERLOADED)


async def breaking_off(peer: Peer) -> None:
    await peer.request()
    peer.reset()


async def stopping_in_the_middle(peer: Peer) -> None:
    await peer.request()
    peer.send(STREAM + CHUNK)
    await until(lambda: True)
    peer.close()


@pytest.mark.parametrize(
    ("script", "costs"),
    [(refusing, 0), (overloaded, 0), (breaking_off, 0), (stopping_in_the_middle, 1)],
)
@in_loop
async def test_what_ends_badly_settles_at_what_the_ledger_says(script: Any, costs: int) -> None:
    holds = MemoryHolds()
    records = {"budgets": (budget(**SONNET),)}
    async with play(script, holds=holds.source, records=records) as (world, _):
        client = await world.client()
        client.send(post(body=MODEL))
        event = await world.event()
        assert (event.cost.total > 0) == bool(costs)
        await until(lambda: not holds.held)
        assert holds.spent.get("bud_1", 0) == event.cost.total
        assert len(holds.asked) == 1


@in_loop
async def test_a_stream_that_its_client_leaves_settles_at_what_is_billed() -> None:
    holds = MemoryHolds()

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(STREAM + CHUNK)
        await peer.rest()

    records = {"budgets": (budget(**SONNET),)}
    async with play(script, holds=holds.source, records=records) as (world, _):
        client = await world.client()
        client.send(post(body=MODEL))
        await client.until(b"message_start")
        client.reset()
        event = await world.event()
        assert event.outcome == "cancelled"
        assert event.cost.total > 0
        await until(lambda: holds.settled)
        assert (holds.held, holds.spent) == ({}, {"bud_1": event.cost.total})


@in_loop
async def test_an_upstream_that_is_not_there_costs_nothing() -> None:
    holds = MemoryHolds()
    records = {"budgets": (budget(**SONNET),)}
    async with play(answering(ANSWER), holds=holds.source, records=records) as (world, upstream):
        await upstream.stop()
        assert status(await world.ask(post(body=MODEL))) == 502
        await until(lambda: holds.released)
        assert holds.held == {}


LATER = [
    ({"amount_nusd": 0}, 429),  # lowered
    ({"scope": "key", "scope_id": "key_1", "amount_nusd": 0}, 429),  # now of another
    ({"scope": "key", "scope_id": "key_other", "amount_nusd": 0}, 200),
    ({"hard": False, "amount_nusd": 0}, 200),
    (None, 200),  # deleted
]


@pytest.mark.parametrize(("change", "said"), LATER)
@pytest.mark.parametrize("before", [True, False], ids=["changed", "made"])
@in_loop
async def test_a_change_in_flight_counts_from_the_next_request_on(
    before: bool, change: dict[str, Any] | None, said: int
) -> None:
    holds = MemoryHolds()
    mine = budget(**SONNET)
    first = (mine,) if before else ()
    async with play(answering(ANSWER), holds=holds.source, records={"budgets": first}) as (
        world,
        _,
    ):
        assert status(await world.ask(post(body=MODEL))) == 200
        later = () if change is None else (msgspec.structs.replace(mine, **change),)
        world.source.current = msgspec.structs.replace(
            world.source.current, version=2, budgets=later
        )
        await world.directory.refresh()
        assert status(await world.ask(post(body=MODEL))) == said
        await until(lambda: len(holds.settled) == before)
        assert holds.held == {}


@in_loop
async def test_sub_agents_count_for_the_run_that_they_belong_to() -> None:
    holds = MemoryHolds()
    mine = budget(scope="session", scope_id="*", **SONNET)
    async with play(answering(ANSWER), holds=holds.source, records={"budgets": (mine,)}) as (
        world,
        _,
    ):
        for session, parent in (("root", ""), ("child", "root"), ("grandchild", "child")):
            named = (f"x-session-id: {session}", f"x-parent-session-id: {parent}")
            assert status(await world.ask(post("/v1/messages", MODEL, *named))) == 200
        await until(lambda: len(holds.settled) == 3)
        subjects = {want.envelope.subject.id for asked in holds.asked for want in asked.wants}
        assert subjects == {session_id(ORGANIZATION, "key_1", "root")}


@in_loop
async def test_codex_names_its_repository_in_another_way() -> None:
    holds = MemoryHolds()
    mine = budget(scope="repository", scope_id="github.com/acme/app", amount_nusd=0)
    said = (
        'x-codex-turn-metadata: {"workspaces":{"/home/ada/app":{"associated_remote_urls":'
        '{"origin":"git@github.com:acme/app.git"}}}}'
    )
    async with play(answering(ANSWER), holds=holds.source, records={"budgets": (mine,)}) as (
        world,
        upstream,
    ):
        first = post("/v1/responses", MODEL, CODEX, "session-id: 0198", said)
        assert status(await world.ask(first)) == 400
        assert upstream.connections == 0
