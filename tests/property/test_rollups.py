"""Rollups equal a recomputation from the ledger, in every zone, through repeats and moves."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import examples
from tests.unit.jobs.events import event

from tidegate.core.model import UsageEvent
from tidegate.store.ports import SpoolBatch
from tidegate.store.sql.database import SqlStore, open_store

pytestmark = pytest.mark.slow

ZONES = (
    "UTC",
    "Asia/Kathmandu",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/St_Johns",
    "Pacific/Chatham",
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Around changes of the clocks in 2026, and anywhere else in it.
CHANGES = ("2026-03-08T07", "2026-03-29T01", "2026-04-04T15", "2026-10-25T01", "2026-11-01T06")
FORMS = {"hour": "%Y-%m-%d %H %z", "day": "%Y-%m-%d"}


def micros(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


near_changes = st.builds(
    lambda change, seconds: (
        micros(datetime.fromisoformat(f"{change}:00:00+00:00")) + seconds * 10**6
    ),
    st.sampled_from(CHANGES),
    st.integers(-7200, 7200),
)
any_time = st.integers(
    micros(datetime(2026, 1, 1, tzinfo=UTC)), micros(datetime(2027, 1, 1, tzinfo=UTC))
)
specs = st.tuples(
    st.integers(0, 30),  # the event's number: equal ones are the same event
    near_changes | any_time,
    st.sampled_from(["mem_1", "mem_2"]),
    st.sampled_from(["api", "subscription"]),
    st.sampled_from(["ok", "cut", "upstream_error"]),
)


@contextmanager
def opened() -> Iterator[SqlStore]:
    with tempfile.TemporaryDirectory() as path:
        store = open_store(data_dir=Path(path))
        yield store
        store.close()


def recomputed(events: list[UsageEvent], zone: str, bucket: str) -> Counter[tuple[str, ...]]:
    """Requests and cost by what the wall clock of the zone said."""
    sums: Counter[tuple[str, ...]] = Counter()
    for one in events:
        local = (EPOCH + timedelta(microseconds=one.started_us)).astimezone(ZoneInfo(zone))
        group = (local.strftime(FORMS[bucket]), one.member_id, one.billing)
        sums[*group, "requests"] += 1
        sums[*group, "cost"] += one.cost.total
        sums[*group, "tokens"] += one.tokens.total
    return sums


def rolled_up(store: SqlStore, zone: str, bucket: str) -> Counter[tuple[str, ...]]:
    sums: Counter[tuple[str, ...]] = Counter()
    by = ("bucket_start_us", "member_id", "billing")
    for group in store.usage.rollup_sums("org_1", by, bucket=bucket, start_us=0, end_us=1 << 62):
        start_us, member_id, billing = group.values
        local = (EPOCH + timedelta(microseconds=int(start_us))).astimezone(ZoneInfo(zone))
        values = (local.strftime(FORMS[bucket]), member_id, billing)
        sums[*values, "requests"] += group.sums.requests
        sums[*values, "cost"] += group.sums.cost_nusd
        sums[*values, "tokens"] += group.sums.tokens
    return sums


@settings(max_examples=examples(25), deadline=None)
@given(
    st.lists(st.lists(specs, max_size=12), max_size=4),
    st.sampled_from(ZONES),
    st.sampled_from(ZONES),
)
def test_rollups_equal_a_recomputation(
    batches: list[list[tuple[int, int, str, str, str]]], zone: str, next_zone: str
) -> None:
    with opened() as store:
        store.usage.adopt_zones({"org_1": zone})
        for number, batch in enumerate(batches):
            events = [
                event(n, started_us=at, member_id=member, billing=billing, outcome=outcome)
                for n, at, member, billing, outcome in batch
            ]
            store.usage.record(SpoolBatch(file=f"f{number}", start=0, end=1, events=events))
        ledger = store.usage.events("org_1", 10_000)
        for bucket in FORMS:
            assert rolled_up(store, zone, bucket) == recomputed(ledger, zone, bucket)
        store.usage.adopt_zones({"org_1": next_zone})
        for bucket in FORMS:
            assert rolled_up(store, next_zone, bucket) == recomputed(ledger, next_zone, bucket)


@settings(max_examples=examples(40), deadline=None)
@given(st.data())
def test_sub_agents_find_their_root_in_any_order(data: st.DataObject) -> None:
    """A tree of sessions, its events in any order and any batches: one run, all of it."""
    size = data.draw(st.integers(1, 8))
    parents = {n: data.draw(st.integers(0, n - 1)) for n in range(1, size)}
    events = [
        event(
            n,
            session_id=f"ses_{n}",
            client_session=f"client-{n}",
            parent_session_id=f"ses_{parents[n]}" if n else "",
        )
        for n in range(size)
    ]
    order = data.draw(st.permutations(events))
    cut = data.draw(st.integers(0, size))
    with opened() as store:
        for number, batch in enumerate((order[:cut], order[cut:])):
            store.usage.record(SpoolBatch(file=f"f{number}", start=0, end=1, events=batch))
        [run] = store.usage.session_sums("org_1")
        assert (run.session_id, run.client_session) == ("ses_0", "client-0")
        assert run.subagents == size - 1
        assert run.sums.requests == size


@settings(max_examples=examples(30), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=12))
def test_hostile_parents_lose_no_request(links: list[tuple[int, int]]) -> None:
    """Circles, sessions that are their own parent, parents that change: sums stay whole."""
    events = [
        event(number, session_id=f"ses_{child}", parent_session_id=f"ses_{parent}")
        for number, (child, parent) in enumerate(links)
    ]
    with opened() as store:
        for number, one in enumerate(events):
            store.usage.record(SpoolBatch(file=f"f{number}", start=0, end=1, events=[one]))
        runs = store.usage.session_sums("org_1")
        assert sum(run.sums.requests for run in runs) == len(events)
        assert len({run.session_id for run in runs}) == len(runs)
