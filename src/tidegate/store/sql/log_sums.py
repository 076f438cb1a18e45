"""What the rows of a filter amount to: from stored sums where they know the filter, else counted.

Sums do not know what few rows have, such as being captured. All but those are the sums of all
less the sums of those, which an index of their own finds.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa

from tidegate.core.calendar import (
    date_start_us,
    day_start_us,
    hour_start_us,
    local_time,
    next_hour_us,
)
from tidegate.core.figures import Figures
from tidegate.core.model import Outcome
from tidegate.core.spans import Slice, Span
from tidegate.store.log import NO_REPOSITORY, LogFilter, Volume
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.log_filters import (
    IS_FAILED,
    IS_REFUSED,
    Branch,
    branches,
    key_members,
    storable,
)

_FOREVER_US: Final = 1 << 62
_QUARTER_HOUR_US: Final = 900_000_000
_DEFAULT_ZONE: Final = "UTC"
_WIDE: Final = {Span.HOUR: t.hours, Span.DAY: t.days}
_events: Final = t.events.c

_NUMBERS: Final = (*t.FIGURES, "failed")
_REQUESTS: Final = _NUMBERS.index("requests")
_AMOUNTS: Final = [name for name in t.FIGURES if name != "requests"]

Numbers = list[int]  # by _NUMBERS
Sums = dict[int, Numbers]  # by the moment that a bucket starts at


def read_figures(connection: sa.Connection, organization_id: str, only: LogFilter) -> Figures:
    """What all rows amount to."""
    total = [0] * len(_NUMBERS)
    for numbers in _sums(connection, organization_id, only).values():
        total = [a + b for a, b in zip(total, numbers, strict=True)]
    return Figures(**dict(zip(t.FIGURES, total, strict=False)))


def read_volumes(
    connection: sa.Connection, organization_id: str, only: LogFilter, starts: Sequence[int]
) -> Mapping[int, Volume]:
    """How many rows there are in each bucket, and how many of them failed."""
    zone = zone_of(connection, organization_id)
    by_hours = any(day_start_us(start_us, zone) != start_us for start_us in starts)
    by = Span.HOUR if by_hours else Span.DAY
    found: dict[int, Volume] = {}
    for at_us, numbers in _sums(connection, organization_id, only, by).items():
        index = max(bisect_right(starts, at_us) - 1, 0)
        before = found.get(index, Volume())
        found[index] = Volume(before.requests + numbers[_REQUESTS], before.failed + numbers[-1])
    return {index: volume for index, volume in found.items() if volume.requests}


def zone_of(connection: sa.Connection, organization_id: str) -> ZoneInfo:
    """The zone that an organization's sums are in."""
    query = sa.select(t.zones.c.time_zone).where(t.zones.c.organization_id == organization_id)
    return ZoneInfo(connection.execute(query).scalar_one_or_none() or _DEFAULT_ZONE)


def split(
    only: LogFilter, zone: ZoneInfo, *, by_hours: bool
) -> tuple[list[Slice], list[tuple[int, int]]]:
    """A filter's range as whole days and hours, and what is left of it at its ends."""
    end_us = min(only.end_us, _FOREVER_US) if only.end_us > 0 else _FOREVER_US
    start_us = min(max(only.start_us, 0), end_us)
    first = start_us
    if start_us and hour_start_us(start_us, zone) < start_us:
        first = next_hour_us(start_us, zone)
    last = end_us if end_us >= _FOREVER_US else hour_start_us(end_us, zone)
    if first >= last:
        return [], [(start_us, end_us)]
    edges = [edge for edge in ((start_us, first), (last, end_us)) if edge[0] < edge[1]]
    if by_hours:
        return [Slice(Span.HOUR, first, last)], edges
    first_day, last_day = _first_day(first, zone), last
    if last < _FOREVER_US:
        last_day = day_start_us(last, zone)
    if first_day >= last_day:
        return [Slice(Span.HOUR, first, last)], edges
    parts = [
        Slice(Span.HOUR, first, first_day),
        Slice(Span.DAY, first_day, last_day),
        Slice(Span.HOUR, last_day, last),
    ]
    return [part for part in parts if part.start_us < part.end_us], edges


def _first_day(at_us: int, zone: ZoneInfo) -> int:
    """The start of the day that begins at a moment or next after it."""
    if not at_us or day_start_us(at_us, zone) == at_us:
        return at_us
    following = local_time(at_us, zone).date() + timedelta(days=1)
    return date_start_us(following, zone)


def _sums(
    connection: sa.Connection, organization_id: str, only: LogFilter, by: Span | None = None
) -> Sums:
    counted = partial(_counted, connection, volumes=by is not None)
    base, rare = _but_for(only)
    if not _is_summed(base):
        return counted(branches(connection, organization_id, only))
    zone = zone_of(connection, organization_id)
    parts, edges = split(base, zone, by_hours=by is Span.HOUR)
    found: Sums = {}
    for part in parts:
        _add(found, _summed(connection, organization_id, base, part, volumes=by is not None))
    for start_us, end_us in edges:
        edge = msgspec.structs.replace(base, start_us=start_us, end_us=end_us)
        _add(found, counted(branches(connection, organization_id, edge)))
    for driver in rare:
        _add(found, counted(branches(connection, organization_id, base, driver)), -1)
    return found


def _but_for(only: LogFilter) -> tuple[LogFilter, list[Branch]]:
    """A filter without what few rows fail, and those rows in disjoint parts."""
    changes: dict[str, Any] = {}
    rare: list[Branch] = []
    without: Branch = []

    def leave_out(*few: "sa.ColumnElement[bool]") -> None:
        rare.append([*few, *without])
        without.append(sa.not_(sa.and_(*few)))

    if Outcome.OK.value in only.outcomes:
        changes["outcomes"] = ()
        leave_out(IS_FAILED, _events.outcome.not_in([*map(storable, only.outcomes)]))
    if only.status_class == "2xx":
        changes["status_class"] = ""
        leave_out(IS_REFUSED)
    for flag in ("captured", "price_unknown", "estimated"):
        if getattr(only, flag) is False:
            changes[flag] = None
            leave_out(_events[flag])
    return msgspec.structs.replace(only, **changes), rare


def _is_summed(only: LogFilter) -> bool:
    """Whether the stored sums know all that a filter asks."""
    flags = (only.captured, only.estimated, only.price_unknown)
    texts = (only.session_id, only.status_class, only.pull_request, only.ids.strip())
    return flags == (None, None, None) and not any(texts) and not only.outcomes


def _summed(
    connection: sa.Connection, organization_id: str, only: LogFilter, part: Slice, *, volumes: bool
) -> Sums:
    """From the stored sums of a part, as narrow ones as know the filter."""
    is_narrow = not (only.member_ids or only.key_id or only.repository or only.billing)
    if is_narrow and volumes:
        return _by_latency(connection, organization_id, only, part)
    if is_narrow and not (only.agents or only.models):
        return _all_figures(connection, organization_id, part)
    table = _WIDE[part.span]
    amounts = map(sa.func.sum, _amounts(table, table.c.saved_tokens, table.c.saved_nusd))
    requests, failed = map(sa.func.sum, (table.c.requests, _total(table, t.FAULT_COLUMNS)))
    query = (
        sa.select(table.c.bucket_start_us, *_ordered(amounts, requests, failed))
        .where(table.c.organization_id == organization_id)
        .group_by(table.c.bucket_start_us)
    )
    members = only.member_ids
    if only.key_id and not members:
        members = tuple(key_members(connection, organization_id, only.key_id)) or ("-",)
    if members:
        query = query.where(
            table.c.bucket_start_us.in_(_buckets(organization_id, part)),
            table.c.member_id.in_([storable(member) for member in members]),
        )
    else:
        query = query.where(
            table.c.bucket_start_us >= part.start_us, table.c.bucket_start_us < part.end_us
        )
    for column, values in _named(table, only):
        query = query.where(column.in_([storable(value) for value in values]))
    return _read(connection, query)


def _named(table: sa.Table, only: LogFilter) -> "list[tuple[sa.Column[Any], Sequence[str]]]":
    repository = "" if only.repository == NO_REPOSITORY else only.repository
    wanted = (
        (table.c.key_id, (only.key_id,) if only.key_id else ()),
        (table.c.agent, only.agents),
        (table.c.model, only.models),
        (table.c.repository, (repository,) if only.repository else ()),
        (table.c.billing, (only.billing,) if only.billing else ()),
    )
    return [(column, values) for column, values in wanted if values]


def _all_figures(connection: sa.Connection, organization_id: str, part: Slice) -> Sums:
    columns = [t.totals.c[name] for name in t.FIGURES]
    query = sa.select(t.totals.c.bucket_start_us, *columns, sa.literal(0)).where(
        *_in_part(t.totals, organization_id, part)
    )
    return _read(connection, query)


def _by_latency(
    connection: sa.Connection, organization_id: str, only: LogFilter, part: Slice
) -> Sums:
    """How many requests there were, and how many failed."""
    table = t.latencies.c
    nothing = [sa.literal(0)] * len(_AMOUNTS)
    counts = (sa.func.sum(table.requests), sa.func.sum(table.failed))
    query = sa.select(table.bucket_start_us, *_ordered(nothing, *counts)).where(
        *_in_part(t.latencies, organization_id, part)
    )
    for column, values in ((table.agent, only.agents), (table.model, only.models)):
        if values:
            query = query.where(column.in_([storable(value) for value in values]))
    return _read(connection, query.group_by(table.bucket_start_us))


def _in_part(table: sa.Table, organization_id: str, part: Slice) -> Branch:
    return [
        table.c.organization_id == organization_id,
        table.c.span == part.span.value,
        table.c.bucket_start_us >= part.start_us,
        table.c.bucket_start_us < part.end_us,
    ]


def _buckets(organization_id: str, part: Slice) -> "sa.Select[tuple[int]]":
    """The buckets in which anything was used: with them a row is found by its whole key."""
    return sa.select(t.totals.c.bucket_start_us).where(*_in_part(t.totals, organization_id, part))


def _counted(connection: sa.Connection, parts: Sequence[Branch], *, volumes: bool) -> Sums:
    """From the ledger, by quarters of an hour: every zone's hours are made of them.

    An index alone knows volumes.
    """
    at = _events.started_us // sa.literal_column(str(_QUARTER_HOUR_US))
    failed = sa.case((IS_FAILED, 1), else_=0)
    saved = (_events.saved_tokens_new + _events.saved_tokens_again, _events.saved_nano)
    nothing: list[sa.ColumnElement[int]] = [sa.literal(0)] * len(_AMOUNTS)
    amounts = nothing if volumes else map(sa.func.sum, _amounts(t.events, *saved))
    sums = _ordered(amounts, sa.func.count(), sa.func.sum(failed))
    found: Sums = {}
    for branch in parts:
        query = sa.select(at, *sums).where(*branch).group_by(at)
        counted = _read(connection, query)
        _add(found, {number * _QUARTER_HOUR_US: sums for number, sums in counted.items()})
    return found


def _amounts(
    table: sa.Table, saved_tokens: "sa.ColumnElement[int]", saved_nusd: "sa.ColumnElement[int]"
) -> "tuple[sa.ColumnElement[int], ...]":
    """What _AMOUNTS are of a row."""
    cost = _total(table, t.COST_COLUMNS)
    is_subscription = table.c.billing == "subscription"
    return (
        sa.case((is_subscription, 0), else_=cost),
        sa.case((is_subscription, cost), else_=0),
        _total(table, t.COUNTED_TOKENS),
        saved_tokens,
        sa.case((is_subscription, 0), else_=saved_nusd),
        sa.case((is_subscription, saved_nusd), else_=0),
    )


def _ordered(
    amounts: "Iterable[sa.ColumnElement[int]]",
    requests: "sa.ColumnElement[int]",
    failed: "sa.ColumnElement[int]",
) -> "list[sa.ColumnElement[int]]":
    """The columns in the order of _NUMBERS."""
    named = {**dict(zip(_AMOUNTS, amounts, strict=True)), "requests": requests, "failed": failed}
    return [named[name] for name in _NUMBERS]


def _total(table: sa.Table, names: Sequence[str]) -> "sa.ColumnElement[int]":
    return sum((table.c[name] for name in names[1:]), table.c[names[0]])


def _read(connection: sa.Connection, query: "sa.Select[Any]") -> Sums:
    return {int(at): [int(n or 0) for n in numbers] for at, *numbers in connection.execute(query)}


def _add(sums: Sums, more: Sums, sign: int = 1) -> None:
    for at, numbers in more.items():
        before = sums.get(at) or [0] * len(numbers)
        sums[at] = [a + sign * b for a, b in zip(before, numbers, strict=True)]
