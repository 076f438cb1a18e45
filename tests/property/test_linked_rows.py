"""The rows that a number links to amount to just that number, in every zone."""

import shutil
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import examples
from tests.property.test_team_reports import HOUR, MEMBERS, PLACES, ledgers, micros, unique
from tests.recount import ORGANIZATION, figures_of

from tidegate.core.figures import Figures
from tidegate.core.model import OrganizationRecord
from tidegate.core.periods import Period
from tidegate.services.errors import InvalidField
from tidegate.services.request_log import NO_REPOSITORY, LogFilter, RequestLog
from tidegate.services.team import Metric, TeamReports
from tidegate.store.people import MemberRecord
from tidegate.store.ports import SpoolBatch
from tidegate.store.sql.database import SqlStore, open_store

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data_dir = tmp_path_factory.mktemp("log") / "new"
    store = open_store(data_dir=data_dir)
    with store.directory.changing() as change:
        change.add_organization(OrganizationRecord(organization_id=ORGANIZATION, name="A"), 1)
        for name in MEMBERS:
            change.add_member(
                MemberRecord(member_id=name, organization_id=ORGANIZATION, email=f"{name}@b.c")
            )
    store.close()
    return data_dir


class Linked:
    """Looks a page's numbers up in the log."""

    def __init__(self, store: SqlStore, period: Period) -> None:
        self._log = RequestLog(store, lambda: pytest.fail("no prices are asked for"))
        self._period = period

    def holds(self, figures: Figures, start_us: int = 0, end_us: int = 0, **only: object) -> None:
        """Whether the rows of a link, and the sums shown above them, are these figures."""
        period = self._period
        chosen = LogFilter(
            start_us=start_us or period.start_us,
            end_us=end_us or period.end_us,
            **only,  # type: ignore[arg-type]
        )
        rows = [one for part in self._log.rows(ORGANIZATION, chosen) for one in part]
        assert figures_of(rows) == figures
        assert self._log.sums(ORGANIZATION, chosen) == figures

    def histogram_holds(self, requests: list[int], **only: object) -> None:
        chosen = LogFilter(**only)  # type: ignore[arg-type]
        found = self._log.histogram(ORGANIZATION, chosen, self._period)
        assert [bucket.volume.requests for bucket in found.buckets] == requests
        assert found.volume.requests == sum(requests)


def check(store: SqlStore, period: Period) -> None:
    """Every number of the Team page and My usage."""
    reports, linked = TeamReports(store), Linked(store, period)
    overview = reports.overview(ORGANIZATION, period)
    linked.holds(overview.totals)
    linked.histogram_holds([figures.requests for figures in overview.series])
    for index, figures in enumerate(overview.series):
        if figures.requests:
            linked.holds(figures, *period.bounds(index))
    for use in reports.members(ORGANIZATION, period, Metric.REQUESTS).uses:
        member_id = use.member.member_id
        linked.holds(use.figures, member_ids=(member_id,))
        linked.histogram_holds(use.series, member_ids=(member_id,))
        for model in reports.member_models(ORGANIZATION, period, member_id):
            one = {"member_ids": (member_id,), "agents": (model.agent,), "models": (model.model,)}
            linked.holds(model.figures, **one)  # type: ignore[arg-type]
    ranked = reports.repositories(ORGANIZATION, period, Metric.COST, 9)
    linked.holds(ranked.unattributed.figures, repository=NO_REPOSITORY)
    for row in ranked.rows:
        linked.holds(row.figures, repository=row.repository)


@settings(max_examples=examples(30), deadline=None)
@given(st.data())
def test_linked_rows_amount_to_the_number(new_store: Path, data: st.DataObject) -> None:
    zone, around = data.draw(st.sampled_from(PLACES))
    centre = datetime.fromisoformat(f"{around}:00+00:00")
    batches = data.draw(ledgers(centre))
    with tempfile.TemporaryDirectory() as path:
        store = open_store(data_dir=Path(shutil.copytree(new_store, Path(path) / "data")))
        store.usage.adopt_zones({ORGANIZATION: zone})
        for number, batch in enumerate(batches):
            store.usage.record(SpoolBatch(file=f"f{number}", start=0, end=1, events=batch))
        assert sorted(one.event_id for one in unique(batches)) == sorted(
            row.event_id for part in store.usage.log.rows(ORGANIZATION, LogFilter()) for row in part
        )
        now = centre + data.draw(st.integers(-30, 30)) * HOUR + timedelta(minutes=10)
        for name in ("24h", "7d", "90d", "custom"):
            first = last = now.date() - timedelta(days=data.draw(st.integers(0, 3)))
            given_dates = (first, last) if name == "custom" else ()
            try:
                period = TeamReports(store).period(ORGANIZATION, name, micros(now), *given_dates)
            except InvalidField:  # a day that the zone left out
                continue
            check(store, period)
        store.close()
