"""The drain lets go what the ledger has, and what is held for workers that are gone."""

import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.unit.core.tickets import BOOK
from tests.unit.jobs.events import START_US, event
from tests.unit.jobs.test_crashed import start
from tests.unit.jobs.test_drain import ListLog

from tidegate.core.budgets import Envelope, Subject, Window
from tidegate.gateway.spool import SpoolOptions, SpoolWriter
from tidegate.jobs.drain import SpoolDrain
from tidegate.services.places import holder_name, known_place, place_of
from tidegate.store.file_locks import make_locked
from tidegate.store.holds import EXPIRY_S, Holder, HoldRequest, Want
from tidegate.store.ports import StoreUnavailable
from tidegate.store.sql.database import SqlStore, open_store

pytestmark = pytest.mark.slow

ENVELOPE = Envelope("bud_1", Subject("organization"), Window(0, 0))


class Clock:
    us = 1_000_000_000

    def now(self, _statements: object) -> tuple[int, str]:
        return self.us, "boot"


class Desk:
    """A worker with its spool, and the drain."""

    def __init__(self, path: Path) -> None:
        self.store = open_store(data_dir=path)
        self.store.holds.clock = self.clock = Clock()
        self.spool = path / "spool"
        self.writer = SpoolWriter(self.spool, "w1", SpoolOptions(segment_bytes=64 << 10))
        self.holder = Holder(place_of(self.spool), "wrk_1")
        self.log = ListLog()

    def hold(self, *numbers: int) -> None:
        wants = (Want(envelope=ENVELOPE, amount_nusd=1000, limit_nusd=1 << 60),)
        requests = [
            HoldRequest(
                event_id=event(n).event_id,
                organization_id="org_1",
                started_us=START_US,
                wants=wants,
            )
            for n in numbers
        ]
        assert all(d.passes for d in self.store.holds.exchange(self.holder, reserve=requests))

    def drain(self, store: SqlStore | None = None) -> None:
        """As a drain that starts now."""
        SpoolDrain(self.spool, store or self.store, self.log, lambda: BOOK).run_once()

    @property
    def standing(self) -> tuple[int, int]:
        [found] = self.store.holds.standings("org_1", [ENVELOPE])
        return found.spent_nusd, found.held_nusd

    @property
    def rows(self) -> int:
        with self.store.engines["holds"].connect() as connection:
            return int(connection.exec_driver_sql("SELECT count(*) FROM holds").scalar_one())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_dead_workers_holds_go_with_its_spool(desk: Desk) -> None:
    desk.hold(1, 2, 3)
    for number in (1, 2):
        desk.writer.begin(start(number))
    desk.writer.append(event(1))
    desk.drain()
    assert desk.standing == (event(1).cost.total, 2000)
    desk.writer.close()  # what it had begun the drain finds
    desk.drain()
    spent, held = desk.standing
    assert spent > event(1).cost.total
    assert held == 1000  # the third never went out
    desk.clock.us += (EXPIRY_S + 1) * 1_000_000
    desk.drain()
    assert (desk.standing, desk.rows) == ((spent, 0), 0)
    assert "drain.released" in desk.log.lines


@pytest.mark.parametrize("jump_s", [-7200, 0, 7200])
def test_a_worker_that_keeps_its_lock_lives_whatever_clocks_say(desk: Desk, jump_s: int) -> None:
    path, lock = make_locked(desk.spool, "*.holder", "w1")
    desk.holder = Holder(desk.holder.place, path.stem)
    desk.hold(1, 2)
    desk.writer.begin(start(1))
    desk.clock.us += jump_s * 1_000_000
    drain = SpoolDrain(desk.spool, desk.store, desk.log, lambda: BOOK)
    drain.run_once()
    drain.run_once()
    assert desk.standing == (0, 2000)
    os.close(lock)  # as the system does when the worker is killed
    desk.writer.close()
    drain.run_once()
    spent, held = desk.standing
    assert (held, desk.rows) == (0, 0)
    assert spent > 0
    assert not path.exists()


class Unwilling:
    """A store whose ledger takes nothing for now."""

    def __init__(self, of: SqlStore) -> None:
        self.directory, self.usage, self.holds = of.directory, self, of.holds
        self._of = of

    def __getattr__(self, name: str) -> Any:
        return getattr(self._of.usage, name)

    def record(self, _batch: object) -> int:
        raise StoreUnavailable("the ledger is away")


def test_nothing_is_released_before_the_spool_was_read_to_its_end(desk: Desk) -> None:
    path, lock = make_locked(desk.spool, "*.holder", "w1")
    desk.holder = Holder(desk.holder.place, path.stem)
    desk.hold(1)
    desk.writer.begin(start(1))
    os.close(lock)
    desk.writer.close()
    with pytest.raises(StoreUnavailable):
        desk.drain(Unwilling(desk.store))  # type: ignore[arg-type]
    assert desk.standing == (0, 1000)
    assert path.exists()
    desk.drain()
    assert desk.standing[0] > 0
    assert desk.standing[1] == 0


def test_what_cannot_be_released_now_is_released_later(desk: Desk) -> None:
    path, lock = make_locked(desk.spool, "*.holder", "w1")
    desk.holder = Holder(desk.holder.place, path.stem)
    desk.hold(1)
    os.close(lock)
    away = SpoolDrain(desk.spool, Stumbling(desk.store), desk.log, lambda: BOOK)  # type: ignore[arg-type]
    for _ in range(3):
        away.run_once()
    assert desk.log.lines.count("drain.holds") == 1  # tried again, but not every half second
    assert path.exists()
    desk.drain()
    assert (desk.standing, path.exists()) == ((0, 0), False)


def test_a_worker_locks_the_file_of_its_name(tmp_path: Path) -> None:
    name = holder_name(tmp_path, "worker-1")
    with (tmp_path / f"{name}.holder").open() as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert holder_name(tmp_path, "worker-1") != name
    assert holder_name(tmp_path / "missing", "worker-1").startswith("worker-1-")


class Stumbling:
    """A store whose holds cannot be written for now."""

    def __init__(self, of: SqlStore) -> None:
        self.directory, self.usage, self.holds = of.directory, of.usage, self

    def drop_recorded(self, _event_ids: list[str]) -> None:
        raise StoreUnavailable("database is locked")

    def expired(self, _place: str, **_known: object) -> list[str]:
        raise StoreUnavailable("database is locked")


def test_holds_that_cannot_be_dropped_are_seen_through_and_swept_later(desk: Desk) -> None:
    desk.hold(1)
    desk.writer.begin(start(1))
    desk.writer.append(event(1))
    desk.drain(Stumbling(desk.store))  # type: ignore[arg-type]
    spent = event(1).cost.total
    assert desk.log.lines.count("drain.holds") == 2
    assert (desk.standing, desk.rows) == ((spent, 0), 1)
    desk.drain()
    assert (desk.standing, desk.rows) == ((spent, 0), 0)


def test_a_spool_gets_one_name(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    assert known_place(spool) == ""
    with ThreadPoolExecutor(8) as threads:
        names = set(threads.map(lambda _: place_of(spool), range(32)))
    assert names == {known_place(spool)}
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_a_spool_that_cannot_be_named_stops_nobody(tmp_path: Path) -> None:
    nowhere = tmp_path / "missing" / "spool"  # as on a full disk: no file can be made
    assert place_of(nowhere) != place_of(nowhere)
    assert known_place(nowhere) == ""
