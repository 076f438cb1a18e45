"""Cards of repositories, cards of pull requests: each with its "unattributed" is the whole."""

import shutil
import tempfile
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import examples
from tests.recount import ORGANIZATION
from tests.unit.jobs.events import event

from tidegate.core.attribution import Kind, Method
from tidegate.core.figures import Figures
from tidegate.core.model import Link, OrganizationRecord, UsageEvent
from tidegate.services.team import Metric, TeamReports
from tidegate.store.forge import Facts, RepositoryFact
from tidegate.store.ports import SpoolBatch
from tidegate.store.sql.database import SqlStore, open_store

pytestmark = pytest.mark.slow

HOUR_US = 3_600_000_000
NOW_US = 1_795_348_800_000_000
REPOSITORIES = ("github.com/a/b", "github.com/a/c", "gitlab.com/g/s/d")
PULLS = tuple(f"{name}#{number}" for name in REPOSITORIES for number in (1, 2))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data_dir = tmp_path_factory.mktemp("places") / "empty"
    store = open_store(data_dir=data_dir)
    with store.directory.changing() as change:
        change.add_organization(OrganizationRecord(organization_id=ORGANIZATION, name="A"), 1)
    store.close()
    return data_dir


def link(kind: Kind, value: str, method: Method) -> Link:
    return Link(kind.value, value, method.value, source="x")


LINKS = st.one_of(
    st.sampled_from(PULLS).map(lambda value: link(Kind.PULL_REQUEST, value, Method.TOOL)),
    st.sampled_from(REPOSITORIES).map(lambda value: link(Kind.REPOSITORY, value, Method.TOOL)),
    st.sampled_from(REPOSITORIES).map(
        lambda value: link(Kind.REPOSITORY, value, Method.TURN_METADATA)
    ),
)


@st.composite
def batches(draw: st.DrawFn) -> list[list[UsageEvent]]:
    """Requests of a few sessions within days, some with links, in any order."""
    found, number = [], 0
    for size in draw(st.lists(st.integers(1, 6), min_size=1, max_size=5)):
        batch = []
        for _ in range(size):
            session = draw(st.integers(0, 4))
            batch.append(
                event(
                    number,
                    started_us=NOW_US - draw(st.integers(0, 24 * 9)) * HOUR_US,
                    session_id=f"ses_{session}" if session else "",
                    parent_session_id="ses_1" if session == 4 else "",
                    repository=draw(st.sampled_from(["", *REPOSITORIES])),
                    billing=draw(st.sampled_from(["api", "subscription"])),
                    links=tuple(draw(st.lists(LINKS, max_size=2))),
                )
            )
            number += 1
        found.append(batch)
    return found


def same_as_at_first_sight(known: TeamReports, store: SqlStore) -> None:
    """Whoever has looked before sees what a newcomer sees."""
    fresh = TeamReports(store)
    end = date(2026, 11, 18)  # a range that is over: sessions went on after it
    periods = [
        fresh.period(ORGANIZATION, "30d", NOW_US),
        fresh.period(ORGANIZATION, "custom", NOW_US, end - timedelta(days=3), end),
    ]
    for period in periods:
        asked = (ORGANIZATION, period, Metric.COST, 2, 1)
        assert known.pull_requests(*asked) == fresh.pull_requests(*asked)
        assert known.repositories(*asked) == fresh.repositories(*asked)


@settings(max_examples=examples(20), deadline=None)
@given(batches(), st.booleans(), st.sampled_from(["24h", "7d", "30d"]))
def test_cards_and_the_rest_are_the_whole(
    empty: Path, found: list[list[UsageEvent]], renamed: bool, name: str
) -> None:
    with tempfile.TemporaryDirectory() as path:
        store = open_store(data_dir=Path(shutil.copytree(empty, Path(path) / "data")))
        known_reports = TeamReports(store)
        for number, batch in enumerate(found):
            store.usage.record(SpoolBatch(file=f"f{number}", start=0, end=1, events=batch))
            same_as_at_first_sight(known_reports, store)
        if renamed:
            known = [
                RepositoryFact(repository_id=1, name=REPOSITORIES[0], at_us=1),
                RepositoryFact(
                    repository_id=1, name="github.com/a/z", at_us=2, former=REPOSITORIES[0]
                ),
            ]
            store.usage.forge.take(ORGANIZATION, Facts(repositories=known))
        same_as_at_first_sight(known_reports, store)
        reports = TeamReports(store)
        period = reports.period(ORGANIZATION, name, NOW_US)
        total = reports.overview(ORGANIZATION, period).totals
        for metric in Metric:
            ranked = reports.repositories(ORGANIZATION, period, metric, 1000)
            whole = sum((row.figures for row in ranked.rows), ranked.unattributed.figures)
            assert whole == total
            pulls = reports.pull_requests(ORGANIZATION, period, metric, 1000)
            whole = sum((row.figures for row in pulls.rows), pulls.unattributed.figures)
            assert whole == total
            least = Figures()
            for row in pulls.rows:
                least += row.figures
            assert least.requests <= total.requests
            paged = [reports.repositories(ORGANIZATION, period, metric, 1, n) for n in range(5)]
            assert [row for page in paged for row in page.rows] == ranked.rows
        store.close()
