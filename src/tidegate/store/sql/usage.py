"""Usage on SQL: the drain writes ledger, rollups and sessions in one transaction."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

from tidegate.core.calendar import day_start_us
from tidegate.core.model import UsageEvent
from tidegate.store.ports import EventRefused, Group, OffsetMoved, SessionSums, SpoolBatch
from tidegate.store.sql import usage_reads as reads
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.accounts import add_to_accounts
from tidegate.store.sql.alert_reads import SqlAlertSums
from tidegate.store.sql.captures import SqlCaptures
from tidegate.store.sql.engines import (
    Lock,
    one_line,
    reading,
    transaction,
    without_time_limit,
    writing,
)
from tidegate.store.sql.forge import SqlForge
from tidegate.store.sql.ledger import Row, row_of, unknown
from tidegate.store.sql.link_store import SqlLinks
from tidegate.store.sql.log_reads import SqlLogReads
from tidegate.store.sql.pins import SqlPins
from tidegate.store.sql.rezoning import rebuild_sums
from tidegate.store.sql.session_lanes import SqlLaneReads
from tidegate.store.sql.session_reads import SqlSessionReads
from tidegate.store.sql.team_reads import SqlTeamReads
from tidegate.store.sql.upserts import insert_into

_DEFAULT_ZONE: Final = "UTC"
_REFUSALS: Final = frozenset({"54000", "54001"})
"""SQLSTATEs of a value beyond PostgreSQL's limits: the same row will never fit."""


class SqlUsageStore:
    """See `tidegate.store.ports.UsageStore`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._reading = reading(engine)
        self._writing = writing(engine, Lock.USAGE)
        self.team = SqlTeamReads(self._reading)
        self.log = SqlLogReads(self._reading)
        self.lanes = SqlLaneReads(self._reading)
        self.captures = SqlCaptures(self._reading, self._writing)
        self.pins = SqlPins(engine)
        self.alert_sums = SqlAlertSums(self._reading)
        self.links = SqlLinks(self._reading, self._writing)
        self.sessions = SqlSessionReads(self._reading)
        self.forge = SqlForge(self._reading, self._writing)

    def offset(self, file: str) -> int:
        query = sa.select(t.spool_files.c.offset).where(t.spool_files.c.file == file)
        with transaction(self._reading) as connection:
            return connection.execute(query).scalar_one_or_none() or 0

    def record(self, batch: SpoolBatch) -> int:
        """Write a batch and its place in the file in one transaction: how many were new."""
        rows = [row_of(event) for event in batch.events]
        found = {event.event_id: event for event in batch.events if event.links or event.calls}
        with transaction(self._writing) as connection:
            self._move_offset(connection, batch)
            try:
                return self._add(connection, rows, found) if rows else 0
            except (StatementError, OverflowError, ValueError) as refusal:
                if _is_outage(refusal):
                    raise
                raise EventRefused(one_line(refusal)) from refusal

    def _add(
        self, connection: sa.Connection, rows: list[Row], found: Mapping[str, UsageEvent]
    ) -> int:
        new = unknown(connection, rows)
        if new:
            add_to_accounts(connection, new, found, self._zones_of(connection, new))
        return len(new)

    def forget(self, file: str) -> None:
        with transaction(self._writing) as connection:
            connection.execute(sa.delete(t.spool_files).where(t.spool_files.c.file == file))

    def adopt_zones(self, zones: dict[str, str]) -> None:
        """Take over the organizations' zones; where one changed its rollups are rebuilt."""
        with transaction(self._reading) as connection:
            known = self._known_zones(connection)
        for organization_id, zone in zones.items():
            if known.get(organization_id) != zone:
                self._adopt_zone(organization_id, zone)

    def time_zone(self, organization_id: str) -> str:
        """The zone that the organization's rollups are in."""
        return self.team.time_zone(organization_id)

    def ledger_sums(
        self, organization_id: str, by: Sequence[str], *, launch_id: str = "", key_id: str = ""
    ) -> list[Group]:
        with transaction(self._reading) as connection:
            return reads.ledger_sums(
                connection, organization_id, by, launch_id=launch_id, key_id=key_id
            )

    def session_sums(self, organization_id: str) -> list[SessionSums]:
        with transaction(self._reading) as connection:
            return reads.session_sums(connection, organization_id)

    def rollup_sums(
        self,
        organization_id: str,
        by: Sequence[str],
        *,
        bucket: str,
        start_us: int,
        end_us: int,
        member_id: str = "",
    ) -> list[Group]:
        table = {"hour": t.hours, "day": t.days}[bucket]
        within = (start_us, end_us)
        with transaction(self._reading) as connection:
            return reads.rollup_sums(
                connection, organization_id, by, table=table, within=within, member_id=member_id
            )

    def events(self, organization_id: str, limit: int = 100) -> list[UsageEvent]:
        """The newest events."""
        with transaction(self._reading) as connection:
            return reads.newest_events(connection, organization_id, limit)

    def _move_offset(self, connection: sa.Connection, batch: SpoolBatch) -> None:
        table, row = t.spool_files, {"file": batch.file, "offset": 0}
        connection.execute(self._insert(table).on_conflict_do_nothing(), row)
        mine = table.c.file == batch.file
        query = sa.select(table.c.offset).where(mine).with_for_update()
        if connection.execute(query).scalar_one() != batch.start:
            raise OffsetMoved(batch.file)
        connection.execute(sa.update(table).where(mine), {"offset": batch.end})

    def _insert(self, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
        return insert_into(self._writing.dialect.name, table)

    def _zones_of(self, connection: sa.Connection, rows: list[Row]) -> dict[str, str]:
        """The zones of the rows' organizations; one that nobody told us of is kept in UTC."""
        zones = self._known_zones(connection)
        for organization_id in sorted({row["organization_id"] for row in rows} - set(zones)):
            row = {"organization_id": organization_id, "time_zone": _DEFAULT_ZONE}
            connection.execute(self._insert(t.zones).on_conflict_do_nothing(), row)
            zones[organization_id] = _DEFAULT_ZONE
        return zones

    def _known_zones(self, connection: sa.Connection) -> dict[str, str]:
        rows: Sequence[sa.Row[Any]] = connection.execute(sa.select(t.zones)).all()
        return {row.organization_id: row.time_zone for row in rows}

    def _adopt_zone(self, organization_id: str, zone: str) -> None:
        with transaction(self._writing) as connection:
            if self._known_zones(connection).get(organization_id) == zone:
                return  # another replica was faster
            without_time_limit(connection)
            known = connection.execute(
                sa.select(t.zones).where(t.zones.c.organization_id == organization_id)
            ).one_or_none()
            before, from_us = (known.time_zone, known.ledger_from_us) if known else (zone, 0)
            turn_us = rebuild_sums(
                connection, organization_id, before=before, after=zone, from_us=from_us
            )
            row = {"organization_id": organization_id, "time_zone": zone}
            kept = {"ledger_from_us": turn_us, "other_zone_before_us": turn_us}
            put = self._insert(t.zones).on_conflict_do_update(
                index_elements=["organization_id"], set_={"time_zone": zone, **kept}
            )
            connection.execute(put, row)

    def drop_ledger_before(self, organization_id: str, at_us: int) -> None:
        """Say that the ledger of before a day's start goes; sums of it are never made anew."""
        mine = t.zones.c.organization_id == organization_id
        with transaction(self._writing) as connection:
            zones = self._zones_of(connection, [{"organization_id": organization_id}])
            day_us = day_start_us(at_us, ZoneInfo(zones[organization_id]))
            earlier = t.zones.c.ledger_from_us < day_us
            connection.execute(sa.update(t.zones).where(mine, earlier), {"ledger_from_us": day_us})

    def delete_dropped(self, organization_id: str, most: int) -> int:
        """Delete some of the rows that are to go: how many. 0: none is left."""
        columns = t.events.c
        from_us = (
            sa.select(t.zones.c.ledger_from_us)
            .where(t.zones.c.organization_id == organization_id)
            .scalar_subquery()
        )
        some = (
            sa.select(columns.event_id)
            .where(columns.organization_id == organization_id, columns.started_us < from_us)
            .order_by(columns.started_us)
            .limit(most)
        )
        statement = sa.delete(t.events).where(columns.event_id.in_(some))
        with transaction(self._writing) as connection:
            return connection.execute(statement).rowcount


def _is_outage(error: Exception) -> bool:
    """Whether the database is away, full or busy; not that it takes a row for unfit."""
    if not isinstance(error, DBAPIError) or isinstance(error, DataError | IntegrityError):
        return False
    return getattr(error.orig, "sqlstate", None) not in _REFUSALS
