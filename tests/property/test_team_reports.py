"""What the Team page says of any range equals a recount of the ledger, in every zone."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import examples
from tests.recount import ORGANIZATION, check_reports
from tests.unit.jobs.events import event

from tidegate.core.model import OrganizationRecord, UsageEvent
from tidegate.services.errors import InvalidField
from tidegate.services.team import Metric, TeamReports
from tidegate.store.people import MemberRecord
from tidegate.store.ports import SpoolBatch
from tidegate.store.sql.database import SqlStore, open_store

pytestmark = pytest.mark.slow

MEMBERS = ("mem_1", "mem_2", "mem_3")
# A zone, and a time in it around which its clocks do something.
PLACES = (
    ("UTC", "2026-03-01T00"),
    ("Asia/Kathmandu", "2026-03-01T18"),
    ("Europe/Berlin", "2026-10-25T01"),
    ("Australia/Lord_Howe", "2026-04-04T15"),
    ("Australia/Lord_Howe", "2026-10-03T15"),
    ("Africa/Cairo", "2026-04-23T22"),
    ("Pacific/Apia", "2011-12-30T10"),
    ("America/Sao_Paulo", "2018-11-04T03"),
    ("America/Sao_Paulo", "2018-02-18T02"),
    ("America/St_Johns", "2010-11-07T02"),
    ("Antarctica/Casey", "2010-03-04T15"),
)
HOUR = timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data_dir = tmp_path_factory.mktemp("team") / "empty"
    store = open_store(data_dir=data_dir)
    with store.directory.changing() as change:
        change.add_organization(OrganizationRecord(organization_id=ORGANIZATION, name="A"), 1)
        for name in (*MEMBERS, "mem_idle"):
            email = f"{name}@example.com"
            change.add_member(
                MemberRecord(member_id=name, organization_id=ORGANIZATION, email=email)
            )
    store.close()
    return data_dir


@contextmanager
def opened(empty: Path) -> Iterator[SqlStore]:
    with tempfile.TemporaryDirectory() as path:
        store = open_store(data_dir=Path(shutil.copytree(empty, Path(path) / "data")))
        yield store
        store.close()


@st.composite
def ledgers(draw: st.DrawFn, centre: datetime) -> list[list[UsageEvent]]:
    """Batches of events within a few weeks, most of them near the change.

    A session stays in one repository, so that what requests say is what they count for.
    """
    repositories = st.sampled_from(["", "github.com/a/b", "github.com/a/c"])
    of_session = dict.fromkeys((1, 3, 4), draw(repositories)) | {2: draw(repositories)}
    hours = st.floats(-3, 3) | st.floats(-60, 60) | st.floats(-24 * 25, 24 * 25)
    batches = []
    number = 0
    for size in draw(st.lists(st.integers(1, 8), max_size=4)):
        batch = []
        for _ in range(size):
            fields: dict[str, Any] = {
                "started_us": micros(centre) + int(draw(hours) * 3_600_000_000),
                "member_id": draw(st.sampled_from(MEMBERS)),
                "billing": draw(st.sampled_from(["api", "api", "subscription"])),
                "model_served": draw(st.sampled_from(["m1", ""])),
                "duration_us": draw(st.sampled_from([0, 500, 90_000_000])),
            }
            session = draw(st.integers(0, 4))
            fields["repository"] = of_session[session] if session else draw(repositories)
            if session:
                fields["session_id"] = f"ses_{session}"
                # 3 and 4 are sub-agents, of 1 and of 3: known late, early or always
                if session > 2 and draw(st.booleans()):
                    fields["parent_session_id"] = "ses_1" if session == 3 else "ses_3"
            batch.append(event(number, **fields))
            number += draw(st.integers(0, 3)) and 1
        batches.append(batch)
    return batches


def unique(batches: list[list[UsageEvent]]) -> list[UsageEvent]:
    """Events as the ledger keeps them: of a batch the last of an id, of all batches the first."""
    ledger: dict[str, UsageEvent] = {}
    for batch in batches:
        ledger = {one.event_id: one for one in batch} | ledger
    return list(ledger.values())


@settings(max_examples=examples(40), deadline=None)
@given(st.data())
def test_reports_equal_a_recount(empty: Path, data: st.DataObject) -> None:
    zone, around = data.draw(st.sampled_from(PLACES))
    centre = datetime.fromisoformat(f"{around}:00:00+00:00")
    batches = data.draw(ledgers(centre))
    next_zone, _ = data.draw(st.sampled_from(PLACES))
    with opened(empty) as store:
        store.usage.adopt_zones({ORGANIZATION: zone})
        for number, batch in enumerate(batches):
            store.usage.record(SpoolBatch(file=f"f{number}", start=0, end=1, events=batch))
        reports = TeamReports(store)
        events = unique(batches)
        check_any(reports, events, centre, data)
        store.usage.adopt_zones({ORGANIZATION: next_zone})
        check_any(reports, events, centre, data)


def check_any(
    reports: TeamReports, events: list[UsageEvent], centre: datetime, data: st.DataObject
) -> None:
    """Check a few ranges, named or custom, at a moment near the change."""
    for _ in range(2):
        now = centre + data.draw(st.integers(-30, 30)) * HOUR + timedelta(minutes=10)
        name = data.draw(st.sampled_from(["24h", "7d", "30d", "90d", "custom"]))
        first = last = None
        if name == "custom":
            first = now.date() - timedelta(days=data.draw(st.integers(0, 30)))
            last = min(now.date(), first + timedelta(days=data.draw(st.integers(0, 30))))
        try:
            period = reports.period(ORGANIZATION, name, micros(now), first, last)
        except InvalidField:  # tomorrow in the zone, or the day that it left out
            assert isinstance(last, date)
            continue
        metric = data.draw(st.sampled_from(Metric))
        check_reports(reports, events, period, metric)
