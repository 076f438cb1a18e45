"""The log on every backend: any filter finds the rows that a recount finds."""

import random
from datetime import datetime
from typing import Any

import pytest
from tests.log_recount import ORGANIZATION, check_filter, some_filter, varied
from tests.port.test_team_sums import PLACES, put, some_events
from tests.unit.jobs.events import event

from tidegate.store.log import Kept, LogFilter, Place
from tidegate.store.sql.database import SqlStore

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("zone", "around"), PLACES)
def test_any_filter_finds_its_rows(store: SqlStore, zone: str, around: str) -> None:
    dice = random.Random(zone)
    store.usage.adopt_zones({ORGANIZATION: zone})
    events = varied(some_events(dice, datetime.fromisoformat(around), 60), dice)
    put(store, events)
    put(store, [event(1000, organization_id="org_2", session_id="ses_1")])
    events = store.usage.events(ORGANIZATION, len(events))  # as they are attributed
    check_filter(store.usage.log, events, LogFilter(), zone)
    for _ in range(25):
        check_filter(store.usage.log, events, some_filter(events, dice), zone)


@pytest.mark.parametrize(
    "only",
    [
        {"member_ids": ("mem_1", "mem_2")},
        {"agents": ("codex", "claude_code")},
        {"agents": ("none",)},
        {"models": ("gpt-5", "claude-sonnet"), "agents": ("codex",)},
        {"outcomes": ("cut", "refused"), "member_ids": ("mem_1",)},
        {"outcomes": ("ok", "cut"), "captured": False, "estimated": False},
        {"status_class": "2xx", "price_unknown": False},
        {"status_class": "5xx", "outcomes": ("ok",)},
        {"repository": "-", "models": ("gpt-5",)},
        {"repository": "github.com/a/b", "captured": False},
        {"key_id": "key_1"},
        {"key_id": "key_none"},
        {"ids": "client-ses_1", "agents": ("codex",)},
        {"ids": "lch_1", "session_id": "ses_2"},
    ],
)
def test_filters_together(store: SqlStore, only: dict[str, Any]) -> None:
    dice = random.Random(5)
    events = varied(some_events(dice, datetime.fromisoformat(PLACES[0][1]), 60), dice)
    put(store, events)
    events = store.usage.events(ORGANIZATION, len(events))  # as they are attributed
    check_filter(store.usage.log, events, LogFilter(**only))


@pytest.mark.parametrize("odd", ["\0", "mem_1\0", "\ud800", "x" * 10_000, "'--", "%", "-"])
def test_odd_values_find_nothing(store: SqlStore, odd: str) -> None:
    put(store, [event(1)])
    log = store.usage.log
    for only in (
        LogFilter(member_ids=(odd,)),
        LogFilter(agents=(odd, "codex")),
        LogFilter(models=(odd,)),
        LogFilter(key_id=odd, session_id=odd, billing=odd),
        LogFilter(repository=odd + "x", outcomes=(odd,)),
        LogFilter(ids=odd),
    ):
        assert log.page(ORGANIZATION, only, 5) == []
        assert log.sums(ORGANIZATION, only).requests == 0
        assert log.count_after(ORGANIZATION, only, Place(0, odd), 9) == 0
    assert log.event(ORGANIZATION, odd) is None
    assert log.kept(odd) == Kept()


def test_a_range_beyond_all_time_is_one(store: SqlStore) -> None:
    put(store, [event(1)])
    endless = LogFilter(start_us=1, end_us=1 << 80)
    assert len(store.usage.log.page(ORGANIZATION, endless, 5)) == 1
    assert store.usage.log.sums(ORGANIZATION, endless).requests == 1
    assert store.usage.log.page(ORGANIZATION, LogFilter(start_us=1 << 80), 5) == []
    assert store.usage.log.page(ORGANIZATION, LogFilter(start_us=-9, end_us=-1), 5) != []


def test_an_event_is_read_by_its_organization_alone(store: SqlStore) -> None:
    put(store, [event(1), event(2, organization_id="org_2")])
    assert store.usage.log.event(ORGANIZATION, "req_000001") == event(1)
    assert store.usage.log.event(ORGANIZATION, "req_000002") is None


def test_rows_that_come_meanwhile_move_none(store: SqlStore) -> None:
    """Pages go on from a row, not from a number of rows."""
    dice = random.Random(3)
    early = [event(2 * n, started_us=event(n // 2).started_us) for n in range(40)]
    put(store, early)
    log, seen, place = store.usage.log, list[str](), None
    for number in range(20):
        rows = log.page(ORGANIZATION, LogFilter(), 3, before=place)
        if not rows:
            break
        seen += [row.event_id for row in rows]
        place = rows[-1].place
        at_us = event(dice.randrange(25)).started_us
        put(store, [event(2 * number + 1, started_us=at_us)])
    expected = [f"req_{2 * n:06d}" for n in range(40)]
    assert sorted(name for name in seen if name in expected) == expected
    assert len(set(seen)) == len(seen)


def test_all_rows_come_in_order_however_many_begin_at_once(store: SqlStore) -> None:
    """More of them than are read at once, with others before, among and behind them."""
    at_once = [event(n, started_us=event(7).started_us) for n in range(2500)]
    others = [event(n, started_us=event(n % 40).started_us) for n in range(3000, 4200)]
    put(store, [*at_once, *others])
    found = [row for part in store.usage.log.rows(ORGANIZATION, LogFilter()) for row in part]
    assert found == sorted(
        [*at_once, *others], key=lambda each: (each.started_us, each.event_id), reverse=True
    )
