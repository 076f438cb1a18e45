"""Sums of members and repositories on every backend: a recount of the ledger, in any zone."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.port.conftest import Place
from tests.recount import ORGANIZATION, check_reports
from tests.unit.jobs.events import event

from tidegate.core.figures import Figures
from tidegate.core.model import OrganizationRecord, UsageEvent
from tidegate.services.team import Metric, TeamReports
from tidegate.store.people import MemberRecord
from tidegate.store.ports import SpoolBatch
from tidegate.store.sql import upgrade
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.database import SqlStore
from tidegate.store.sql.migrate import version_table

pytestmark = pytest.mark.slow

MEMBERS = ("mem_1", "mem_2", "mem_3")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Zones, and times around which their clocks do something.
PLACES = (
    ("Asia/Kathmandu", "2026-03-01T18:00:00+00:00"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00+00:00"),
    ("Pacific/Apia", "2011-12-30T10:00:00+00:00"),
    ("America/Sao_Paulo", "2018-11-04T03:00:00+00:00"),
)
TEAM_TABLES = (
    t.totals, t.by_member, t.by_key, t.by_squad, t.by_repository, t.last_uses, t.session_places,
    t.latencies,
)  # fmt: skip


def micros(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def fill(store: SqlStore) -> None:
    with store.directory.changing() as change:
        change.add_organization(OrganizationRecord(organization_id=ORGANIZATION, name="A"), 1)
        for name in MEMBERS:
            email = f"{name}@example.com"
            change.add_member(
                MemberRecord(member_id=name, organization_id=ORGANIZATION, email=email)
            )


def some_events(dice: random.Random, centre: datetime, count: int) -> list[UsageEvent]:
    """Events of some weeks, many of them near the centre; sub-agents among the sessions."""
    events = []
    for number in range(count):
        hours = dice.choice([dice.gauss(0, 2), dice.gauss(0, 40), dice.uniform(-600, 600)])
        session = dice.randrange(6)
        fields: dict[str, Any] = {"session_id": f"ses_{session}"} if session else {}
        fields["squad_id"] = ("", "sqd_1", "sqd_2")[number % 3]
        if session > 3 and dice.random() < 0.3:
            fields["parent_session_id"] = "ses_1" if session == 4 else "ses_4"
        events.append(
            event(
                number,
                started_us=micros(centre) + int(hours * 3_600_000_000),
                member_id=dice.choice(MEMBERS),
                key_id=dice.choice(["key_1", "key_2"]),
                billing=dice.choice(["api", "api", "subscription"]),
                repository=dice.choice(["", "github.com/a/b", "github.com/a/c"]),
                **fields,
            )
        )
    return events


def put(store: SqlStore, events: list[UsageEvent], size: int = 7) -> None:
    for start in range(0, len(events), size):
        some = events[start : start + size]
        file = f"{some[0].event_id}-{len(some)}"
        store.usage.record(SpoolBatch(file=file, start=0, end=1, events=some))


def rows_of(place: Place, tables: tuple[sa.Table, ...] = TEAM_TABLES) -> dict[str, list[Any]]:
    with place.connected("usage") as connection:
        return {
            table.name: sorted(tuple(row) for row in connection.execute(sa.select(table)))
            for table in tables
        }


@pytest.mark.parametrize(("zone", "around"), PLACES)
def test_reports_equal_a_recount_whatever_the_zone(
    store: SqlStore, place: Place, zone: str, around: str
) -> None:
    centre = datetime.fromisoformat(around)
    fill(store)
    store.usage.adopt_zones({ORGANIZATION: zone})
    events = some_events(random.Random(zone), centre, 40)
    put(store, events)
    events = store.usage.events(ORGANIZATION, len(events))  # as they are attributed
    reports = TeamReports(store)
    today = centre.date()
    ranges: list[tuple[Any, ...]] = [("24h",), ("7d",), ("90d",)]
    ranges += [
        ("custom", today - timedelta(days=1), today),
        ("custom", today - timedelta(days=17), today),
    ]
    for days, metric in ((0, Metric.COST), (3, Metric.TOKENS)):
        for name, *dates in ranges:
            now_us = micros(centre + timedelta(days=days, minutes=10))
            period = reports.period(ORGANIZATION, name, now_us, *dates)
            check_reports(reports, events, period, metric)
    drained = rows_of(place)
    store.usage.adopt_zones({ORGANIZATION: "Europe/Berlin"})
    period = reports.period(ORGANIZATION, "90d", micros(centre))
    check_reports(reports, events, period, Metric.REQUESTS)
    store.usage.adopt_zones({ORGANIZATION: zone})
    assert rows_of(place) == drained


def make_older(connection: sa.Connection) -> None:
    """Take back all but the first release's tables, and of these what it did not have."""
    kept = {table.name: connection.execute(sa.select(table)).mappings().all()
            for table in t.usage.sorted_tables}  # fmt: skip
    revision = version_table("usage")
    t.usage.drop_all(connection)
    connection.execute(sa.text(f"DROP TABLE {revision}"))
    upgrade.run(connection, "usage", revision, "0001")
    older = sa.MetaData()
    older.reflect(connection, only=lambda name, _: name in kept)
    for table in older.sorted_tables:
        names = [column.name for column in table.c]
        if rows := [{name: row[name] for name in names} for row in kept[table.name]]:
            connection.execute(sa.insert(table), rows)


def uncompressed(one: UsageEvent) -> UsageEvent:
    """As events were before there were compression and squads."""
    return msgspec.structs.replace(
        one,
        compression="",
        compression_version=0,
        tool_savings=(),
        saved_tokens_new=0,
        saved_tokens_again=0,
        saved_nano=0,
        squad_id="",
    )


@pytest.mark.parametrize(("zone", "around"), PLACES)
def test_a_ledger_of_the_first_release_gets_its_sums(
    store: SqlStore, place: Place, zone: str, around: str
) -> None:
    store.usage.adopt_zones({ORGANIZATION: zone})
    events = some_events(random.Random(zone), datetime.fromisoformat(around), 60)
    events.append(event(1000, organization_id="org_2", session_id="ses_other", repository="r"))
    put(store, [uncompressed(one) for one in events])
    kept = rows_of(place)
    store.close()
    with place.connected("usage") as connection:
        make_older(connection)
    place.open().close()
    assert rows_of(place) == kept


def test_each_order_of_batches_makes_the_same_sums(store: SqlStore, place: Place) -> None:
    """Late events, and sub-agents that are known as such only later."""
    dice = random.Random(4)
    events = some_events(dice, datetime.fromisoformat(PLACES[0][1]), 60)
    put(store, events)
    expected = rows_of(place)
    stranger = [
        msgspec.structs.replace(one, organization_id="org_2", event_id=f"{one.event_id}x")
        for one in events
    ]
    dice.shuffle(stranger)
    stranger = [
        msgspec.structs.replace(
            one,
            session_id=one.session_id and f"x{one.session_id}",
            parent_session_id=one.parent_session_id and f"x{one.parent_session_id}",
        )
        for one in stranger
    ]
    put(store, stranger, 1)
    found = rows_of(place)
    for name, rows in expected.items():
        theirs = [row[1:] for row in found[name] if row[0] == "org_2"]
        if name == t.session_places.name:
            theirs = [(session.removeprefix("x"), *rest) for session, *rest in theirs]
        assert theirs == [row[1:] for row in rows]
        assert [row for row in found[name] if row[0] == "org_1"] == rows


def test_a_session_of_another_organization_is_not_counted_there(store: SqlStore) -> None:
    fill(store)
    put(store, [event(1, session_id="ses_1", repository="github.com/a/b")])
    put(store, [event(2, session_id="ses_1", organization_id="org_2", repository="r")])
    reports = TeamReports(store)
    for organization_id, repository in ((ORGANIZATION, "github.com/a/b"), ("org_2", "r")):
        period = reports.period(organization_id, "24h", event(2).started_us)
        [row] = reports.top_repositories(organization_id, period).rows
        assert (row.repository, row.sessions, row.figures.requests) == (repository, 1, 1)


def test_the_version_rises_with_all_that_is_shown(store: SqlStore) -> None:
    fill(store)
    reports = TeamReports(store)
    seen = [reports.version(ORGANIZATION)]

    def rises() -> bool:
        seen.append(reports.version(ORGANIZATION))
        return len(set(seen)) == len(seen)

    put(store, [event(1)])
    assert rises()
    put(store, [event(1), event(2, organization_id="org_2")], 9)  # nothing new of ours
    assert not rises()
    seen.pop()
    store.usage.adopt_zones({ORGANIZATION: "Asia/Tokyo"})
    assert rises()
    with store.directory.changing() as change:
        change.add_member(
            MemberRecord(member_id="mem_9", organization_id=ORGANIZATION, email="n@example.com")
        )
    assert rises()


def test_pull_requests_are_ranked_beside_what_is_in_none(store: SqlStore, place: Place) -> None:
    """Nothing attributes requests to them yet; the rows are as attribution will add them."""
    fill(store)
    put(store, [event(n, session_id=f"ses_{n}", repository="r") for n in range(3)])
    [hour] = [row for row in rows_of(place, (t.by_repository,))["usage_by_repository"]
              if row[1] == "hour"]  # fmt: skip
    names = [column.name for column in t.by_repository.c]
    whole = dict(zip(names, hour, strict=True))
    with place.connected("usage") as connection:
        for number, cost in (("7", 100), ("12", 200)):
            part = {"cost_nusd": cost, "tokens": 1, "requests": 1, "sessions_ended": 1}
            part |= {"saved_tokens": 1, "saved_nusd": 2}
            row = {**whole, "pull_request": number, **part}
            connection.execute(sa.insert(t.by_repository), row)
    reports = TeamReports(store)
    period = reports.period(ORGANIZATION, "24h", event(2).started_us)
    ranked = reports.pull_requests(ORGANIZATION, period, Metric.COST, 1)
    assert [(row.pull_request, row.figures.cost_nusd) for row in ranked.rows] == [("12", 200)]
    assert ranked.total == 2
    assert ranked.unattributed.sessions == 1
    all_of_it = reports.overview(ORGANIZATION, period).totals
    both = Figures(cost_nusd=300, tokens=2, requests=2, saved_tokens=2, saved_nusd=4)
    assert ranked.unattributed.figures == all_of_it - both
    assert reports.repositories(ORGANIZATION, period, Metric.COST, 9).total == 1
    rest = reports.pull_requests(ORGANIZATION, period, Metric.COST, 5, 1)
    assert [row.pull_request for row in rest.rows] == ["7"]
