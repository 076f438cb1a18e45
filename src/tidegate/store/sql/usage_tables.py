"""The usage tables: ledger, rollups, sessions. Migrations make them; a test compares the two."""

from typing import Any, Final

import sqlalchemy as sa

usage = sa.MetaData()

TOKEN_COLUMNS: Final = (
    "input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_read_tokens",
    "output_tokens",
    "reasoning_tokens",
)
COUNTED_TOKENS: Final = tuple(name for name in TOKEN_COLUMNS if name != "reasoning_tokens")
"""Of the headline metric; reasoning is an of-which of the output."""
COST_COLUMNS: Final = (
    "input_nusd",
    "cache_write_5m_nusd",
    "cache_write_1h_nusd",
    "cache_read_nusd",
    "output_nusd",
    "extras_nusd",
)
FAULT_COLUMNS: Final = ("upstream_error", "refused", "cancelled", "cut", "timed_out", "crashed")
"""Outcomes other than ok, which is what is left of `requests`."""

SAVING_COLUMNS: Final = ("saved_tokens_new", "saved_tokens_again", "saved_nano")
_EVENT_TEXTS: Final = (
    "member_id", "key_id", "agent", "client_version", "provider", "credential_id", "billing",
    "model_asked", "model_served", "dialect", "session_id", "client_session",
    "parent_session_id", "subagent_id", "parent_agent_id", "repository", "branch", "commit",
    "launch_id", "outcome", "error_code", "price_version", "service_tier", "speed", "region",
    "upstream_request_id", "upstream_id",
)  # fmt: skip
EVENT_NUMBERS: Final = (
    "started_us", "first_byte_us", "duration_us", "status", "request_bytes", "response_bytes",
    "web_searches", *TOKEN_COLUMNS, *COST_COLUMNS,
)  # fmt: skip
COMPRESSION_TEXTS: Final = ("compression", "tool_savings")
COMPRESSION_NUMBERS: Final = ("compression_version", "compression_faults", *SAVING_COLUMNS)
_EVENT_FLAGS: Final = ("stream", "is_title", "price_unknown", "estimated")
ROLLUP_KEY: Final = (
    "organization_id", "bucket_start_us", "member_id", "key_id", "agent", "model", "repository",
    "pull_request", "billing",
)  # fmt: skip
ROLLUP_SUMS: Final = (
    "requests", *TOKEN_COLUMNS, *COST_COLUMNS, "estimated", "price_unknown", *FAULT_COLUMNS,
    "saved_tokens", "saved_nusd",
)  # fmt: skip
_SAVED_FIGURES: Final = ("saved_tokens", "saved_nusd", "saved_subscription_nusd")
FIGURES: Final = ("cost_nusd", "subscription_nusd", "tokens", "requests", *_SAVED_FIGURES)
"""Of the team's sums: the cost is what is billed, what subscriptions are worth is apart, and so
it is with what was saved."""
SESSION_SUMS: Final = (
    "requests", *TOKEN_COLUMNS, "cost_nusd", "subscription_cost_nusd", "saved_tokens", "saved_nusd",
)  # fmt: skip
_ADDED_LATER: Final = frozenset(_SAVED_FIGURES)
"""Columns that tables got when they had rows: those say 0."""


def _texts(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _numbers(*names: str) -> "list[sa.Column[int]]":
    return [
        sa.Column(
            name,
            sa.BigInteger,
            nullable=False,
            server_default="0" if name in _ADDED_LATER else None,
        )
        for name in names
    ]


def _key(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, sa.Text, primary_key=True, nullable=False) for name in names]


events = sa.Table(
    "usage_events",
    usage,
    *_key("event_id"),
    *_texts("organization_id", *_EVENT_TEXTS),
    *_numbers(*EVENT_NUMBERS),
    *[sa.Column(name, sa.Boolean, nullable=False) for name in _EVENT_FLAGS],
    sa.Column("captured", sa.Boolean, nullable=False, server_default=sa.false()),
    *[
        sa.Column(name, sa.Text, nullable=False, server_default=sa.text("''"))
        for name in COMPRESSION_TEXTS
    ],
    *[
        sa.Column(name, sa.BigInteger, nullable=False, server_default="0")
        for name in COMPRESSION_NUMBERS
    ],
    sa.Column("squad_id", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("pull_request", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("unsaid", sa.BigInteger, nullable=False, server_default="0"),
)
UNSAID: Final = {"repository": 1, "branch": 2}
"""Bits of `unsaid`: what a request of a session did not say by itself, so that its value is what
other requests said. Requests of releases before there were links said all they could."""
MODEL: Final = sa.case(
    (events.c.model_served != sa.literal_column("''"), events.c.model_served),
    else_=events.c.model_asked,
)
"""The model that a request counts under."""


def _event_index(name: str, *names: str, where: str = "", sqlite_where: str = "") -> None:
    """An index within an organization; one of rare rows names them."""
    only: dict[str, Any] = {
        "sqlite_where": sa.text(sqlite_where or where),
        "postgresql_where": sa.text(where),
    }
    columns = [events.c[column] for column in ("organization_id", *names)]
    sa.Index(name, *columns, **(only if where else {}))


# The log reads each of its filters from one of these, and checks what else is asked for in it.
_event_index("events_by_time", "started_us")
_event_index("events_by_member", "member_id", "started_us", "outcome", "model_served")
_event_index("events_by_session", "session_id", "started_us")
_event_index("events_by_model", "agent", "model_served", "started_us")
_event_index("events_by_repository", "repository", "started_us")
_event_index(
    "events_by_pull_request", "repository", "pull_request", "started_us",
    where="pull_request <> ''",
)  # fmt: skip
_event_index("events_by_launch", "launch_id", where="launch_id <> ''")
_event_index("events_by_request", "upstream_request_id", where="upstream_request_id <> ''")
_event_index("events_unserved", "model_asked", "started_us", where="model_served = ''")
_event_index(
    "events_failed", "started_us", "outcome", "member_id", "agent", "model_served", "repository",
    where="outcome <> 'ok'",
)  # fmt: skip
_event_index("events_refused", "started_us", "status", where="status < 200 OR status > 299")
for _flag in ("estimated", "price_unknown", "captured"):
    _event_index(f"events_{_flag}", "started_us", where=_flag, sqlite_where=f"{_flag} = 1")


def _rollup(name: str) -> sa.Table:
    return sa.Table(
        name,
        usage,
        *[
            sa.Column(
                column,
                sa.BigInteger if column == "bucket_start_us" else sa.Text,
                primary_key=True,
                nullable=False,
                autoincrement=False,
            )
            for column in ROLLUP_KEY
        ],
        *_numbers(*ROLLUP_SUMS, "last_us"),
        sqlite_with_rowid=False,
    )


hours = _rollup("usage_hours")
days = _rollup("usage_days")

sessions = sa.Table(
    "sessions",
    usage,
    *_key("session_id"),
    *_texts(
        "organization_id", "key_id", "member_id", "agent", "client_session", "parent_session_id",
        "root_session_id",
    ),
    *_numbers("first_us", "last_us", *SESSION_SUMS),
    sa.Column("compression", sa.Text, nullable=False, server_default=sa.text("''")),
)  # fmt: skip
sa.Index("sessions_by_root", sessions.c.organization_id, sessions.c.root_session_id)
sa.Index("sessions_by_time", sessions.c.organization_id, sessions.c.last_us)
sa.Index("sessions_by_client", sessions.c.organization_id, sessions.c.client_session)


def _team_sums(name: str, *subject: str, more: tuple[str, ...] = ()) -> sa.Table:
    """Sums by little enough that a page adds up a quarter of a year at once. `span` is how long
    a bucket is: see core/spans.py."""
    return sa.Table(
        name,
        usage,
        *_key("organization_id", "span"),
        sa.Column("bucket_start_us", sa.BigInteger, primary_key=True, autoincrement=False),
        *_key(*subject),
        *_numbers(*FIGURES, *more),
        sqlite_with_rowid=False,
    )


totals = _team_sums("usage_totals")
by_member = _team_sums("usage_by_member", "member_id")
by_key = _team_sums("usage_by_key", "key_id")
by_squad = _team_sums("usage_by_squad", "squad_id", "member_id")
"""Of requests that began while their member was in a squad."""
by_repository = _team_sums(
    "usage_by_repository", "repository", "pull_request",
    more=("sessions_begun", "sessions_ended", "last_us"),
)  # fmt: skip
"""A row without a pull request is the whole repository, one with it the part that went there.
Sessions are counted in the bucket of their first and in that of their last use."""

by_pull_request = sa.Table(
    "usage_by_pull_request",
    usage,
    *_key("organization_id", "repository", "pull_request"),
    sa.Column("bucket_start_us", sa.BigInteger, primary_key=True, autoincrement=False),
    *_numbers(*FIGURES, "sessions_ended", "last_us"),
    sqlite_with_rowid=False,
)
"""Of `by_repository` the runs of ten days of pull requests, those of one beside each other."""

latencies = sa.Table(
    "usage_latencies",
    usage,
    *_key("organization_id", "span"),
    sa.Column("bucket_start_us", sa.BigInteger, primary_key=True, autoincrement=False),
    *_key("agent", "model"),
    sa.Column("bin", sa.BigInteger, primary_key=True, autoincrement=False),
    *_numbers("requests", "failed"),
    sqlite_with_rowid=False,
)
"""How many requests took how long, in bins of core/latency.py."""

last_uses = sa.Table(
    "usage_last",
    usage,
    *_key("organization_id", "member_id", "key_id"),
    *_numbers("last_us"),
    sqlite_with_rowid=False,
)
"""When a member last used a key, ever."""

session_places = sa.Table(
    "session_places",
    usage,
    *_key("organization_id", "session_id", "repository", "pull_request"),
    *_numbers("first_us", "last_us"),
    sqlite_with_rowid=False,
)
"""Where a session worked, its sub-agents' under the root's id: when the first request and the
last one there began. A place without a pull request is the whole repository."""
sa.Index(
    "places_by_repository",
    session_places.c.organization_id,
    session_places.c.repository,
    session_places.c.pull_request,
    session_places.c.last_us,
)

bucket_changes = sa.Table(
    "usage_changes",
    usage,
    *_key("organization_id", "span"),
    sa.Column("bucket_start_us", sa.BigInteger, primary_key=True, autoincrement=False),
    *_numbers("changes"),
    sqlite_with_rowid=False,
)
"""Raised with whatever is added to a bucket, so that readers may keep what they know of it."""

versions = sa.Table("usage_versions", usage, *_key("organization_id"), *_numbers("version"))
"""Raised with whatever is drained for an organization, and with its zone."""

zones = sa.Table(
    "usage_zones",
    usage,
    *_key("organization_id"),
    *_texts("time_zone"),
    sa.Column("ledger_from_us", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("other_zone_before_us", sa.BigInteger, nullable=False, server_default="0"),
)
"""The zone that an organization's rollups are in; the directory's may be newer for a moment.

What the ledger had of before `ledger_from_us` is gone or going: the sums of then stay as they are.
Those of before `other_zone_before_us` are in days of an earlier zone."""

captures = sa.Table(
    "captures",
    usage,
    *_key("event_id"),
    *_texts("organization_id", "key_id", "member_id"),
    *_numbers("at_us", "expires_us", "size_bytes"),
    sa.Column("truncated", sa.Boolean, nullable=False),
    sa.Column("ciphertext", sa.LargeBinary, nullable=False),
)
sa.Index("captures_by_time", captures.c.organization_id, captures.c.at_us)
sa.Index("captures_by_end", captures.c.expires_us)

spool_files = sa.Table("spool_files", usage, *_key("file"), *_numbers("offset"))
