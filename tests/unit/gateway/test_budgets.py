"""Requests under budgets: what passes, what waits, what is refused, what is given back."""

import json
from typing import Any

import pytest
from tests.unit.gateway.held import MemoryHolds, budget
from tests.unit.gateway.world import (
    OK,
    ORGANIZATION,
    Peer,
    World,
    answering,
    in_loop,
    play,
    post,
    until,
)

from tidegate.core.identity import session_id

CLAUDE = "user-agent: claude-cli/2.1.330 (external, sdk-cli)"
CODEX = "user-agent: codex_exec/0.169.0 (Linux)"
OPENCODE = "user-agent: opencode/1.18.33 ai-sdk"
MODEL = b'{"model":"claude-sonnet-4-5","max_tokens":10,"messages":[]}'
REPLY = json.dumps(
    {
        "id": "msg_1",
        "type": "message",
        "model": "claude-sonnet-4-5",
        "content": [],
        "usage": {"input_tokens": 1000, "output_tokens": 10},
    }
).encode()
ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(REPLY)
    + REPLY
)
COST_NUSD = 3_150_000  # 1,000 tokens at 3 USD, 10 at 15 USD a million
SONNET = {"window": "lifetime", "mode": "strict"}


def status(answer: bytes) -> int:
    return int(answer.split(b" ")[1])


def headers(answer: bytes) -> dict[str, str]:
    lines = answer.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def body(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def under(*budgets: Any, **others: Any) -> dict[str, Any]:
    return {"budgets": budgets, **others}


@in_loop
async def test_a_request_is_held_before_it_goes_out_and_settled_at_what_it_cost() -> None:
    holds = MemoryHolds()
    seen: list[tuple[int, int]] = []

    async def script(peer: Peer) -> None:
        await peer.request()
        seen.append((len(holds.held), len(holds.settled)))
        peer.send(ANSWER)

    async with play(script, holds=holds.source, records=under(budget(**SONNET))) as (world, _):
        assert status(await world.ask(post(body=MODEL))) == 200
        await until(lambda: holds.settled)
        assert seen == [(1, 0)]
        assert list(holds.settled.values()) == [COST_NUSD]
        assert holds.held == {}
        assert holds.spent == {"bud_1": COST_NUSD}
        assert (await world.event()).cost.total == COST_NUSD


pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("agent", "path", "said", "kind"),
    [
        (CLAUDE, "/v1/messages", 429, "billing_error"),
        (OPENCODE, "/v1/messages", 400, "billing_error"),
        (CODEX, "/v1/responses", 400, ""),
        (OPENCODE, "/v1/chat/completions", 400, "billing_error"),
        ("x-a: b", "/v1/messages", 429, "billing_error"),
    ],
)
@in_loop
async def test_what_is_used_up_refuses_at_once(agent: str, path: str, said: int, kind: str) -> None:
    holds = MemoryHolds()
    holds.spent["bud_1"] = 1_000_000_000  # the very limit
    mine = budget(name="Spring", window="month")
    async with play(answering(OK), holds=holds.source, records=under(mine)) as (world, upstream):
        answer = await world.ask(post(path, MODEL, agent))
        assert status(answer) == said
        assert headers(answer)["x-should-retry"] == "false"
        text = body(answer).decode()
        if kind:
            error = json.loads(text)["error"]
            assert error["type"] == kind
            text = error["message"]
        assert text.startswith('Your organization\'s monthly budget "Spring" ($1.00) is used up.')
        assert "It resets on " in text
        assert "(UTC)" in text
        assert 'tidegate budget request --amount 20 --reason "…"' in text
        event = await world.event()
        assert (event.outcome, event.error_code) == ("refused", "budget_exceeded")
        assert (event.status, event.cost.total) == (said, 0)
        assert upstream.connections == 0
        assert world.count("budget_refusals") == 1


@in_loop
async def test_the_headers_of_a_block() -> None:
    holds = MemoryHolds()
    holds.spent["bud_1"] = 1_400_000_000
    async with play(answering(OK), holds=holds.source, records=under(budget())) as (world, _):
        found = headers(await world.ask(post("/v1/messages", MODEL, CLAUDE)))
        unified = {name[28:]: value for name, value in found.items() if name.startswith("anthr")}
        reset = unified.pop("reset")
        assert unified == {
            "status": "rejected",
            "overage-utilization": "1.4",
            "overage-surpassed-threshold": "1",
            "overage-period": "monthly",
            "overage-disabled-reason": "org_spend_cap_reached",
            "overage-reset": reset,
        }
        assert int(found["retry-after"]) > 0


@pytest.mark.parametrize(
    ("hard", "spent_cents", "expected"),
    [
        (True, 10, ("allowed", "0.1", None)),
        (True, 75, ("allowed_warning", "0.75", "0.75")),
        (True, 94, ("allowed_warning", "0.94", "0.75")),
        (True, 95, ("allowed_warning", "0.95", "0.95")),
        (False, 80, ("allowed_warning", "0.8", "0.75")),
        (False, 250, ("allowed_warning", "2.5", "0.95")),
    ],
)
@in_loop
async def test_claude_code_is_warned(hard: bool, spent_cents: int, expected: Any) -> None:
    holds = MemoryHolds()
    holds.spent["bud_1"] = spent_cents * 10_000_000
    records = under(budget(hard=hard, window="lifetime"))
    async with play(answering(ANSWER), holds=holds.source, records=records) as (world, _):
        prefix = "anthropic-ratelimit-unified-"
        found = headers(await world.ask(post("/v1/messages", MODEL, CLAUDE)))
        if not hard:  # known from the second request on: none waits for a soft one
            assert prefix + "status" not in found
            await until(lambda: not world.gateway._limits._budgets._soft._looking)  # type: ignore[union-attr]
            found = headers(await world.ask(post("/v1/messages", MODEL, CLAUDE)))
        assert (
            found[prefix + "status"],
            found[prefix + "overage-utilization"],
            found.get(prefix + "overage-surpassed-threshold"),
        ) == expected
        other = headers(await world.ask(post("/v1/messages", MODEL, OPENCODE)))
        assert not any(name.startswith(prefix) for name in other)


@in_loop
async def test_no_hard_budget_asks_no_store() -> None:
    holds = MemoryHolds()
    holds.away = True
    records = under(
        budget(budget_id="bud_s", hard=False),
        budget(budget_id="bud_m", scope="member", scope_id="mem_other"),
        budget(budget_id="bud_r", scope="repository", scope_id="github.com/acme/other"),
    )
    async with play(answering(ANSWER), holds=holds.source, records=records) as (world, _):
        assert status(await world.ask(post(body=MODEL))) == 200
        await world.quiet()
        assert holds.asked == []
        assert not holds.reached.is_set()


COUNT = b'{"model":"claude-sonnet-4-5","messages":[]}'


@in_loop
async def test_what_costs_nothing_is_never_blocked() -> None:
    holds = MemoryHolds()
    mine = budget(amount_nusd=0)
    async with play(answering(OK), holds=holds.source, records=under(mine)) as (world, _):
        assert status(await world.ask(post("/v1/messages/count_tokens", COUNT))) == 200
        models = post("/v1/models", b"").replace(b"POST", b"GET", 1)
        assert status(await world.ask(models)) == 200
        assert status(await world.ask(b"HEAD / HTTP/1.1\r\nhost: h\r\n\r\n")) == 200
        assert status(await world.ask(post(body=MODEL))) == 429
        assert holds.asked != []


@pytest.mark.parametrize(("rule", "said"), [("open", 200), ("closed", 503)])
@pytest.mark.parametrize("how", ["away", "slow"])
@in_loop
async def test_a_store_that_does_not_answer(how: str, rule: str, said: int) -> None:
    holds = MemoryHolds()
    holds.away = how == "away"
    if how == "slow":
        holds.open.clear()
    records = under(budget(when_unknown=rule, window="lifetime"))
    options: dict[str, Any] = {"hold_wait_s": 0.05, "holds": holds.source, "records": records}
    async with play(answering(ANSWER), **options) as (world, upstream):
        answer = await world.ask(post(body=MODEL))
        assert status(answer) == said
        assert len(upstream.requests) == 0
        await until(lambda: world.count("budget_waits_timed_out") == 1)
        event = await world.event()
        assert event.error_code == ("" if said == 200 else "budget_unknown")
        holds.away = False
        holds.open.set()
        if how == "slow":  # the answer came too late: nothing may stay held
            await until(lambda: holds.settled or holds.released)
            assert list(holds.settled.values()) == ([COST_NUSD] if said == 200 else [])
        await until(lambda: not holds.held)
        assert world.count("budget_holds") == 0


@in_loop
async def test_an_open_one_is_held_late_and_settled() -> None:
    holds = MemoryHolds()
    holds.open.clear()
    asked: list[bytes] = []

    async def script(peer: Peer) -> None:
        asked.append(await peer.request())
        holds.open.set()
        await until(lambda: holds.held)
        peer.send(ANSWER)

    options: dict[str, Any] = {"hold_wait_s": 0.02, "holds": holds.source}
    async with play(script, records=under(budget(**SONNET)), **options) as (world, _):
        assert status(await world.ask(post(body=MODEL))) == 200
        await until(lambda: holds.settled)
        assert list(holds.settled.values()) == [COST_NUSD]


@in_loop
async def test_a_client_that_leaves_while_it_waits_holds_nothing() -> None:
    holds = MemoryHolds()
    holds.open.clear()
    options: dict[str, Any] = {"hold_wait_s": 20, "holds": holds.source}
    records = under(budget(**SONNET))
    async with play(answering(ANSWER), records=records, **options) as (world, upstream):
        client = await world.client()
        client.send(post(body=MODEL))
        await until(holds.reached.is_set)
        client.reset()
        event = await world.event()
        assert (event.outcome, event.cost.total) == ("cancelled", 0)
        holds.open.set()
        await until(lambda: holds.released)
        assert holds.held == {}
        assert upstream.connections == 0


@in_loop
async def test_a_lost_connection_does_not_hold_twice() -> None:
    holds = MemoryHolds()

    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number == 1:
            peer.send(ANSWER)
            await peer.request()
            peer.reset()  # just as it was used again
            return
        peer.send(ANSWER)

    options: dict[str, Any] = {"holds": holds.source, "records": under(budget(**SONNET))}
    async with play(script, **options) as (world, upstream):
        client = await world.client()
        for _ in range(2):
            assert status(await client.send(post(body=MODEL)).response()) == 200
        assert upstream.connections == 2
        await until(lambda: len(holds.settled) == 2)
        assert len(holds.asked) == 2


@in_loop
async def test_one_connection_goes_on_after_a_refusal() -> None:
    holds = MemoryHolds()
    mine = budget(amount_nusd=40_000_000, **SONNET)  # fits one hold
    async with play(answering(ANSWER), holds=holds.source, records=under(mine)) as (world, _):
        client = await world.client()
        client.send(post(body=MODEL) * 8)  # all at once
        answers = [status(await client.response()) for _ in range(8)]
        assert answers[:2] == [200, 200]
        assert 429 in answers
        assert sorted(answers) == answers
        assert len(await client.send(post("/v1/messages/count_tokens", COUNT)).response()) > 0


@in_loop
async def test_what_has_no_bound_is_refused_under_a_strict_one() -> None:
    holds = MemoryHolds()
    searching = json.dumps(
        {
            "model": "gpt-5.5",
            "input": "x",
            "stream": True,
            "tools": [{"type": "web_search"}],
            "max_output_tokens": 5,
        }
    ).encode()
    strict, typical = under(budget(**SONNET)), under(budget())
    async with play(answering(OK), holds=holds.source, records=strict) as (world, upstream):
        answer = await world.ask(post("/v1/responses", searching, CODEX))
        assert status(answer) == 400
        assert b"has no bound: the provider may use 'web_search'" in body(answer)
        assert (await world.event()).error_code == "cost_unbounded"
        assert upstream.connections == 0
    async with play(answering(OK), holds=holds.source, records=typical) as (world, _):
        assert status(await world.ask(post("/v1/responses", searching, CODEX))) == 200


@in_loop
async def test_the_typical_amount_comes_from_the_ledger_and_then_from_memory() -> None:
    holds = MemoryHolds()
    holds.past_costs = [1_000_000] * 199 + [7_000_000]
    records = under(budget(amount_nusd=10**12))
    async with play(answering(ANSWER), holds=holds.source, records=records) as (world, _):
        for _ in range(3):
            await world.ask(post(body=MODEL))
            await world.quiet()
        assert [request.wants[0].amount_nusd for request in holds.asked] == [
            1_000_000,
            1_000_000,  # two of 200 may be higher
            COST_NUSD,
        ]
        assert all(request.wants[0].bound_nusd > COST_NUSD for request in holds.asked)


@in_loop
async def test_a_session_counts_where_it_worked_before() -> None:
    holds = MemoryHolds()
    holds.repositories["ses"] = "github.com/acme/app"
    mine = budget(scope="repository", scope_id="github.com/acme/app", amount_nusd=0)
    async with play(answering(ANSWER), holds=holds.source, records=under(mine)) as (world, _):
        session = ("x-claude-code-session-id: 0198", CLAUDE)
        assert status(await world.ask(post("/v1/messages", MODEL, *session))) == 429
        named = (*session, "x-tidegate-repository: github.com/acme/other")
        assert status(await world.ask(post("/v1/messages", MODEL, *named))) == 200
        assert status(await world.ask(post("/v1/messages", MODEL, *session))) == 200
        assert status(await world.ask(post("/v1/messages", MODEL))) == 200  # in no session


@in_loop
async def test_every_budget_of_a_request_counts_as_what_it_is() -> None:
    holds = MemoryHolds()
    scopes = {
        "organization": "",
        "squad": "sqd_1",
        "member": "*",
        "key": "key_1",
        "repository": "*",
        "session": "*",
    }
    budgets = [
        budget(budget_id=scope, scope=scope, scope_id=scope_id, per_head=scope == "squad")
        for scope, scope_id in scopes.items()
    ]
    lines = ("x-claude-code-session-id: s1", "x-tidegate-repository: github.com/acme/app")
    records = under(*budgets, squads={"mem_1": "sqd_1"})
    async with play(answering(ANSWER), holds=holds.source, records=records) as (world, _):
        assert status(await world.ask(post("/v1/messages", MODEL, *lines))) == 200
        [asked] = holds.asked
        found = {want.envelope.budget_id: want.envelope.subject.text for want in asked.wants}
        event = await world.event()
        assert found == {
            "organization": "",
            "squad": "sqd_1/mem_1",
            "member": "mem_1",
            "key": "key_1",
            "repository": "github.com/acme/app",
            "session": event.session_id,
        }
        assert event.squad_id == "sqd_1"


@in_loop
async def test_a_budget_that_changes_in_flight_settles_what_was_held() -> None:
    holds = MemoryHolds()
    worlds: list[World] = []

    async def script(peer: Peer) -> None:
        await peer.request()
        source = worlds[0].source
        changed = budget(amount_nusd=0, window="lifetime")
        source.current = _with(source.current, version=2, budgets=(changed,))
        await worlds[0].directory.refresh()
        peer.send(ANSWER)

    records = under(budget(**SONNET))
    async with play(script, holds=holds.source, records=records) as (world, _):
        worlds.append(world)
        assert status(await world.ask(post(body=MODEL))) == 200
        assert status(await world.ask(post(body=MODEL))) == 429
        await until(lambda: holds.settled)
        assert holds.held == {}


def _with(current: Any, **fields: Any) -> Any:
    return type(current)(
        **{name: fields.get(name, getattr(current, name)) for name in current.__struct_fields__}
    )


@in_loop
async def test_nothing_goes_out_of_what_cannot_begin() -> None:
    holds = MemoryHolds()
    options: dict[str, Any] = {"holds": holds.source, "spool_policy": "refuse"}
    async with play(answering(ANSWER), records=under(budget(**SONNET)), **options) as (world, up):
        world.spool.full = OSError("full")
        assert status(await world.ask(post(body=MODEL))) == 503
        await until(lambda: holds.released)
        assert holds.held == {}
        assert up.requests == []


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        ({}, 200),
        ({"squad_models": {"sqd_1": ("claude-*",)}}, 200),
        ({"squad_models": {"sqd_1": ("gpt-*",)}}, 403),
        ({"squad_models": {"sqd_2": ("gpt-*",)}}, 200),
    ],
)
@in_loop
async def test_a_squad_may_use_its_models_only(lists: Any, said: int) -> None:
    records = {"squads": {"mem_1": "sqd_1"}, **lists}
    async with play(answering(ANSWER), records=records) as (world, _):
        assert status(await world.ask(post(body=MODEL))) == said


@in_loop
async def test_a_large_body_is_gone_through_in_a_thread() -> None:
    holds = MemoryHolds()
    large = json.dumps({"model": "claude-sonnet-4-5", "max_tokens": 5, "messages": ["a" * 900_000]})
    records = under(budget(**SONNET, amount_nusd=10**12))
    async with play(answering(ANSWER), holds=holds.source, records=records) as (world, _):
        assert status(await world.ask(post(body=large.encode()))) == 200
        [asked] = holds.asked
        assert asked.wants[0].amount_nusd > 900_000 * 12_000  # as a long prompt
        no_bound = large.replace('"max_tokens"', '"mcp_servers": [1], "max_tokens"').encode()
        assert status(await world.ask(post(body=no_bound))) == 403
        leaving = await world.client()
        leaving.send(post(body=large.encode()))
        leaving.reset()
        await world.quiet()
    assert holds.held == {}


@in_loop
async def test_a_reservation_whose_answer_was_lost_does_not_count_beside_itself() -> None:
    holds = MemoryHolds()
    holds.lost_answers = 2
    mine = budget(amount_nusd=40_000_000, **SONNET)  # fits one hold
    options: dict[str, Any] = {"hold_wait_s": 20, "holds": holds.source}
    async with play(answering(ANSWER), records=under(mine), **options) as (world, _):
        assert status(await world.ask(post(body=MODEL))) == 200
        await until(lambda: holds.settled)
        assert holds.held == {}
        assert holds.spent == {"bud_1": COST_NUSD}


@in_loop
async def test_a_request_that_cannot_be_held_is_in_nobodys_way() -> None:
    holds = MemoryHolds()
    holds.poison = session_id(ORGANIZATION, "key_1", "poison")
    mine = budget(scope="session", scope_id="*", when_unknown="closed", **SONNET)
    options: dict[str, Any] = {"hold_wait_s": 1.0, "holds": holds.source}
    async with play(answering(ANSWER), records=under(mine), **options) as (world, _):
        holds.open.clear()
        clients = [await world.client() for _ in range(4)]
        for client, session in zip(clients, ("first", "poison", "second", "third"), strict=True):
            client.send(post("/v1/messages", MODEL, f"x-claude-code-session-id: {session}"))
        await until(lambda: world.count("budget_holds") == 4)
        holds.open.set()
        said = [status(await client.response()) for client in clients]
        assert said == [200, 503, 200, 200]
        assert world.count("budget_store_failures") == 2  # together with others, and alone
        await until(lambda: len(holds.settled) == 3)
        assert holds.held == {}


@pytest.mark.parametrize(("rule", "said"), [("open", 200), ("closed", 503)])
@in_loop
async def test_a_fault_of_ours_is_an_unknown_state(rule: str, said: int) -> None:
    holds = MemoryHolds()
    later = budget(window="of a later release", when_unknown=rule)
    async with play(answering(ANSWER), holds=holds.source, records=under(later)) as (world, _):
        assert status(await world.ask(post(body=MODEL))) == said
        assert world.count("budget_checks_failed") == 1
