"""Runs as the drain keeps them: a root session with its sub-agents, and what each agent did."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import Dialect

from tidegate.core.attribution import Method, Whereabouts
from tidegate.core.model import Outcome
from tidegate.store.sql import session_tables as s
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.ledger import Row, cost_nusd
from tidegate.store.sql.sessions import Roots, root_of
from tidegate.store.sql.upserts import (
    Statement,
    add_up,
    compiled,
    earlier,
    execute,
    insert_into,
    later,
)

Key = tuple[str, str]  # an organization and a root session

_NO_ERROR: Final = frozenset({Outcome.OK.value, Outcome.CANCELLED.value})
_IDENTITY: Final = ("organization_id", "key_id", "member_id", "agent")
_COPIED: Final = (*t.TOKEN_COLUMNS, *t.COST_COLUMNS)
_LATEST_TEXTS: Final = ("client_version", "launch_id")
_NONE: "Final[sa.ColumnElement[str]]" = sa.literal_column("''")
_EITHER: Final = ("client_session", "compression")  # all who say it say the same


def add_to_runs(
    connection: sa.Connection,
    rows: Iterable[Row],
    roots: Roots,
    where: Mapping[Key, Whereabouts],
) -> None:
    """Add ledger rows to their runs, which are now `where` it says."""
    runs: dict[Key, Row] = {}
    parts: dict[tuple[str, ...], Row] = {}
    for row in rows:
        if not row["session_id"]:
            continue
        organization_id, root_id = root_of(row, roots)
        cost = cost_nusd(row)
        _add_run(runs, (organization_id, root_id), row, cost)
        _add_part(parts, row, cost)
    for key, run in runs.items():
        found = where.get(key, Whereabouts())
        run.update(repository=found.repository, branch=found.branch)
        run["duration_us"] = max(0, run["last_us"] - run["first_us"])
    execute(connection, [runs[key] for key in sorted(runs)], _upsert(connection.dialect))
    add_up(connection, s.parts, [parts[key] for key in sorted(parts)])


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


def _add_run(runs: dict[Key, Row], key: Key, row: Row, cost: int) -> None:
    run = runs.get(key)
    if run is None:
        run = runs[key] = dict.fromkeys(s.RUN_SUMS, 0)
        run.update({name: row[name] for name in _IDENTITY})
        run.update(session_id=key[1], client_session="", name="", name_method="")
        run.update(first_us=row["started_us"], last_us=0, client_version="", launch_id="")
        run["compression"] = ""
    is_root = row["session_id"] == key[1]
    run["requests"] += 1
    run["errors"] += row["outcome"] not in _NO_ERROR
    for column in t.TOKEN_COLUMNS:
        run[column] += row[column]
    for column in t.COUNTED_TOKENS:
        run["tokens"] += row[column]
    run["cost_nusd"] += cost
    run["subscription_cost_nusd"] += cost if row["billing"] == "subscription" else 0
    run["saved_tokens"] += row["saved_tokens_new"] + row["saved_tokens_again"]
    run["saved_nusd"] += row["saved_nano"]
    if is_root:
        run["client_session"] = row["client_session"]
        run["compression"] = run["compression"] or row["compression"]
    run["first_us"] = min(run["first_us"], row["started_us"])
    ended_us = row["started_us"] + row["duration_us"]
    if ended_us >= run["last_us"]:
        run["last_us"] = ended_us
        for name in _LATEST_TEXTS:
            run[name] = row[name] or run[name]


def _add_part(parts: dict[tuple[str, ...], Row], row: Row, cost: int) -> None:
    key = (
        row["organization_id"], row["session_id"], row["subagent_id"],
        row["model_served"] or row["model_asked"],
    )  # fmt: skip
    part = parts.get(key)
    if part is None:
        part = parts[key] = dict.fromkeys(s.PART_SUMS, 0)
        part.update(
            zip(("organization_id", "session_id", "subagent_id", "model"), key, strict=True)
        )
        part.update(parent_agent_id="", first_us=row["started_us"], last_us=0)
    part["requests"] += 1
    part["errors"] += row["outcome"] not in _NO_ERROR
    for column in _COPIED:
        part[column] += row[column]
    part["subscription_cost_nusd"] += cost if row["billing"] == "subscription" else 0
    part["saved_tokens"] += row["saved_tokens_new"] + row["saved_tokens_again"]
    part["saved_nusd"] += row["saved_nano"]
    part["parent_agent_id"] = row["parent_agent_id"] or part["parent_agent_id"]
    part["first_us"] = min(part["first_us"], row["started_us"])
    part["last_us"] = max(part["last_us"], row["started_us"] + row["duration_us"])


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
