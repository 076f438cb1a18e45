"""Tables of sessions as people see them: runs with their sub-agents, links, waiting calls."""

from typing import Final

import sqlalchemy as sa

from tidegate.store.sql.usage_tables import COST_COLUMNS, SESSION_SUMS, TOKEN_COLUMNS, usage

RUN_TEXTS: Final = (
    "organization_id", "key_id", "member_id", "agent", "client_session", "client_version",
    "launch_id", "repository", "branch", "compression",
)  # fmt: skip
RUN_SUMS: Final = (*SESSION_SUMS, "errors", "tokens")
PART_SUMS: Final = (
    "requests", "errors", *TOKEN_COLUMNS, *COST_COLUMNS, "subscription_cost_nusd",
    "saved_tokens", "saved_nusd",
)  # fmt: skip
IS_NAMED: Final = "name <> ''"
IS_LAUNCHED: Final = "launch_id <> ''"


def _texts(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _numbers(*names: str) -> "list[sa.Column[int]]":
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _key(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, sa.Text, primary_key=True, nullable=False) for name in names]


runs = sa.Table(
    "session_runs",
    usage,
    *_key("session_id"),
    *_texts(*RUN_TEXTS),
    *_numbers("first_us", "last_us", "duration_us", *RUN_SUMS),
    *[
        sa.Column(name, sa.Text, nullable=False, server_default=sa.text("''"))
        for name in ("name", "name_method")
    ],
)
"""A root session with all that its sub-agents used, and where it is now."""

SORTED: Final = ("last_us", "first_us", "cost_nusd", "tokens", "requests", "duration_us")
for _name in SORTED:
    sa.Index(f"runs_by_{_name}", runs.c.organization_id, runs.c[_name], runs.c.session_id)
sa.Index("runs_by_member", runs.c.organization_id, runs.c.member_id, runs.c.last_us)
sa.Index("runs_by_client", runs.c.organization_id, runs.c.client_session)
sa.Index(
    "runs_by_name", runs.c.organization_id, runs.c.name,
    sqlite_where=sa.text(IS_NAMED), postgresql_where=sa.text(IS_NAMED),
)  # fmt: skip
sa.Index(
    "runs_by_launch", runs.c.organization_id, runs.c.launch_id,
    sqlite_where=sa.text(IS_LAUNCHED), postgresql_where=sa.text(IS_LAUNCHED),
)  # fmt: skip

parts = sa.Table(
    "session_parts",
    usage,
    *_key("organization_id", "session_id", "subagent_id", "model"),
    *_texts("parent_agent_id"),
    *_numbers("first_us", "last_us", *PART_SUMS),
    sqlite_with_rowid=False,
)
"""What each agent of a session did with each model; the main agent's id is empty."""
sa.Index("parts_by_model", parts.c.organization_id, parts.c.model, parts.c.session_id)

links = sa.Table(
    "session_links",
    usage,
    *_key("organization_id", "session_id", "kind"),
    sa.Column("at_us", sa.BigInteger, primary_key=True, autoincrement=False),
    *_key("method", "value"),
    sa.Column("certain", sa.Boolean, nullable=False),
    *_texts("source"),
    sqlite_with_rowid=False,
)
"""What said when where a root session worked, see core/attribution.py."""
sa.Index("links_by_value", links.c.organization_id, links.c.kind, links.c.value, links.c.session_id)

calls = sa.Table(
    "session_calls",
    usage,
    *_key("pending_id"),
    *_texts(
        "organization_id", "key_id", "launch_id", "session_id", "call_id", "tool", "digest",
        "links", "name",
    ),
    *_numbers("at_us"),
)  # fmt: skip
"""Calls of our own tools that wait for a request that shows whose they were."""
sa.Index("calls_by_key", calls.c.organization_id, calls.c.key_id)
sa.Index("calls_by_time", calls.c.at_us)
