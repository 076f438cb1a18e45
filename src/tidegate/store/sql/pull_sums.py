"""Sums by pull request: those by repository once more, all of one pull request in one place.

They are copied after a batch has changed the others, in the same transaction.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import Dialect

from tidegate.core.spans import Span
from tidegate.store.sql.rollups import Sums, start_of
from tidegate.store.sql.session_places import Counts
from tidegate.store.sql.upserts import Statement, execute, worded
from tidegate.store.sql.usage_tables import by_pull_request, by_repository

Place = tuple[str, str, str]  # organization, repository, pull request
Run = tuple[str, str, str, int]  # with the start of a run of ten days

_KEY: Final = tuple(column.name for column in by_pull_request.primary_key)
_NAMES: Final = [column.name for column in by_pull_request.c]
_ALL: Final = sa.select(*(by_repository.c[name] for name in _NAMES)).where(
    by_repository.c.span == sa.literal_column(f"'{Span.TEN_DAYS.value}'")
)


def copy_pull_sums(
    connection: sa.Connection, days: Sums, counts: Counts, zones: Mapping[str, str]
) -> set[Place]:
    """Make those anew that days and counts of sessions have changed: whose they are."""
    runs = sorted(_runs(days, counts, zones))
    values = [dict(zip(_KEY, run, strict=True)) for run in runs]
    execute(connection, values, _taking(connection.dialect))
    execute(connection, values, _copying(connection.dialect))
    return {run[:3] for run in runs}


def copy_all_pull_sums(connection: sa.Connection, organization_id: str) -> None:
    """Make all of an organization anew."""
    columns = by_pull_request.c
    connection.execute(sa.delete(by_pull_request).where(columns.organization_id == organization_id))
    query = _ALL.where(
        by_repository.c.organization_id == organization_id, by_repository.c.pull_request != ""
    )
    connection.execute(sa.insert(by_pull_request).from_select(_NAMES, query))


def _runs(days: Sums, counts: Counts, zones: Mapping[str, str]) -> set[Run]:
    runs = {
        (
            day["organization_id"],
            day["repository"],
            day["pull_request"],
            start_of(Span.TEN_DAYS, day["bucket_start_us"], zones[day["organization_id"]]),
        )
        for day in days.values()
        if day["pull_request"]
    }
    for organization_id, span, start_us, repository, pull_request in counts:
        if pull_request and span == Span.TEN_DAYS:
            runs.add((organization_id, repository, pull_request, start_us))
    return runs


@cache
def _taking(dialect: Dialect) -> Statement:
    return worded(dialect, sa.delete(by_pull_request).where(*_this(by_pull_request)))


@cache
def _copying(dialect: Dialect) -> Statement:
    query = _ALL.where(*_this(by_repository))
    return worded(dialect, sa.insert(by_pull_request).from_select(_NAMES, query))


def _this(table: sa.Table) -> "list[sa.ColumnElement[bool]]":
    return [table.c[name] == sa.bindparam(name) for name in _KEY]
