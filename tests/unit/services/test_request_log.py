"""Pages of the log by cursors, what a member sees of it, and costs written out."""

from typing import Any

import msgspec
import pytest
from tests.port.captures import capture
from tests.unit.core.tickets import BOOK
from tests.unit.jobs.events import event
from tests.unit.services.world import World

from tidegate.core.model import TokenCounts, Usage, UsageEvent
from tidegate.core.pricing import price
from tidegate.services.errors import InvalidField, NotFound
from tidegate.services.request_log import MOST_NEW, LogFilter, LogPage, RequestLog
from tidegate.services.team import TeamReports
from tidegate.store.ports import SpoolBatch

pytestmark = pytest.mark.slow

ALL = LogFilter()


@pytest.fixture
def log(world: World) -> RequestLog:
    return RequestLog(world.store, lambda: BOOK)


def put(world: World, events: list[UsageEvent]) -> None:
    mine = [msgspec.structs.replace(e, organization_id=world.organization_id) for e in events]
    world.store.usage.record(SpoolBatch(file=events[0].event_id, start=0, end=1, events=mine))


def numbers(page: LogPage) -> list[int]:
    return [int(row.event_id.removeprefix("req_")) for row in page.rows]


def test_pages_lead_to_each_other(world: World, log: RequestLog) -> None:
    put(world, [event(n) for n in range(8)])
    first = log.page(world.organization_id, ALL, limit=3)
    second = log.page(world.organization_id, ALL, cursor=first.older, limit=3)
    third = log.page(world.organization_id, ALL, cursor=second.older, limit=3)
    assert [numbers(p) for p in (first, second, third)] == [[7, 6, 5], [4, 3, 2], [1, 0]]
    assert (first.newer, third.older) == ("", "")
    assert numbers(log.page(world.organization_id, ALL, cursor=third.newer, limit=3)) == [4, 3, 2]
    back = log.page(world.organization_id, ALL, cursor=second.newer, limit=3)
    assert (numbers(back), back.newer) == ([7, 6, 5], "")
    put(world, [event(8)])
    later = log.page(world.organization_id, ALL, cursor=second.newer, limit=3)
    assert numbers(later) == [7, 6, 5]
    newest = log.page(world.organization_id, ALL, cursor=later.newer, limit=3)
    assert numbers(newest) == [8, 7, 6]  # a whole page rather than the one row


def test_an_empty_log_leads_nowhere(world: World, log: RequestLog) -> None:
    page = log.page(world.organization_id, ALL)
    assert (page.rows, page.newer, page.older, page.top) == ([], "", "", "")
    assert log.count_new(world.organization_id, ALL, "") == 0
    put(world, [event(1)])
    assert log.count_new(world.organization_id, ALL, "") == 1


def test_new_rows_are_counted(world: World, log: RequestLog) -> None:
    put(world, [event(n) for n in range(3)])
    top = log.page(world.organization_id, ALL).top
    assert log.count_new(world.organization_id, ALL, top) == 0
    put(world, [event(n, outcome="cut" if n == 5 else "ok") for n in range(3, 8)])
    assert log.count_new(world.organization_id, ALL, top) == 5
    assert log.count_new(world.organization_id, LogFilter(outcomes=("cut",)), top) == 1
    put(world, [event(n) for n in range(10, 20 + MOST_NEW)])
    assert log.count_new(world.organization_id, ALL, top) == MOST_NEW


@pytest.mark.parametrize("cursor", ["x", "n", "o1", "n1.", "n-1.req", "o1.a b", "n" + "9" * 30])
def test_a_cursor_made_by_hand_is_refused(world: World, log: RequestLog, cursor: str) -> None:
    with pytest.raises(InvalidField):
        log.page(world.organization_id, ALL, cursor=cursor)
    with pytest.raises(InvalidField):
        log.count_new(world.organization_id, ALL, cursor)


def test_rows_name_their_members(world: World, log: RequestLog) -> None:
    put(world, [event(1, member_id=world.owner_id), event(2, member_id="mem_gone")])
    page = log.page(world.organization_id, ALL)
    assert page.members == {world.owner_id: "owner@example.com"}


def test_a_member_sees_what_is_theirs(world: World, log: RequestLog) -> None:
    put(world, [event(n, member_id=f"mem_{n % 2}") for n in range(6)])
    organization_id = world.organization_id
    mine: dict[str, Any] = {"member_id": "mem_1"}
    of_other = LogFilter(member_ids=("mem_0",))
    assert numbers(log.page(organization_id, ALL, **mine)) == [5, 3, 1]
    assert numbers(log.page(organization_id, LogFilter(ids="req_000002"), **mine)) == []
    assert log.page(organization_id, of_other, **mine).rows == []
    assert log.sums(organization_id, of_other, **mine).requests == 0
    assert log.sums(organization_id, ALL, **mine).requests == 3
    assert log.count_new(organization_id, ALL, "", **mine) == 3
    assert [len(part) for part in log.rows(organization_id, ALL, **mine)] == [3]
    period = TeamReports(world.store).period(organization_id, "24h", event(6).started_us)
    assert log.histogram(organization_id, ALL, period, **mine).volume.requests == 3
    assert log.detail(organization_id, "req_000001", **mine).event.member_id == "mem_1"
    for event_id in ("req_000002", "req_000009", ""):
        with pytest.raises(NotFound):
            log.detail(organization_id, event_id, **mine)


def priced(number: int, tokens: TokenCounts, **fields: Any) -> UsageEvent:
    one = event(number, tokens=tokens, provider="anthropic", **fields)
    usage = Usage(tokens=tokens, service_tier=one.service_tier, web_searches=one.web_searches)
    found = price(
        BOOK, provider="anthropic", model=one.model_served, usage=usage, at_us=one.started_us
    )
    return msgspec.structs.replace(one, cost=found.cost, price_version=found.price_version)


@pytest.mark.parametrize(
    ("tokens", "fields"),
    [
        (TokenCounts(input=1), {}),
        (TokenCounts(1234, 5, 6, 789_012, 3456, 99), {"web_searches": 3}),
        (TokenCounts(0, 0, 0, 900_001, 17), {}),  # long context
        (TokenCounts(input=77, output=88), {"service_tier": "batch"}),
        (TokenCounts(), {"web_searches": 1}),
        (TokenCounts(), {}),
    ],
)
def test_the_arithmetic_comes_to_the_cost(
    world: World, log: RequestLog, tokens: TokenCounts, fields: dict[str, Any]
) -> None:
    put(world, [priced(1, tokens, **fields)])
    detail = log.detail(world.organization_id, "req_000001")
    assert detail.rates_known
    assert sum(line.cost_nusd for line in detail.lines) == detail.cost_nusd
    counts = {line.bucket: line.units for line in detail.lines}
    names = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")
    expected = {name: count for name in names if (count := getattr(tokens, name))}
    assert counts == expected | ({"extras": n} if (n := fields.get("web_searches")) else {})
    for line in detail.lines:
        assert line.rate_nusd
        exact = line.units * line.rate_nusd
        if line.bucket == "extras":
            assert line.cost_nusd == exact
        else:
            assert abs(line.cost_nusd * 1_000_000 - exact) <= 500_000  # rounded once


@pytest.mark.parametrize("changed", ["version", "cost"])
def test_without_its_prices_there_are_no_rates(world: World, log: RequestLog, changed: str) -> None:
    one = priced(1, TokenCounts(input=10, output=20))
    if changed == "version":
        one = msgspec.structs.replace(one, price_version="older@list")
    else:  # the price table of its credential was another then
        cost = msgspec.structs.replace(one.cost, output=one.cost.output + 1)
        one = msgspec.structs.replace(one, cost=cost)
    put(world, [one])
    detail = log.detail(world.organization_id, "req_000001")
    assert not detail.rates_known
    assert [(line.bucket, line.units, line.rate_nusd) for line in detail.lines] == [
        ("input", 10, None),
        ("output", 20, None),
    ]
    assert sum(line.cost_nusd for line in detail.lines) == detail.cost_nusd


def test_a_model_is_priced_as_it_was_asked_for(world: World, log: RequestLog) -> None:
    """Where only that name is on a list, as the gateway does it."""
    one = priced(1, TokenCounts(input=10), model_served="claude-sonnet-4-5")
    renamed = msgspec.structs.replace(one, model_served="inhouse", model_asked=one.model_served)
    put(world, [renamed])
    assert log.detail(world.organization_id, "req_000001").rates_known


def test_a_request_without_a_cost_has_nothing_to_add_up(world: World, log: RequestLog) -> None:
    put(world, [priced(1, TokenCounts())])
    assert log.detail(world.organization_id, "req_000001").lines == []


def test_a_capture_is_kept_until_it_is_deleted(world: World, log: RequestLog) -> None:
    put(world, [event(1, captured=True), event(2)])
    assert not log.detail(world.organization_id, "req_000001").capture_kept
    captures = world.store.usage.captures
    captures.put_capture(capture("req_000001", organization_id=world.organization_id))
    assert log.detail(world.organization_id, "req_000001").capture_kept
    assert not log.detail(world.organization_id, "req_000002").capture_kept
