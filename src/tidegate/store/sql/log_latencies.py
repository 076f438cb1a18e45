"""Percentiles of the times that requests took: of stored counts, or of a sample of the rows."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from tidegate.core.calendar import day_start_us
from tidegate.core.latency import bin_of, percentile_us
from tidegate.core.model import Outcome
from tidegate.core.spans import Slice
from tidegate.store.log import Latency, LogFilter
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.log_filters import Branch, branches, conditions, storable
from tidegate.store.sql.log_sums import split, zone_of

_PLACES: Final = 4  # of a bucket, from each of which some rows are read
_ROWS: Final = (30, 3000)  # from each at least, and of all buckets together
_FEW_BRANCHES: Final = 4
_columns: Final = t.events.c

Counts = dict[int, Counter[int]]  # requests by bin, for each bucket


def read_latencies(
    connection: sa.Connection, organization_id: str, only: LogFilter, starts: Sequence[int]
) -> Mapping[int, Latency]:
    """Of requests that ended well; where there are many rows to read, of some from all over."""
    if only == _known_part(only):
        counts = _stored(connection, organization_id, only, starts)
    else:
        counts = _sampled(connection, organization_id, only, starts)
    return {
        index: Latency(percentile_us(bins, 50), percentile_us(bins, 95))
        for index, bins in counts.items()
        if bins.total()
    }


def _known_part(only: LogFilter) -> LogFilter:
    """What the stored counts know of a filter."""
    return LogFilter(
        agents=only.agents, models=only.models, start_us=only.start_us, end_us=only.end_us
    )


def _stored(
    connection: sa.Connection, organization_id: str, only: LogFilter, starts: Sequence[int]
) -> Counts:
    zone = zone_of(connection, organization_id)
    by_hours = any(day_start_us(start_us, zone) != start_us for start_us in starts)
    parts, edges = split(only, zone, by_hours=by_hours)
    found: Counts = {}
    for part in parts:
        rows = connection.execute(_counts_of(organization_id, only, part))
        for at_us, number, count in rows:
            bins = found.setdefault(max(bisect_right(starts, at_us) - 1, 0), Counter())
            bins[number] += int(count)
    for start_us, end_us in edges:
        edge = msgspec.structs.replace(only, start_us=start_us, end_us=end_us)
        for index, more in _sampled(connection, organization_id, edge, starts).items():
            found.setdefault(index, Counter()).update(more)
    return found


def _counts_of(organization_id: str, only: LogFilter, part: Slice) -> "sa.Select[Any]":
    table = t.latencies.c
    query = sa.select(
        table.bucket_start_us, table.bin, sa.func.sum(table.requests - table.failed)
    ).where(
        table.organization_id == organization_id,
        table.span == part.span.value,
        table.bucket_start_us >= part.start_us,
        table.bucket_start_us < part.end_us,
    )
    if only.agents:
        query = query.where(table.agent.in_([*map(storable, only.agents)]))
    if only.models:
        query = query.where(table.model.in_([*map(storable, only.models)]))
    return query.group_by(table.bucket_start_us, table.bin)


def _sampled(
    connection: sa.Connection, organization_id: str, only: LogFilter, starts: Sequence[int]
) -> Counts:
    start_us, end_us = only.start_us, only.end_us
    if only.outcomes and Outcome.OK.value not in only.outcomes:
        return {}
    whole = msgspec.structs.replace(only, start_us=0, end_us=0)
    found_branches = branches(connection, organization_id, whole)
    if len(found_branches) > _FEW_BRANCHES:
        found_branches = [conditions(organization_id, whole)]
    bounds = [at for at in [*starts, end_us] if start_us <= at <= end_us]
    bounds = sorted({start_us, *bounds, end_us})
    most = max(_ROWS[0], _ROWS[1] // len(bounds))
    query = _sample(found_branches, -(-most // len(found_branches)))
    found: Counts = {}
    for first_us, last_us in pairwise(bounds):
        index = max(bisect_right(starts, first_us) - 1, 0)
        step_us = max((last_us - first_us) // _PLACES, 1)
        for place in range(_PLACES):
            from_us = first_us + place * step_us
            to_us = last_us if place == _PLACES - 1 else from_us + step_us
            values = {"from_us": from_us, "to_us": to_us}
            bins = map(bin_of, connection.execute(query, values).scalars())
            found.setdefault(index, Counter()).update(bins)
    return found


def _sample(found: list[Branch], most: int) -> "sa.Select[Any]":
    """Some of the times between two moments."""
    within = [
        _columns.started_us >= sa.bindparam("from_us", type_=sa.BigInteger),
        _columns.started_us < sa.bindparam("to_us", type_=sa.BigInteger),
        _columns.outcome == Outcome.OK.value,
    ]
    parts = [
        sa.select(_columns.duration_us).where(*branch, *within).limit(most).subquery()
        for branch in found
    ]
    return sa.select(sa.union_all(*(sa.select(part.c.duration_us) for part in parts)).subquery())
