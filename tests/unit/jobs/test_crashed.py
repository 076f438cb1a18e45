"""What the drain makes of a writer that ended before its requests did."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.unit.core.tickets import BOOK
from tests.unit.jobs.events import event
from tests.unit.jobs.test_drain import ListLog

from tidegate.core.crash import crashed_event
from tidegate.core.model import Outcome, RequestStart, TokenCounts, UsageEvent
from tidegate.core.price_book import PriceBook
from tidegate.core.spool_records import event_frame, start_frame
from tidegate.gateway.spool import SpoolOptions, SpoolWriter
from tidegate.jobs.drain import SpoolDrain
from tidegate.store.ports import SpoolBatch, Store
from tidegate.store.sql.database import SqlStore, open_store
from tidegate.store.sql.engines import sqlite_engine
from tidegate.store.sql.usage import SqlUsageStore

pytestmark = pytest.mark.slow

SMALL = SpoolOptions(segment_bytes=64 << 10)


def start(number: int) -> RequestStart:
    """As a worker writes it: nothing of the answer is known."""
    known = event(
        number,
        provider="anthropic",
        model_asked="claude-sonnet-4-5",
        model_served="",
        outcome="crashed",
        status=0,
        duration_us=0,
        tokens=TokenCounts(),
    )
    return RequestStart(msgspec.structs.replace(known, cost=type(known.cost)()), 44_500)


class Place:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.spool = path / "spool"
        self.store = open_store(data_dir=path)
        self.log = ListLog()
        self.books = 0
        self.writer = SpoolWriter(self.spool, "w0", SMALL)
        self.drain = self.another_drain(self.store)

    def another_drain(self, store: SqlStore) -> SpoolDrain:
        return SpoolDrain(self.spool, store, self.log, self.book)

    def book(self) -> PriceBook:
        self.books += 1
        return BOOK

    def recorded(self) -> list[UsageEvent]:
        return sorted(self.store.usage.events("org_1", 10_000), key=lambda e: e.event_id)

    def segments(self) -> list[Path]:
        return sorted(self.spool.glob("*.segment"))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.store.close()


def test_a_request_that_runs_is_nothing_to_the_drain(place: Place) -> None:
    place.writer.begin(start(1))
    place.writer.begin(start(2))
    place.writer.append(event(2))
    assert place.drain.run_once() == 1
    assert place.drain.run_once() == 0
    assert place.recorded() == [event(2)]
    place.writer.append(event(1))
    assert place.drain.run_once() == 1
    assert (place.log.lines, place.books) == ([], 0)
    place.writer.close()


def test_what_a_dead_writer_had_begun_is_recorded_as_crashed(place: Place) -> None:
    for number in range(4):
        place.writer.begin(start(number))
    place.writer.append(event(2))
    assert place.drain.run_once() == 1
    place.writer.close()  # as the kernel does for a process that is killed
    assert place.drain.run_once() == 3
    zero, _, two, three = place.recorded()
    assert two == event(2)
    assert (zero.event_id, three.event_id) == ("req_000000", "req_000003")
    assert (zero.outcome, zero.estimated, zero.tokens) == (
        Outcome.CRASHED,
        True,
        TokenCounts(input=10_600),
    )
    assert zero.cost.total == 10_600 * 3_000
    assert zero == crashed_event(start(0), BOOK)
    assert place.segments() == []
    assert place.log.lines == ["drain.crashed"]
    assert place.drain.run_once() == 0


@pytest.mark.parametrize("torn", [1, 5, 12, 13, 200])
def test_a_torn_event_is_an_unfinished_request(place: Place, torn: int) -> None:
    place.writer.begin(start(1))
    [path] = place.segments()
    place.writer.close()
    with path.open("r+b") as file:
        file.seek(len(start_frame(start(1))))
        file.write(event_frame(event(1))[:torn])
    assert place.drain.run_once() == 1
    assert place.recorded() == [crashed_event(start(1), BOOK)]
    assert (place.segments(), place.log.lines) == ([], ["drain.crashed"])


def test_a_torn_event_of_a_living_writer_is_waited_for(place: Place) -> None:
    place.writer.begin(start(1))
    [path] = place.segments()
    content, at = event_frame(event(1)), len(start_frame(start(1)))
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content[:-9])
    assert place.drain.run_once() == 0
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content)
    assert place.drain.run_once() == 1
    assert place.log.lines == []
    place.writer.close()


class Racing(SpoolDrain):
    """Its first read sees the last write of all and not the one before."""

    def see(self, blank: slice) -> None:
        self.blank = blank

    def _pread(self, descriptor: int, size: int, place: int) -> bytes:
        found = bytearray(os.pread(descriptor, size, place))
        found[self.blank] = bytes(len(found[self.blank]))
        self.blank = slice(0)
        return bytes(found)


def test_a_read_that_races_with_two_writes_loses_neither(place: Place) -> None:
    place.writer.begin(start(1))
    place.writer.begin(start(2))
    before = len(start_frame(start(1))) + len(start_frame(start(2)))
    place.writer.append(event(1))
    place.writer.append(event(2))
    racing = Racing(place.spool, place.store, place.log, place.book)
    racing.see(slice(before, before + len(event_frame(event(1)))))
    assert racing.run_once() == 2
    assert place.recorded() == [event(1), event(2)]
    assert place.log.lines == []
    place.writer.close()


def test_a_hole_is_damage_told_and_kept(place: Place) -> None:
    """A loss of power may bring a later page to the disk and not an earlier one."""
    for number in range(3):
        place.writer.begin(start(number))
    place.writer.append(event(0))
    [path] = place.segments()
    place.writer.close()
    with path.open("r+b") as file:
        file.seek(len(start_frame(start(0))) + 40)
        file.write(bytes(100))
    assert place.drain.run_once() == 2
    assert [e.event_id for e in place.recorded()] == ["req_000000", "req_000002"]
    assert "drain.damaged" in place.log.lines
    assert [p.suffix for p in place.spool.iterdir() if p.name != "drained"] == [".damaged"]


def test_files_that_a_living_writer_let_go_of_are_deleted(place: Place) -> None:
    for number in range(200):
        place.writer.begin(start(number))
        place.writer.append(event(number))
    assert len(place.segments()) > 2
    assert place.drain.run_once() == 200
    assert len(place.segments()) == 1
    place.writer.begin(start(200))
    assert place.drain.run_once() == 0
    place.writer.close()
    assert place.drain.run_once() == 1
    assert place.log.lines == ["drain.crashed"]


class Killed(Exception):
    """Stands for a drain that ends in the middle."""


class DyingStore:
    """A store that dies before or after it wrote a batch of crashed requests, and as it forgets."""

    class Usage(SqlUsageStore):
        when = ""

        def record(self, batch: SpoolBatch) -> int:
            crashed = any(one.outcome == "crashed" for one in batch.events)
            if crashed and self.when == "before":
                raise Killed
            moved = super().record(batch)
            if crashed and self.when == "after":
                raise Killed
            return moved

        def forget(self, file: str) -> None:
            raise Killed

    def __init__(self, of: Store, path: Path, when: str) -> None:
        self.directory = of.directory
        self.holds = of.holds
        self.usage = self.Usage(sqlite_engine(path / "usage.db"))
        self.usage.when = when

    def close(self) -> None:
        pass


@pytest.mark.parametrize("when", ["before", "after", "forgetting"])
def test_a_drain_that_is_killed_in_between_counts_nothing_twice(place: Place, when: str) -> None:
    place.writer.begin(start(1))
    place.writer.begin(start(2))
    place.writer.append(event(1))
    place.writer.close()
    store = DyingStore(place.store, place.path, when)
    dying = SpoolDrain(place.spool, store, place.log, place.book)
    with pytest.raises(Killed):
        dying.run_once()
    place.drain.run_once()
    assert place.recorded() == [event(1), crashed_event(start(2), BOOK)]
    [total] = place.store.usage.ledger_sums("org_1", ())
    assert total.sums.requests == 2
    assert place.segments() == []


def test_the_pass_is_told_to_the_writers(place: Place) -> None:
    place.drain.run_once()
    mark = place.spool / "drained"
    first = mark.stat().st_mtime
    assert mark.stat().st_mode & 0o777 == 0o600
    place.drain.run_once()
    assert mark.stat().st_mtime > first
    place.writer.close()
