"""Makes the last uses of sums anew from which rows were taken away.

What is added raises them; what is taken away may have been the last. An hour is looked up in the
ledger, all that is longer in what is shorter.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import sqlalchemy as sa

from tidegate.core.spans import Span
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.rollups import Sums, start_of

_MINUTE_US: Final = 60_000_000
_DAY_US: Final = 1440 * _MINUTE_US
_LONGEST_HOUR: Final = 121  # minutes: where clocks are set back
_LONGEST_DAY_US: Final = 2 * _DAY_US
_TEN_DAYS_US: Final = 11 * _DAY_US
_hour: Final = t.hours.c
_place: Final = t.by_repository.c


def renew_last_uses(connection: sa.Connection, taken: Sums, zones: Mapping[str, str]) -> None:
    """Renew the last uses of the hours that rows were taken from, and of all that they are in."""
    for row in taken.values():
        _renew_hour(connection, row, zones[row["organization_id"]])
    days: dict[tuple[Any, ...], dict[str, Any]] = {}
    places: set[tuple[str, str, str, str, int]] = set()
    for row in taken.values():
        organization_id, hour_us = row["organization_id"], row["bucket_start_us"]
        zone = zones[organization_id]
        day_us = start_of(Span.DAY, hour_us, zone)
        day = {**{name: row[name] for name in t.ROLLUP_KEY}, "bucket_start_us": day_us}
        days[tuple(day.values())] = day
        for number in {"", row["pull_request"]}:
            place = (organization_id, row["repository"], number)
            places.add((*place, Span.HOUR.value, hour_us))
            places.add((*place, Span.DAY.value, day_us))
            places.add((*place, Span.TEN_DAYS.value, start_of(Span.TEN_DAYS, day_us, zone)))
    for day in days.values():
        _renew_day(connection, day, zones[day["organization_id"]])
    for span in Span:  # hours first: days are made of them, and runs of days
        for each in sorted(each for each in places if each[3] == span.value):
            _renew_place(connection, each, zones[each[0]])


def _renew_hour(connection: sa.Connection, row: Mapping[str, Any], zone: str) -> None:
    start_us = row["bucket_start_us"]
    later = (start_us + minute * _MINUTE_US for minute in range(1, _LONGEST_HOUR))
    end_us = next(at_us for at_us in later if start_of(Span.HOUR, at_us, zone) != start_us)
    columns = t.events.c
    names = ("organization_id", "member_id", "key_id", "agent", "billing")
    query = sa.select(sa.func.max(columns.started_us + columns.duration_us)).where(
        *(columns[name] == row[name] for name in (*names, "repository", "pull_request")),
        row["model"] == t.MODEL,
        columns.started_us >= start_us,
        columns.started_us < end_us,
    )
    _put(connection, t.hours, {name: row[name] for name in t.ROLLUP_KEY}, query)


def _renew_day(connection: sa.Connection, day: Mapping[str, Any], zone: str) -> None:
    start_us = day["bucket_start_us"]
    same = [_hour[name] == day[name] for name in t.ROLLUP_KEY if name != "bucket_start_us"]
    hours = _hours_of_day(connection, day["organization_id"], start_us, zone)
    query = sa.select(sa.func.max(_hour.last_us)).where(*same, _hour.bucket_start_us.in_(hours))
    _put(connection, t.days, dict(day), query)


def _renew_place(
    connection: sa.Connection, place: tuple[str, str, str, str, int], zone: str
) -> None:
    organization_id, repository, number, span, start_us = place
    key = dict(zip([c.name for c in t.by_repository.primary_key], (
        organization_id, span, start_us, repository, number), strict=True))  # fmt: skip
    if span == Span.HOUR:
        query = sa.select(sa.func.max(_hour.last_us)).where(
            _hour.organization_id == organization_id,
            _hour.bucket_start_us == start_us,
            _hour.repository == repository,
            *([_hour.pull_request == number] if number else []),
        )
        _put(connection, t.by_repository, key, query)
        return
    if span == Span.DAY:
        parts, shorter = _hours_of_day(connection, organization_id, start_us, zone), Span.HOUR
    else:
        parts, shorter = _days_of_run(connection, organization_id, start_us, zone), Span.DAY
    query = sa.select(sa.func.max(_place.last_us)).where(
        _place.organization_id == organization_id,
        _place.span == shorter.value,
        _place.bucket_start_us.in_(parts),
        _place.repository == repository,
        _place.pull_request == number,
    )
    _put(connection, t.by_repository, key, query)


def _put(
    connection: sa.Connection, table: sa.Table, key: Mapping[str, Any], query: "sa.Select[Any]"
) -> None:
    last_us = connection.execute(query).scalar_one_or_none()
    if last_us is not None:
        mine = [table.c[name] == value for name, value in key.items()]
        connection.execute(sa.update(table).where(*mine), {"last_us": last_us})


def _hours_of_day(
    connection: sa.Connection, organization_id: str, day_us: int, zone: str
) -> list[int]:
    hours = _buckets(connection, organization_id, Span.HOUR, (day_us, day_us + _LONGEST_DAY_US))
    return [hour_us for hour_us in hours if start_of(Span.DAY, hour_us, zone) == day_us]


def _days_of_run(
    connection: sa.Connection, organization_id: str, run_us: int, zone: str
) -> list[int]:
    days = _buckets(connection, organization_id, Span.DAY, (run_us, run_us + _TEN_DAYS_US))
    return [day_us for day_us in days if start_of(Span.TEN_DAYS, day_us, zone) == run_us]


def _buckets(
    connection: sa.Connection, organization_id: str, span: Span, within: tuple[int, int]
) -> Iterable[int]:
    columns = t.totals.c
    query = sa.select(columns.bucket_start_us).where(
        columns.organization_id == organization_id,
        columns.span == span.value,
        columns.bucket_start_us >= within[0],
        columns.bucket_start_us < within[1],
    )
    return connection.execute(query).scalars()
