"""Sums of members and repositories, when keys were last used, and where sessions worked.

Sums are made from those of the first release, places of sessions from the ledger, a day at a time.
"""

from collections.abc import Iterator
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

from tidegate.core.spans import Span, bucket_start_us

revision = "0002"
down_revision = "0001"

_FIGURES: Final = ("cost_nusd", "subscription_nusd", "tokens", "requests")
_SUBJECTS: Final[dict[str, tuple[str, ...]]] = {
    "usage_totals": (),
    "usage_by_member": ("member_id",),
    "usage_by_repository": ("repository", "pull_request"),
}
_COST: Final = (
    "input_nusd + cache_write_5m_nusd + cache_write_1h_nusd + cache_read_nusd + output_nusd"
    " + extras_nusd"
)
_TOKENS: Final = (
    "input_tokens + cache_write_5m_tokens + cache_write_1h_tokens + cache_read_tokens"
    " + output_tokens"
)
_SUMS: Final = (
    f"sum(CASE WHEN billing = 'subscription' THEN 0 ELSE {_COST} END),"
    f" sum(CASE WHEN billing = 'subscription' THEN {_COST} ELSE 0 END),"
    f" sum({_TOKENS}), sum(requests)"
)
_COUNTED_AT_ONCE: Final = 5000
_FOREVER_US: Final = 1 << 62


def upgrade() -> None:
    _create_tables()
    fill(op.get_bind())


def fill(connection: sa.Connection) -> None:
    """Make the new tables' rows."""
    for wide, span in (("usage_hours", "hour"), ("usage_days", "day")):
        for table, subject in _SUBJECTS.items():
            _sum_up(connection, wide, span, table, subject)
    connection.execute(
        sa.text(
            "INSERT INTO usage_last SELECT organization_id, member_id, key_id, max(last_us)"
            " FROM usage_days GROUP BY organization_id, member_id, key_id"
        )
    )
    zones = sa.text("SELECT organization_id, time_zone FROM usage_zones")
    for organization_id, zone in connection.execute(zones).all():
        days = _days(connection, organization_id)
        _sum_up_ten_days(connection, organization_id, days, ZoneInfo(zone))
        _place_sessions(connection, organization_id, days)
        _count_sessions(connection, organization_id, ZoneInfo(zone))


def _create_tables() -> None:
    for name, subject in _SUBJECTS.items():
        more = ("sessions_begun", "sessions_ended", "last_us")
        op.create_table(
            name,
            *_key("organization_id", "span"),
            sa.Column("bucket_start_us", sa.BigInteger, primary_key=True, autoincrement=False),
            *_key(*subject),
            *_numbers(*_FIGURES, *(more if "repository" in subject else ())),
            sqlite_with_rowid=False,
        )
    for name, key, numbers in (
        ("usage_last", ("organization_id", "member_id", "key_id"), ("last_us",)),
        (
            "session_places",
            ("organization_id", "session_id", "repository", "pull_request"),
            ("first_us", "last_us"),
        ),
    ):
        op.create_table(name, *_key(*key), *_numbers(*numbers), sqlite_with_rowid=False)
    op.create_table(
        "usage_changes",
        *_key("organization_id", "span"),
        sa.Column("bucket_start_us", sa.BigInteger, primary_key=True, autoincrement=False),
        *_numbers("changes"),
        sqlite_with_rowid=False,
    )
    op.create_table("usage_versions", *_key("organization_id"), *_numbers("version"))


def _sum_up(
    connection: sa.Connection, wide: str, span: str, table: str, subject: tuple[str, ...]
) -> None:
    key = ", ".join(("organization_id", "bucket_start_us", *subject))
    names = ", ".join(("organization_id", f"'{span}'", "bucket_start_us", *subject))
    more = ", 0, 0, max(last_us)" if "repository" in subject else ""
    select = f"SELECT {names}, {_SUMS}{more} FROM {wide} GROUP BY {key}"  # noqa: S608 - our names
    connection.execute(sa.text(f"INSERT INTO {table} ({_columns(subject)}) {select}"))


def _columns(subject: tuple[str, ...]) -> str:
    more = ("sessions_begun", "sessions_ended", "last_us") if "repository" in subject else ()
    return ", ".join(("organization_id", "span", "bucket_start_us", *subject, *_FIGURES, *more))


def _days(connection: sa.Connection, organization_id: str) -> list[int]:
    query = sa.text(
        "SELECT bucket_start_us FROM usage_totals"
        " WHERE organization_id = :organization_id AND span = 'day' ORDER BY bucket_start_us"
    )
    return list(connection.execute(query, {"organization_id": organization_id}).scalars())


def _sum_up_ten_days(
    connection: sa.Connection, organization_id: str, days: list[int], zone: ZoneInfo
) -> None:
    runs: dict[int, list[int]] = {}
    for day_us in days:
        runs.setdefault(bucket_start_us(Span.TEN_DAYS, day_us, zone), []).append(day_us)
    for table, subject in _SUBJECTS.items():
        group = ", ".join(("organization_id", *subject))
        names = ", ".join(("organization_id", "'ten_days'", "CAST(:run AS bigint)", *subject))
        sums = ", ".join(f"sum({name})" for name in _FIGURES)
        more = ", 0, 0, max(last_us)" if "repository" in subject else ""
        select = f"SELECT {names}, {sums}{more} FROM {table}"  # noqa: S608 - our names
        statement = sa.text(
            f"INSERT INTO {table} ({_columns(subject)}) {select}"
            " WHERE organization_id = :organization_id AND span = 'day'"
            f" AND bucket_start_us BETWEEN :first AND :last GROUP BY {group}"
        )
        for run_us, of_run in runs.items():
            values = {"run": run_us, "first": of_run[0], "last": of_run[-1]}
            connection.execute(statement, {"organization_id": organization_id, **values})


def _place_sessions(connection: sa.Connection, organization_id: str, days: list[int]) -> None:
    statement = sa.text(
        "INSERT INTO session_places SELECT day.organization_id,"
        " coalesce(sessions.root_session_id, day.session_id), day.repository, '',"
        " min(day.first_us), max(day.last_us) FROM ("
        "SELECT organization_id, session_id, repository,"
        " min(started_us) AS first_us, max(started_us) AS last_us FROM usage_events"
        " WHERE organization_id = :organization_id AND started_us >= :start"
        " AND started_us < :end AND session_id <> ''"
        " GROUP BY organization_id, session_id, repository) AS day"
        " LEFT JOIN sessions ON sessions.session_id = day.session_id"
        " AND sessions.organization_id = day.organization_id WHERE true"
        " GROUP BY day.organization_id, coalesce(sessions.root_session_id, day.session_id),"
        " day.repository"
        " ON CONFLICT (organization_id, session_id, repository, pull_request) DO UPDATE SET"
        " first_us = CASE WHEN session_places.first_us < excluded.first_us"
        " THEN session_places.first_us ELSE excluded.first_us END,"
        " last_us = CASE WHEN session_places.last_us > excluded.last_us"
        " THEN session_places.last_us ELSE excluded.last_us END"
    )
    for start_us, end_us in zip(days, [*days[1:], _FOREVER_US], strict=True):
        values = {"organization_id": organization_id, "start": start_us, "end": end_us}
        connection.execute(statement, values)


def _count_sessions(connection: sa.Connection, organization_id: str, zone: ZoneInfo) -> None:
    statement = sa.text(
        "UPDATE usage_by_repository SET sessions_begun = sessions_begun + :begun,"
        " sessions_ended = sessions_ended + :ended WHERE organization_id = :organization_id"
        " AND span = :span AND bucket_start_us = :bucket AND repository = :repository"
        " AND pull_request = ''"
    )
    for rows in _places(connection, organization_id):
        counts: dict[tuple[str, int, str], dict[str, Any]] = {}
        for repository, first_us, last_us in rows:
            for span in Span:
                for name, at_us in (("begun", first_us), ("ended", last_us)):
                    bucket = bucket_start_us(span, at_us, zone)
                    count = counts.setdefault(
                        (span.value, bucket, repository), {"begun": 0, "ended": 0}
                    )
                    count[name] += 1
        values = [
            {
                "organization_id": organization_id,
                "span": span_name,
                "bucket": bucket,
                "repository": repository,
                **count,
            }
            for (span_name, bucket, repository), count in counts.items()
        ]
        connection.execute(statement, values)


def _places(
    connection: sa.Connection, organization_id: str
) -> Iterator[list[tuple[str, int, int]]]:
    """What is to be counted, in parts; each follows the last by its key."""
    query = sa.text(
        "SELECT session_id, repository, first_us, last_us FROM session_places"
        " WHERE organization_id = :organization_id"
        " AND (session_id > :session_id OR (session_id = :session_id AND repository > :repository))"
        " ORDER BY session_id, repository LIMIT :most"
    )
    values: dict[str, Any] = {"organization_id": organization_id, "most": _COUNTED_AT_ONCE}
    after = {"session_id": "", "repository": ""}
    while rows := connection.execute(query, {**values, **after}).all():
        yield [(repository, first_us, last_us) for _, repository, first_us, last_us in rows]
        after = {"session_id": rows[-1].session_id, "repository": rows[-1].repository}


def _numbers(*names: str) -> "list[sa.Column[int]]":
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _key(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, sa.Text, primary_key=True, nullable=False) for name in names]
