"""How the connection to a forge fares, and whose turn it is to sync."""

from typing import Any

import sqlalchemy as sa

from tidegate.store.forge import Delivery, ForgeStatus
from tidegate.store.sql import forge_tables as t
from tidegate.store.sql.engines import transaction
from tidegate.store.sql.upserts import insert_into


class SqlForgeStatus:
    """Part of `tidegate.store.forge.ForgeStore`."""

    def __init__(self, reading: sa.Engine, writing: sa.Engine) -> None:
        self._reading = reading
        self._writing = writing

    def status(self, organization_id: str) -> ForgeStatus:
        query = sa.select(t.status).where(_mine(organization_id))
        with transaction(self._reading) as connection:
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            return ForgeStatus()
        return ForgeStatus(**{name: row[name] for name in ForgeStatus.__struct_fields__})

    def request_sync(self, organization_id: str, at_us: int) -> None:
        with transaction(self._writing) as connection:
            _put(connection, organization_id, requested_us=at_us)

    def begin_sync(self, organization_id: str, holder: str, now_us: int, until_us: int) -> bool:
        with transaction(self._writing) as connection:
            query = sa.select(t.status).where(_mine(organization_id))
            row = connection.execute(query).mappings().one_or_none()
            if row and row["turn_holder"] not in {"", holder} and row["turn_until_us"] > now_us:
                return False
            turn = {"turn_holder": holder, "turn_until_us": until_us}
            begun = {} if row and row["turn_holder"] == holder else {"last_sync_us": now_us}
            _put(connection, organization_id, **turn, **begun)
        return True

    def end_sync(
        self, organization_id: str, holder: str, now_us: int, *, error: str = "", retry_us: int = 0
    ) -> None:
        ended = {"last_error": error, "retry_us": retry_us, "turn_holder": "", "turn_until_us": 0}
        succeeded = {} if error else {"last_success_us": now_us}
        held = t.status.c.turn_holder == holder
        with transaction(self._writing) as connection:
            statement = sa.update(t.status).where(_mine(organization_id), held)
            connection.execute(statement, {**ended, **succeeded})

    def forget_status(self, organization_id: str) -> None:
        with transaction(self._writing) as connection:
            connection.execute(sa.delete(t.status).where(_mine(organization_id)))

    def _note_delivery(
        self, connection: sa.Connection, organization_id: str, delivery: Delivery
    ) -> None:
        event = f"{delivery.event}.{delivery.action}" if delivery.action else delivery.event
        noted = {"last_delivery_us": delivery.received_us, "last_event": event}
        _put(connection, organization_id, **noted)


def _mine(organization_id: str) -> "sa.ColumnElement[bool]":
    return t.status.c.organization_id == organization_id


def _put(connection: sa.Connection, organization_id: str, **values: Any) -> None:
    """Change these, in a row that may not be there yet."""
    unknown: dict[str, Any] = {
        column.name: 0 if isinstance(column.type, sa.BigInteger) else "" for column in t.status.c
    }
    insert = insert_into(connection.dialect.name, t.status).on_conflict_do_update(
        index_elements=["organization_id"], set_=values
    )
    connection.execute(insert, {**unknown, **values, "organization_id": organization_id})
