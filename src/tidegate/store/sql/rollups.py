"""Sums of the ledger by organization-local hour and day.

A rollup row is named by the UTC start of its bucket. The sums of one batch are added up in memory
first, so that a batch touches each row once and in a fixed order (two drains never deadlock).
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from tidegate.core.spans import Span, bucket_start_us
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.ledger import Row
from tidegate.store.sql.upserts import add_up

_ADDED: Final = (*t.TOKEN_COLUMNS, *t.COST_COLUMNS)
_MINUTE_US: Final = 60_000_000

Sums = dict[tuple[Any, ...], Row]


def hours_of(rows: Iterable[Row], zones: Mapping[str, str]) -> Sums:
    """Ledger rows added up by the hours of their organizations' zones."""
    sums: Sums = {}
    add_hours(sums, rows, zones)
    return sums


def add_hours(sums: Sums, rows: Iterable[Row], zones: Mapping[str, str], sign: int = 1) -> None:
    """Add ledger rows to hours, or take them away."""
    for row in rows:
        hour_us = start_of(Span.HOUR, row["started_us"], zones[row["organization_id"]])
        if sign > 0:
            _add(sums, row, hour_us)
            continue
        single: Sums = {}
        _add(single, row, hour_us)
        for key, hour in single.items():
            taken = {name: -hour[name] for name in t.ROLLUP_SUMS}
            _merge(sums, key, {**hour, **taken, "last_us": 0})


def days_of(hours: Sums, zones: Mapping[str, str]) -> Sums:
    """Hours added up to days, each of which is made of whole hours."""
    sums: Sums = {}
    for (organization_id, hour_us, *rest), hour in hours.items():
        day_us = start_of(Span.DAY, hour_us, zones[organization_id])
        key = (organization_id, day_us, *rest)
        _merge(sums, key, {**hour, "bucket_start_us": day_us})
    return sums


def add_rollups(connection: sa.Connection, hours: Sums, days: Sums) -> None:
    """Add the sums to the tables."""
    for table, sums in ((t.hours, hours), (t.days, days)):
        add_up(connection, table, [sums[key] for key in sorted(sums)])


def merge_hours(hours: Sums, others: Sums) -> None:
    """Add hours to hours."""
    for key, hour in others.items():
        _merge(hours, key, dict(hour))


def delete_empty(connection: sa.Connection, hours: Sums, days: Sums) -> None:
    """Delete what nothing is left of since rows were taken away."""
    for table, sums in ((t.hours, hours), (t.days, days)):
        taken = [row for row in sums.values() if row["requests"] < 0]
        if taken:
            key = [table.c[name] == sa.bindparam(f"of_{name}") for name in t.ROLLUP_KEY]
            values = [{f"of_{name}": row[name] for name in t.ROLLUP_KEY} for row in taken]
            connection.execute(sa.delete(table).where(*key, table.c.requests == 0), values)


def start_of(span: Span, at_us: int, zone: str) -> int:
    """The start of the bucket that a moment falls into, fast where many share a minute.

    Zones change their offset on whole minutes only, so a minute has one bucket.
    """
    return _start_of(span, at_us // _MINUTE_US, zone)


@lru_cache(maxsize=1 << 16)
def _start_of(span: Span, minute: int, zone: str) -> int:
    return bucket_start_us(span, minute * _MINUTE_US, ZoneInfo(zone))


def _merge(sums: Sums, key: tuple[Any, ...], hour: Row) -> None:
    total = sums.get(key)
    if total is None:
        sums[key] = hour
        return
    for column in t.ROLLUP_SUMS:
        total[column] += hour[column]
    total["last_us"] = max(total["last_us"], hour["last_us"])


def _add(sums: Sums, row: Row, bucket_start_us: int) -> None:
    model = row["model_served"] or row["model_asked"]
    values = (
        row["organization_id"], bucket_start_us, row["member_id"], row["key_id"], row["agent"],
        model, row["repository"], row["pull_request"], row["billing"],
    )  # fmt: skip
    total = sums.get(values)
    if total is None:
        total = sums[values] = dict.fromkeys((*t.ROLLUP_SUMS, "last_us"), 0)
        total.update(zip(t.ROLLUP_KEY, values, strict=True))
    total["requests"] += 1
    for column in _ADDED:
        total[column] += row[column]
    total["saved_tokens"] += row["saved_tokens_new"] + row["saved_tokens_again"]
    total["saved_nusd"] += row["saved_nano"]
    total["estimated"] += row["estimated"]
    total["price_unknown"] += row["price_unknown"]
    if row["outcome"] in t.FAULT_COLUMNS:
        total[row["outcome"]] += 1
    total["last_us"] = max(total["last_us"], row["started_us"] + row["duration_us"])
