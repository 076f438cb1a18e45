"""Whatever happens to requests, workers and drains: a strict budget is never exceeded, and at the
end what is spent is what the ledger has."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.effort import examples
from tests.unit.jobs.events import START_US, event

from tidegate.core.budgets import Envelope, Subject, Window
from tidegate.core.model import Cost, UsageEvent
from tidegate.store.holds import EXPIRY_S, Decision, Holder, HoldRequest, Settlement, Want
from tidegate.store.ports import SpoolBatch
from tidegate.store.sql.database import SqlStore, open_store

pytestmark = pytest.mark.slow

ROOT = tempfile.TemporaryDirectory(prefix="tidegate-holds-")
NUMBERS: Iterator[int] = itertools.count(1)
PLACE = "plc_1"
LIMIT = 100


class Clock:
    us = 1_000_000_000

    def now(self, _statements: object) -> tuple[int, str]:
        return self.us, "boot"


CLOCK = Clock()


def _opened() -> SqlStore:
    """As another process has it: what it remembers is its own."""
    store = open_store(data_dir=Path(ROOT.name))
    store.holds.clock = CLOCK
    return store


STORES = [_opened(), _opened()]


class Request:
    """A request as it really is, whoever knows what of it."""

    def __init__(self, number: int, holder: Holder, hold: int) -> None:
        self.event_id = f"req_{number:012d}"
        self.holder = holder
        self.hold = hold
        self.begun = False  # its start is in the spool
        self.over = False
        self.cost = 0

    def event(self, member_id: str) -> UsageEvent:
        return event(
            1,
            event_id=self.event_id,
            member_id=member_id,
            session_id="",
            cost=Cost(input=self.cost),
            started_us=START_US,
        )


class Budgets(RuleBasedStateMachine):
    """Two workers with one strict budget; the drain's steps one by one, each the last perhaps."""

    def __init__(self) -> None:
        super().__init__()
        number = next(NUMBERS)
        self.member_id = f"mem_{number}"
        subject = Subject("member", self.member_id)
        self.envelope = Envelope(f"bud_{number}", subject, Window(0, 0))
        self.holders = [self._worker() for _ in STORES]
        self.running: list[Request] = []
        self.spool: list[Request] = []  # ended, and not in the ledger
        self.recorded: list[Request] = []
        self.undropped: list[str] = []
        self.unsettled: list[tuple[int, Settlement]] = []

    def _worker(self) -> Holder:
        return Holder(PLACE, f"wrk_{next(NUMBERS)}")

    @rule(worker=st.integers(0, 1), holds=st.lists(st.integers(0, 40), min_size=1, max_size=4))
    def reserve(self, worker: int, holds: list[int]) -> None:
        requests = [Request(next(NUMBERS), self.holders[worker], hold) for hold in holds]
        gone = self._gone()
        decisions = self._exchange(worker, requests)
        for request, decision in zip(requests, decisions, strict=True):
            fits = gone < LIMIT and gone + request.hold <= LIMIT
            assert decision.passes == fits
            gone += request.hold if fits else 0
            self.running.extend([request] if fits else [])

    def _exchange(self, worker: int, requests: list[Request]) -> list[Decision]:
        return STORES[worker].holds.exchange(
            self.holders[worker],
            reserve=[
                HoldRequest(
                    event_id=request.event_id,
                    organization_id="org_1",
                    started_us=START_US,
                    wants=(
                        Want(
                            envelope=self.envelope,
                            amount_nusd=request.hold,
                            limit_nusd=LIMIT,
                            bound_nusd=request.hold,
                        ),
                    ),
                )
                for request in requests
            ],
        )

    @precondition(lambda self: self.running)
    @rule(at=st.integers(0, 30))
    def begin(self, at: int) -> None:
        self.running[at % len(self.running)].begun = True

    @precondition(lambda self: self.running)
    @rule(at=st.integers(0, 30), share=st.integers(0, 4))
    def end(self, at: int, share: int) -> None:
        """Its event is in the spool; its settlement is on its way, and may be late."""
        request = self.running[at % len(self.running)]
        self.running.remove(request)
        self._ends(request, share)
        worker = self.holders.index(request.holder)
        self.unsettled.append((worker, Settlement(request.event_id, request.cost)))

    def _ends(self, request: Request, share: int) -> None:
        request.over, request.cost = True, request.hold * share // 4
        self.spool.append(request)

    @precondition(lambda self: self.running)
    @rule(at=st.integers(0, 30))
    def give_up(self, at: int) -> None:
        """It never went out."""
        request = self.running[at % len(self.running)]
        if not request.begun:
            self.running.remove(request)
            worker = self.holders.index(request.holder)
            STORES[worker].holds.exchange(request.holder, release=[request.event_id])

    @precondition(lambda self: self.unsettled)
    @rule()
    def settle(self) -> None:
        worker, settlement = self.unsettled.pop(0)
        STORES[worker].holds.exchange(self.holders[worker], settle=[settlement])

    @rule(worker=st.integers(0, 1), share=st.integers(0, 4))
    def crash(self, worker: int, share: int) -> None:
        """What it had begun the drain will find; settlements on their way are lost."""
        dead, self.holders[worker] = self.holders[worker], self._worker()
        for request in [r for r in self.running if r.holder == dead]:
            self.running.remove(request)
            if request.begun:
                self._ends(request, share)
        self.unsettled = [each for each in self.unsettled if each[0] != worker]

    @rule(seconds=st.sampled_from([20, EXPIRY_S // 2, EXPIRY_S + 1]))
    def wait(self, seconds: int) -> None:
        CLOCK.us += seconds * 1_000_000
        for store, holder in zip(STORES, self.holders, strict=True):
            store.holds.renew(holder)

    @rule(drops=st.booleans(), sweeps=st.booleans(), some=st.integers(1, 3))
    def drain(self, drops: bool, sweeps: bool, some: int) -> None:
        """A pass, which may end after some of what is there, before it drops or sweeps it."""
        expired = STORES[0].holds.expired(PLACE)
        self._record(self.spool[: len(self.spool) if sweeps else some])
        if drops or sweeps:
            self._drop()
        if sweeps:
            STORES[0].holds.sweep(expired)

    def _record(self, requests: list[Request]) -> None:
        if not requests:
            return
        events = [request.event(self.member_id) for request in requests]
        batch = SpoolBatch(file=f"file-{next(NUMBERS)}", start=0, end=1, events=events)
        assert STORES[0].usage.record(batch) == len(events)
        for request in requests:
            self.spool.remove(request)
            self.recorded.append(request)
            self.undropped.append(request.event_id)

    @rule()
    def drop(self) -> None:
        self._drop()

    def _drop(self) -> None:
        STORES[1].holds.drop_recorded(self.undropped)
        self.undropped = []

    def _spent(self) -> int:
        return sum(request.cost for request in self.recorded)

    def _gone(self) -> int:
        [standing] = STORES[1].holds.standings("org_1", [self.envelope])
        assert standing.spent_nusd == self._spent()
        return standing.gone_nusd

    @invariant()
    def nothing_is_forgotten_and_the_limit_holds(self) -> None:
        truly = sum(r.cost for r in (*self.recorded, *self.spool))
        truly += sum(r.hold for r in self.running)
        assert truly <= self._gone() <= LIMIT

    def teardown(self) -> None:
        """All workers go; when everything was drained, nothing is left but the ledger."""
        for worker in range(2):
            self.crash(worker, 3)
        CLOCK.us += (EXPIRY_S + 1) * 1_000_000
        self.drain(drops=False, sweeps=True, some=1)
        [standing] = STORES[0].holds.standings("org_1", [self.envelope])
        assert (standing.spent_nusd, standing.held_nusd) == (self._spent(), 0)


Budgets.TestCase.settings = settings(
    max_examples=examples(60), stateful_step_count=40, deadline=None
)
TestBudgets = Budgets.TestCase
