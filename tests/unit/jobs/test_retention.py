"""What is older than an organization keeps it goes, in steps; sums and pages stay right."""

import asyncio
from pathlib import Path

import pytest
from tests.port.captures import capture
from tests.unit.jobs.events import START_US, event
from tests.unit.jobs.test_drain import ListLog
from tests.unit.services.world import DAY_US, World

from tidegate.jobs.retention import EVERY_S, RetentionJob
from tidegate.services.audit import COMMAND_LINE
from tidegate.services.errors import InvalidField, NotFound
from tidegate.services.retention import DELETED_AT_ONCE, Deleted, Retention
from tidegate.store.log import LogFilter
from tidegate.store.ports import SpoolBatch

pytestmark = pytest.mark.slow

HOUR_US = 3_600_000_000


class Kept:
    """A world with an event in each hour of thirty days, and a job with a clock of its own."""

    def __init__(self, path: Path) -> None:
        self.world = World(path)
        self.organization_id = self.world.organization_id
        self.world.clock.now_us = START_US + 30 * DAY_US
        self.seconds = 0.0
        self.log = ListLog()
        world = self.world
        self.retention = Retention(world.store, world.subkeys, world.clock)
        self.job = RetentionJob(self.retention, self.log, lambda: self.seconds)
        events = [
            event(n, organization_id=self.organization_id, started_us=START_US + n * HOUR_US)
            for n in range(30 * 24)
        ]
        batch = SpoolBatch(file="a", start=0, end=1, events=events)
        world.store.usage.record(batch)

    def rows(self) -> int:
        log = self.world.store.usage.log
        return sum(map(len, log.rows(self.organization_id, LogFilter())))

    def requests(self) -> int:
        return self.world.store.usage.log.sums(self.organization_id, LogFilter()).requests


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_the_ledger_is_kept_for_ever_unless_told(kept: Kept) -> None:
    assert kept.retention.apply() == Deleted()
    assert kept.rows() == 720


def test_old_rows_go_and_their_sums_stay(kept: Kept) -> None:
    kept.retention.set(kept.organization_id, ledger_days=10, actor=COMMAND_LINE)
    assert kept.retention.apply() == Deleted(events=480)
    assert (kept.rows(), kept.requests()) == (240, 720)
    usage = kept.world.store.usage
    assert usage.log.kept(kept.organization_id).ledger_from_us == START_US + 20 * DAY_US
    assert kept.retention.apply() == Deleted()
    kept.retention.set(kept.organization_id, ledger_days=0, actor=COMMAND_LINE)
    kept.world.clock.now_us += 20 * DAY_US
    assert kept.retention.apply() == Deleted()
    assert usage.log.kept(kept.organization_id).ledger_from_us == START_US + 20 * DAY_US


def test_what_is_drained_late_is_summed_and_goes(kept: Kept) -> None:
    kept.retention.set(kept.organization_id, ledger_days=10, actor=COMMAND_LINE)
    kept.retention.apply()
    late = event(9999, organization_id=kept.organization_id, started_us=START_US + 1)
    kept.world.store.usage.record(SpoolBatch(file="b", start=0, end=1, events=[late]))
    assert kept.retention.apply() == Deleted(events=1)
    assert (kept.rows(), kept.requests()) == (240, 721)


def test_captures_go_by_the_days_that_are_set_now(kept: Kept) -> None:
    captures = kept.world.store.usage.captures
    now_us = kept.world.clock.now_us
    for days in range(6):
        captures.put_capture(
            capture(
                f"req_{days}",
                organization_id=kept.organization_id,
                at_us=now_us - days * DAY_US - 1,
                expires_us=now_us + DAY_US if days < 5 else now_us,
            )
        )
    kept.retention.set(kept.organization_id, capture_days=30, actor=COMMAND_LINE)
    assert kept.retention.apply() == Deleted(captures=1)
    kept.retention.set(kept.organization_id, capture_days=2, actor=COMMAND_LINE)
    assert kept.retention.apply() == Deleted(captures=3)


@pytest.mark.parametrize(
    ("days", "field"),
    [
        ({"ledger_days": -1}, "ledger_days"),
        ({"ledger_days": 6}, "ledger_days"),
        ({"ledger_days": 3651}, "ledger_days"),
        ({"capture_days": 0}, "capture_days"),
        ({"capture_days": 31}, "capture_days"),
    ],
)
def test_there_are_bounds(kept: Kept, days: dict[str, int], field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        kept.retention.set(kept.organization_id, **days, actor=COMMAND_LINE)
    assert refused.value.field == field
    with pytest.raises(NotFound):
        kept.retention.set("org_none", ledger_days=9, actor=COMMAND_LINE)


def test_a_change_is_written_down_once(kept: Kept) -> None:
    before = len(kept.world.audit())
    for _ in range(2):
        kept.retention.set(kept.organization_id, ledger_days=30, capture_days=7, actor=COMMAND_LINE)
    [entry] = kept.world.audit()[before:]
    assert entry.action == "organization.update"
    assert entry.detail == {
        "ledger_days": "30",
        "before_ledger_days": "0",
        "capture_days": "7",
        "before_capture_days": "3",
    }


def test_a_pass_is_due_hourly_and_after_a_change(kept: Kept) -> None:
    stop = asyncio.Event()
    assert kept.job.run_once(stop)
    assert not kept.job.run_once(stop)
    kept.retention.set(kept.organization_id, ledger_days=7, actor=COMMAND_LINE)
    assert kept.job.run_once(stop)
    assert not kept.job.run_once(stop)
    kept.seconds += EVERY_S
    assert kept.job.run_once(stop)
    assert kept.log.lines == ["retention.deleted"]


def test_a_pass_ends_between_two_steps(kept: Kept) -> None:
    many = [
        event(n, organization_id=kept.organization_id, started_us=START_US + n, event_id=f"m_{n}")
        for n in range(2 * DELETED_AT_ONCE)
    ]
    kept.world.store.usage.record(SpoolBatch(file="c", start=0, end=1, events=many))
    kept.retention.set(kept.organization_id, ledger_days=7, actor=COMMAND_LINE)
    stop = asyncio.Event()
    stop.set()
    before = kept.rows()
    kept.job.run_once(stop)
    assert before - kept.rows() == DELETED_AT_ONCE


def test_a_store_that_is_away_ends_no_job(kept: Kept) -> None:
    stop = asyncio.Event()

    class Away(Retention):
        def settings(self) -> tuple[tuple[str, int, int], ...]:
            stop.set()
            raise OSError("away")

    world = kept.world
    job = RetentionJob(Away(world.store, world.subkeys, world.clock), kept.log)
    asyncio.run(job.run(stop, poll_s=0.001))
    assert kept.log.lines == ["retention.failed"]
