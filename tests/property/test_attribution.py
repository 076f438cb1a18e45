"""Sums by repository and pull request are those of the ledger, whatever happens in which order."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import examples
from tests.unit.jobs.events import START_US, event

from tidegate.core.attribution import TimedLink, Whereabouts, pieces_of, where_at
from tidegate.core.model import Link, UsageEvent
from tidegate.core.spans import Span
from tidegate.store.ports import SpoolBatch
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.database import SqlStore, open_store
from tidegate.store.sql.rollups import start_of

pytestmark = pytest.mark.slow

REPOSITORIES = ("github.com/a/b", "github.com/a/c")
PULLS = tuple(f"{name}#{number}" for name in REPOSITORIES for number in (1, 2))
HOUR_US = 3_600_000_000
ZONE = "Asia/Kathmandu"

links = st.one_of(
    st.builds(Link, st.just("repository"), st.sampled_from(REPOSITORIES), st.just("tool")),
    st.builds(Link, st.just("pull_request"), st.sampled_from(PULLS), st.just("tool")),
    st.builds(Link, st.just("branch"), st.sampled_from(["main", "fix"]), st.just("turn_metadata")),
)
requests = st.tuples(
    st.just("request"),
    st.integers(0, 20),  # its number: equal ones are the same
    st.integers(0, 60),  # when
    st.sampled_from(["", "ses_0", "ses_1", "ses_2"]),
    st.sampled_from(["", *REPOSITORIES]),
    st.lists(links, max_size=2),
    st.sampled_from(["", "", "ses_0", "ses_1"]),  # parent
)
sessions = st.sampled_from(["ses_0", "ses_1", "ses_2", "ses_9"])
said = st.tuples(
    st.just("say"), sessions, st.integers(0, 60), st.sampled_from([*REPOSITORIES, *PULLS])
)
corrected = st.tuples(
    st.just("correct"), sessions, st.integers(0, 60), st.sampled_from(["", *REPOSITORIES, *PULLS])
)
withdrawn = st.tuples(
    st.just("withdraw"), sessions, st.sampled_from(["repository", "pull_request"])
)
steps = st.lists(st.lists(requests, max_size=6) | said | corrected | withdrawn, max_size=10)


@contextmanager
def opened() -> Iterator[SqlStore]:
    with tempfile.TemporaryDirectory() as path:
        store = open_store(data_dir=Path(path))
        yield store
        store.close()


def at(step: int) -> int:
    """Some steps share a second, and some hours, days and runs of days."""
    return START_US + step // 3 * 7 * HOUR_US + step % 3 * 1_000_000


def kind_of(value: str) -> str:
    return "pull_request" if "#" in value else "repository"


def do(store: SqlStore, number: int, step: Any) -> None:
    if isinstance(step, list):
        batch = [
            event(
                n,
                started_us=at(when),
                session_id=session_id,
                repository=name,
                parent_session_id=parent if session_id else "",
                links=tuple(found),
            )
            for _, n, when, session_id, name, found, parent in step
        ]
        store.usage.record(SpoolBatch(file=f"f{number}", start=0, end=1, events=batch))
    elif step[0] == "say":
        _, session_id, when, value = step
        link = TimedLink(kind_of(value), value, "mcp", at(when))
        store.usage.links.add("org_1", session_id, [link])
    elif step[0] == "correct":
        _, session_id, when, value = step
        kind = kind_of(value)
        store.usage.links.correct("org_1", session_id, kind, value, at_us=at(when), member_id="m")
    else:
        store.usage.links.withdraw("org_1", step[1], step[2])


def roots(store: SqlStore) -> dict[str, str]:
    with store.engines["usage"].connect() as connection:
        columns = (t.sessions.c.session_id, t.sessions.c.root_session_id)
        return dict(tuple(row) for row in connection.execute(sa.select(*columns)))


def check_attribution(store: SqlStore, ledger: Sequence[UsageEvent]) -> None:
    """Each row counts for what the links of its session say of its time."""
    root_of = roots(store)
    pieces = {root: pieces_of(store.usage.links.of("org_1", root)) for root in root_of.values()}
    for one in ledger:
        if one.session_id:
            where = where_at(pieces[root_of[one.session_id]], one.started_us)
            assert Whereabouts(one.repository, one.branch, one.pull_request) == where


def recomputed(ledger: Sequence[UsageEvent], span: Span) -> dict[tuple[Any, ...], Counter[str]]:
    sums: dict[tuple[Any, ...], Counter[str]] = {}
    for one in ledger:
        bucket = start_of(span, one.started_us, ZONE)
        for number in {"", one.pull_request}:
            total = sums.setdefault((bucket, one.repository, number), Counter())
            total["cost_nusd"] += one.cost.total
            total["tokens"] += one.tokens.total
            total["requests"] += 1
            total["last_us"] = max(total["last_us"], one.started_us + one.duration_us)
    return sums


def sessions_in(
    store: SqlStore, ledger: Sequence[UsageEvent], span: Span
) -> Counter[tuple[Any, ...]]:
    """Sessions begun and ended in each bucket of a repository or pull request."""
    root_of = roots(store)
    times: dict[tuple[str, str, str], list[int]] = {}
    for one in ledger:
        if one.session_id:
            for number in {"", one.pull_request}:
                place = (root_of[one.session_id], one.repository, number)
                times.setdefault(place, []).append(one.started_us)
    counts: Counter[tuple[Any, ...]] = Counter()
    for (_, name, number), found in times.items():
        counts["begun", start_of(span, min(found), ZONE), name, number] += 1
        counts["ended", start_of(span, max(found), ZONE), name, number] += 1
    return counts


def check_sums(store: SqlStore, ledger: Sequence[UsageEvent]) -> None:
    with store.engines["usage"].connect() as connection:
        rows = connection.execute(sa.select(t.by_repository)).mappings().all()
    for span in Span:
        of_span = [row for row in rows if row["span"] == span]
        expected = recomputed(ledger, span)
        names = ("cost_nusd", "tokens", "requests", "last_us")
        assert {
            (row["bucket_start_us"], row["repository"], row["pull_request"]): {
                name: row[name] for name in names
            }
            for row in of_span
        } == {key: dict(total) for key, total in expected.items()}
        counts: Counter[tuple[Any, ...]] = Counter()
        for row in of_span:
            place = (row["bucket_start_us"], row["repository"], row["pull_request"])
            counts["begun", *place] += row["sessions_begun"]
            counts["ended", *place] += row["sessions_ended"]
        assert +counts == sessions_in(store, ledger, span)
    by = ("repository", "pull_request")
    for bucket in ("hour", "day"):
        groups = store.usage.rollup_sums("org_1", by, bucket=bucket, start_us=0, end_us=1 << 62)
        assert {(*g.values, g.sums.requests, g.sums.cost_nusd) for g in groups} == {
            (*g.values, g.sums.requests, g.sums.cost_nusd)
            for g in store.usage.ledger_sums("org_1", by)
        }


def check_runs(store: SqlStore, ledger: Sequence[UsageEvent]) -> None:
    root_of = roots(store)
    spent: dict[str, list[int]] = {}
    for one in ledger:
        if one.session_id:
            total = spent.setdefault(root_of[one.session_id], [0, 0, 0])
            total[0] += 1
            total[1] += one.cost.total
            total[2] += one.tokens.total
    for root, (requests, cost, tokens) in spent.items():
        row = store.usage.sessions.one("org_1", root)
        assert row is not None
        assert (row.requests, row.cost_nusd, row.tokens.total) == (requests, cost, tokens)
        agents = store.usage.sessions.agents("org_1", root)
        models = [model for agent in agents for model in agent.models]
        assert sum(model.requests for model in models) == requests
        assert sum(model.cost.total for model in models) == cost


def empty(store: SqlStore) -> None:
    """Take everything away; to make a store takes longer than all that is done with it."""
    with store.engines["usage"].begin() as connection:
        for table in t.usage.sorted_tables:
            connection.execute(sa.delete(table))
    store.usage.adopt_zones({"org_1": ZONE})


def test_sums_are_those_of_the_ledger_whatever_happens() -> None:
    with opened() as store:

        @settings(max_examples=examples(60), deadline=None)
        @given(steps)
        def check(history: list[Any]) -> None:
            empty(store)
            for number, step in enumerate(history):
                do(store, number, step)
            ledger = store.usage.events("org_1", 10_000)
            check_attribution(store, ledger)
            check_sums(store, ledger)
            check_runs(store, ledger)

        check()
