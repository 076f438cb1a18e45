"""Moves ledger rows that count for another repository or pull request than before.

Their sums move by correcting entries: what they were is taken away, what they are is added. Rows
that retention has taken, or is about to, stay as they are, and so do their sums.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import sqlalchemy as sa

from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.attributing import Change
from tidegate.store.sql.ledger import Row
from tidegate.store.sql.rollups import Sums, add_hours
from tidegate.store.sql.session_links import Key
from tidegate.store.sql.session_places import Counts, merge_counts, renew_places
from tidegate.store.sql.sessions import run_of

_ROWS: Final = 2000
_COLUMNS: Final = [
    t.events.c[name]
    for name in (
        "event_id", "organization_id", "started_us", "duration_us", "member_id", "key_id", "agent",
        "model_served", "model_asked", "repository", "branch", "pull_request", "billing",
        "outcome", "estimated", "price_unknown", "saved_tokens_new", "saved_tokens_again",
        "saved_nano", *t.TOKEN_COLUMNS, *t.COST_COLUMNS,
    )
]  # fmt: skip


def move_rows(
    connection: sa.Connection, changes: Mapping[Key, Iterable[Change]], zones: Mapping[str, str]
) -> tuple[Sums, Sums, Counts]:
    """Move what older rows count for: the hours that they are taken from, what they are added to,
    and what that changes of counts of sessions."""
    taken: Sums = {}
    added: Sums = {}
    counts: Counts = {}
    for key in sorted(changes):
        organization_id, root_id = key
        from_us = _ledger_from_us(connection, organization_id)
        run = run_of(connection, organization_id, root_id)
        moved = False
        for start_us, end_us, where in changes[key]:
            within = (max(start_us, from_us), end_us)
            for rows in _elsewhere(connection, organization_id, run, within, where):
                moved = True
                add_hours(taken, rows, zones, -1)
                for row in rows:
                    row["repository"], row["branch"], row["pull_request"] = where
                add_hours(added, rows, zones)
                _update(connection, rows)
        if moved:
            zone = zones[organization_id]
            renewed = renew_places(connection, organization_id, run, zone, from_us)
            merge_counts(counts, renewed)
    return taken, added, counts


def _elsewhere(
    connection: sa.Connection,
    organization_id: str,
    session_ids: list[str],
    within: tuple[int, int],
    where: tuple[str, str, str],
) -> "Iterable[list[Row]]":
    """Rows of a time that count for something else, in parts; each is to be updated in turn."""
    columns = t.events.c
    repository, branch, pull_request = where
    query = (
        sa.select(*_COLUMNS)
        .where(
            columns.organization_id == organization_id,
            columns.session_id.in_(session_ids),
            columns.started_us >= within[0],
            columns.started_us < within[1],
            (columns.repository != repository)
            | (columns.branch != branch)
            | (columns.pull_request != pull_request),
        )
        .limit(_ROWS)
    )
    while rows := [dict(row) for row in connection.execute(query).mappings()]:
        yield rows


def _update(connection: sa.Connection, rows: list[Row]) -> None:
    names = ("repository", "branch", "pull_request")
    columns = t.events.c
    statement = (
        sa.update(t.events)
        .where(columns.event_id == sa.bindparam("moved_id"))
        .values({name: sa.bindparam(f"new_{name}") for name in names})
    )
    values: list[dict[str, Any]] = [
        {"moved_id": row["event_id"], **{f"new_{name}": row[name] for name in names}}
        for row in rows
    ]
    connection.execute(statement, values)


def _ledger_from_us(connection: sa.Connection, organization_id: str) -> int:
    query = sa.select(t.zones.c.ledger_from_us).where(t.zones.c.organization_id == organization_id)
    return connection.execute(query).scalar_one_or_none() or 0
