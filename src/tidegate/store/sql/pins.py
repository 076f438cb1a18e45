"""Pins of sessions on SQL: a row that is written once, whoever comes first."""

from typing import Final

import msgspec
import sqlalchemy as sa

from tidegate.store.pins import Pin
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.engines import Lock, reading, transaction, writing

pins = sa.Table(
    "session_pins",
    t.usage,
    sa.Column("organization_id", sa.Text, primary_key=True, nullable=False),
    sa.Column("session_id", sa.Text, primary_key=True, nullable=False),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("pinned_us", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""What a session is compressed with, from its first request on and for ever."""

_OFF: Final = Pin("off")


class SqlPins:
    """See `tidegate.store.pins.PinStore`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._reading = reading(engine)
        self._writing = writing(engine, Lock.PINS)

    def pin(
        self, organization_id: str, session_id: str, wanted: Pin, started_us: int
    ) -> tuple[Pin, bool]:
        with transaction(self._reading) as connection:
            stored = _stored(connection, organization_id, session_id)
        if stored is not None:
            return stored, False
        with transaction(self._writing) as connection:  # the only one who writes
            stored = _stored(connection, organization_id, session_id)
            if stored is not None:
                return stored, False
            went_before = _has_earlier(connection, organization_id, session_id, started_us)
            pin = _OFF if went_before else wanted
            row = {
                "organization_id": organization_id,
                "session_id": session_id,
                "pinned_us": started_us,
                **msgspec.structs.asdict(pin),
            }
            connection.execute(sa.insert(pins), row)
        return pin, True

    def give_up(self, organization_id: str, session_id: str, pin: Pin) -> None:
        as_it_was = sa.and_(pins.c.level == pin.level, pins.c.version == pin.version)
        change = sa.update(pins).where(*_one(organization_id, session_id), as_it_was)
        with transaction(self._writing) as connection:
            connection.execute(change, {"level": _OFF.level, "version": _OFF.version})


def _stored(connection: sa.Connection, organization_id: str, session_id: str) -> Pin | None:
    query = sa.select(pins.c.level, pins.c.version).where(*_one(organization_id, session_id))
    row = connection.execute(query).one_or_none()
    return Pin(*row) if row is not None else None


def _has_earlier(
    connection: sa.Connection, organization_id: str, session_id: str, started_us: int
) -> bool:
    query = sa.select(sa.literal(1)).where(
        t.sessions.c.organization_id == organization_id,
        t.sessions.c.session_id == session_id,
        t.sessions.c.first_us < started_us,
    )
    return connection.execute(query).first() is not None


def _one(organization_id: str, session_id: str) -> "list[sa.ColumnElement[bool]]":
    return [pins.c.organization_id == organization_id, pins.c.session_id == session_id]
