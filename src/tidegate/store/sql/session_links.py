"""Rows of links: what said when where a root session worked."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import sqlalchemy as sa

from tidegate.core.attribution import Kind, Method, TimedLink, split_pull_request
from tidegate.store.sql import session_tables as s
from tidegate.store.sql.ledger import storable_text

MOST_LINKS: Final = 1000
"""Of one kind in a session; more say nothing."""
_VALUE_BYTES: Final = 800
_SOURCE_BYTES: Final = 200
_NUMBER_DIGITS: Final = 20
_LINK: Final = [s.links.c[name] for name in TimedLink.__struct_fields__]
_KINDS: Final = frozenset(kind.value for kind in Kind)
_METHODS: Final = frozenset(method.value for method in Method)

Key = tuple[str, str]  # an organization and a root session


def links_of(connection: sa.Connection, keys: Iterable[Key]) -> dict[Key, list[TimedLink]]:
    """All links of root sessions; of those without one nothing."""
    found: dict[Key, list[TimedLink]] = {}
    by_organization: dict[str, list[str]] = {}
    for organization_id, session_id in keys:
        by_organization.setdefault(organization_id, []).append(session_id)
    for organization_id, session_ids in sorted(by_organization.items()):
        query = sa.select(s.links.c.session_id, *_LINK).where(
            s.links.c.organization_id == organization_id, s.links.c.session_id.in_(session_ids)
        )
        for session_id, *values in connection.execute(query):
            found.setdefault((organization_id, session_id), []).append(TimedLink(*values))
    return found


def put_links(connection: sa.Connection, key: Key, links: Iterable[TimedLink]) -> None:
    rows = [_row(key, link) for link in links]
    if rows:
        connection.execute(sa.insert(s.links), rows)


def delete_links(connection: sa.Connection, key: Key, links: Iterable[TimedLink]) -> None:
    columns = s.links.c
    for link in links:
        connection.execute(
            sa.delete(s.links).where(
                columns.organization_id == key[0],
                columns.session_id == key[1],
                columns.kind == link.kind,
                columns.at_us == link.at_us,
                columns.method == link.method,
                columns.value == link.value,
            )
        )


def delete_all(connection: sa.Connection, key: Key) -> None:
    connection.execute(
        sa.delete(s.links).where(
            s.links.c.organization_id == key[0], s.links.c.session_id == key[1]
        )
    )


def storable_link(link: TimedLink) -> TimedLink | None:
    """The link as every database takes it; None for one that cannot be what it says."""
    if link.kind not in _KINDS or link.method not in _METHODS:
        return None
    value = storable_text(link.value, _VALUE_BYTES)
    if not value and link.method != Method.PERSON:
        return None
    if value and link.kind == Kind.PULL_REQUEST:
        _, number = split_pull_request(value)
        if not (number.isascii() and number.isdigit() and len(number) <= _NUMBER_DIGITS):
            return None
    return TimedLink(
        kind=link.kind,
        value=value,
        method=link.method,
        at_us=max(0, link.at_us),
        certain=link.certain,
        source=storable_text(link.source, _SOURCE_BYTES),
    )


def identity(link: TimedLink) -> tuple[Any, ...]:
    """What no two links of a session have in common."""
    return link.kind, link.at_us, link.method, link.value


def of_kind(links: Sequence[TimedLink], kind: str) -> list[TimedLink]:
    return [link for link in links if link.kind == kind]


def _row(key: Key, link: TimedLink) -> dict[str, Any]:
    return {
        "organization_id": key[0],
        "session_id": key[1],
        **{name: getattr(link, name) for name in TimedLink.__struct_fields__},
    }
