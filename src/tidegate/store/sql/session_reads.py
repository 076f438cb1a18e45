"""Sessions on SQL. See `tidegate.store.sessions.SessionReads`."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import sqlalchemy as sa

from tidegate.core.model import Cost, TokenCounts, ToolSaving
from tidegate.store.log import LogRow, Place
from tidegate.store.sessions import (
    MOST_MARKS,
    AgentSums,
    Mark,
    ModelSums,
    SessionFilter,
    SessionPlace,
    SessionRow,
    SessionSort,
    Timeline,
)
from tidegate.store.sql import session_tables as s
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.engines import transaction
from tidegate.store.sql.ledger import savings_of
from tidegate.store.sql.log_filters import aside, storable
from tidegate.store.sql.log_reads import SHOWN, row_of
from tidegate.store.sql.session_filters import conditions
from tidegate.store.sql.sessions import run_of

_SORTED: Final = dict(
    zip(
        (
            SessionSort.LAST, SessionSort.BEGUN, SessionSort.COST, SessionSort.TOKENS,
            SessionSort.REQUESTS, SessionSort.DURATION,
        ),
        s.SORTED,
        strict=True,
    )
)  # fmt: skip
_run: Final = s.runs.c
_event: Final = t.events.c
_FROM_RUN: Final = (
    "session_id", "name", "name_method", "client_session", "agent", "client_version", "member_id",
    "key_id", "first_us", "last_us", "requests", "errors", "cost_nusd", "subscription_cost_nusd",
    "saved_tokens", "saved_nusd", "repository", "branch", "compression",
)  # fmt: skip
_RUN: Final = [_run[name] for name in (*_FROM_RUN, *t.TOKEN_COLUMNS)]
_COUNTED: Final = sum((_event[name] for name in t.COUNTED_TOKENS[1:]), _event[t.COUNTED_TOKENS[0]])
_COST: Final = sum((_event[name] for name in t.COST_COLUMNS[1:]), _event[t.COST_COLUMNS[0]])
_IS_ERROR: Final = _event.outcome.not_in(("ok", "cancelled"))


class SqlSessionReads:
    def __init__(self, read: sa.Engine) -> None:
        self._reading = read

    def page(
        self,
        organization_id: str,
        only: SessionFilter,
        sort: SessionSort,
        limit: int,
        *,
        after: SessionPlace | None = None,
        before: SessionPlace | None = None,
    ) -> list[SessionRow]:
        with transaction(self._reading) as connection:
            checks, is_looked_up = conditions(connection, organization_id, only)
            by = _run[_SORTED[sort]]
            column = aside(by) if is_looked_up else by
            mine = aside(_run.organization_id) if is_looked_up else _run.organization_id
            query = sa.select(*_RUN).where(mine == organization_id, *checks)
            if after is not None:
                value, session_id = after.value, storable(after.session_id)
                later = (aside(by) < value) | (aside(_run.session_id) < session_id)
                query = query.where(column <= value, later)
            elif before is not None:
                value, session_id = before.value, storable(before.session_id)
                earlier = (aside(by) > value) | (aside(_run.session_id) > session_id)
                query = query.where(column >= value, earlier)
            if before is not None and after is None:
                query = query.order_by(column, _run.session_id)
            else:
                query = query.order_by(column.desc(), _run.session_id.desc())
            found = connection.execute(query.limit(limit)).all()
            rows = _rows(connection, organization_id, found)
        return rows[::-1] if before is not None and after is None else rows

    def one(self, organization_id: str, session_id: str) -> SessionRow | None:
        with transaction(self._reading) as connection:
            root_id = _root(connection, organization_id, session_id)
            query = sa.select(*_RUN).where(
                _run.organization_id == organization_id, _run.session_id == root_id
            )
            rows = _rows(connection, organization_id, connection.execute(query).all())
        return rows[0] if rows else None

    def agents(self, organization_id: str, session_id: str) -> list[AgentSums]:
        session, part = t.sessions.c, s.parts.c
        of_root = sa.select(session.session_id, session.parent_session_id)
        with transaction(self._reading) as connection:
            root_id = _root(connection, organization_id, session_id)
            found = connection.execute(
                of_root.where(
                    session.organization_id == organization_id, session.root_session_id == root_id
                )
            )
            parents = {each: parent_id for each, parent_id in found}
            query = sa.select(s.parts).where(
                part.organization_id == organization_id, part.session_id.in_(parents)
            )
            rows = connection.execute(query).mappings().all()
        by_agent: dict[tuple[str, str], list[sa.RowMapping]] = {}
        for row in rows:
            by_agent.setdefault((row["session_id"], row["subagent_id"]), []).append(row)
        agents = [
            _agent(root_id, parents[each], of_agent) for (each, _), of_agent in by_agent.items()
        ]
        return sorted(agents, key=lambda each: (each.first_us, each.session_id, each.subagent_id))

    def requests(
        self, organization_id: str, session_id: str, limit: int, *, after: Place | None = None
    ) -> list[LogRow]:
        with transaction(self._reading) as connection:
            query = sa.select(*SHOWN).where(*_of_run(connection, organization_id, session_id))
            if after is not None:
                name = storable(after.event_id)
                beyond = (aside(_event.started_us) > after.started_us) | (_event.event_id > name)
                query = query.where(_event.started_us >= after.started_us, beyond)
            ordered = query.order_by(_event.started_us, _event.event_id).limit(limit)
            return [row_of(found) for found in connection.execute(ordered)]

    def timeline(self, organization_id: str, session_id: str, most: int = MOST_MARKS) -> Timeline:
        columns = t.zones.c
        kept = sa.select(columns.ledger_from_us).where(columns.organization_id == organization_id)
        with transaction(self._reading) as connection:
            mine = _of_run(connection, organization_id, session_id)
            kept_from_us = connection.execute(kept).scalar_one_or_none() or 0
            bounds = sa.select(
                sa.func.count(), sa.func.min(_event.started_us), sa.func.max(_event.started_us)
            )
            work = [*mine, sa.not_(_event.is_title)]
            count, first_us, last_us = connection.execute(bounds.where(*work)).one()
            if not count:
                work = mine
                count, first_us, last_us = connection.execute(bounds.where(*work)).one()
            if count <= most:
                found = connection.execute(
                    sa.select(*_MARKED).where(*work).order_by(_event.started_us, _event.event_id)
                )
                marks = tuple(_mark(row) for row in found)
                return Timeline(marks, is_exact=True, kept_from_us=kept_from_us)
            width_us = (last_us - first_us) // most + 1
            marks = tuple(_mark(row) for row in connection.execute(_wide(work, first_us, width_us)))
            return Timeline(marks, is_exact=False, kept_from_us=kept_from_us)

    def tool_savings(self, organization_id: str, session_id: str) -> tuple[ToolSaving, ...]:
        sums: dict[str, list[int]] = {}
        with transaction(self._reading) as connection:
            query = sa.select(_event.tool_savings).where(
                *_of_run(connection, organization_id, session_id), aside(_event.tool_savings) != ""
            )
            for text in connection.execute(query).scalars():
                for saving in savings_of(text):
                    total = sums.setdefault(saving.tool_class, [0, 0, 0])
                    total[0] += saving.results
                    total[1] += saving.tokens_before
                    total[2] += saving.tokens_after
        return tuple(ToolSaving(name, *sums[name]) for name in sorted(sums))

    def branches(self, organization_id: str, limit: int) -> list[str]:
        """From the newest sessions' whereabouts."""
        newest = (
            sa.select(_run.branch)
            .where(_run.organization_id == organization_id)
            .order_by(_run.last_us.desc())
            .limit(20 * limit)
        )
        with transaction(self._reading) as connection:
            found = dict.fromkeys(connection.execute(newest).scalars())
        return [branch for branch in found if branch][:limit]


def _root(connection: sa.Connection, organization_id: str, session_id: str) -> str:
    columns = t.sessions.c
    query = sa.select(columns.root_session_id).where(
        columns.organization_id == organization_id, columns.session_id == storable(session_id)
    )
    return connection.execute(query).scalar_one_or_none() or storable(session_id)


def _of_run(
    connection: sa.Connection, organization_id: str, session_id: str
) -> "list[sa.ColumnElement[bool]]":
    """Requests of a session with its sub-agents'."""
    root_id = _root(connection, organization_id, session_id)
    ids = run_of(connection, organization_id, root_id)
    return [_event.organization_id == organization_id, _event.session_id.in_(ids)]


_MARKED: Final = [
    _event.started_us,
    _event.started_us + _event.duration_us,
    sa.literal(1),
    sa.case((_IS_ERROR, 1), else_=0),
    sa.case((_event.subagent_id != "", 1), (_event.parent_session_id != "", 1), else_=0),
    _COUNTED,
    _COST,
    _event.event_id,
]


def _wide(
    work: "Sequence[sa.ColumnElement[bool]]", first_us: int, width_us: int
) -> "sa.Select[Any]":
    """The same marks, those of one stretch of time together."""
    start_us, end_us, one, errors, subagents, tokens, cost, event_id = _MARKED
    stretch = (_event.started_us - sa.literal_column(str(int(first_us)), sa.BigInteger)) // (
        sa.literal_column(str(int(width_us)), sa.BigInteger)
    )  # as numbers: PostgreSQL would not see that two parameters are the same
    return (
        sa.select(
            sa.func.min(start_us),
            sa.func.max(end_us),
            *(sa.func.sum(each) for each in (one, errors, subagents, tokens, cost)),
            sa.func.min(event_id),
        )
        .where(*work)
        .group_by(stretch)
        .order_by(sa.func.min(start_us))
    )


def _mark(row: Any) -> Mark:
    start_us, end_us, requests, errors, subagents, tokens, cost, event_id = row
    return Mark(
        start_us=int(start_us),
        end_us=int(end_us),
        requests=int(requests),
        errors=int(errors),
        subagent_requests=int(subagents),
        tokens=int(tokens),
        cost_nusd=int(cost),
        event_id=event_id,
    )


def _agent(root_id: str, parent_id: str, rows: Sequence[sa.RowMapping]) -> AgentSums:
    first = rows[0]
    models = sorted(map(_model, rows), key=lambda each: (-each.cost.total, each.model))
    return AgentSums(
        session_id=first["session_id"],
        subagent_id=first["subagent_id"],
        parent_session_id=_parent(root_id, parent_id, first),
        parent_agent_id=max(row["parent_agent_id"] for row in rows),
        first_us=min(row["first_us"] for row in rows),
        last_us=max(row["last_us"] for row in rows),
        models=tuple(models),
    )


def _parent(root_id: str, parent_id: str, row: sa.RowMapping) -> str:
    """A sub-agent of a session is its main agent's, or another sub-agent's of the same."""
    if row["subagent_id"]:
        return str(row["session_id"])
    return "" if row["session_id"] == root_id else parent_id


def _model(row: sa.RowMapping) -> ModelSums:
    return ModelSums(
        model=row["model"],
        requests=row["requests"],
        errors=row["errors"],
        tokens=TokenCounts(*(row[name] for name in t.TOKEN_COLUMNS)),
        cost=Cost(*(row[name] for name in t.COST_COLUMNS)),
        subscription_cost_nusd=row["subscription_cost_nusd"],
        saved_tokens=row["saved_tokens"],
        saved_nusd=row["saved_nusd"],
    )


def _rows(
    connection: sa.Connection, organization_id: str, found: "Iterable[sa.Row[Any]]"
) -> list[SessionRow]:
    """Runs with what other tables say of them."""
    runs = [tuple(row) for row in found]
    ids = [run[0] for run in runs]
    if not ids:
        return []
    models, subagents = _agents_of(connection, organization_id, ids)
    repositories, pulls = _places_of(connection, organization_id, ids)
    return [
        SessionRow(
            **dict(zip(_FROM_RUN, run, strict=False)),
            tokens=TokenCounts(*run[len(_FROM_RUN) :]),
            models=tuple(models.get(run[0], ())),
            subagents=subagents.get(run[0], 0),
            repositories=tuple(repositories.get(run[0], ())),
            pull_requests=tuple(pulls.get(run[0], ())),
        )
        for run in runs
    ]


def _agents_of(
    connection: sa.Connection, organization_id: str, ids: Sequence[str]
) -> tuple[dict[str, list[str]], dict[str, int]]:
    """The models of runs, the costliest first, and how many sub-agents they had."""
    session, part = t.sessions.c, s.parts.c
    cost = sum((part[name] for name in t.COST_COLUMNS[1:]), part[t.COST_COLUMNS[0]])
    found = connection.execute(
        sa.select(session.session_id, session.root_session_id).where(
            session.organization_id == organization_id, session.root_session_id.in_(ids)
        )
    )
    roots = {session_id: root_id for session_id, root_id in found}
    query = sa.select(part.session_id, part.subagent_id, part.model, cost).where(
        part.organization_id == organization_id, part.session_id.in_(roots)
    )
    costs: dict[str, dict[str, int]] = {}
    agents: dict[str, set[tuple[str, str]]] = {}
    for session_id, subagent_id, model, spent in connection.execute(query):
        root_id = roots[session_id]
        of_run = costs.setdefault(root_id, {})
        of_run[model] = of_run.get(model, 0) + int(spent)
        if subagent_id or session_id != root_id:
            agents.setdefault(root_id, set()).add((session_id, subagent_id))
    models = {
        root_id: [m for m in sorted(of_run, key=lambda m: (-of_run[m], m)) if m]
        for root_id, of_run in costs.items()
    }
    return models, {root_id: len(found) for root_id, found in agents.items()}


def _places_of(
    connection: sa.Connection, organization_id: str, ids: Sequence[str]
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Where runs worked: repositories and pull requests, the last used first."""
    place = t.session_places.c
    query = (
        sa.select(place.session_id, place.repository, place.pull_request)
        .where(place.organization_id == organization_id, place.session_id.in_(ids))
        .order_by(place.last_us.desc(), place.repository, place.pull_request)
    )
    repositories: dict[str, list[str]] = {}
    pulls: dict[str, list[str]] = {}
    for session_id, repository, number in connection.execute(query):
        if number:
            pulls.setdefault(session_id, []).append(f"{repository}#{number}")
        elif repository:
            repositories.setdefault(session_id, []).append(repository)
    return repositories, pulls
