"""Sums over ledger, rollups and sessions."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from tidegate.core.model import UsageEvent
from tidegate.store.ports import Group, SessionSums, Sums
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.ledger import event_of

_SUM_COLUMNS: Final = Sums.__struct_fields__
Column = sa.ColumnElement[Any]


def ledger_sums(
    connection: sa.Connection,
    organization_id: str,
    by: Sequence[str],
    *,
    launch_id: str = "",
    key_id: str = "",
) -> list[Group]:
    """Sums of the ledger by columns of it, or by `model`: the one served, else the one asked."""
    table = t.events
    counted: dict[str, Column] = {
        "requests": sa.func.count(),
        "estimated": sa.func.sum(sa.case((table.c.estimated, 1), else_=0)),
        "price_unknown": sa.func.sum(sa.case((table.c.price_unknown, 1), else_=0)),
        "saved_tokens": sa.func.sum(table.c.saved_tokens_new + table.c.saved_tokens_again),
        "saved_nusd": sa.func.sum(table.c.saved_nano),
    }
    query = _grouped(table, by, counted, table.c.started_us + table.c.duration_us)
    query = query.where(table.c.organization_id == organization_id)
    if launch_id:
        query = query.where(table.c.launch_id == launch_id)
    if key_id:
        query = query.where(table.c.key_id == key_id)
    return _groups(connection, query, len(by))


def rollup_sums(
    connection: sa.Connection,
    organization_id: str,
    by: Sequence[str],
    *,
    table: sa.Table,
    within: tuple[int, int],
    member_id: str = "",
) -> list[Group]:
    """Sums of hours or days whose bucket begins within [start, end)."""
    names = ("requests", "estimated", "price_unknown", "saved_tokens", "saved_nusd")
    counted: dict[str, Column] = {name: sa.func.sum(table.c[name]) for name in names}
    query = _grouped(table, by, counted, table.c.last_us).where(
        table.c.organization_id == organization_id,
        table.c.bucket_start_us >= within[0],
        table.c.bucket_start_us < within[1],
    )
    if member_id:
        query = query.where(table.c.member_id == member_id)
    return _groups(connection, query, len(by))


def session_sums(connection: sa.Connection, organization_id: str) -> list[SessionSums]:
    """Every session with its sub-agents', the last used first."""
    subagents = _subagents(connection, organization_id)
    query = sa.select(t.sessions).where(t.sessions.c.organization_id == organization_id)
    runs: dict[str, list[sa.RowMapping]] = {}
    for row in connection.execute(query.order_by(t.sessions.c.first_us)).mappings():
        runs.setdefault(row["root_session_id"], []).append(row)
    sums = [_session(root_id, rows, subagents) for root_id, rows in runs.items()]
    return sorted(sums, key=lambda session: session.last_us, reverse=True)


def newest_events(connection: sa.Connection, organization_id: str, limit: int) -> list[UsageEvent]:
    """The newest events of the ledger."""
    query = sa.select(t.events).where(t.events.c.organization_id == organization_id)
    newest = query.order_by(t.events.c.started_us.desc(), t.events.c.event_id.desc()).limit(limit)
    return [event_of(dict(row)) for row in connection.execute(newest).mappings()]


def _grouped(
    table: sa.Table, by: Sequence[str], counted: dict[str, Column], last_us: Column
) -> "sa.Select[Any]":
    cost: Column = sum((table.c[name] for name in t.COST_COLUMNS[1:]), table.c[t.COST_COLUMNS[0]])
    subscription = sa.case((table.c.billing == "subscription", cost), else_=0)
    sums: dict[str, Column] = {
        **counted,
        **{name: sa.func.sum(table.c[name]) for name in t.TOKEN_COLUMNS},
        "cost_nusd": sa.func.sum(cost),
        "subscription_cost_nusd": sa.func.sum(subscription),
    }
    dimensions = [_dimension(table, name) for name in by]
    columns = [sums[name].label(name) for name in _SUM_COLUMNS]
    query = sa.select(*dimensions, *columns, sa.func.max(last_us).label("last_us"))
    return query.group_by(*dimensions).order_by(*dimensions)


def _dimension(table: sa.Table, name: str) -> Column:
    if name == "model" and table is t.events:
        served, asked = table.c.model_served, table.c.model_asked
        return sa.case((served != "", served), else_=asked)
    return table.c[name]


def _groups(connection: sa.Connection, query: "sa.Select[Any]", dimensions: int) -> list[Group]:
    groups = []
    for row in connection.execute(query):
        values, numbers = row[:dimensions], [int(number or 0) for number in row[dimensions:]]
        sums = Sums(**dict(zip(_SUM_COLUMNS, numbers, strict=False)))
        if sums.requests:
            groups.append(Group(tuple(str(value) for value in values), sums, numbers[-1]))
    return groups


def _subagents(connection: sa.Connection, organization_id: str) -> dict[str, int]:
    """How many sub-agents shared a session's id, as Claude Code's and Codex's do."""
    query = (
        sa.select(t.events.c.session_id, sa.func.count(t.events.c.subagent_id.distinct()))
        .where(t.events.c.organization_id == organization_id, t.events.c.subagent_id != "")
        .group_by(t.events.c.session_id)
    )
    return {session_id: count for session_id, count in connection.execute(query)}


def _session(root_id: str, rows: Sequence[sa.RowMapping], subagents: dict[str, int]) -> SessionSums:
    root = next((row for row in rows if row["session_id"] == root_id), None)
    of = root or rows[0]
    totals = {name: sum(row[name] for row in rows) for name in t.SESSION_SUMS}
    own = sum(subagents.get(row["session_id"], 0) for row in rows)
    return SessionSums(
        session_id=root_id,
        client_session=root["client_session"] if root else "",
        agent=of["agent"],
        member_id=of["member_id"],
        key_id=of["key_id"],
        subagents=own + sum(row["session_id"] != root_id for row in rows),
        first_us=min(row["first_us"] for row in rows),
        last_us=max(row["last_us"] for row in rows),
        sums=Sums(**totals),
    )
