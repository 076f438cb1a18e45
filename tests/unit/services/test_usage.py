from typing import Any

import pytest
from tests.unit.jobs.events import event
from tests.unit.services.world import DAY_US, START_US, World

from tidegate.core.model import UsageEvent
from tidegate.services.errors import InvalidField
from tidegate.store.ports import SpoolBatch, Sums

pytestmark = pytest.mark.slow

HOUR_US = 3_600_000_000
EVENT_COST = 120


class Ledger:
    """Writes events of the world's organization."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.made = world.enrolled("dev@example.com", "claude_code")
        self.count = 0

    def add(self, **fields: Any) -> UsageEvent:
        plain = {
            "organization_id": self.world.organization_id,
            "member_id": self.made.member_id,
            "key_id": self.made.key_id,
            "started_us": self.world.clock.now_us,
        }
        one = event(self.count, **(plain | fields))
        file = f"file{self.count}"
        self.world.store.usage.record(SpoolBatch(file=file, start=0, end=1, events=[one]))
        self.count += 1
        return one


@pytest.fixture
def ledger(world: World) -> Ledger:
    return Ledger(world)


def test_totals_have_the_fields_that_scripts_rely_on(world: World) -> None:
    totals = world.usage.totals(world.organization_id)
    assert totals == {
        "requests": 0,
        "input_tokens": 0,
        "output_tokens": 0,
        "cache_read_tokens": 0,
        "cache_write_5m_tokens": 0,
        "cache_write_1h_tokens": 0,
        "reasoning_tokens": 0,
        "cost_nusd": 0,
        "subscription_cost_nusd": 0,
        "estimated": 0,
        "price_unknown": 0,
        "saved_tokens": 0,
        "saved_nusd": 0,
        "by_outcome": {},
        "by_key": [],
        "by_session": [],
        "by_model": [],
        "price_unknown_models": [],
    }


def test_totals_add_up_every_bucket(world: World, ledger: Ledger) -> None:
    ledger.add(session_id="ses_1", client_session="abc")
    ledger.add(outcome="cut", estimated=True, billing="subscription", session_id="ses_1")
    ledger.add(model_served="", model_asked="strange", price_unknown=True, provider="openai")
    totals = world.usage.totals(world.organization_id)
    assert totals["requests"] == 3
    assert totals["input_tokens"] == 1 + 2 + 3
    assert totals["output_tokens"] == 5 + 6 + 7
    assert totals["cache_read_tokens"] == 120
    assert totals["cache_write_5m_tokens"] == 6
    assert totals["cache_write_1h_tokens"] == 9
    assert totals["cost_nusd"] == 3 * EVENT_COST
    assert totals["subscription_cost_nusd"] == EVENT_COST
    assert totals["estimated"] == 1
    assert totals["by_outcome"] == {"cut": 1, "ok": 2}
    [key] = totals["by_key"]
    assert (key["key_id"], key["agent"], key["email"], key["requests"]) == (
        ledger.made.key_id,
        "claude_code",
        "dev@example.com",
        3,
    )
    [session] = totals["by_session"]
    assert (session["client_session"], session["requests"], session["cost_nusd"]) == (
        "abc",
        2,
        2 * EVENT_COST,
    )
    assert [model["model"] for model in totals["by_model"]] == ["claude-sonnet-4-5", "strange"]
    assert totals["price_unknown_models"] == ["strange"]


def test_usage_stays_under_the_members_name_after_unenrolling(world: World, ledger: Ledger) -> None:
    ledger.add()
    world.enrolment.unenroll(world.organization_id, ledger.made.key_id)
    totals = world.usage.totals(world.organization_id)
    assert totals["by_key"][0]["email"] == "dev@example.com"
    [row] = world.usage.table(world.organization_id, "24h", world.clock.now_us).rows
    assert row.email == "dev@example.com"


def test_another_organization_sees_nothing(world: World, ledger: Ledger) -> None:
    one = ledger.add(session_id="ses_1", launch_id="lch_1")
    other = world.organizations.bootstrap("Other", "a@b.c").organization_id
    assert world.usage.totals(other)["requests"] == 0
    assert world.usage.table(other, "90d", world.clock.now_us).rows == []
    assert world.usage.launch_summary(other, one.key_id, "lch_1")["requests"] == 0
    assert world.usage.last_used(other) == {}
    assert world.store.usage.events(other) == []


def test_table_has_a_row_per_member_agent_model_and_billing(world: World, ledger: Ledger) -> None:
    ledger.add()
    ledger.add()
    ledger.add(billing="subscription")
    ledger.add(model_served="claude-opus-4-1", agent="opencode")
    ledger.add(member_id=world.owner_id, model_served="", model_asked="gpt-x")
    table = world.usage.table(world.organization_id, "24h", world.clock.now_us)
    rows = [(r.email, r.agent, r.model, r.billing, r.sums.requests) for r in table.rows]
    assert rows == [
        ("dev@example.com", "claude_code", "claude-sonnet-4-5", "api", 2),
        ("dev@example.com", "claude_code", "claude-sonnet-4-5", "subscription", 1),
        ("dev@example.com", "opencode", "claude-opus-4-1", "api", 1),
        ("owner@example.com", "claude_code", "gpt-x", "api", 1),
    ]
    assert table.totals.requests == 5
    assert table.totals.cost_nusd == 5 * EVENT_COST
    assert table.totals.subscription_cost_nusd == EVENT_COST
    mine = world.usage.table(
        world.organization_id, "24h", world.clock.now_us, member_id=world.owner_id
    )
    assert [row.model for row in mine.rows] == ["gpt-x"]


@pytest.mark.parametrize(
    ("range_name", "oldest_in_us", "newest_out_us"),
    [
        # now is 10:30 in UTC on day 100
        ("24h", 100 * DAY_US - 13 * HOUR_US, 100 * DAY_US - 13 * HOUR_US - 1),
        ("7d", 94 * DAY_US, 94 * DAY_US - 1),
        ("30d", 71 * DAY_US, 71 * DAY_US - 1),
        ("90d", 11 * DAY_US, 11 * DAY_US - 1),
    ],
)
def test_a_range_begins_at_its_first_bucket(
    world: World, ledger: Ledger, range_name: str, oldest_in_us: int, newest_out_us: int
) -> None:
    ledger.add(started_us=START_US + newest_out_us)
    ledger.add(started_us=START_US + oldest_in_us)
    now_us = START_US + 100 * DAY_US + 10 * HOUR_US + HOUR_US // 2
    table = world.usage.table(world.organization_id, range_name, now_us)
    assert table.totals.requests == 1
    assert table.start_us == START_US + oldest_in_us


def test_an_unknown_range_is_refused(world: World) -> None:
    with pytest.raises(InvalidField, match="24h, 7d, 30d, 90d"):
        world.usage.table(world.organization_id, "1y", 0)


def test_launch_summary_is_of_one_launch_of_one_key(world: World, ledger: Ledger) -> None:
    ledger.add(launch_id="lch_1", session_id="ses_1")
    ledger.add(launch_id="lch_1", session_id="ses_1", outcome="cancelled", estimated=True)
    ledger.add(launch_id="lch_1", billing="subscription")
    ledger.add(launch_id="lch_2")
    ledger.add(launch_id="lch_1", key_id="key_other")
    ledger.add()
    summary = world.usage.launch_summary(world.organization_id, ledger.made.key_id, "lch_1")
    assert summary["requests"] == 3
    assert summary["by_outcome"] == {"cancelled": 1, "ok": 2}
    assert summary["sessions"] == 1
    assert summary["estimated"] == 1
    assert summary["cost_nusd"] == 3 * EVENT_COST
    assert summary["subscription_cost_nusd"] == EVENT_COST
    assert summary["tokens"] == sum((1 + 5, 2 + 6, 3 + 7)) + 3 * 45
    for unknown in ("lch_none", ""):
        nothing = world.usage.launch_summary(world.organization_id, ledger.made.key_id, unknown)
        assert (nothing["requests"], nothing["by_outcome"], nothing["sessions"]) == (0, {}, 0)


def test_last_used(world: World, ledger: Ledger) -> None:
    one = ledger.add()
    assert world.usage.last_used(world.organization_id) == {
        ledger.made.key_id: one.started_us + one.duration_us
    }


def test_tokens_is_the_headline_metric() -> None:
    sums = Sums(
        input_tokens=1,
        cache_write_5m_tokens=10,
        cache_write_1h_tokens=100,
        cache_read_tokens=1000,
        output_tokens=10000,
        reasoning_tokens=5000,
    )
    assert sums.tokens == 11111
