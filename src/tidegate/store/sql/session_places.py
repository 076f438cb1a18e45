"""Which repositories a session worked in, and how many sessions each repository saw.

A session is counted where its first and where its last request in a repository fell. That many
were under way since a moment is then a sum of buckets: of those whose last request came later.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from tidegate.core.spans import Span
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.ledger import Row
from tidegate.store.sql.rollups import start_of
from tidegate.store.sql.sessions import Roots, root_of
from tidegate.store.sql.upserts import replace

_KEY: Final = ("organization_id", "session_id", "repository", "pull_request")
_BATCH_ROWS: Final = 5000
_FOREVER_US: Final = 1 << 62

Key = tuple[str, ...]
Times = tuple[int, int]  # of the first and the last request
Places = dict[Key, Times]
Counts = dict[tuple[Any, ...], list[int]]
"""Sessions begun and ended, by organization, span, bucket, repository and pull request."""


def add_to_places(
    connection: sa.Connection,
    rows: Iterable[Row],
    moved: Iterable[tuple[str, str]],
    roots: Roots,
    zones: Mapping[str, str],
) -> Counts:
    """Add ledger rows to the places of their sessions; what that changes of the counts.

    `moved` are sessions that turned out to be sub-agents: what they did is their root's.
    """
    counts: Counts = {}
    found: Places = {}
    rows = [row for row in rows if row["session_id"]]
    for key, times in _taken(connection, set(moved)).items():
        _count(counts, key, times, -1, zones)
        organization_id, session_id, *rest = key
        root_id = roots.get((organization_id, session_id), session_id)
        _widen(found, (organization_id, root_id, *rest), times)
    for row in rows:
        organization_id, root_id = root_of(row, roots)
        times = (row["started_us"], row["started_us"])
        _widen(found, (organization_id, root_id, row["repository"], ""), times)
        if row["pull_request"]:
            _widen(found, (organization_id, root_id, row["repository"], row["pull_request"]), times)
    known = _known(connection, found)
    changed: Places = {}
    for key, times in found.items():
        before = known.get(key)
        after = _both(before, times) if before else times
        if after != before:
            if before:
                _count(counts, key, before, -1, zones)
            _count(counts, key, after, 1, zones)
            changed[key] = after
    replace(connection, t.session_places, [_row(key, changed[key]) for key in sorted(changed)])
    return {key: count for key, count in counts.items() if any(count)}


def merge_counts(counts: Counts, others: Counts) -> None:
    """Add counts to counts."""
    for bucket, (begun, ended) in others.items():
        count = counts.setdefault(bucket, [0, 0])
        count[0] += begun
        count[1] += ended


def renew_places(
    connection: sa.Connection,
    organization_id: str,
    session_ids: Sequence[str],
    zone: str,
    from_us: int,
) -> Counts:
    """Make a run's places anew from the ledger, after its rows went elsewhere; the changes of the
    counts. The first of its sessions is the root.

    What was before `from_us`, where the ledger begins, stays as it was.
    """
    root_id = session_ids[0]
    known = _known(connection, {(organization_id, root_id): (0, 0)})
    found: Places = {}
    for key, (first_us, last_us) in known.items():
        if first_us < from_us:
            found[key] = (first_us, min(last_us, from_us - 1))
    for repository, pull_request, first_us, last_us in _in_ledger(
        connection, organization_id, session_ids, from_us
    ):
        for number in {"", pull_request}:
            _widen(found, (organization_id, root_id, repository, number), (first_us, last_us))
    counts: Counts = {}
    within, zones = (from_us, _FOREVER_US), {organization_id: zone}
    for key in sorted({*known, *found}):
        if known.get(key) != found.get(key):
            for sign, times in ((-1, known.get(key)), (1, found.get(key))):
                if times:
                    _count(counts, key, times, sign, zones, within)
    for key in known.keys() - found.keys():
        mine = [t.session_places.c[name] == value for name, value in zip(_KEY, key, strict=True)]
        connection.execute(sa.delete(t.session_places).where(*mine))
    replace(connection, t.session_places, [_row(key, found[key]) for key in sorted(found)])
    return {key: count for key, count in counts.items() if any(count)}


def _in_ledger(
    connection: sa.Connection, organization_id: str, session_ids: Sequence[str], from_us: int
) -> Sequence[Any]:
    columns = t.events.c
    by = (columns.repository, columns.pull_request)
    query = (
        sa.select(*by, sa.func.min(columns.started_us), sa.func.max(columns.started_us))
        .where(
            columns.organization_id == organization_id,
            columns.session_id.in_(session_ids),
            columns.started_us >= from_us,
        )
        .group_by(*by)
    )
    return connection.execute(query).all()


def counts_of(
    connection: sa.Connection, organization_id: str, zone: str, within: Times
) -> Iterable[Counts]:
    """The counts of sessions of an organization that began or ended in a time, in parts."""
    query = sa.select(t.session_places).where(t.session_places.c.organization_id == organization_id)
    rows = connection.execute(query.execution_options(yield_per=_BATCH_ROWS))
    for part in rows.partitions():
        counts: Counts = {}
        for *key, first_us, last_us in part:
            _count(counts, tuple(key), (first_us, last_us), 1, {organization_id: zone}, within)
        yield counts


def _taken(connection: sa.Connection, moved: set[tuple[str, str]]) -> Places:
    """The places of sessions, which lose them."""
    places: Places = {}
    for organization_id, session_id in sorted(moved):
        mine = (
            t.session_places.c.organization_id == organization_id,
            t.session_places.c.session_id == session_id,
        )
        for *key, first_us, last_us in connection.execute(sa.select(t.session_places).where(*mine)):
            places[tuple(key)] = (first_us, last_us)
        connection.execute(sa.delete(t.session_places).where(*mine))
    return places


def _known(connection: sa.Connection, places: Places) -> Places:
    columns = t.session_places.c
    found: Places = {}
    for organization_id in sorted({key[0] for key in places}):
        sessions = {key[1] for key in places if key[0] == organization_id}
        query = sa.select(t.session_places).where(
            columns.organization_id == organization_id, columns.session_id.in_(sessions)
        )
        for *key, first_us, last_us in connection.execute(query):
            found[tuple(key)] = (first_us, last_us)
    return found


def _count(
    counts: Counts,
    key: Key,
    times: Times,
    sign: int,
    zones: Mapping[str, str],
    within: Times = (0, _FOREVER_US),
) -> None:
    organization_id, _, repository, pull_request = key
    zone = zones[organization_id]
    for span in Span:
        for index, at_us in enumerate(times):
            if not within[0] <= at_us < within[1]:
                continue
            bucket = (
                organization_id, span.value, start_of(span, at_us, zone), repository, pull_request,
            )  # fmt: skip
            counts.setdefault(bucket, [0, 0])[index] += sign


def _widen(places: Places, key: Key, times: Times) -> None:
    before = places.get(key)
    places[key] = _both(before, times) if before else times


def _both(one: Times, other: Times) -> Times:
    return min(one[0], other[0]), max(one[1], other[1])


def _row(key: Key, times: Times) -> dict[str, Any]:
    first_us, last_us = times
    return {**dict(zip(_KEY, key, strict=True)), "first_us": first_us, "last_us": last_us}
