"""Ledger, rollups and sessions of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TOKENS = (
    "input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens",
    "output_tokens", "reasoning_tokens",
)  # fmt: skip
_COSTS = (
    "input_nusd", "cache_write_5m_nusd", "cache_write_1h_nusd", "cache_read_nusd", "output_nusd",
    "extras_nusd",
)  # fmt: skip
_FAULTS = ("upstream_error", "refused", "cancelled", "cut", "timed_out", "crashed")


def upgrade() -> None:
    _create_events()
    for name in ("usage_hours", "usage_days"):
        _create_rollup(name)
    _create_sessions()
    op.create_table("usage_zones", *_key("organization_id"), *_texts("time_zone"))
    op.create_table("spool_files", *_key("file"), *_numbers("offset"))


def _create_events() -> None:
    op.create_table(
        "usage_events",
        *_key("event_id"),
        *_texts(
            "organization_id", "member_id", "key_id", "agent", "client_version", "provider",
            "credential_id", "billing", "model_asked", "model_served", "dialect", "session_id",
            "client_session", "parent_session_id", "subagent_id", "parent_agent_id",
            "repository", "branch", "commit", "launch_id", "outcome", "error_code",
            "price_version", "service_tier", "speed", "region", "upstream_request_id",
            "upstream_id",
        ),
        *_numbers(
            "started_us", "first_byte_us", "duration_us", "status", "request_bytes",
            "response_bytes", "web_searches", *_TOKENS, *_COSTS,
        ),
        *[
            sa.Column(name, sa.Boolean, nullable=False)
            for name in ("stream", "is_title", "price_unknown", "estimated")
        ],
    )  # fmt: skip
    for name, columns in {
        "events_by_time": ["organization_id", "started_us"],
        "events_by_key": ["organization_id", "key_id", "started_us"],
        "events_by_member": ["organization_id", "member_id", "started_us"],
        "events_by_session": ["organization_id", "session_id", "started_us"],
    }.items():
        op.create_index(name, "usage_events", columns)
    op.create_index(
        "events_by_launch",
        "usage_events",
        ["organization_id", "launch_id"],
        sqlite_where=sa.text("launch_id <> ''"),
        postgresql_where=sa.text("launch_id <> ''"),
    )


def _create_rollup(name: str) -> None:
    op.create_table(
        name,
        *_key("organization_id"),
        sa.Column("bucket_start_us", sa.BigInteger, primary_key=True, autoincrement=False),
        *_key("member_id", "key_id", "agent", "model", "repository", "pull_request", "billing"),
        *_numbers("requests", *_TOKENS, *_COSTS, "estimated", "price_unknown", *_FAULTS, "last_us"),
        sqlite_with_rowid=False,
    )


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        *_key("session_id"),
        *_texts(
            "organization_id", "key_id", "member_id", "agent", "client_session",
            "parent_session_id", "root_session_id",
        ),
        *_numbers(
            "first_us", "last_us", "requests", *_TOKENS, "cost_nusd", "subscription_cost_nusd"
        ),
    )  # fmt: skip
    op.create_index("sessions_by_root", "sessions", ["organization_id", "root_session_id"])
    op.create_index("sessions_by_time", "sessions", ["organization_id", "last_us"])


def _texts(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _numbers(*names: str) -> "list[sa.Column[int]]":
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _key(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, sa.Text, primary_key=True, nullable=False) for name in names]
