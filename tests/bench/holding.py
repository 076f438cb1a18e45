"""What a hard budget costs: to put aside and settle, and to read what is spent."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from tests.unit.jobs.events import START_US, event

from tidegate.core.budgets import Budget, Envelope, Subject, window_of
from tidegate.store.holds import Holder, HoldRequest, Settlement, Want
from tidegate.store.ports import SpoolBatch
from tidegate.store.sql.database import SqlStore, open_store

Part = tuple[str, Callable[[], object]]

_MEMBERS: Final = 50
_DAYS: Final = 31
_WAITING: Final = 200  # that the ledger does not have yet: half a second of a busy day
_DAY_US: Final = 86_400_000_000
_NOW_US: Final = START_US + (_DAYS - 1) * _DAY_US
_LIMIT: Final = 1 << 60


def holding(data_dir: Path) -> Iterator[Part]:
    """The parts, on SQLite: a month of fifty members' use, a budget of one key."""
    store = open_store(data_dir=data_dir)
    _fill(store)
    budget = Budget(
        budget_id="bud_1", organization_id="org_1", scope="key", scope_id="key_1", window="month"
    )
    window = window_of(budget, _NOW_US, ZoneInfo("UTC"))
    envelope = Envelope(budget.budget_id, Subject("key", "key_1"), window)
    holder = Holder("plc_1", "wrk_1")
    numbers = itertools.count()

    def hold() -> str:
        event_id = f"req_{next(numbers):030d}"
        want = Want(envelope=envelope, amount_nusd=5, limit_nusd=_LIMIT, bound_nusd=9)
        request = HoldRequest(
            event_id=event_id, organization_id="org_1", started_us=_NOW_US, wants=(want,)
        )
        assert store.holds.exchange(holder, reserve=[request])[0].passes
        return event_id

    def hold_and_settle() -> None:
        event_id = hold()
        store.holds.exchange(holder, settle=[Settlement(event_id, 3)])
        store.holds.drop_recorded([event_id])

    def read_spent() -> None:
        store.holds.standings("org_1", [envelope])

    for _ in range(_WAITING):
        hold()
    yield f"hold, settle and drop a request, {_WAITING} others held", hold_and_settle
    yield f"read what a key spent in a month, {_WAITING} held", read_spent


def _fill(store: SqlStore) -> None:
    for day in range(_DAYS):
        events = [
            event(
                0,
                event_id=f"req_{day}_{n}",
                member_id=f"mem_{n}",
                key_id=f"key_{n}",
                session_id="",
                started_us=START_US + day * _DAY_US,
            )
            for n in range(_MEMBERS)
        ]
        store.usage.record(SpoolBatch(file=f"day-{day}", start=0, end=1, events=events))
