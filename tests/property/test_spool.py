"""Each request has exactly one event, whatever dies when: exact if it ended, else crashed."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from tests.effort import examples
from tests.unit.core.tickets import BOOK
from tests.unit.jobs.events import event
from tests.unit.jobs.test_crashed import DyingStore, Killed, start
from tests.unit.jobs.test_drain import ListLog

from tidegate.core.crash import crashed_event
from tidegate.core.model import UsageEvent
from tidegate.core.spool_records import ROOM_BYTES, event_frame
from tidegate.gateway.spool import SpoolOptions, SpoolWriter
from tidegate.jobs.drain import SpoolDrain
from tidegate.store.sql.database import open_store

OPTIONS = SpoolOptions(segment_bytes=4 * ROOM_BYTES)
ROOT = tempfile.TemporaryDirectory(prefix="tidegate-spool-")
STORE = open_store(data_dir=Path(ROOT.name))
NUMBERS: Iterator[int] = itertools.count()


class SpoolMachine(RuleBasedStateMachine):
    """Two workers and the drains of one spool. Numbers are never used twice, the store is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.path = Path(tempfile.mkdtemp(dir=ROOT.name))
        self.spool = self.path / "spool"
        self.writers = [SpoolWriter(self.spool, f"w{n}", OPTIONS) for n in range(2)]
        self.log = ListLog()
        self.drain = SpoolDrain(self.spool, STORE, self.log, lambda: BOOK)
        self.running: dict[int, int] = {}
        self.expected: dict[str, UsageEvent] = {}

    @rule(worker=st.integers(0, 1), count=st.integers(1, 6))
    def begin(self, worker: int, count: int) -> None:
        for number in itertools.islice(NUMBERS, count):
            self.writers[worker].begin(start(number))
            self.running[number] = worker

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.running)))
        worker = self.running.pop(number)
        self.writers[worker].append(event(number))
        self.expected[event(number).event_id] = event(number)

    @rule(worker=st.integers(0, 1))
    def refuse(self, worker: int) -> None:
        number = next(NUMBERS)
        self.writers[worker].append(event(number))
        self.expected[event(number).event_id] = event(number)

    @rule(worker=st.integers(0, 1), torn=st.integers(0, 60))
    def crash(self, worker: int, torn: int) -> None:
        """The process is gone, perhaps in the middle of a write; another one takes its place."""
        current = self.writers[worker]._current
        assert current is not None
        path, position = current.path, current._position
        self.writers[worker].close()
        if torn and path.exists():
            with path.open("r+b") as file:
                file.seek(position)
                file.write(event_frame(event(0))[:torn])
        for number in [n for n, w in self.running.items() if w == worker]:
            del self.running[number]
            crashed = crashed_event(start(number), BOOK)
            self.expected[crashed.event_id] = crashed
        self.writers[worker] = SpoolWriter(self.spool, f"w{worker}", OPTIONS)

    @rule(worker=st.integers(0, 1))
    def tend(self, worker: int) -> None:
        self.writers[worker].tend()

    @rule()
    def move(self) -> None:
        self.drain.run_once()
        for one in self.recorded():
            assert self.expected.get(one.event_id) == one

    @rule(when=st.sampled_from(["before", "after", "forgetting"]))
    def move_and_die(self, when: str) -> None:
        dying = DyingStore(STORE, Path(ROOT.name), when)
        try:
            SpoolDrain(self.spool, dying, self.log, lambda: BOOK).run_once()
        except Killed:
            return

    def recorded(self) -> list[UsageEvent]:
        first = min(self.expected, default="~")
        newest = STORE.usage.events("org_1", len(self.expected) + 50)
        return [one for one in newest if one.event_id >= first]

    def teardown(self) -> None:
        for worker in range(2):
            self.crash(worker, 0)
        self.drain.run_once()
        assert {one.event_id: one for one in self.recorded()} == self.expected
        assert "drain.damaged" not in self.log.lines
        assert len(list(self.spool.glob("*.segment"))) == 2
        for writer in self.writers:
            writer.close()


SpoolMachine.TestCase.settings = settings(
    max_examples=examples(40), stateful_step_count=30, deadline=None
)
TestSpool = SpoolMachine.TestCase
