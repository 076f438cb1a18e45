"""What merged pull requests cost is what the ledger says, whatever happens in which order."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import examples
from tests.property.test_attribution import empty, opened
from tests.unit.jobs.events import START_US, event

from tidegate.core.attribution import TimedLink
from tidegate.core.model import Link, UsageEvent
from tidegate.core.spans import Span
from tidegate.store.forge import Facts, MergedTotals, PullRequest, RepositoryFact
from tidegate.store.ports import SpoolBatch
from tidegate.store.sql import forge_tables as f
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.database import SqlStore
from tidegate.store.sql.rollups import start_of

pytestmark = pytest.mark.slow

NAMES = ("github.com/a/b", "github.com/a/c")
PULLS = tuple(f"{name}#{number}" for name in NAMES for number in (1, 2))
FOREVER_US = 1 << 62

days = st.integers(0, 30)
sessions = st.sampled_from(["ses_0", "ses_1", "ses_2"])
worked = st.tuples(
    st.just("work"), st.integers(0, 30), days, sessions, st.sampled_from(PULLS),
    st.sampled_from(["api", "subscription"]),
)  # fmt: skip
told = st.tuples(st.just("tell"), st.integers(1, 2), st.integers(1, 2), days, st.integers(0, 9))
named = st.tuples(
    st.just("name"), st.integers(1, 2), st.sampled_from(NAMES), days, st.sampled_from(["", *NAMES])
)
corrected = st.tuples(st.just("correct"), sessions, days, st.sampled_from(["", *PULLS]))
withdrawn = st.tuples(st.just("withdraw"), sessions)
said = st.tuples(st.just("say"), sessions, days, st.sampled_from(PULLS))
zoned = st.tuples(st.just("zone"), st.sampled_from(["UTC", "America/St_Johns"]))
forgotten = st.tuples(st.just("forget"))
rare = withdrawn | zoned | forgotten
usual = (
    ("name", 1, NAMES[0], 0, ""),
    ("tell", 1, 1, 15, 1),
    ("work", 0, 3, "ses_0", PULLS[0], "api"),
)
more = st.lists(worked | told | named | corrected | said | rare, max_size=9)
steps = more.flatmap(lambda some: st.permutations([*usual, *some]))


def at(day: int) -> int:
    return START_US + day * 86_400_000_000


def do(store: SqlStore, place: int, step: Any) -> None:
    match step:
        case ("work", number, day, session_id, pull, billing):
            one = event(
                number,
                started_us=at(day) + number,
                session_id=session_id,
                repository=pull.partition("#")[0],
                billing=billing,
                links=(Link("pull_request", pull, "tool"),),
            )
            store.usage.record(SpoolBatch(file=f"f{place}", start=0, end=1, events=[one]))
        case ("say", session_id, day, pull):
            link = TimedLink("pull_request", pull, "mcp", at(day))
            store.usage.links.add("org_1", session_id, [link])
        case ("correct", session_id, day, pull):
            store.usage.links.correct(
                "org_1", session_id, "pull_request", pull, at_us=at(day), member_id="m"
            )
        case ("withdraw", session_id):
            store.usage.links.withdraw("org_1", session_id, "pull_request")
        case ("zone", zone):
            store.usage.adopt_zones({"org_1": zone})
        case ("forget",):
            store.usage.forge.delete_all("org_1")
        case _:
            store.usage.forge.take("org_1", facts(step))


def facts(step: Any) -> Facts:
    if step[0] == "name":
        _, repository_id, name, day, former = step
        known = RepositoryFact(
            repository_id=repository_id, name=name, at_us=at(day), former=former, created_us=1
        )
        return Facts(repositories=[known])
    _, repository_id, number, day, updated_us = step
    is_merged = updated_us % 3 > 0  # the later word may be that it is open again
    pull = PullRequest(
        repository_id=repository_id,
        repository="",
        number=number,
        title="",
        author="",
        state="merged" if is_merged else "open",
        merged_us=at(day) if is_merged else 0,
        updated_us=updated_us,
    )
    return Facts(pull_requests=[pull])


def spent_on(store: SqlStore, ledger: Sequence[UsageEvent]) -> dict[tuple[int, str], Counter[str]]:
    """Of each repository and number: what was done under a name while the repository had it."""
    zone = store.usage.time_zone("org_1")
    runs: dict[tuple[int, str, str], list[UsageEvent]] = {}
    for one in ledger:
        start_us = start_of(Span.TEN_DAYS, one.started_us, zone)
        runs.setdefault((start_us, one.repository, one.pull_request), []).append(one)
    with store.engines["usage"].connect() as connection:
        names = connection.execute(sa.select(f.names)).all()
    spent: dict[tuple[int, str], Counter[str]] = {}
    for (_, name, number), events in runs.items():
        last_us = max(one.started_us + one.duration_us for one in events)
        for owner in names:
            if owner.name == name and owner.from_us <= last_us < owner.until_us:
                total = spent.setdefault((owner.repository_id, number), Counter())
                total["requests"] += len(events)
                for one in events:
                    total[one.billing] += one.cost.total
    return spent


def check_merged(store: SqlStore, spent: dict[tuple[int, str], Counter[str]]) -> None:
    with store.engines["usage"].connect() as connection:
        pulls = connection.execute(sa.select(f.pull_requests)).all()
    forge = store.usage.forge
    for within in ((0, FOREVER_US), (at(10), at(20)), (at(10) + 1, at(20) + 1)):
        merged = {
            (each.repository_id, str(each.number)): spent.get(
                (each.repository_id, str(each.number)), Counter()
            )
            for each in pulls
            if each.merged_us and within[0] <= each.merged_us < within[1]
        }
        costs = sorted(total["api"] for total in merged.values() if total)
        assert forge.merged_totals("org_1", *within) == MergedTotals(
            merged=len(merged),
            with_cost=len(costs),
            cost_nusd=sum(costs),
            subscription_nusd=sum(total["subscription"] for total in merged.values()),
        )
        middle = costs[(len(costs) - 1) // 2 : len(costs) // 2 + 1]
        median = sum(middle) // len(middle) if middle else 0
        assert forge.merged_median("org_1", *within) == median
        known = {each.repository_id for each in forge.repositories("org_1")}
        page, _ = forge.merged_between("org_1", *within, "", 99)
        listed = {
            (each.pull_request.repository_id, str(each.pull_request.number)): each for each in page
        }
        assert listed.keys() == {key for key in merged if key[0] in known}
        for key, each in listed.items():
            assert (each.requests, each.cost_nusd) == (merged[key]["requests"], merged[key]["api"])


def check_copies(store: SqlStore) -> None:
    """Sums by pull request are those by repository."""
    names = [column.name for column in t.by_pull_request.c]
    of_places = sa.select(*(t.by_repository.c[name] for name in names)).where(
        t.by_repository.c.span == Span.TEN_DAYS.value, t.by_repository.c.pull_request != ""
    )
    with store.engines["usage"].connect() as connection:
        copies = connection.execute(sa.select(t.by_pull_request)).all()
        assert sorted(copies) == sorted(connection.execute(of_places).all())


def test_merged_pull_requests_cost_what_the_ledger_says() -> None:
    with opened() as store:

        @settings(max_examples=examples(60), deadline=None)
        @given(steps)
        def check(history: list[Any]) -> None:
            empty(store)
            for place, step in enumerate(history):
                do(store, place, step)
            check_copies(store)
            check_merged(store, spent_on(store, store.usage.events("org_1", 10_000)))

        check()
