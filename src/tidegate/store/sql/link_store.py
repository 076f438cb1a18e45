"""Links, names and waiting calls of sessions on SQL. See `tidegate.store.sessions.LinkStore`."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from tidegate.core.attribution import STATED, Method, TimedLink, value_at
from tidegate.store.sessions import PendingCall
from tidegate.store.sql import session_tables as s
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.accounts import change_links
from tidegate.store.sql.attributing import Run
from tidegate.store.sql.engines import transaction
from tidegate.store.sql.ledger import storable_text
from tidegate.store.sql.session_calls import WAIT_US, links_in, put_call
from tidegate.store.sql.session_links import Key, links_of, of_kind, storable_link
from tidegate.store.sql.session_runs import name_runs

_NAME_BYTES: Final = 400
_NEWEST: Final = 5
_EXPIRED_AT_ONCE: Final = 200


class SqlLinks:
    def __init__(self, read: sa.Engine, write: sa.Engine) -> None:
        self._reading = read
        self._writing = write

    def add(self, organization_id: str, session_id: str, links: Sequence[TimedLink]) -> int:
        with transaction(self._writing) as connection:
            key = _root(connection, organization_id, session_id)
            return _add(connection, key, links) if key else 0

    def correct(
        self,
        organization_id: str,
        session_id: str,
        kind: str,
        value: str,
        *,
        at_us: int,
        member_id: str,
    ) -> bool:
        said = storable_link(
            TimedLink(kind, value, Method.PERSON.value, at_us=at_us, source=member_id)
        )
        if said is None:
            raise ValueError(f"no {kind}: {value!r}")
        return self._replace(organization_id, session_id, kind, said) is not None

    def withdraw(self, organization_id: str, session_id: str, kind: str) -> bool:
        return bool(self._replace(organization_id, session_id, kind, None))

    def of(self, organization_id: str, session_id: str) -> list[TimedLink]:
        with transaction(self._reading) as connection:
            key = _root(connection, organization_id, session_id)
            found = links_of(connection, [key]).get(key, []) if key else []
        return sorted(found, key=lambda link: (link.at_us, link.kind, link.method, link.value))

    def set_name(self, organization_id: str, session_id: str, name: str, *, method: str) -> bool:
        with transaction(self._writing) as connection:
            key = _root(connection, organization_id, session_id)
            names = {key: storable_text(name, _NAME_BYTES)} if key else {}
            return bool(name_runs(connection, names, method))

    def pend(self, call: PendingCall) -> None:
        with transaction(self._writing) as connection:
            put_call(connection, call)

    def expire_calls(self, now_us: int) -> int:
        columns = s.calls.c
        query = sa.select(s.calls).where(columns.at_us < now_us - WAIT_US)
        query = query.order_by(columns.at_us, columns.pending_id).limit(_EXPIRED_AT_ONCE)
        with transaction(self._reading) as connection:
            if (
                connection.execute(query).first() is None
            ):  # as nearly always: do not make others wait
                return 0
        with transaction(self._writing) as connection:
            ended = connection.execute(query).all()
            for call in ended:
                if key := _newest_of_then(connection, call):
                    _add(connection, key, links_in(call))
                    if call.name:
                        name_runs(connection, {key: call.name}, Method.MCP.value)
            ids = [call.pending_id for call in ended]
            connection.execute(sa.delete(s.calls).where(columns.pending_id.in_(ids)))
        return len(ended)

    def newest_sessions(self, organization_id: str, key_id: str, launch_id: str) -> list[str]:
        columns = s.runs.c
        query = _of_launch(organization_id, key_id, launch_id).order_by(
            columns.last_us.desc(), columns.session_id.desc()
        )
        with transaction(self._reading) as connection:
            return [row[0] for row in connection.execute(query.limit(_NEWEST))]

    def _replace(
        self, organization_id: str, session_id: str, kind: str, link: TimedLink | None
    ) -> bool | None:
        """Put a person's word in place of an earlier one. None: there is no such session."""
        with transaction(self._writing) as connection:
            if not (key := _root(connection, organization_id, session_id)):
                return None
            run = Run(links_of(connection, [key]).get(key, ()))
            if not run.replace(kind, Method.PERSON.value, link):
                return False
            change_links(connection, key, run, _zone(connection, organization_id))
            return True


def _add(connection: sa.Connection, key: Key, links: Sequence[TimedLink]) -> int:
    run = Run(links_of(connection, [key]).get(key, ()))
    new = 0
    for each in links:
        link = storable_link(each)
        if link is None or link.method == Method.PERSON or _is_known(run, link):
            continue
        new += run.find(link)
    if new:
        change_links(connection, key, run, _zone(connection, key[0]))
    return new


def _is_known(run: Run, link: TimedLink) -> bool:
    """Whether the last that was found before it says the same."""
    found = [x for x in of_kind(run.links, link.kind) if x.method not in STATED | {Method.PERSON}]
    return value_at(found, link.at_us) == link.value


def _root(connection: sa.Connection, organization_id: str, session_id: str) -> Key | None:
    query = sa.select(t.sessions.c.root_session_id).where(
        t.sessions.c.organization_id == organization_id,
        t.sessions.c.session_id == storable_text(session_id),
    )
    found = connection.execute(query).scalar_one_or_none()
    if found is None:  # a parent that was only heard of yet
        runs = sa.select(s.runs.c.session_id).where(
            s.runs.c.organization_id == organization_id,
            s.runs.c.session_id == storable_text(session_id),
        )
        found = connection.execute(runs).scalar_one_or_none()
    return (organization_id, found) if found is not None else None


def _newest_of_then(connection: sa.Connection, call: "sa.Row[Any]") -> Key | None:
    """The session of a call's launch that began last before it."""
    if call.session_id:
        return _root(connection, call.organization_id, call.session_id)
    if not call.launch_id:
        return None
    columns = s.runs.c
    query = (
        _of_launch(call.organization_id, call.key_id, call.launch_id)
        .where(columns.first_us <= call.at_us)
        .order_by(columns.first_us.desc(), columns.session_id.desc())
    )
    found = connection.execute(query.limit(1)).scalar_one_or_none()
    return (call.organization_id, str(found)) if found is not None else None


def _of_launch(organization_id: str, key_id: str, launch_id: str) -> "sa.Select[Any]":
    columns = s.runs.c
    return sa.select(columns.session_id).where(
        columns.organization_id == organization_id,
        columns.launch_id == storable_text(launch_id),
        columns.launch_id != sa.literal_column("''"),
        columns.key_id == storable_text(key_id),
    )


def _zone(connection: sa.Connection, organization_id: str) -> str:
    query = sa.select(t.zones.c.time_zone).where(t.zones.c.organization_id == organization_id)
    return connection.execute(query).scalar_one_or_none() or "UTC"
