"""The stored bodies of requests. What is deleted is overwritten in the database's files too."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import msgspec
import sqlalchemy as sa

from tidegate.store.captures import StoredCapture
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.engines import transaction
from tidegate.store.sql.upserts import insert_into

_DELETED_AT_ONCE: Final = 50  # each may be megabytes


class SqlCaptures:
    """See `tidegate.store.captures.CaptureStore`."""

    def __init__(self, reading: sa.Engine, writing: sa.Engine) -> None:
        self._reading = reading
        self._writing = writing

    def put_captures(self, captures: Sequence[StoredCapture]) -> None:
        if not captures:
            return
        insert = insert_into(self._writing.dialect.name, t.captures).on_conflict_do_nothing()
        rows = [msgspec.structs.asdict(capture) for capture in captures]
        with transaction(self._writing) as connection:
            connection.execute(insert, rows)

    def put_capture(self, capture: StoredCapture) -> None:
        self.put_captures([capture])

    def capture(self, organization_id: str, event_id: str) -> StoredCapture | None:
        query = sa.select(t.captures).where(*_one(organization_id, event_id))
        with transaction(self._reading) as connection:
            row = connection.execute(query).mappings().one_or_none()
        return StoredCapture(**row) if row else None

    def has_capture(self, organization_id: str, event_id: str) -> bool:
        query = sa.select(sa.literal(1)).where(*_one(organization_id, event_id))
        with transaction(self._reading) as connection:
            return connection.execute(query).first() is not None

    def delete_capture(self, organization_id: str, event_id: str) -> bool:
        return self._delete(*_one(organization_id, event_id)) > 0

    def delete_captures_before(self, organization_id: str, at_us: int) -> int:
        return self._delete(_of(organization_id), t.captures.c.at_us < at_us)

    def delete_expired_captures(self, now_us: int) -> int:
        return self._delete(t.captures.c.expires_us <= now_us)

    def delete_captures(self, organization_id: str) -> int:
        return self._delete(_of(organization_id))

    def captures_count(self, organization_id: str) -> int:
        query = sa.select(sa.func.count()).select_from(t.captures).where(_of(organization_id))
        with transaction(self._reading) as connection:
            return int(connection.execute(query).scalar_one())

    def captures_size(self, organization_id: str) -> int:
        query = sa.select(sa.func.sum(t.captures.c.size_bytes)).where(_of(organization_id))
        with transaction(self._reading) as connection:
            return int(connection.execute(query).scalar_one() or 0)

    def _delete(self, *which: "sa.ColumnElement[bool]") -> int:
        deleted = 0
        some = sa.select(t.captures.c.event_id).where(*which).limit(_DELETED_AT_ONCE)
        statement = sa.delete(t.captures).where(t.captures.c.event_id.in_(some))
        while True:
            with transaction(self._writing) as connection, _overwriting(connection):
                gone = connection.execute(statement).rowcount
            deleted += gone
            if gone < _DELETED_AT_ONCE:
                break
        if deleted:
            self._overwrite_log()
        return deleted

    def _overwrite_log(self) -> None:
        """SQLite's log may still have the pages as they were; it is emptied, if nobody reads."""
        if self._writing.dialect.name == "sqlite":
            with self._reading.connect() as connection:
                driver = connection.connection.driver_connection
                if driver is not None:
                    driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()


@contextmanager
def _overwriting(connection: sa.Connection) -> Iterator[None]:
    """Have SQLite write zeros over what is deleted. Elsewhere that would only cost time."""
    if connection.dialect.name != "sqlite":
        yield
        return
    connection.exec_driver_sql("PRAGMA secure_delete = ON")
    try:
        yield
    finally:
        connection.exec_driver_sql("PRAGMA secure_delete = OFF")


def _of(organization_id: str) -> "sa.ColumnElement[bool]":
    return t.captures.c.organization_id == organization_id


def _one(organization_id: str, event_id: str) -> "list[sa.ColumnElement[bool]]":
    return [_of(organization_id), t.captures.c.event_id == event_id]
