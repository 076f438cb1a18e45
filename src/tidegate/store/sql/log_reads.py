"""The log on SQL. See `tidegate.store.log`."""

from collections.abc import Iterator, Mapping, Sequence
from heapq import merge
from itertools import chain, islice
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from tidegate.core.figures import Figures
from tidegate.core.model import Cost, TokenCounts, UsageEvent
from tidegate.store.log import Kept, Latency, LogFilter, LogRow, Place, Volume
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.engines import transaction
from tidegate.store.sql.ledger import COLUMNS, event_from
from tidegate.store.sql.log_filters import Branch, aside, branches, storable
from tidegate.store.sql.log_latencies import read_latencies
from tidegate.store.sql.log_sums import read_figures, read_volumes

_PART_ROWS: Final = 1000
_LEAST_PART_ROWS: Final = 100
_FOREVER_US: Final = 1 << 62
_PLAIN: Final = tuple(n for n in LogRow.__struct_fields__ if n not in {"tokens", "cost"})
_columns: Final = t.events.c
SHOWN: Final = [_columns[name] for name in (*_PLAIN, *t.TOKEN_COLUMNS, *t.COST_COLUMNS)]
_ALL: Final = [_columns[name] for name in COLUMNS]
_IS_FLAG: Final = [isinstance(column.type, sa.Boolean) for column in _ALL]
_NEWEST_FIRST: Final = (_columns.started_us.desc(), _columns.event_id.desc())
_OLDEST_FIRST: Final = (_columns.started_us, _columns.event_id)


class SqlLogReads:
    """See `tidegate.store.log.LogReads`."""

    def __init__(self, reading: sa.Engine) -> None:
        self._reading = reading

    def page(
        self,
        organization_id: str,
        only: LogFilter,
        limit: int,
        *,
        before: Place | None = None,
        after: Place | None = None,
    ) -> list[LogRow]:
        order = _OLDEST_FIRST if after else _NEWEST_FIRST
        beyond = _newer(after) if after else _older(before) if before else []
        only = _narrowed(only, before, after)
        rows: list[LogRow] = []
        with transaction(self._reading) as connection:
            for branch in branches(connection, organization_id, only):
                query = sa.select(*SHOWN).where(*branch, *beyond).order_by(*order).limit(limit)
                rows += [row_of(found) for found in connection.execute(query)]
        rows.sort(key=lambda row: row.place, reverse=not after)
        return rows[:limit][::-1] if after else rows[:limit]

    def event(self, organization_id: str, event_id: str) -> UsageEvent | None:
        query = sa.select(*_ALL).where(_columns.event_id == storable(event_id))
        with transaction(self._reading) as connection:
            row = connection.execute(query).first()
        event = event_from(row) if row else None
        return event if event and event.organization_id == organization_id else None

    def count_after(self, organization_id: str, only: LogFilter, place: Place, most: int) -> int:
        count = 0
        only = _narrowed(only, None, place)
        with transaction(self._reading) as connection:
            for branch in branches(connection, organization_id, only):
                some = sa.select(sa.literal(1)).select_from(t.events)
                some = some.where(*branch, *_newer(place)).limit(most)
                query = sa.select(sa.func.count()).select_from(some.subquery())
                count += connection.execute(query).scalar_one()
        return min(count, most)

    def rows(self, organization_id: str, only: LogFilter) -> Iterator[list[UsageEvent]]:
        for part in self.values(organization_id, only, COLUMNS):
            yield [event_from([*map(_typed, row, _IS_FLAG)]) for row in part]

    def values(
        self, organization_id: str, only: LogFilter, columns: Sequence[str]
    ) -> Iterator[list[tuple[Any, ...]]]:
        endless = only if only.ids.strip() else msgspec.structs.replace(only, end_us=0)
        with transaction(self._reading) as connection:
            found = branches(connection, organization_id, endless)
        last_us = only.end_us - 1 if endless is not only and only.end_us > 0 else _FOREVER_US
        most = max(_PART_ROWS // len(found), _LEAST_PART_ROWS)
        walks = [self._walk(branch, columns, most, last_us) for branch in found]
        if len(walks) == 1:
            yield from walks[0]
            return
        at, name = columns.index("started_us"), columns.index("event_id")
        rows = merge(
            *(chain.from_iterable(walk) for walk in walks),
            key=lambda row: (row[at], row[name]),
            reverse=True,
        )
        while part := list(islice(rows, _PART_ROWS)):
            yield part

    def sums(self, organization_id: str, only: LogFilter) -> Figures:
        with transaction(self._reading) as connection:
            return read_figures(connection, organization_id, only)

    def volumes(
        self, organization_id: str, only: LogFilter, starts: Sequence[int]
    ) -> Mapping[int, Volume]:
        with transaction(self._reading) as connection:
            return read_volumes(connection, organization_id, only, starts)

    def latencies(
        self, organization_id: str, only: LogFilter, starts: Sequence[int]
    ) -> Mapping[int, Latency]:
        with transaction(self._reading) as connection:
            return read_latencies(connection, organization_id, only, starts)

    def kept(self, organization_id: str) -> Kept:
        query = sa.select(t.zones.c.ledger_from_us, t.zones.c.other_zone_before_us).where(
            t.zones.c.organization_id == storable(organization_id)
        )
        with transaction(self._reading) as connection:
            row = connection.execute(query).first()
        return Kept(*row) if row else Kept()

    def _walk(
        self, branch: Branch, columns: Sequence[str], most: int, last_us: int
    ) -> Iterator[list[tuple[Any, ...]]]:
        """All rows of a branch, in transactions so short that no writer's log grows meanwhile.

        Indexes have them by time. Those of one instant are put in order here: a database would
        sort whole rows.
        """
        at, name = columns.index("started_us"), columns.index("event_id")
        walked = sa.select(*(_plain(_columns[each]) for each in columns)).where(*branch)
        by_time = walked.order_by(_columns.started_us.desc()).limit(most)
        last_us = min(last_us, _FOREVER_US)
        while True:
            rows = self._fetched(by_time.where(_columns.started_us <= last_us))
            is_last = len(rows) < most
            last_us = rows[-1][at] if rows else last_us
            if not is_last:  # there may be more of the last instant
                rows = [row for row in rows if row[at] > last_us]
            if rows:
                rows.sort(key=lambda row: (row[at], row[name]), reverse=True)
                yield rows
            elif not is_last:
                yield from self._instant(walked, last_us, name, most)
                last_us -= 1
            if is_last:
                return

    def _instant(
        self, walked: "sa.Select[Any]", at_us: int, name: int, most: int
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Rows that began at the same time, of which there are many."""
        query = ordered = (
            walked.where(_columns.started_us == at_us)
            .order_by(_columns.event_id.desc())
            .limit(most)
        )
        while rows := self._fetched(query):
            yield rows
            query = ordered.where(_columns.event_id < rows[-1][name])

    def _fetched(self, query: "sa.Select[Any]") -> list[tuple[Any, ...]]:
        """Straight from the driver: rows as objects of their own cost a fourth more."""
        with transaction(self._reading) as connection:
            cursor = connection.execute(query).cursor
            return list(cursor.fetchall()) if cursor else []


def _typed(value: Any, is_flag: bool) -> Any:  # of a pair
    return bool(value) if is_flag else value


def _plain(column: "sa.Column[Any]") -> "sa.ColumnElement[Any]":
    """The column as the driver gives it: a flag is 0 or 1, or a bool."""
    return sa.type_coerce(column, sa.Integer) if isinstance(column.type, sa.Boolean) else column


def _narrowed(only: LogFilter, before: Place | None, after: Place | None) -> LogFilter:
    """The filter up to a place, or from one on.

    A second bound beside that of the range would do no good: SQLite looks up one of them only, and
    reads all rows between the two.
    """
    if after is not None:
        start_us = max(only.start_us, after.started_us)
        return msgspec.structs.replace(only, start_us=start_us)
    if before is not None:
        end_us = min(only.end_us if only.end_us > 0 else _FOREVER_US, before.started_us + 1)
        return msgspec.structs.replace(only, end_us=end_us)
    return only


def _older(place: Place) -> Branch:
    at, event_id = aside(_columns.started_us), storable(place.event_id)
    return [(at < place.started_us) | (aside(_columns.event_id) < event_id)]


def _newer(place: Place) -> Branch:
    at, event_id = aside(_columns.started_us), storable(place.event_id)
    return [(at > place.started_us) | (aside(_columns.event_id) > event_id)]


def row_of(found: "sa.Row[Any]") -> LogRow:
    values = tuple(found)
    tokens_at, cost_at = len(_PLAIN), len(_PLAIN) + len(t.TOKEN_COLUMNS)
    return LogRow(
        **dict(zip(_PLAIN, values, strict=False)),
        tokens=TokenCounts(*values[tokens_at:cost_at]),
        cost=Cost(*values[cost_at:]),
    )
