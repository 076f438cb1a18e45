"""Sums of members and repositories, by little enough that a page reads a quarter of a year.

They are made from a batch's hours and days, and from what it changed of sessions' places, and
written in the same transaction.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import sqlalchemy as sa

from tidegate.core.spans import Span
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.ledger import Row
from tidegate.store.sql.rollups import Sums, start_of
from tidegate.store.sql.session_places import Counts
from tidegate.store.sql.upserts import add_up

_SUBJECTS: Final[dict[sa.Table, tuple[str, ...]]] = {
    t.totals: (),
    t.by_member: ("member_id",),
    t.by_key: ("key_id",),
    t.by_repository: ("repository", "pull_request"),
}


def add_team_sums(
    connection: sa.Connection, hours: Sums, days: Sums, counts: Counts, zones: Mapping[str, str]
) -> None:
    """Add a batch's sums and the counts of its sessions."""
    figures = _all_figures(hours, days, zones)
    for table, subject in _SUBJECTS.items():
        if table is t.by_repository:
            sums = _summed(_of_repositories(figures), table, subject)
            _count(sums, counts)
        else:
            sums = _summed(figures, table, subject)
        add_up(connection, table, [sums[key] for key in sorted(sums)])
    _raise_changes(connection, figures, counts)


def add_last_uses(connection: sa.Connection, hours: Sums) -> None:
    """Note when the keys of a batch were last used."""
    uses: Sums = {}
    for hour in hours.values():
        values = (hour["organization_id"], hour["member_id"], hour["key_id"])
        use = uses.setdefault(values, hour)
        if use["last_us"] < hour["last_us"]:
            uses[values] = hour
    add_up(connection, t.last_uses, [uses[key] for key in sorted(uses)])


def add_counts(connection: sa.Connection, counts: Counts) -> None:
    """Add counts of sessions alone."""
    sums: Sums = {}
    _count(sums, counts)
    add_up(connection, t.by_repository, [sums[key] for key in sorted(sums)])
    _raise_changes(connection, (), counts)


def delete_empty_places(
    connection: sa.Connection, hours: Sums, days: Sums, counts: Counts, zones: Mapping[str, str]
) -> None:
    """Delete what nothing is left of since rows were taken away from repositories."""
    table = t.by_repository
    figures = _of_repositories(_all_figures(hours, days, zones))
    sums = _summed(figures, table, _SUBJECTS[table])
    _count(sums, counts)
    names = [column.name for column in table.primary_key]
    key = [table.c[name] == sa.bindparam(f"of_{name}") for name in names]
    none = [table.c[name] == 0 for name in ("requests", "sessions_begun", "sessions_ended")]
    values = [
        {f"of_{name}": row[name] for name in names}
        for row in sums.values()
        if min(row["requests"], row["sessions_begun"], row["sessions_ended"]) < 0
    ]
    if values:
        connection.execute(sa.delete(table).where(*key, *none), values)


def _all_figures(hours: Sums, days: Sums, zones: Mapping[str, str]) -> list[Row]:
    return [
        *(_figures(hour, Span.HOUR, hour["bucket_start_us"]) for hour in hours.values()),
        *(_figures(day, Span.DAY, day["bucket_start_us"]) for day in days.values()),
        *(_figures(day, Span.TEN_DAYS, _ten_days_us(day, zones)) for day in days.values()),
    ]


def _of_repositories(figures: Iterable[Row]) -> Iterator[Row]:
    """What went into a pull request, for it and for its repository."""
    for row in figures:
        yield row
        if row["pull_request"]:
            yield {**row, "pull_request": ""}


def _raise_changes(connection: sa.Connection, figures: Iterable[Row], counts: Counts) -> None:
    """Note which buckets are not what they were."""
    names = [column.name for column in t.bucket_changes.primary_key]
    changed = {tuple(row[name] for name in names) for row in figures}
    changed |= {key[: len(names)] for key in counts}
    raised = [{**dict(zip(names, key, strict=True)), "changes": 1} for key in sorted(changed)]
    add_up(connection, t.bucket_changes, raised)


def _ten_days_us(day: Row, zones: Mapping[str, str]) -> int:
    return start_of(Span.TEN_DAYS, day["bucket_start_us"], zones[day["organization_id"]])


def _figures(wide: Row, span: Span, bucket_start_us: int) -> Row:
    cost = sum(wide[name] for name in t.COST_COLUMNS)
    is_subscription = wide["billing"] == "subscription"
    return {
        "organization_id": wide["organization_id"],
        "span": span.value,
        "bucket_start_us": bucket_start_us,
        "member_id": wide["member_id"],
        "key_id": wide["key_id"],
        "repository": wide["repository"],
        "pull_request": wide["pull_request"],
        "cost_nusd": 0 if is_subscription else cost,
        "subscription_nusd": cost if is_subscription else 0,
        "tokens": sum(wide[name] for name in t.COUNTED_TOKENS),
        "requests": wide["requests"],
        "saved_tokens": wide["saved_tokens"],
        "saved_nusd": 0 if is_subscription else wide["saved_nusd"],
        "saved_subscription_nusd": wide["saved_nusd"] if is_subscription else 0,
        "last_us": wide["last_us"],
        "sessions_begun": 0,
        "sessions_ended": 0,
    }


def _summed(figures: Iterable[Row], table: sa.Table, subject: tuple[str, ...]) -> Sums:
    names = ("organization_id", "span", "bucket_start_us", *subject)
    sums: Sums = {}
    for row in figures:
        total = sums.get(key := tuple(row[name] for name in names))
        if total is None:
            sums[key] = row.copy()
            continue
        for name in t.FIGURES:
            total[name] += row[name]
        total["last_us"] = max(total["last_us"], row["last_us"])
    return sums


def _count(sums: Sums, counts: Counts) -> None:
    """Add counts of sessions to the sums of repositories."""
    for key, (begun, ended) in counts.items():
        total = sums.get(key)
        if total is None:
            total = sums[key] = _nothing(key)
        total["sessions_begun"] += begun
        total["sessions_ended"] += ended


def _nothing(key: tuple[Any, ...]) -> Row:
    names = [column.name for column in t.by_repository.primary_key]
    return {**{c.name: 0 for c in t.by_repository.c}, **dict(zip(names, key, strict=True))}
