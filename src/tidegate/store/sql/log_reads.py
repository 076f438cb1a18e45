"""The log on SQL. See `tidegate.store.log`."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from tidegate.core.figures import Figures
from tidegate.core.model import Cost, TokenCounts, UsageEvent
from tidegate.store.log import Kept, Latency, LogFilter, LogRow, Place, Volume
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.engines import transaction
from tidegate.store.sql.ledger import event_of
from tidegate.store.sql.log_filters import Condition, conditions

_PART_ROWS: Final = 1000
_PLAIN: Final = tuple(n for n in LogRow.__struct_fields__ if n not in {"tokens", "cost"})
_SHOWN: Final = (*_PLAIN, *t.TOKEN_COLUMNS, *t.COST_COLUMNS)
_columns = t.events.c


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
        query = sa.select(*(_columns[name] for name in _SHOWN))
        query = query.where(*conditions(organization_id, only))
        if after is not None:
            query = query.where(*_newer(after)).order_by(_columns.started_us, _columns.event_id)
        else:
            query = query.where(*(_older(before) if before else ())).order_by(
                _columns.started_us.desc(), _columns.event_id.desc()
            )
        with transaction(self._reading) as connection:
            found = connection.execute(query.limit(limit)).mappings().all()
        rows = [_row(dict(row)) for row in found]
        return rows[::-1] if after is not None else rows

    def event(self, organization_id: str, event_id: str) -> UsageEvent | None:
        query = sa.select(t.events).where(*conditions(organization_id, LogFilter()))
        with transaction(self._reading) as connection:
            row = connection.execute(query.where(_columns.event_id == event_id)).mappings().first()
        return event_of(dict(row)) if row else None

    def count_after(self, organization_id: str, only: LogFilter, place: Place, most: int) -> int:
        query = sa.select(_columns.event_id).where(*conditions(organization_id, only))
        some = query.where(*_newer(place)).limit(most).subquery()
        with transaction(self._reading) as connection:
            return int(
                connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()
            )

    def rows(self, organization_id: str, only: LogFilter) -> Iterator[list[UsageEvent]]:
        query = sa.select(t.events).where(*conditions(organization_id, only))
        ordered = query.order_by(_columns.started_us.desc(), _columns.event_id.desc())
        place: Place | None = None
        while True:
            some = ordered.where(*(_older(place) if place else ())).limit(_PART_ROWS)
            with transaction(self._reading) as connection:
                events = [event_of(dict(row)) for row in connection.execute(some).mappings()]
            if events:
                yield events
            if len(events) < _PART_ROWS:
                return
            place = Place(events[-1].started_us, events[-1].event_id)

    def sums(self, organization_id: str, only: LogFilter) -> Figures:
        cost = sum((_columns[name] for name in t.COST_COLUMNS[1:]), _columns[t.COST_COLUMNS[0]])
        tokens = sum(
            (_columns[name] for name in t.COUNTED_TOKENS[1:]), _columns[t.COUNTED_TOKENS[0]]
        )
        is_subscription = _columns.billing == "subscription"
        query = sa.select(
            sa.func.sum(sa.case((is_subscription, 0), else_=cost)),
            sa.func.sum(sa.case((is_subscription, cost), else_=0)),
            sa.func.sum(tokens),
            sa.func.count(),
        ).where(*conditions(organization_id, only))
        with transaction(self._reading) as connection:
            values = [int(value or 0) for value in connection.execute(query).one()]
        return Figures(**dict(zip(t.FIGURES, values, strict=True)))

    def volumes(
        self, organization_id: str, only: LogFilter, starts: Sequence[int]
    ) -> Mapping[int, Volume]:
        found: dict[int, list[int]] = {}
        query = sa.select(_columns.started_us, _columns.outcome)
        with transaction(self._reading) as connection:
            for started_us, outcome in connection.execute(
                query.where(*conditions(organization_id, only))
            ):
                count = found.setdefault(bisect_right(starts, started_us) - 1, [0, 0])
                count[0] += 1
                count[1] += outcome != "ok"
        return {index: Volume(*counts) for index, counts in found.items()}

    def latencies(
        self, organization_id: str, only: LogFilter, starts: Sequence[int]
    ) -> Mapping[int, Latency]:
        found: dict[int, list[int]] = {}
        query = sa.select(_columns.started_us, _columns.duration_us).where(
            *conditions(organization_id, only), _columns.outcome == "ok"
        )
        with transaction(self._reading) as connection:
            for started_us, duration_us in connection.execute(query):
                found.setdefault(bisect_right(starts, started_us) - 1, []).append(duration_us)
        return {index: _latency(durations) for index, durations in found.items()}

    def kept(self, organization_id: str) -> Kept:
        query = sa.select(t.zones.c.ledger_from_us, t.zones.c.other_zone_before_us).where(
            t.zones.c.organization_id == organization_id
        )
        with transaction(self._reading) as connection:
            row = connection.execute(query).first()
        return Kept(*row) if row else Kept()


def _latency(durations: list[int]) -> Latency:
    durations.sort()
    return Latency(
        durations[(len(durations) - 1) // 2], durations[(len(durations) - 1) * 95 // 100]
    )


def _older(place: Place) -> list[Condition]:
    at, name = _columns.started_us, _columns.event_id
    return [at <= place.started_us, (at < place.started_us) | (name < place.event_id)]


def _newer(place: Place) -> list[Condition]:
    at, name = _columns.started_us, _columns.event_id
    return [at >= place.started_us, (at > place.started_us) | (name > place.event_id)]


def _row(row: Mapping[str, Any]) -> LogRow:
    tokens = TokenCounts(*(row[name] for name in t.TOKEN_COLUMNS))
    cost = Cost(*(row[name] for name in t.COST_COLUMNS))
    return LogRow(**{name: row[name] for name in _PLAIN}, tokens=tokens, cost=cost)
