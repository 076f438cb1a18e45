"""What a forge tells, on every backend: names over time, pull requests, and what they cost."""

import pytest
import sqlalchemy as sa
from tests.unit.jobs.events import START_US, event

from tidegate.core.attribution import Kind, Method, TimedLink
from tidegate.core.model import Link
from tidegate.services.github_branches import BranchLinks
from tidegate.store.forge import (
    AccessFact,
    Delivery,
    Facts,
    ForgeStatus,
    MergedTotals,
    PullRequest,
    RepositoryFact,
    Telling,
)
from tidegate.store.ports import SpoolBatch
from tidegate.store.sql import forge_tables, usage_tables
from tidegate.store.sql.database import SqlStore
from tidegate.store.sql.migrations.usage import r0009_pull_sums

pytestmark = pytest.mark.slow

DAY_US = 86_400_000_000
APP, CORE = "github.com/acme/app", "github.com/acme/core"


def repository(repository_id: int, name: str, days: float, **more: object) -> RepositoryFact:
    fields = {"at_us": START_US + int(days * DAY_US), "default_branch": "main", **more}
    return RepositoryFact(repository_id=repository_id, name=name, **fields)  # type: ignore[arg-type]


def pull(number: int, days: float, *, of: int = 1, **more: object) -> PullRequest:
    at_us = START_US + int(days * DAY_US)
    fields: dict[str, object] = {
        "title": f"No. {number}",
        "author": "ada",
        "state": "merged",
        "head_repository_id": of,
        "head_branch": f"work-{number}",
        "created_us": START_US,
        "merged_us": at_us,
        "closed_us": at_us,
        "updated_us": at_us,
    }
    return PullRequest(repository_id=of, repository="", number=number, **(fields | more))  # type: ignore[arg-type]


def record(store: SqlStore, *events: object) -> None:
    at = store.usage.offset("a")
    store.usage.record(
        SpoolBatch(file="a", start=at, end=at + 1, events=list(events))  # type: ignore[arg-type]
    )


def work(number: int, repository: str, pull_request: str, days: float, **more: object) -> object:
    """A request of a session that said where it works."""
    links = [Link(Kind.REPOSITORY, repository, Method.MCP)]
    if pull_request:
        links.append(Link(Kind.PULL_REQUEST, f"{repository}#{pull_request}", Method.MCP))
    fields = {
        "session_id": f"ses_{number}",
        "started_us": START_US + int(days * DAY_US),
        "links": tuple(links),
        **more,
    }
    return event(number, **fields)


def test_merged_pull_requests_with_what_they_cost(store: SqlStore) -> None:
    forge = store.usage.forge
    renamed = repository(1, CORE, 40, telling=Telling.RENAMED, former=APP)
    pulls = [
        pull(1, 50),
        pull(2, 51),
        pull(3, 52),
        pull(4, 200),
        pull(5, 53, state="closed", merged_us=0),
    ]
    forge.take("org_1", Facts(repositories=[renamed], pull_requests=pulls))
    forge.take("org_2", Facts(repositories=[renamed], pull_requests=[pull(9, 50)]))
    record(
        store,
        work(1, APP, "1", 1),
        work(2, CORE, "1", 45),  # the same one, under its later name
        work(3, CORE, "2", 46),
        work(4, APP, "", 2),
    )
    first, cursor = forge.merged_between("org_1", START_US, START_US + 100 * DAY_US, "", 2)
    rest, end = forge.merged_between("org_1", START_US, START_US + 100 * DAY_US, cursor, 2)
    assert [each.pull_request.number for each in first + rest] == [3, 2, 1]
    assert (bool(cursor), end) == (True, "")
    assert [each.requests for each in first + rest] == [0, 1, 2]
    assert {each.pull_request.repository for each in first} == {CORE}
    totals = forge.merged_totals("org_1", START_US, START_US + 100 * DAY_US)
    cost = sum(each.cost_nusd for each in first + rest)
    assert totals == MergedTotals(merged=3, with_cost=2, cost_nusd=cost)
    assert forge.merged_median("org_1", START_US, START_US + 100 * DAY_US) == 180
    assert cost == 3 * 120
    assert forge.merged_totals("org_3", 0, 1 << 60) == MergedTotals()


def test_older_installations_get_the_sums_of_pull_requests(store: SqlStore) -> None:
    renamed = repository(1, CORE, 40, telling=Telling.RENAMED, former=APP)
    store.usage.forge.take("org_1", Facts(repositories=[renamed], pull_requests=[pull(1, 50)]))
    record(store, work(1, APP, "1", 1), work(2, CORE, "1", 45), work(3, CORE, "7", 46))
    pulls, sums = forge_tables.pull_requests, usage_tables.by_pull_request
    with store.engines["usage"].begin() as connection:
        made = [sorted(connection.execute(sa.select(table)).all()) for table in (pulls, sums)]
        connection.execute(sa.delete(sums))
        connection.execute(sa.update(pulls).values(requests=0, cost_nusd=0))
        r0009_pull_sums.fill(connection)
        again = [sorted(connection.execute(sa.select(table)).all()) for table in (pulls, sums)]
    assert again == made
    assert made[0][0].requests == 2


def test_a_new_repository_does_not_take_what_the_former_one_cost(store: SqlStore) -> None:
    forge = store.usage.forge
    renamed = repository(1, CORE, 30, telling=Telling.RENAMED, former=APP)
    new = repository(2, APP, 60)
    pulls = [pull(1, 100), pull(1, 101, of=2)]
    forge.take("org_1", Facts(repositories=[new, renamed], pull_requests=pulls))
    record(store, work(1, APP, "1", 1), work(2, APP, "1", 90), work(3, APP, "1", 91))
    found, _ = forge.merged_between("org_1", START_US, START_US + 200 * DAY_US, "", 9)
    assert [(p.pull_request.repository, p.requests) for p in found] == [(APP, 2), (CORE, 1)]
    names = forge.names("org_1")
    assert names.current(APP) == APP
    assert names.current(APP, START_US) == CORE
    assert names.names_of(CORE) == {APP, CORE}


def test_pull_requests_that_nobody_told_of(store: SqlStore) -> None:
    forge = store.usage.forge
    access = [
        AccessFact(repository_id=n, name=name, installation_id=1, accessible=n == 1, at_us=1)
        for n, name in ((1, APP), (2, CORE))
    ]
    facts = Facts(
        repositories=[repository(1, APP, 0), repository(2, CORE, 0)],
        access=access,
        pull_requests=[pull(1, 5)],
    )
    forge.take("org_1", facts)
    record(store, work(1, APP, "1", 1), work(2, APP, "7", 2), work(3, CORE, "8", 3))
    assert forge.unknown_pull_requests("org_1", 9) == [(1, APP, 7)]


def test_turns_and_what_became_of_them(store: SqlStore) -> None:
    forge = store.usage.forge
    assert forge.status("org_1") == ForgeStatus()
    assert forge.begin_sync("org_1", "a", 100, 200)
    assert not forge.begin_sync("org_1", "b", 199, 300)
    assert forge.begin_sync("org_1", "b", 200, 300)  # a's turn is over
    forge.end_sync("org_1", "a", 210, error="from before")
    assert forge.status("org_1").last_error == ""
    forge.end_sync("org_1", "b", 220, error="Away.", retry_us=500)
    status = forge.status("org_1")
    assert (status.last_error, status.retry_us, status.last_success_us) == ("Away.", 500, 0)
    delivery = Delivery(delivery_id="d", event="push", action="", received_us=230)
    assert forge.take("org_1", Facts(), delivery)
    assert forge.take("org_2", Facts(), delivery)
    assert not forge.take("org_1", Facts(), delivery)
    assert forge.status("org_1").last_event == "push"
    assert forge.delete_deliveries_before(231) == 2


def test_sessions_of_a_branch_are_linked_with_its_pull_request(store: SqlStore) -> None:
    forge = store.usage.forge
    of_fork = pull(4, 60, head_repository_id=9, head_branch="work-3")
    early = pull(3, 20, created_us=START_US + 10 * DAY_US)
    late = pull(8, 90, created_us=START_US + 50 * DAY_US, head_branch="work-3")
    by_default = pull(5, 60, head_branch="main")
    facts = Facts(
        repositories=[repository(1, APP, 0)], pull_requests=[of_fork, early, late, by_default]
    )
    forge.take("org_1", facts)
    at = {"ses_before": 9, "ses_between": 30, "ses_long_ago": -40, "ses_after": 95}
    record(
        store,
        *(
            event(
                n, session_id=name, repository=APP, branch="work-3",
                started_us=START_US + days * DAY_US,
            )
            for n, (name, days) in enumerate(at.items())
        ),
        event(9, session_id="ses_main", repository=APP, branch="main"),
    )  # fmt: skip
    branches = BranchLinks(store)
    assert branches.link("org_1", [(1, "work-3"), (1, "main"), (7, "x")]) == 2
    assert branches.link("org_1", [(1, "work-3")]) == 0  # nothing new
    found = {
        name: [link for link in store.usage.links.of("org_1", name) if link.method == Method.BRANCH]
        for name in (*at, "ses_main")
    }
    assert {name: [link.value for link in links] for name, links in found.items()} == {
        "ses_before": [f"{APP}#3"],
        "ses_between": [f"{APP}#8"],
        "ses_long_ago": [],
        "ses_after": [],
        "ses_main": [],
    }
    assert found["ses_before"] == [
        TimedLink(
            Kind.PULL_REQUEST,
            f"{APP}#3",
            Method.BRANCH,
            START_US + 10 * DAY_US,
            certain=False,
            source="pull request from this branch",
        )
    ]
    assert branches.link_recent("org_1", 0) == 0
