import asyncio
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.core.tickets import BOOK
from tests.unit.jobs.events import START_US, event

from tidegate.core.frames import frame
from tidegate.core.model import UsageEvent
from tidegate.gateway.spool import SpoolWriter
from tidegate.jobs.drain import SpoolDrain
from tidegate.services.organizations import Organizations
from tidegate.services.vault import derive
from tidegate.store.ports import EventRefused, SpoolBatch
from tidegate.store.sql.database import SqlStore, open_store
from tidegate.store.sql.engines import sqlite_engine
from tidegate.store.sql.usage import SqlUsageStore

pytestmark = pytest.mark.slow


class ListLog:
    """A log that keeps the names of what was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def error(self, event: str, **fields: Any) -> None:
        self.lines.append(event)

    info = warning = error

    def debug(self, event: str, **fields: object) -> None: ...


class Place:
    """A spool directory, a store, and a drain between them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spool = path / "spool"
        self.spool.mkdir()
        self.store = open_store(data_dir=path)
        self.log = ListLog()
        self.drain = self.another_drain(self.store)

    def another_drain(self, store: SqlStore) -> SpoolDrain:
        return SpoolDrain(self.spool, store, self.log, lambda: BOOK)

    def recorded(self) -> list[UsageEvent]:
        return sorted(self.store.usage.events("org_1", 10_000), key=lambda e: e.event_id)

    def names(self) -> list[str]:
        names = {path.name for path in self.spool.iterdir()} - {"drained"}
        return sorted(Path(name).suffix for name in names)

    def abandoned(self, name: str, content: bytes) -> None:
        (self.spool / f"{name}.events").write_bytes(content)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.store.close()


def framed(*events: UsageEvent) -> bytes:
    return b"".join(frame(msgspec.msgpack.encode(one)) for one in events)


def test_events_arrive_as_they_were_written(place: Place) -> None:
    writer = SpoolWriter(place.spool, "w0")
    written = [event(n, price_unknown=n % 2 == 0, branch="ветка 🚀") for n in range(1200)]
    for one in written:
        writer.append(one)
    assert place.drain.run_once() == 1200
    assert place.recorded() == written
    assert place.drain.run_once() == 0
    writer.append(event(1200))
    assert place.drain.run_once() == 1
    assert place.names() == [".segment"]  # its writer lives
    writer.close()
    assert place.drain.run_once() == 0
    assert place.names() == []


def test_a_repeated_file_adds_nothing(place: Place) -> None:
    content = framed(*(event(n, session_id="ses_1") for n in range(10)))
    place.abandoned("one", content)
    assert place.drain.run_once() == 10
    sums = place.store.usage.ledger_sums("org_1", ())
    sessions = place.store.usage.session_sums("org_1")
    place.abandoned("two", content)
    assert place.drain.run_once() == 0
    assert (place.names(), place.log.lines) == ([], [])
    assert place.store.usage.ledger_sums("org_1", ()) == sums
    assert place.store.usage.session_sums("org_1") == sessions
    days = place.store.usage.rollup_sums("org_1", (), bucket="day", start_us=0, end_us=1 << 62)
    assert days[0].sums == sums[0].sums


def test_an_event_twice_in_one_batch_counts_once(place: Place) -> None:
    place.abandoned("one", framed(event(1), event(1), event(2)))
    assert place.drain.run_once() == 2


def test_a_torn_tail_waits_for_its_rest(place: Place) -> None:
    content = framed(event(1), event(2))
    writer = SpoolWriter(place.spool, "w0")
    [path] = place.spool.iterdir()
    path.write_bytes(content[:-1])
    assert place.drain.run_once() == 1
    path.write_bytes(content)
    assert place.drain.run_once() == 1
    assert place.log.lines == []
    writer.close()


def test_the_torn_tail_of_a_dead_writer_is_dropped(place: Place) -> None:
    place.abandoned("one", framed(event(1), event(2))[:-1])
    assert place.drain.run_once() == 1
    assert place.names() == []


@pytest.mark.parametrize(
    "damage",
    [b"garbage", bytes(100_000), frame(b"\xc1 not msgpack"), frame(b"\x80"), framed(event(7))[:-3]],
    ids=["text", "zeros", "payload", "empty map", "torn in the middle"],
)
def test_damage_is_skipped_told_and_kept_for_inspection(place: Place, damage: bytes) -> None:
    place.abandoned("one", framed(event(1)) + damage + framed(event(2), event(3)))
    assert place.drain.run_once() == 3
    assert place.log.lines == ["drain.damaged"]
    assert place.names() == [".damaged"]
    assert place.drain.run_once() == 0


def test_damage_seen_while_the_writer_lived_is_not_forgotten(place: Place) -> None:
    writer = SpoolWriter(place.spool, "w0")
    [path] = place.spool.iterdir()
    path.write_bytes(b"garbage" + framed(event(1)))
    assert place.drain.run_once() == 1
    writer.close()
    assert place.drain.run_once() == 0
    assert place.names() == [".damaged"]


def test_what_no_database_takes_is_made_fit(place: Place) -> None:
    huge = msgspec.structs.replace(event(1).tokens, input=1 << 63, output=(1 << 64) - 1)
    place.abandoned("one", framed(event(1, branch="a\0b", tokens=huge), event(2)))
    assert place.drain.run_once() == 2
    first = place.recorded()[0]
    assert first.branch == "a\N{REPLACEMENT CHARACTER}b"
    assert first.tokens.output == 1 << 50
    [total] = place.store.usage.ledger_sums("org_1", ())
    [daily] = place.store.usage.rollup_sums("org_1", (), bucket="day", start_us=0, end_us=1 << 62)
    assert daily.sums == total.sums


def test_a_time_beyond_all_calendars_stops_nothing(place: Place) -> None:
    place.abandoned("one", framed(event(1, started_us=1 << 62), event(2, started_us=-1), event(3)))
    assert place.drain.run_once() == 3


class PickyStore:
    """A store whose ledger refuses one event."""

    class Usage(SqlUsageStore):
        def record(self, batch: SpoolBatch) -> int:
            if any(one.event_id == "req_000002" for one in batch.events):
                raise EventRefused("not that one")
            return super().record(batch)

    def __init__(self, place: Place) -> None:
        self.directory = place.store.directory
        self.holds = place.store.holds
        self.usage = self.Usage(sqlite_engine(place.path / "usage.db"))

    def close(self) -> None:
        pass


def test_one_event_that_the_ledger_refuses_costs_only_itself(place: Place) -> None:
    place.abandoned("one", framed(event(1), event(2), event(3)))
    assert SpoolDrain(place.spool, PickyStore(place), place.log, lambda: BOOK).run_once() == 2
    assert [one.event_id for one in place.recorded()] == ["req_000001", "req_000003"]
    assert place.log.lines == ["drain.refused"]
    assert place.names() == [".damaged"]


def test_a_lock_on_the_database_loses_nothing(tmp_path: Path, place: Place) -> None:
    place.abandoned("one", framed(event(1)))
    os.rename(tmp_path / "usage.db", tmp_path / "away.db")
    place.store.close()
    (tmp_path / "usage.db").mkdir()
    with pytest.raises(Exception, match="unable to open"):
        place.drain.run_once()
    (tmp_path / "usage.db").rmdir()
    os.rename(tmp_path / "away.db", tmp_path / "usage.db")
    assert place.drain.run_once() == 1


def test_two_drains_at_once_count_every_event_once(place: Place) -> None:
    for file in range(6):
        place.abandoned(f"f{file}", framed(*(event(file * 700 + n) for n in range(700))))
    stores = [open_store(data_dir=place.path) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        moved = sum(pool.map(lambda store: place.another_drain(store).run_once(), stores))
    moved += place.drain.run_once()
    assert moved == 4200
    [total] = place.store.usage.ledger_sums("org_1", ())
    [daily] = place.store.usage.rollup_sums("org_1", (), bucket="day", start_us=0, end_us=1 << 62)
    assert total.sums.requests == 4200
    assert daily.sums == total.sums
    assert place.names() == []
    for store in stores:
        store.close()


def test_a_new_time_zone_moves_the_buckets(place: Place) -> None:
    organizations = Organizations(place.store, derive(bytes(32)))
    organization_id = organizations.bootstrap("Acme", "a@b.c").organization_id
    late = START_US + 23 * 3_600_000_000  # 23:00 UTC is the next day in Kathmandu
    place.abandoned("one", framed(event(1, organization_id=organization_id, started_us=late)))
    place.drain.run_once()
    assert days(place, organization_id) == [START_US]
    organizations.update(organization_id, time_zone="Asia/Kathmandu")
    place.drain.run_once()
    assert days(place, organization_id) == [START_US + (24 * 60 - 345) * 60_000_000]
    assert place.store.usage.time_zone(organization_id) == "Asia/Kathmandu"


def days(place: Place, organization_id: str) -> list[int]:
    groups = place.store.usage.rollup_sums(
        organization_id, ("bucket_start_us",), bucket="day", start_us=0, end_us=1 << 62
    )
    return [int(group.values[0]) for group in groups]


class Unlucky(SpoolDrain):
    """Fails at first, as a ledger that is away does; tells when it was asked."""

    passes = 0

    def watched(self, loop: asyncio.AbstractEventLoop) -> asyncio.Event:
        self.loop, self.drained = loop, asyncio.Event()
        return self.drained

    def run_once(self) -> int:
        self.passes += 1
        if self.passes <= 2:
            raise OSError("the ledger is away")
        moved = super().run_once()
        self.loop.call_soon_threadsafe(self.drained.set)
        return moved


def test_the_loop_outlives_failures_and_drains_a_last_time(place: Place) -> None:
    async def scenario() -> None:
        drain = Unlucky(place.spool, place.store, place.log, lambda: BOOK)
        drained = drain.watched(asyncio.get_running_loop())
        stop = asyncio.Event()
        place.abandoned("one", framed(event(1)))
        running = asyncio.create_task(drain.run(stop, poll_s=0.001))
        await drained.wait()
        assert len(place.recorded()) == 1
        place.abandoned("two", framed(event(2)))
        stop.set()
        await running
        assert len(place.recorded()) == 2

    asyncio.run(scenario())
    assert place.log.lines == ["drain.failed", "drain.failed"]


def test_how_far_the_ledger_is_behind(place: Place) -> None:
    minute_us = 60_000_000
    soon_us = time.time_ns() // 1000 + 10 * minute_us
    assert 9 * minute_us < place.drain.behind_us(soon_us) < 11 * minute_us  # nothing was drained
    place.drain.run_once()
    assert 9 * minute_us < place.drain.behind_us(soon_us) < 11 * minute_us
    os.utime(place.spool / "drained", (1, 1))  # long ago: nobody was there
    begun = place.another_drain(place.store)
    assert begun.behind_us(soon_us) < 11 * minute_us
