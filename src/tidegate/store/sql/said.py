"""What the ledger's requests said by themselves of where their sessions worked.

A row does not keep it, but it is what the session's statements say of the row's time; and whether
a row said anything is kept.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from tidegate.core.attribution import STATED, Kind, TimedLink
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.session_links import Key
from tidegate.store.sql.sessions import run_of

_event: Final = t.events.c
_KINDS: Final = (Kind.REPOSITORY.value, Kind.BRANCH.value)


def said_next(
    connection: sa.Connection, key: Key, kind: str, between: tuple[int, int]
) -> int | None:
    """When a request of a run next said something of a kind, between two moments."""
    bit = t.UNSAID.get(kind)
    if bit is None:
        return None
    query = sa.select(sa.func.min(_event.started_us)).where(
        *_of(key[0], run_of(connection, *key)),
        _event.started_us > between[0],
        _event.started_us < between[1],
        _event.unsaid.op("&")(bit) == 0,
    )
    at_us: int | None = connection.execute(query).scalar_one()
    return at_us


def said_in(
    connection: sa.Connection,
    key: Key,
    children: Sequence[Key],
    known: Mapping[Key, Sequence[TimedLink]],
) -> list[TimedLink]:
    """All that requests said before runs were joined, by the links that each run had then."""
    found: list[TimedLink] = []
    for former, session_ids in _parts(connection, key, {child[1] for child in children}).items():
        links = [link for link in known.get((key[0], former), ()) if link.method in STATED]
        if links:
            found += _said(connection, key[0], session_ids, links)
    return found


def _said(
    connection: sa.Connection,
    organization_id: str,
    session_ids: Sequence[str],
    links: Sequence[TimedLink],
) -> list[TimedLink]:
    query = (
        sa.select(_event.started_us, _event.unsaid)
        .where(*_of(organization_id, session_ids))
        .order_by(_event.started_us)
    )
    rows = connection.execute(query).all()
    found: list[TimedLink] = []
    for kind in _KINDS:
        of_kind = sorted((x for x in links if x.kind == kind), key=lambda x: (x.at_us, x.method))
        index = -1
        for at_us, unsaid in rows:
            while index + 1 < len(of_kind) and of_kind[index + 1].at_us <= at_us:
                index += 1
            if index >= 0 and not unsaid & t.UNSAID[kind]:
                found.append(msgspec.structs.replace(of_kind[index], at_us=at_us))
    return found


def _parts(connection: sa.Connection, key: Key, children: set[str]) -> dict[str, list[str]]:
    """The sessions of a run by the roots that they had before `children` became part of it."""
    columns = t.sessions.c
    query = sa.select(columns.session_id, columns.parent_session_id).where(
        columns.organization_id == key[0], columns.root_session_id == key[1]
    )
    parents = {session_id: parent_id for session_id, parent_id in connection.execute(query)}
    parts: dict[str, list[str]] = {}
    for session_id in parents:
        at, steps = session_id, 0
        while at not in children and parents.get(at) and steps < len(parents):
            at, steps = parents[at], steps + 1
        former = at if at in children else key[1]
        parts.setdefault(former, []).append(session_id)
    return parts


def _of(organization_id: str, session_ids: Sequence[str]) -> tuple[Any, ...]:
    return _event.organization_id == organization_id, _event.session_id.in_(session_ids)
