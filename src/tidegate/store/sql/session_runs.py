"""Runs as the drain keeps them: a root session with its sub-agents, and what each agent did."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import Dialect

from tidegate.core.attribution import Method, Whereabouts
from tidegate.store.sql import session_tables as s
from tidegate.store.sql.ledger import Row
from tidegate.store.sql.session_parts import Summed
from tidegate.store.sql.sessions import Roots
from tidegate.store.sql.upserts import (
    Statement,
    compiled,
    earlier,
    execute,
    insert_into,
    later,
)

Key = tuple[str, str]  # an organization and a root session

_IDENTITY: Final = ("organization_id", "key_id", "member_id", "agent")
_LATEST_TEXTS: Final = ("client_version", "launch_id")
_NONE: "Final[sa.ColumnElement[str]]" = sa.literal_column("''")
_EITHER: Final = ("client_session", "compression")  # all who say it say the same


def add_to_runs(
    connection: sa.Connection,
    summed: Summed,
    roots: Roots,
    where: Mapping[Key, Whereabouts],
) -> None:
    """Add what was summed to its runs, which are now `where` it says."""
    runs: dict[Key, Row] = {}
    parts: list[Row] = []
    for (organization_id, session_id, subagent_id, model), (rows, sums) in sorted(
        summed.items(), key=_key
    ):
        root_id = roots.get((organization_id, session_id), session_id)
        _add_run(runs, (organization_id, root_id), rows, sums)
        parent_agent_id = max(row["parent_agent_id"] for row in rows)
        parts.append(
            {
                **sums,
                "organization_id": organization_id,
                "session_id": session_id,
                "subagent_id": subagent_id,
                "model": model,
                "parent_agent_id": parent_agent_id,
            }
        )
    for key, run in runs.items():
        found = where.get(key, Whereabouts())
        run.update(repository=found.repository, branch=found.branch)
        run["duration_us"] = max(0, run["last_us"] - run["first_us"])
    execute(connection, [runs[key] for key in sorted(runs)], _upsert(connection.dialect))
    execute(connection, parts, _add_part(connection.dialect))


def place_runs(connection: sa.Connection, where: Mapping[Key, Whereabouts]) -> None:
    """Note where runs are that were not added to."""
    for (organization_id, root_id), found in sorted(where.items()):
        connection.execute(
            sa.update(s.runs).where(
                s.runs.c.organization_id == organization_id, s.runs.c.session_id == root_id
            ),
            {"repository": found.repository, "branch": found.branch},
        )


def merge_runs(connection: sa.Connection, moved: Iterable[Key], roots: Roots) -> None:
    """Make the runs of sessions that turned out to be sub-agents' part of their roots' runs."""
    for organization_id, session_id in sorted(moved):
        root_id = roots.get((organization_id, session_id), session_id)
        mine = (s.runs.c.organization_id == organization_id, s.runs.c.session_id == session_id)
        found = connection.execute(sa.select(s.runs).where(*mine)).mappings().one_or_none()
        if found is None or root_id == session_id:
            continue
        connection.execute(sa.delete(s.runs).where(*mine))
        run = {**found, "session_id": root_id, "client_session": ""}
        execute(connection, [run], _upsert(connection.dialect))


def name_runs(connection: sa.Connection, names: Mapping[Key, str], method: str) -> int:
    """Name runs; only a person renames what a person named. How many were."""
    named = 0
    columns = s.runs.c
    for (organization_id, root_id), name in sorted(names.items()):
        mine = [columns.organization_id == organization_id, columns.session_id == root_id]
        if method != Method.PERSON:
            mine.append(columns.name_method != Method.PERSON.value)
        values = {"name": name, "name_method": method if name else ""}
        named += connection.execute(sa.update(s.runs).where(*mine), values).rowcount
    return named


def _add_run(runs: dict[Key, Row], key: Key, rows: Sequence[Row], sums: Mapping[str, Any]) -> None:
    run = runs.get(key)
    if run is None:
        run = runs[key] = dict.fromkeys(s.RUN_SUMS, 0)
        run.update({name: rows[0][name] for name in _IDENTITY})
        run.update(session_id=key[1], client_session="", name="", name_method="")
        run.update(first_us=sums["first_us"], last_us=0, client_version="", launch_id="")
        run["compression"] = ""
    for column in s.RUN_SUMS:
        run[column] += sums[column]
    if rows[0]["session_id"] == key[1]:
        run["client_session"] = rows[0]["client_session"]
        run["compression"] = run["compression"] or max(row["compression"] for row in rows)
    run["first_us"] = min(run["first_us"], sums["first_us"])
    if sums["last_us"] >= run["last_us"]:
        run["last_us"] = sums["last_us"]
        last = max(rows, key=_ended)
        for name in _LATEST_TEXTS:
            run[name] = last[name] or run[name]


def _key(part: tuple[tuple[str, ...], Any]) -> tuple[str, ...]:
    return part[0]


def _ended(row: Row) -> int:
    ended_us: int = row["started_us"] + row["duration_us"]
    return ended_us


@cache
def _add_part(dialect: Dialect) -> Statement:
    insert = insert_into(dialect.name, s.parts)
    new, old = insert.excluded, s.parts.c
    changes: dict[str, Any] = {name: old[name] + new[name] for name in s.PART_SUMS}
    changes["first_us"] = earlier(old.first_us, new.first_us)
    changes["last_us"] = later(old.last_us, new.last_us)
    changes["parent_agent_id"] = later(old.parent_agent_id, new.parent_agent_id)
    keys = [column.name for column in s.parts.primary_key]
    added = insert.on_conflict_do_update(index_elements=keys, set_=changes)
    return compiled(dialect, s.parts, added)


@cache
def _upsert(dialect: Dialect) -> Statement:
    insert = insert_into(dialect.name, s.runs)
    new, old = insert.excluded, s.runs.c
    changes: dict[str, Any] = {name: old[name] + new[name] for name in s.RUN_SUMS}
    first_us, last_us = earlier(old.first_us, new.first_us), later(old.last_us, new.last_us)
    changes |= {"first_us": first_us, "last_us": last_us, "duration_us": last_us - first_us}
    changes |= {name: new[name] for name in ("repository", "branch")}
    for name in _EITHER:
        changes[name] = later(old[name], new[name])
    is_later = new.last_us >= old.last_us
    for name in _LATEST_TEXTS:
        kept = (new[name] == _NONE) | (sa.not_(is_later) & (old[name] != _NONE))
        changes[name] = sa.case((kept, old[name]), else_=new[name])
    for name in ("name", "name_method"):
        changes[name] = sa.case((old.name == _NONE, new[name]), else_=old[name])
    added = insert.on_conflict_do_update(
        index_elements=["session_id"],
        set_=changes,
        where=old.organization_id == new.organization_id,
    )
    return compiled(dialect, s.runs, added)
