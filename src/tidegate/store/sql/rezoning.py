"""Makes an organization's sums anew from its ledger when its time zone changed.

Of days whose ledger rows are gone the sums stay as they are, in days of the zone before. Where the
ledger begins in the middle of a day of the new zone, the rest of that day stays in the old one.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa

from tidegate.core.calendar import date_start_us, day_start_us, local_time
from tidegate.core.spans import Span, bucket_start_us
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.accounts import raise_versions
from tidegate.store.sql.forge_costs import renew_all_spent
from tidegate.store.sql.latencies import add_latencies
from tidegate.store.sql.pull_sums import copy_all_pull_sums
from tidegate.store.sql.rollups import add_rollups, days_of, hours_of
from tidegate.store.sql.session_places import counts_of
from tidegate.store.sql.squad_sums import add_squad_sums
from tidegate.store.sql.team_sums import add_counts, add_team_sums

_ROWS: Final = 5000
_FOREVER_US: Final = 1 << 62
_TEN_DAYS: Final = (t.totals, t.by_member, t.by_key, t.by_squad, t.by_repository)
_SPANNED: Final = (*_TEN_DAYS, t.latencies)


class Stretch(msgspec.Struct, frozen=True):
    """Ledger rows of a time, to be summed in a zone."""

    start_us: int
    end_us: int  # exclusive
    zone: str


def rebuild_sums(
    connection: sa.Connection, organization_id: str, *, before: str, after: str, from_us: int
) -> int:
    """Make the sums anew in the zone `after`; up to when they stay in the one before."""
    turn_us = _first_day(from_us, ZoneInfo(after)) if from_us else 0
    _delete_sums(connection, organization_id, from_us)
    for stretch in (Stretch(from_us, turn_us, before), Stretch(turn_us, _FOREVER_US, after)):
        if stretch.start_us < stretch.end_us:
            _sum_up(connection, organization_id, stretch)
    if from_us:
        _renew_ten_days(connection, organization_id, ZoneInfo(after))
    copy_all_pull_sums(connection, organization_id)
    renew_all_spent(connection, organization_id)
    raise_versions(connection, {organization_id})
    return turn_us


def _first_day(at_us: int, zone: ZoneInfo) -> int:
    """The start of the day that begins at a moment or next after it."""
    start_us = day_start_us(at_us, zone)
    if start_us == at_us:
        return at_us
    return date_start_us(local_time(at_us, zone).date() + timedelta(days=1), zone)


def _delete_sums(connection: sa.Connection, organization_id: str, from_us: int) -> None:
    for table in (t.hours, t.days, *_SPANNED):
        mine = table.c.organization_id == organization_id
        connection.execute(sa.delete(table).where(mine, table.c.bucket_start_us >= from_us))


def _sum_up(connection: sa.Connection, organization_id: str, stretch: Stretch) -> None:
    zones = {organization_id: stretch.zone}
    query = (
        sa.select(t.events)
        .where(
            t.events.c.organization_id == organization_id,
            t.events.c.started_us >= stretch.start_us,
            t.events.c.started_us < stretch.end_us,
        )
        .order_by(t.events.c.started_us)
        .execution_options(yield_per=_ROWS)
    )
    for part in connection.execute(query).mappings().partitions():
        rows = [dict(row) for row in part]
        hours = hours_of(rows, zones)
        days = days_of(hours, zones)
        add_rollups(connection, hours, days)
        add_team_sums(connection, hours, days, {}, zones)
        add_latencies(connection, rows, zones)
        add_squad_sums(connection, rows, zones)
    within = (stretch.start_us, stretch.end_us)
    for counts in counts_of(connection, organization_id, stretch.zone, within):
        add_counts(connection, counts)


def _renew_ten_days(connection: sa.Connection, organization_id: str, zone: ZoneInfo) -> None:
    """Runs of ten days from the days, whatever zone these are in."""
    table = t.totals
    days = sa.select(table.c.bucket_start_us).where(*_of(table, organization_id, Span.DAY))
    runs: dict[int, list[int]] = {}
    for day_us in sorted(connection.execute(days).scalars()):
        runs.setdefault(bucket_start_us(Span.TEN_DAYS, day_us, zone), []).append(day_us)
    for table in _TEN_DAYS:
        connection.execute(sa.delete(table).where(*_of(table, organization_id, Span.TEN_DAYS)))
        for run_us, of_run in runs.items():
            _add_run(connection, table, organization_id, run_us, of_run)


def _add_run(
    connection: sa.Connection,
    table: sa.Table,
    organization_id: str,
    run_us: int,
    days: Sequence[int],
) -> None:
    known = {"span": sa.literal(Span.TEN_DAYS.value), "bucket_start_us": sa.literal(run_us)}
    columns: list[sa.ColumnElement[Any]] = []
    by: list[sa.Column[Any]] = []
    for column in table.c:
        if column.name in known:
            columns.append(sa.cast(known[column.name], column.type))
        elif column.primary_key:
            columns.append(column)
            by.append(column)
        else:
            total: Callable[..., Any] = sa.func.max if column.name == "last_us" else sa.func.sum
            columns.append(total(column))
    within = table.c.bucket_start_us.between(days[0], days[-1])
    query = sa.select(*columns).where(*_of(table, organization_id, Span.DAY), within).group_by(*by)
    connection.execute(sa.insert(table).from_select([c.name for c in table.c], query))


def _of(table: sa.Table, organization_id: str, span: Span) -> "list[sa.ColumnElement[bool]]":
    return [table.c.organization_id == organization_id, table.c.span == span.value]
