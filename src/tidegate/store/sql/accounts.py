"""The ledger's rows and all that is kept of them besides: sums, sessions and their places."""

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa

from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.attributing import (
    Attributed,
    Change,
    Found,
    Run,
    attribute,
    store_changes,
)
from tidegate.store.sql.forge_costs import renew_spent
from tidegate.store.sql.latencies import add_latencies
from tidegate.store.sql.ledger import Row, insert
from tidegate.store.sql.moving import move_rows
from tidegate.store.sql.pull_sums import copy_pull_sums
from tidegate.store.sql.renewing import renew_last_uses
from tidegate.store.sql.rollups import Sums, add_rollups, days_of, delete_empty, merge_hours
from tidegate.store.sql.rollups import hours_of as hours_of_rows
from tidegate.store.sql.session_calls import take_calls
from tidegate.store.sql.session_links import Key
from tidegate.store.sql.session_parts import summed
from tidegate.store.sql.session_places import Counts, add_to_places, merge_counts
from tidegate.store.sql.session_runs import add_to_runs, merge_runs, name_runs, place_runs
from tidegate.store.sql.sessions import add_to_sessions, roots_of
from tidegate.store.sql.squad_sums import add_squad_sums
from tidegate.store.sql.team_sums import add_last_uses, add_team_sums, delete_empty_places
from tidegate.store.sql.upserts import add_up


def add_to_accounts(
    connection: sa.Connection, rows: Sequence[Row], found: Found, zones: Mapping[str, str]
) -> None:
    """Add new ledger rows, of any organizations, to the ledger and to everything else."""
    parts = summed(rows)
    moved = add_to_sessions(connection, parts)
    ids = {row["session_id"] for row in rows} | {key[1] for key in moved}
    roots = roots_of(connection, ids - {""})
    told = take_calls(connection, rows, roots, found)
    attributed = attribute(connection, rows, moved, roots, found, told.links)
    insert(connection, rows)
    merge_runs(connection, moved, roots)
    add_to_runs(connection, parts, roots, attributed.where)
    name_runs(connection, told.names, "mcp")
    hours = hours_of_rows(rows, zones)
    counts = add_to_places(connection, rows, moved, roots, zones)
    _move(connection, attributed, hours, counts, zones)
    add_latencies(connection, rows, zones)
    add_squad_sums(connection, rows, zones)
    raise_versions(connection, {row["organization_id"] for row in rows})


def change_links(connection: sa.Connection, key: Key, run: Run, zone: str) -> None:
    """Store what changed of a run's links, and move what counts for something else now."""
    run.settle()
    store_changes(connection, key, run)
    changes: dict[Key, list[Change]] = {key: run.changes()}
    place_runs(connection, {key: run.pieces[-1].where})
    attributed = Attributed(where={}, changes=changes)
    _move(connection, attributed, {}, {}, {key[0]: zone})
    raise_versions(connection, {key[0]})


def raise_versions(connection: sa.Connection, organization_ids: Iterable[str]) -> None:
    """Tell pages that what they show has changed."""
    raised = [{"organization_id": each, "version": 1} for each in sorted(organization_ids)]
    add_up(connection, t.versions, raised)


def _move(
    connection: sa.Connection,
    attributed: Attributed,
    hours: Sums,
    counts: Counts,
    zones: Mapping[str, str],
) -> None:
    """Move older rows, and write sums with what they make of them."""
    taken: Sums = {}
    if attributed.changes:
        taken, added, moved_counts = move_rows(connection, attributed.changes, zones)
        merge_hours(hours, taken)
        merge_hours(hours, added)
        merge_counts(counts, moved_counts)
    days = days_of(hours, zones)
    add_rollups(connection, hours, days)
    add_team_sums(connection, hours, days, counts, zones)
    add_last_uses(connection, hours)
    if taken:
        delete_empty(connection, hours, days)
        delete_empty_places(connection, hours, days, counts, zones)
        renew_last_uses(connection, taken, zones)
    renew_spent(connection, copy_pull_sums(connection, days, counts, zones))
