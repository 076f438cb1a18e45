"""All that is kept of the ledger's rows besides the ledger: sums, sessions and their places."""

from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.latencies import add_latencies
from tidegate.store.sql.ledger import Row
from tidegate.store.sql.rollups import add_rollups, days_of, hours_of
from tidegate.store.sql.session_places import add_to_places
from tidegate.store.sql.sessions import add_to_sessions
from tidegate.store.sql.squad_sums import add_squad_sums
from tidegate.store.sql.team_sums import add_last_uses, add_team_sums
from tidegate.store.sql.upserts import add_up


def add_to_accounts(connection: sa.Connection, rows: list[Row], zones: Mapping[str, str]) -> None:
    """Add new ledger rows, of any organizations."""
    hours = hours_of(rows, zones)
    days = days_of(hours, zones)
    add_rollups(connection, hours, days)
    moved = add_to_sessions(connection, rows)
    counts = add_to_places(connection, rows, moved, zones)
    add_team_sums(connection, hours, days, counts, zones)
    add_last_uses(connection, hours)
    add_latencies(connection, rows, zones)
    add_squad_sums(connection, rows, zones)
    raise_versions(connection, {row["organization_id"] for row in rows})


def raise_versions(connection: sa.Connection, organization_ids: Iterable[str]) -> None:
    """Tell pages that what they show has changed."""
    raised = [{"organization_id": each, "version": 1} for each in sorted(organization_ids)]
    add_up(connection, t.versions, raised)
