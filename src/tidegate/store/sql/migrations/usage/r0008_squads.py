"""Sums by key, and by squad of requests that began while their member was in one.

Sums by key are made from those that are there.
"""

from typing import Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

from tidegate.core.spans import Span, bucket_start_us

revision = "0008"
down_revision = "0007"

_FIGURES: Final = (
    "cost_nusd", "subscription_nusd", "tokens", "requests", "saved_tokens", "saved_nusd",
    "saved_subscription_nusd",
)  # fmt: skip
_SUBJECTS: Final[dict[str, tuple[str, ...]]] = {
    "usage_by_key": ("key_id",),
    "usage_by_squad": ("squad_id", "member_id"),
}
_COST: Final = (
    "input_nusd + cache_write_5m_nusd + cache_write_1h_nusd + cache_read_nusd + output_nusd"
    " + extras_nusd"
)
_TOKENS: Final = (
    "input_tokens + cache_write_5m_tokens + cache_write_1h_tokens + cache_read_tokens"
    " + output_tokens"
)


def _of_api(what: str) -> str:
    return f"sum(CASE WHEN billing = 'subscription' THEN 0 ELSE {what} END)"


def _of_subscriptions(what: str) -> str:
    return f"sum(CASE WHEN billing = 'subscription' THEN {what} ELSE 0 END)"


_SUMS: Final = ", ".join(
    (
        _of_api(_COST),
        _of_subscriptions(_COST),
        f"sum({_TOKENS})",
        "sum(requests)",
        "sum(saved_tokens)",
        _of_api("saved_nusd"),
        _of_subscriptions("saved_nusd"),
    )
)
_COLUMNS: Final = ", ".join(("organization_id", "span", "bucket_start_us", "key_id", *_FIGURES))


def upgrade() -> None:
    empty = sa.Column("squad_id", sa.Text, nullable=False, server_default=sa.text("''"))
    op.add_column("usage_events", empty)
    for name, subject in _SUBJECTS.items():
        op.create_table(
            name,
            *_key("organization_id", "span"),
            sa.Column("bucket_start_us", sa.BigInteger, primary_key=True, autoincrement=False),
            *_key(*subject),
            *[sa.Column(figure, sa.BigInteger, nullable=False) for figure in _FIGURES[:4]],
            *[
                sa.Column(figure, sa.BigInteger, nullable=False, server_default="0")
                for figure in _FIGURES[4:]
            ],
            sqlite_with_rowid=False,
        )
    fill(op.get_bind())


def fill(connection: sa.Connection) -> None:
    """Make the rows of sums by key."""
    for wide, span in (("usage_hours", "hour"), ("usage_days", "day")):
        connection.execute(
            sa.text(
                f"INSERT INTO usage_by_key ({_COLUMNS})"  # noqa: S608 - our names
                f" SELECT organization_id, '{span}', bucket_start_us, key_id, {_SUMS} FROM {wide}"
                " GROUP BY organization_id, bucket_start_us, key_id"
            )
        )
    zones = sa.text("SELECT organization_id, time_zone FROM usage_zones")
    for organization_id, zone in connection.execute(zones).all():
        _sum_up_ten_days(connection, organization_id, ZoneInfo(zone))


def _sum_up_ten_days(connection: sa.Connection, organization_id: str, zone: ZoneInfo) -> None:
    days = sa.text(
        "SELECT DISTINCT bucket_start_us FROM usage_by_key"
        " WHERE organization_id = :organization_id AND span = 'day' ORDER BY bucket_start_us"
    )
    runs: dict[int, list[int]] = {}
    for day_us in connection.execute(days, {"organization_id": organization_id}).scalars():
        runs.setdefault(bucket_start_us(Span.TEN_DAYS, day_us, zone), []).append(day_us)
    sums = ", ".join(f"sum({name})" for name in _FIGURES)
    statement = sa.text(
        f"INSERT INTO usage_by_key ({_COLUMNS})"  # noqa: S608 - our names
        f" SELECT organization_id, 'ten_days', CAST(:run AS bigint), key_id, {sums}"
        " FROM usage_by_key WHERE organization_id = :organization_id AND span = 'day'"
        " AND bucket_start_us BETWEEN :first AND :last GROUP BY organization_id, key_id"
    )
    for run_us, of_run in runs.items():
        values = {"run": run_us, "first": of_run[0], "last": of_run[-1]}
        connection.execute(statement, {"organization_id": organization_id, **values})


def _key(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, sa.Text, primary_key=True, nullable=False) for name in names]
