"""The requests of a session as they are drawn, added up by the database."""

from typing import Any, Final

import sqlalchemy as sa

from tidegate.core.model import Outcome
from tidegate.store.lanes import Lane, LaneMark, SessionLanes
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.engines import transaction

_EVENT: Final = t.events.c
_NO_FAULTS: Final = (Outcome.OK.value, Outcome.CANCELLED.value)
_END: Final = _EVENT.started_us + _EVENT.duration_us
_SAVED: Final = _EVENT.saved_tokens_new + _EVENT.saved_tokens_again
_ONE: "Final[sa.ColumnElement[int]]" = sa.literal_column("1", sa.Integer)
_ZERO: "Final[sa.ColumnElement[int]]" = sa.literal_column("0", sa.Integer)


class SqlLaneReads:
    """See `tidegate.store.lanes.LaneReads`."""

    def __init__(self, reading: sa.Engine) -> None:
        self._reading = reading

    def lanes(self, organization_id: str, session_id: str, slots: int) -> SessionLanes:
        with transaction(self._reading) as connection:
            return _lanes(connection, organization_id, session_id, slots)


def _lanes(
    connection: sa.Connection, organization_id: str, session_id: str, slots: int
) -> SessionLanes:
    columns = t.sessions.c
    members = sa.select(columns.session_id).where(
        columns.organization_id == organization_id, columns.root_session_id == session_id
    )
    ours = (
        _EVENT.organization_id == organization_id,
        _EVENT.session_id.in_(connection.execute(members).scalars().all()),
        sa.not_(_EVENT.is_title),
    )
    whole = sa.select(
        sa.func.min(_EVENT.started_us), sa.func.max(_END), sa.func.sum(_EVENT.duration_us)
    ).where(*ours)
    start_us, end_us, waiting_us = connection.execute(whole).one()
    if start_us is None:
        return SessionLanes()
    slot_us = max(1, -(-(int(end_us) - int(start_us) + 1) // slots))
    rows = connection.execute(_by_slot(ours, int(start_us), slot_us)).mappings()
    return SessionLanes(
        start_us=int(start_us),
        end_us=int(end_us),
        slot_us=slot_us,
        waiting_us=int(waiting_us),
        marks=tuple(_mark(row) for row in rows),
    )


def _by_slot(ours: Any, start_us: int, slot_us: int) -> "sa.Select[Any]":
    slot = ((_EVENT.started_us - start_us) // slot_us).label("slot")
    inner = (
        sa.select(
            _EVENT.session_id,
            _EVENT.subagent_id,
            slot,
            _EVENT.started_us,
            _END.label("end_us"),
            sa.case((_EVENT.outcome.in_(_NO_FAULTS), _ZERO), else_=_ONE).label("failed"),
            sa.case((_SAVED > 0, _ONE), else_=_ZERO).label("compressed"),
            _sum_of(t.COUNTED_TOKENS).label("tokens"),
            _sum_of(t.COST_COLUMNS).label("cost_nusd"),
            _EVENT.event_id,
        )
        .where(*ours)
        .subquery()
    )
    found = inner.c
    lane = (found.session_id, found.subagent_id, found.slot)
    return (
        sa.select(
            *lane,
            sa.func.min(found.started_us).label("start_us"),
            sa.func.max(found.end_us).label("end_us"),
            sa.func.count().label("requests"),
            *(
                sa.func.sum(found[name]).label(name)
                for name in ("failed", "compressed", "tokens", "cost_nusd")
            ),
            sa.func.min(found.event_id).label("event_id"),
        )
        .group_by(*lane)
        .order_by(*lane)
    )


def _sum_of(names: "tuple[str, ...]") -> "sa.ColumnElement[int]":
    total: sa.ColumnElement[int] = _EVENT[names[0]]
    for name in names[1:]:
        total = total + _EVENT[name]
    return total


def _mark(row: Any) -> LaneMark:
    numbers = ("slot", "start_us", "end_us", "requests", "failed", "compressed", "tokens")
    return LaneMark(
        lane=Lane(row["session_id"], row["subagent_id"]),
        **{name: int(row[name]) for name in numbers},
        cost_nusd=int(row["cost_nusd"]),
        event_id=row["event_id"],
    )
