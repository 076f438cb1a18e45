"""Sums of the ledger by organization-local hour and day.

A rollup row is named by the UTC start of its bucket. The sums of one batch are added up in memory
first, so that a batch touches each row once and in a fixed order (two drains never deadlock).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from tidegate.core.calendar import day_start_us, hour_start_us
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.ledger import Row

_ADDED: Final = (*t.TOKEN_COLUMNS, *t.COST_COLUMNS)
_REBUILD_ROWS: Final = 5000
_MINUTE_US: Final = 60_000_000
_BUCKETS: Final = ((t.hours, hour_start_us), (t.days, day_start_us))


def add_to_rollups(
    connection: sa.Connection, rows: Iterable[Row], zones: Mapping[str, str]
) -> None:
    """Add ledger rows to the hours and days of their organizations' zones."""
    rows = list(rows)
    for table, start_us in _BUCKETS:
        sums: dict[tuple[Any, ...], Row] = {}
        # Zones change their offset on whole minutes only, so a minute has one bucket.
        starts: dict[tuple[str, int], int] = {}
        for row in rows:
            organization_id, started_us = row["organization_id"], row["started_us"]
            minute = (organization_id, started_us // _MINUTE_US)
            if (start := starts.get(minute)) is None:
                start = start_us(started_us, ZoneInfo(zones[organization_id]))
                starts[minute] = start
            _add(sums, row, start)
        if sums:
            upserts = [sums[key] for key in sorted(sums)]
            connection.execute(_upsert(connection.dialect.name, table), upserts)


def rebuild_rollups(connection: sa.Connection, organization_id: str, zone: str) -> None:
    """Make an organization's rollups anew from its ledger, in a zone."""
    for table, _ in _BUCKETS:
        mine = table.c.organization_id == organization_id
        connection.execute(sa.delete(table).where(mine))
    query = sa.select(t.events).where(t.events.c.organization_id == organization_id)
    ordered = query.order_by(t.events.c.started_us).execution_options(yield_per=_REBUILD_ROWS)
    for part in connection.execute(ordered).mappings().partitions():
        add_to_rollups(connection, [dict(row) for row in part], {organization_id: zone})


def _add(sums: dict[tuple[Any, ...], Row], row: Row, bucket_start_us: int) -> None:
    model = row["model_served"] or row["model_asked"]
    values = (
        row["organization_id"], bucket_start_us, row["member_id"], row["key_id"], row["agent"],
        model, row["repository"], "", row["billing"],
    )  # fmt: skip
    total = sums.get(values)
    if total is None:
        total = sums[values] = dict.fromkeys((*t.ROLLUP_SUMS, "last_us"), 0)
        total.update(zip(t.ROLLUP_KEY, values, strict=True))
    total["requests"] += 1
    for column in _ADDED:
        total[column] += row[column]
    total["estimated"] += row["estimated"]
    total["price_unknown"] += row["price_unknown"]
    if row["outcome"] in t.FAULT_COLUMNS:
        total[row["outcome"]] += 1
    total["last_us"] = max(total["last_us"], row["started_us"] + row["duration_us"])


def _upsert(dialect: str, table: sa.Table) -> sa.Insert:
    insert = insert_into(dialect, table)
    added = {name: table.c[name] + insert.excluded[name] for name in t.ROLLUP_SUMS}
    last_us = later(table.c.last_us, insert.excluded.last_us)
    return insert.on_conflict_do_update(
        index_elements=list(t.ROLLUP_KEY), set_={**added, "last_us": last_us}
    )


def insert_into(dialect: str, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that can say what to do on a conflict."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def later(one: "sa.ColumnElement[int]", other: "sa.ColumnElement[int]") -> "sa.ColumnElement[int]":
    """The greater of two columns, in every dialect."""
    return sa.case((one > other, one), else_=other)
