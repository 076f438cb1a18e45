"""Limits of rate: counted by all workers of a server together, given back, waited for by Codex."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.unit.gateway.test_budgets import ANSWER, CLAUDE, CODEX, MODEL, OPENCODE, headers, status
from tests.unit.gateway.world import ORGANIZATION, Peer, answering, in_loop, play, post, until

from tidegate.core.limit_rules import LimitIndex
from tidegate.core.limits import RateLimit
from tidegate.core.model import KeyRecord
from tidegate.gateway.rate_counters import STEP_S, STEPS, SharedCounters

pytestmark = pytest.mark.slow

MINUTE_S = STEP_S * STEPS


def limit(**fields: Any) -> RateLimit:
    return RateLimit(organization_id=ORGANIZATION, **fields)


def limited(*limits: RateLimit, path: Path) -> dict[str, Any]:
    return {"rates": SharedCounters(path / "rates", 1), "records": {"rate_limits": limits}}


@pytest.mark.parametrize("agent", [CLAUDE, OPENCODE])
@pytest.mark.parametrize("scope", [{}, {"scope": "key", "scope_id": "*"}])
@in_loop
async def test_requests_a_minute(scope: Any, agent: str, tmp_path: Path) -> None:
    mine = limit(requests_per_minute=3, **scope)
    async with play(answering(ANSWER), **limited(mine, path=tmp_path)) as (world, _):
        answers = [await world.ask(post("/v1/messages", MODEL, agent)) for _ in range(5)]
        assert [status(answer) for answer in answers] == [200, 200, 200, 429, 429]
        found = headers(answers[-1])
        assert 1 <= int(found["retry-after"]) <= 5
        assert "x-should-retry" not in found
        assert b"3 requests a minute, is reached. Try again" in answers[-1]
        assert b"rate_limit_error" in answers[-1]
        await world.quiet()
        codes = [event.error_code for event in world.events]
        assert codes == ["", "", "", "rate_limited", "rate_limited"]
        assert world.count("rate_refusals") == 2


@in_loop
async def test_tokens_a_minute_are_those_that_were_used(tmp_path: Path) -> None:
    mine = limit(tokens_per_minute=2_000)  # each uses 1,010
    async with play(answering(ANSWER), **limited(mine, path=tmp_path)) as (world, _):
        answers = []
        for _ in range(3):
            answers.append(status(await world.ask(post("/v1/messages", MODEL, CLAUDE))))
            await world.quiet()
        assert answers == [200, 200, 429]


@in_loop
async def test_answers_at_once_until_each_ends(tmp_path: Path) -> None:
    go = asyncio.Event()
    waiting: list[int] = []

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            waiting.append(peer.number)
            await go.wait()
            peer.send(ANSWER)

    mine = limit(concurrent_streams=2)
    async with play(script, **limited(mine, path=tmp_path)) as (world, _):
        clients = [await world.client() for _ in range(2)]
        for client in clients:
            client.send(post("/v1/messages", MODEL, CLAUDE))
        await until(lambda: len(waiting) == 2)
        assert status(await world.ask(post("/v1/messages", MODEL, CLAUDE))) == 429
        clients[0].reset()  # a cancelled one ends too
        await until(lambda: world.events and world.events[-1].outcome == "cancelled")
        third = await world.client()
        third.send(post("/v1/messages", MODEL, CLAUDE))
        await until(lambda: len(waiting) == 3)
        go.set()
        assert status(await third.response()) == 200
        assert status(await clients[1].response()) == 200


@in_loop
async def test_codex_waits_for_its_turn(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await go.wait()
        peer.send(ANSWER)

    mine = limit(concurrent_streams=1)
    async with play(script, **limited(mine, path=tmp_path)) as (world, upstream):
        first, second, third = [await world.client() for _ in range(3)]
        first.send(post("/v1/responses", MODEL, CODEX))
        await until(lambda: upstream.connections == 1)
        second.send(post("/v1/responses", MODEL, CODEX))
        third.send(post("/v1/responses", MODEL, CODEX))
        await until(lambda: len(world.gateway._limits._rates._waiting) == 2)  # type: ignore[union-attr]
        third.reset()  # leaves while it waits
        await until(lambda: [event.outcome for event in world.events] == ["cancelled"])
        go.set()
        assert status(await first.response()) == 200
        assert status(await second.response()) == 200
        assert upstream.connections == 2
        await world.quiet()
        assert world.count("rate_refusals") == 0


def test_workers_count_together_and_a_minute_passes(tmp_path: Path) -> None:
    one, other = (SharedCounters(tmp_path / "rates", worker) for worker in (1, 2))
    for now, counters in ((0.0, one), (4.0, other), (29.0, one)):
        with counters.locked():
            slot = counters.slot("org_1/key_1", now)
            assert slot is not None
            slot.add(1, 100, 1)
    with other.locked():
        slot = other.slot("org_1/key_1", 59.0)
        assert slot is not None
        assert slot.count() == (3, 300, 3)
        assert slot.gives_back_in() <= 10
        again = other.slot("org_1/key_1", MINUTE_S + 1.0)
        assert again is not None
        assert again.count() == (1, 100, 3)
    restarted = SharedCounters(tmp_path / "rates", 1)  # its predecessor was killed
    with restarted.locked():
        slot = restarted.slot("org_1/key_1", 59.0)
        assert slot is not None
        assert slot.count() == (3, 300, 1)
    for counters in (one, other, restarted):
        counters.close()


def test_there_is_room_for_others_when_subjects_are_quiet(tmp_path: Path) -> None:
    counters = SharedCounters(tmp_path / "rates", 1)
    with counters.locked():
        for round_number in range(3):
            now = float(round_number * 2 * MINUTE_S)
            found = [counters.slot(f"org_{round_number}_{n}", now) for n in range(1000)]
            for slot in found:
                assert slot is not None
                assert slot.count() == (0, 0, 0)
                slot.add(1, 1, 0)
    counters.close()


def test_the_least_of_several_limits_holds() -> None:
    index = LimitIndex(
        (
            limit(requests_per_minute=60),
            limit(scope="key", scope_id="*", requests_per_minute=30, tokens_per_minute=5),
            limit(scope="key", scope_id="key_1", requests_per_minute=50, concurrent_streams=2),
            limit(scope="key", scope_id="key_2", requests_per_minute=1),
            limit(scope="key", scope_id="key_3"),
        )
    )
    key = KeyRecord(key_id="key_1", organization_id=ORGANIZATION, member_id="m", agent="codex")
    assert [each[2:] for each in index.of(key)] == [(60, 0, 0), (30, 5, 2)]
    assert LimitIndex(()).of(key) == ()
