"""Calls of our own tools that wait for the request that shows in which session they were made."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from tidegate.core.attribution import TimedLink
from tidegate.core.model import Link, UsageEvent
from tidegate.store.sessions import PendingCall
from tidegate.store.sql import session_tables as s
from tidegate.store.sql.ledger import Row, storable_text
from tidegate.store.sql.session_links import storable_link
from tidegate.store.sql.sessions import Roots

Key = tuple[str, str]  # an organization and a root session

WAIT_US: Final = 24 * 3_600_000_000
_MOST_WAITING: Final = 200  # of one key
_TEXT_BYTES: Final = 400
_decode: Final = msgspec.json.Decoder(tuple[Link, ...]).decode


class Told(msgspec.Struct, frozen=True):
    """What agents said of sessions."""

    links: dict[Key, list[TimedLink]]
    names: dict[Key, str]


def put_call(connection: sa.Connection, call: PendingCall) -> None:
    """Keep a call; of a key with too many the oldest go."""
    row = {
        name: storable_text(value, _TEXT_BYTES) if isinstance(value, str) else value
        for name, value in msgspec.structs.asdict(call).items()
    }
    row["links"] = storable_text(msgspec.json.encode(call.links).decode(), 1 << 16)
    columns = s.calls.c
    mine = (columns.organization_id == call.organization_id, columns.key_id == call.key_id)
    oldest = (
        sa.select(columns.pending_id)
        .where(*mine)
        .order_by(columns.at_us.desc(), columns.pending_id.desc())
        .offset(_MOST_WAITING - 1)
    )
    too_many = list(connection.execute(oldest).scalars())
    connection.execute(sa.delete(s.calls).where(columns.pending_id.in_(too_many)))
    connection.execute(sa.insert(s.calls), [row])


def take_calls(
    connection: sa.Connection, rows: Iterable[Row], roots: Roots, found: Mapping[str, UsageEvent]
) -> Told:
    """Take the waiting calls that new requests show, and what they said of which session."""
    told = Told({}, {})
    rows = [row for row in rows if row["session_id"]]
    keys = {row["key_id"] for row in rows}
    query = sa.select(s.calls).where(s.calls.c.key_id.in_(keys))
    waiting = list(connection.execute(query.order_by(s.calls.c.at_us, s.calls.c.pending_id)))
    if not waiting:
        return told
    taken: list[str] = []
    for call in waiting:
        session_id = _session(call, rows, found)
        if session_id:
            key = (call.organization_id, session_id)
            note(told, (key[0], roots.get(key, session_id)), call)
            taken.append(call.pending_id)
    connection.execute(sa.delete(s.calls).where(s.calls.c.pending_id.in_(taken)))
    return told


def note(told: Told, key: Key, call: "sa.Row[Any]") -> None:
    """Take what a call said as said of a session."""
    told.links.setdefault(key, []).extend(links_in(call))
    if call.name:
        told.names[key] = call.name


def links_in(call: "sa.Row[Any]") -> list[TimedLink]:
    try:
        links = _decode(call.links)
    except msgspec.DecodeError:  # too long to be stored whole
        return []
    first_us = call.at_us - len(links) + 1
    timed = [
        TimedLink(x.kind, x.value, x.method, first_us + index, x.certain, x.source)
        for index, x in enumerate(links)
    ]
    return [link for each in timed if (link := storable_link(each))]


def _session(call: "sa.Row[Any]", rows: Sequence[Row], found: Mapping[str, UsageEvent]) -> str:
    """The session of the request that shows a call; "" if there is none."""
    for row in rows:
        if (row["organization_id"], row["key_id"]) != (call.organization_id, call.key_id):
            continue
        session_id: str = row["session_id"]
        if call.session_id:
            if session_id == call.session_id:
                return session_id
            continue
        event = found.get(row["event_id"])
        for seen in event.calls if event else ():
            by_id = call.call_id and seen.call_id == call.call_id
            alike = not call.call_id and (seen.tool, seen.digest) == (call.tool, call.digest)
            if by_id or alike:
                return session_id
    return ""
