"""All that is kept of the ledger's rows besides the ledger: sums, sessions and their places."""

from collections.abc import Iterable, Mapping
from typing import Final

import sqlalchemy as sa

from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.ledger import Row
from tidegate.store.sql.rollups import add_rollups, days_of, delete_rollups, hours_of
from tidegate.store.sql.session_places import add_to_places, counts_of
from tidegate.store.sql.sessions import add_to_sessions
from tidegate.store.sql.team_sums import add_counts, add_last_uses, add_team_sums
from tidegate.store.sql.upserts import add_up

_REBUILD_ROWS: Final = 5000


def add_to_accounts(connection: sa.Connection, rows: list[Row], zones: Mapping[str, str]) -> None:
    """Add new ledger rows, of any organizations."""
    hours = hours_of(rows, zones)
    days = days_of(hours, zones)
    add_rollups(connection, hours, days)
    moved = add_to_sessions(connection, rows)
    counts = add_to_places(connection, rows, moved, zones)
    add_team_sums(connection, hours, days, counts, zones)
    add_last_uses(connection, hours)
    _raise_versions(connection, {row["organization_id"] for row in rows})


def rebuild_sums(connection: sa.Connection, organization_id: str, zone: str) -> None:
    """Make an organization's sums anew from its ledger, in a zone."""
    zones = {organization_id: zone}
    delete_rollups(connection, organization_id)
    query = sa.select(t.events).where(t.events.c.organization_id == organization_id)
    ordered = query.order_by(t.events.c.started_us).execution_options(yield_per=_REBUILD_ROWS)
    for part in connection.execute(ordered).mappings().partitions():
        hours = hours_of([dict(row) for row in part], zones)
        days = days_of(hours, zones)
        add_rollups(connection, hours, days)
        add_team_sums(connection, hours, days, {}, zones)
    for counts in counts_of(connection, organization_id, zone):
        add_counts(connection, counts)
    _raise_versions(connection, {organization_id})


def _raise_versions(connection: sa.Connection, organization_ids: Iterable[str]) -> None:
    raised = [{"organization_id": each, "version": 1} for each in sorted(organization_ids)]
    add_up(connection, t.versions, raised)
