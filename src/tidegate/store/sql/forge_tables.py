"""Tables of what a forge told: repositories, their names, pull requests, deliveries."""

from typing import Final

import sqlalchemy as sa

from tidegate.store.sql.texts import StoredText
from tidegate.store.sql.usage_tables import usage


def _key() -> "list[sa.Column[str]]":
    return [sa.Column("organization_id", sa.Text, primary_key=True, nullable=False)]


def _number_key(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger, primary_key=True, nullable=False, autoincrement=False)


def _texts(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, StoredText(), nullable=False) for name in names]


def _numbers(*names: str) -> "list[sa.Column[int]]":
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _flags(*names: str) -> "list[sa.Column[bool]]":
    return [sa.Column(name, sa.Boolean, nullable=False) for name in names]


repositories: Final = sa.Table(
    "forge_repositories",
    usage,
    *_key(),
    _number_key("repository_id"),
    *_texts("name", "default_branch"),
    *_flags("private"),
    *_numbers("telling", "at_us", "installation_id"),
    *_flags("accessible"),
    *_numbers("access_us"),
    *_texts("pulls_etag"),
    *_numbers("pulls_seen_us"),
)
"""`telling` and `at_us` are of the fact that holds, `access_us` of that about the access."""

names: Final = sa.Table(
    "forge_names",
    usage,
    *_key(),
    sa.Column("name", StoredText(), primary_key=True, nullable=False),
    _number_key("repository_id"),
    *_numbers("first_us", "from_us", "until_us"),
)
"""Each name that a repository had, as it was written and in lower case; the name meant it within
[from_us, until_us)."""
sa.Index("forge_names_by_repository", names.c.organization_id, names.c.repository_id)

SPENT: Final = ("requests", "cost_nusd", "subscription_nusd")
pull_requests: Final = sa.Table(
    "forge_pull_requests",
    usage,
    *_key(),
    _number_key("repository_id"),
    _number_key("number"),
    *_texts("title", "author", "state", "head_branch", "base_branch", "url"),
    *_numbers(
        "head_repository_id", "created_us", "merged_us", "closed_us", "additions", "deletions",
        "updated_us",
    ),
    *(sa.Column(name, sa.BigInteger, nullable=False, server_default="0") for name in SPENT),
)  # fmt: skip
"""What a pull request cost in all its time stands in its row: see `forge_costs.py`."""
sa.Index(
    "forge_pulls_merged",
    *(
        pull_requests.c[name]
        for name in ("organization_id", "merged_us", "repository_id", "number", *SPENT)
    ),
    sqlite_where=sa.text("merged_us > 0"),
    postgresql_where=sa.text("merged_us > 0"),
)
sa.Index(
    "forge_pulls_by_head",
    pull_requests.c.organization_id,
    pull_requests.c.repository_id,
    pull_requests.c.head_branch,
)

deliveries: Final = sa.Table(
    "forge_deliveries",
    usage,
    *_key(),
    sa.Column("delivery_id", StoredText(), primary_key=True, nullable=False),
    *_texts("event", "action"),
    *_numbers("received_us"),
)
sa.Index("forge_deliveries_by_time", deliveries.c.received_us)

status: Final = sa.Table(
    "forge_status",
    usage,
    *_key(),
    *_numbers(
        "last_delivery_us", "last_sync_us", "last_success_us", "retry_us", "requested_us",
        "turn_until_us",
    ),
    *_texts("last_event", "last_error", "turn_holder"),
)  # fmt: skip
"""How the connection fares; `turn_holder` syncs until `turn_until_us`."""
