"""Many processes reserve at once: exactly as many pass as fit."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing

import pytest
from tests.port.conftest import Place
from tests.unit.jobs.events import START_US, event

from tidegate.core.budgets import Envelope, Subject, Window
from tidegate.core.model import Cost
from tidegate.store.holds import Holder, HoldRequest, Settlement, Want
from tidegate.store.ports import SpoolBatch

pytestmark = pytest.mark.slow

PROCESSES, EACH, FITTING, HOLD, COST = 4, 250, 100, 1_000_003, 999_999
ENVELOPE = Envelope("bud_1", Subject("organization"), Window(0, 0))


def _reserve(place: Place, process: int) -> list[str]:
    """Reserve from two threads, a few at a time: those that passed."""
    holder = Holder("plc_1", f"wrk_{process}")
    with closing(place.open(migrate=False, connections=8)) as store:

        def some(first: int) -> list[str]:
            requests = [
                HoldRequest(
                    event_id=f"req_{process}_{number:04d}",
                    organization_id="org_1",
                    started_us=START_US,
                    wants=(
                        Want(
                            envelope=ENVELOPE,
                            amount_nusd=HOLD,
                            limit_nusd=FITTING * HOLD + HOLD - 1,
                        ),
                    ),
                )
                for number in range(first, min(first + 3, EACH))
            ]
            decisions = store.holds.exchange(holder, reserve=requests)
            return [decision.event_id for decision in decisions if decision.passes]

        with ThreadPoolExecutor(2) as threads:
            return [one for part in threads.map(some, range(0, EACH, 3)) for one in part]


def test_exactly_as_many_pass_as_fit(place: Place) -> None:
    with closing(place.open()) as store:
        with ProcessPoolExecutor(
            PROCESSES, mp_context=multiprocessing.get_context("spawn")
        ) as processes:
            runs = [processes.submit(_reserve, place, n) for n in range(PROCESSES)]
            passed = sorted(one for run in runs for one in run.result())
        assert len(passed) == len(set(passed)) == FITTING
        [standing] = store.holds.standings("org_1", [ENVELOPE])
        assert (standing.spent_nusd, standing.held_nusd) == (0, FITTING * HOLD)
        holder = Holder("plc_1", "wrk_0")
        store.holds.exchange(holder, settle=[Settlement(one, COST) for one in passed])
        events = [event(1, event_id=one, cost=Cost(input=COST)) for one in passed]
        store.usage.record(SpoolBatch(file="all", start=0, end=1, events=events))
        store.holds.drop_recorded(passed)
        [standing] = store.holds.standings("org_1", [ENVELOPE])
        [ledger] = store.usage.ledger_sums("org_1", ())
        assert (standing.spent_nusd, standing.held_nusd) == (FITTING * COST, 0)
        assert ledger.sums.cost_nusd == standing.spent_nusd
