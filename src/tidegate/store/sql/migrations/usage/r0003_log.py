"""What the log needs: indexes, stored bodies, and from when on the ledger is whole."""

from collections import Counter
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

from tidegate.core.latency import bin_of
from tidegate.core.spans import Span, bucket_start_us

revision = "0003"
down_revision = "0002"

_INDEXES: Final[dict[str, tuple[str, ...]]] = {
    "events_by_member": ("member_id", "started_us", "outcome", "model_served"),
    "events_by_model": ("agent", "model_served", "started_us"),
    "events_by_repository": ("repository", "started_us"),
    "events_by_request": ("upstream_request_id",),
    "events_unserved": ("model_asked", "started_us"),
    "events_failed": (
        "started_us", "outcome", "member_id", "agent", "model_served", "repository",
    ),
    "events_refused": ("started_us", "status"),
    "events_estimated": ("started_us",),
    "events_price_unknown": ("started_us",),
    "events_captured": ("started_us",),
}  # fmt: skip
_RARE: Final = {
    "events_by_request": "upstream_request_id <> ''",
    "events_unserved": "model_served = ''",
    "events_failed": "outcome <> 'ok'",
    "events_refused": "status < 200 OR status > 299",
}
_FLAGS: Final = ("estimated", "price_unknown", "captured")
_LONGEST_ID: Final = 400
_READ_AT_ONCE: Final = 5000
_MINUTE_US: Final = 60_000_000


def upgrade() -> None:
    op.add_column(
        "usage_events",
        sa.Column("captured", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    for name in ("ledger_from_us", "other_zone_before_us"):
        op.add_column(
            "usage_zones", sa.Column(name, sa.BigInteger, nullable=False, server_default="0")
        )
    _create_captures()
    _create_indexes()
    _create_latencies()
    fill(op.get_bind())


def fill(connection: sa.Connection) -> None:
    """Count how long the ledger's requests took."""
    for organization_id, zone in connection.execute(
        sa.text("SELECT organization_id, time_zone FROM usage_zones")
    ).all():
        _count_latencies(connection, organization_id, ZoneInfo(zone))


def _create_captures() -> None:
    op.create_table(
        "captures",
        sa.Column("event_id", sa.Text, primary_key=True, nullable=False),
        *[
            sa.Column(name, sa.Text, nullable=False)
            for name in ("organization_id", "key_id", "member_id")
        ],
        *[
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("at_us", "expires_us", "size_bytes")
        ],
        sa.Column("truncated", sa.Boolean, nullable=False),
        sa.Column("ciphertext", sa.LargeBinary, nullable=False),
    )
    op.create_index("captures_by_time", "captures", ["organization_id", "at_us"])
    op.create_index("captures_by_end", "captures", ["expires_us"])


def _create_indexes() -> None:
    for table, column in (("usage_events", "upstream_request_id"), ("sessions", "client_session")):
        op.execute(  # PostgreSQL's indexes take no more; ids have some forty characters
            f"UPDATE {table} SET {column} = substr({column}, 1, {_LONGEST_ID})"  # noqa: S608
            f" WHERE length({column}) > {_LONGEST_ID}"
        )
    for old in ("events_by_member", "events_by_key"):
        op.drop_index(old, "usage_events")
    for name, columns in _INDEXES.items():
        flag = name.removeprefix("events_")
        rare = flag if flag in _FLAGS else _RARE.get(name, "")
        where: dict[str, Any] = {
            "sqlite_where": sa.text(f"{rare} = 1" if flag in _FLAGS else rare),
            "postgresql_where": sa.text(rare),
        }
        op.create_index(
            name, "usage_events", ["organization_id", *columns], **(where if rare else {})
        )
    op.create_index("sessions_by_client", "sessions", ["organization_id", "client_session"])


def _create_latencies() -> None:
    op.create_table(
        "usage_latencies",
        *_key("organization_id", "span"),
        sa.Column("bucket_start_us", sa.BigInteger, primary_key=True, autoincrement=False),
        *_key("agent", "model"),
        sa.Column("bin", sa.BigInteger, primary_key=True, autoincrement=False),
        *[sa.Column(name, sa.BigInteger, nullable=False) for name in ("requests", "failed")],
        sqlite_with_rowid=False,
    )


def _count_latencies(connection: sa.Connection, organization_id: str, zone: ZoneInfo) -> None:
    query = sa.text(
        "SELECT started_us, agent, model_served, model_asked, duration_us, outcome"
        " FROM usage_events WHERE organization_id = :organization_id"
    )
    counts: Counter[tuple[int, str, str, int]] = Counter()
    failed: Counter[tuple[int, str, str, int]] = Counter()
    rows = connection.execute(
        query.execution_options(yield_per=_READ_AT_ONCE), {"organization_id": organization_id}
    )
    hours: dict[int, int] = {}
    for started_us, agent, served, asked, duration_us, outcome in rows:
        minute = started_us // _MINUTE_US
        hour_us = hours.get(minute)
        if hour_us is None:  # zones change their offset on whole minutes only
            hour_us = hours[minute] = bucket_start_us(Span.HOUR, minute * _MINUTE_US, zone)
        key = (hour_us, agent, served or asked, bin_of(duration_us))
        counts[key] += 1
        if outcome != "ok":
            failed[key] += 1
    by_day: dict[tuple[str, int, str, str, int], list[int]] = {}
    for (hour_us, *rest), requests in counts.items():
        day_us = bucket_start_us(Span.DAY, hour_us, zone)
        for span, start_us in ((Span.HOUR, hour_us), (Span.DAY, day_us)):
            total = by_day.setdefault((span.value, start_us, *rest), [0, 0])  # type: ignore[arg-type]
            total[0] += requests
            total[1] += failed.get((hour_us, *rest), 0)  # type: ignore[arg-type]
    values: list[dict[str, Any]] = [
        {
            "organization_id": organization_id, "span": span, "bucket": start_us, "agent": agent,
            "model": model, "bin": number, "requests": requests, "failed": bad,
        }
        for (span, start_us, agent, model, number), (requests, bad) in sorted(by_day.items())
    ]  # fmt: skip
    if values:
        connection.execute(
            sa.text(
                "INSERT INTO usage_latencies (organization_id, span, bucket_start_us, agent,"
                " model, bin, requests, failed) VALUES (:organization_id, :span, :bucket, :agent,"
                " :model, :bin, :requests, :failed)"
            ),
            values,
        )


def _key(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, sa.Text, primary_key=True, nullable=False) for name in names]
