"""The store that the Team page is measured on is one that draining would have made."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.bench.team import measure, verdict
from tests.bench.team_store import MEMBERS, NOW_US, ORGANIZATION, ZONE, fill_sums, make_store

from tidegate.services.team import Metric, TeamReports
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.database import SqlStore

pytestmark = pytest.mark.slow

SUMS = (t.hours, t.days, t.totals, t.by_member, t.by_repository)


def rows_of(store: SqlStore) -> dict[str, list[tuple[object, ...]]]:
    with store.engines["usage"].connect() as connection:
        return {
            table.name: sorted(tuple(row) for row in connection.execute(sa.select(table)))
            for table in SUMS
        }


def test_its_sums_are_those_of_its_ledger(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 20_000)
    fill_sums(store)
    made = rows_of(store)
    store.usage.adopt_zones({ORGANIZATION: "UTC"})
    store.usage.adopt_zones({ORGANIZATION: ZONE})
    assert rows_of(store) == made
    reports = TeamReports(store)
    period = reports.period(ORGANIZATION, "90d", NOW_US)
    page = reports.members(ORGANIZATION, period, Metric.REQUESTS)
    [ledger] = store.usage.ledger_sums(ORGANIZATION, ())
    assert reports.overview(ORGANIZATION, period).totals.requests == ledger.sums.requests
    assert page.total == MEMBERS
    assert page.uses[0].rank == 1
    store.close()


def test_every_sort_and_range_is_measured() -> None:
    timings = measure(20_000, rounds=1)
    assert len(timings) == 6 * len(Metric)
    assert all(timing.page_cpu_ms > timing.parts["members"] > 0 for timing in timings)
    assert "The slowest sort and range takes" in verdict(timings)
