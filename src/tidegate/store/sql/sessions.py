"""Sessions as the drain keeps them: one row per session, each knowing its root.

OpenCode gives a sub-agent a session of its own with a parent; the root is the session of the run.
Events come in any order, so a child may be there before its parent: it then takes the parent's
id as its root, and when the parent turns out to have a root of its own, follows.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import Dialect

from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.ledger import Row
from tidegate.store.sql.session_parts import Summed
from tidegate.store.sql.upserts import Statement, compiled, earlier, execute, insert_into, later

Roots = dict[tuple[str, str], str]
"""Root sessions by organization and id, of those that are not their own."""

_IDENTITY = ("session_id", "organization_id", "key_id", "member_id", "agent", "client_session")


def add_to_sessions(connection: sa.Connection, summed: Summed) -> list[tuple[str, str]]:
    """Add what was summed to its sessions and attach sub-agents' sessions to their roots.

    Returns the sessions, by organization and id, that were roots and are no longer.
    """
    sums: dict[str, Row] = {}
    parents: dict[tuple[str, str], str] = {}
    for (organization_id, session_id, *_), (rows, of_part) in summed.items():
        _add(sums, rows, of_part)
        for row in rows:
            if row["parent_session_id"]:
                parents[organization_id, session_id] = row["parent_session_id"]
    if sums:
        upserts = [sums[session_id] for session_id in sorted(sums)]
        execute(connection, upserts, _upsert(connection.dialect))
    return [
        session
        for session, parent_id in sorted(parents.items())
        if _attach(connection, *session, parent_id)
    ]


def roots_of(connection: sa.Connection, session_ids: Iterable[str]) -> Roots:
    """The roots of sub-agents' sessions."""
    columns = t.sessions.c
    query = sa.select(columns.organization_id, columns.session_id, columns.root_session_id).where(
        columns.session_id.in_(set(session_ids)), columns.root_session_id != columns.session_id
    )
    return {(org, session): root for org, session, root in connection.execute(query)}


def root_of(row: Row, roots: Roots) -> tuple[str, str]:
    """The organization and the root session of a row that has a session."""
    organization_id, session_id = row["organization_id"], row["session_id"]
    root_id = roots.get((organization_id, session_id))
    return organization_id, session_id if root_id is None else root_id


def run_of(connection: sa.Connection, organization_id: str, root_id: str) -> list[str]:
    """A root's session and its sub-agents', the root first."""
    columns = t.sessions.c
    query = sa.select(columns.session_id).where(
        columns.organization_id == organization_id, columns.root_session_id == root_id
    )
    return [root_id, *sorted(set(connection.execute(query).scalars()) - {root_id})]


def _add(sums: dict[str, Row], rows: Sequence[Row], of_part: Mapping[str, Any]) -> None:
    row = rows[0]
    total = sums.get(row["session_id"])
    if total is None:
        total = sums[row["session_id"]] = dict.fromkeys(t.SESSION_SUMS, 0)
        total.update({name: row[name] for name in _IDENTITY})
        total.update(parent_session_id="", root_session_id=row["session_id"], compression="")
        total.update(first_us=of_part["first_us"], last_us=0)
    for column in t.SESSION_SUMS:
        total[column] += of_part[column]
    total["compression"] = total["compression"] or max(each["compression"] for each in rows)
    total["first_us"] = min(total["first_us"], of_part["first_us"])
    total["last_us"] = max(total["last_us"], of_part["last_us"])


@cache
def _upsert(dialect: Dialect) -> Statement:
    insert = insert_into(dialect.name, t.sessions)
    new, old = insert.excluded, t.sessions.c
    changes: dict[str, Any] = {name: old[name] + new[name] for name in t.SESSION_SUMS}
    changes["first_us"] = earlier(old.first_us, new.first_us)
    changes["last_us"] = later(old.last_us, new.last_us)
    # It is pinned: whoever knows it knows the same, and "" is less than anything.
    changes["compression"] = later(old.compression, new.compression)
    mine = old.organization_id == new.organization_id
    added = insert.on_conflict_do_update(index_elements=["session_id"], set_=changes, where=mine)
    return compiled(dialect, t.sessions, added)


def _attach(
    connection: sa.Connection, organization_id: str, session_id: str, parent_id: str
) -> bool:
    """Note a session's parent, once, and take over the parent's root; never close a circle."""
    mine = t.sessions.c.organization_id == organization_id
    noted_parent, _ = _place(connection, organization_id, session_id)
    _, root_id = _place(connection, organization_id, parent_id)
    if noted_parent or root_id == session_id:
        return False
    noted = sa.update(t.sessions).where(mine, t.sessions.c.session_id == session_id)
    connection.execute(noted, {"parent_session_id": parent_id})
    below = sa.update(t.sessions).where(mine, t.sessions.c.root_session_id == session_id)
    connection.execute(below, {"root_session_id": root_id})
    return True


def _place(connection: sa.Connection, organization_id: str, session_id: str) -> tuple[str, str]:
    """A session's parent and root; one that is not there yet is its own root."""
    query = sa.select(t.sessions.c.parent_session_id, t.sessions.c.root_session_id).where(
        t.sessions.c.organization_id == organization_id, t.sessions.c.session_id == session_id
    )
    row = connection.execute(query).one_or_none()
    return (row[0], row[1]) if row else ("", session_id)
