"""The directory's tables of squads, budgets and limits of rate."""

import sqlalchemy as sa

from tidegate.store.sql.directory_tables import directory
from tidegate.store.sql.texts import StoredId, StoredText


def _id(name: str, *, primary_key: bool = False) -> "sa.Column[str]":
    return sa.Column(name, StoredId(), primary_key=primary_key, nullable=False)


def _texts(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, StoredText(), nullable=False) for name in names]


def _number(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger, nullable=False)


def _switch(name: str) -> "sa.Column[bool]":
    return sa.Column(name, sa.Boolean, nullable=False)


def _references(column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column.partition(".")[2]], [column])


squads = sa.Table(
    "squads",
    directory,
    _id("squad_id", primary_key=True),
    _id("organization_id"),
    *_texts("name"),
    sa.Column("allowed_models", sa.JSON, nullable=False),
    _number("created_us"),
    _references("organizations.organization_id"),
)
sa.Index("squads_by_organization", squads.c.organization_id, squads.c.name)

squad_members = sa.Table(
    "squad_members",
    directory,
    _id("organization_id", primary_key=True),
    _id("member_id", primary_key=True),
    _id("squad_id"),
    _number("from_us"),
    _references("squads.squad_id"),
    _references("members.member_id"),
)
"""A member is in one squad at most."""
sa.Index("squad_members_by_squad", squad_members.c.squad_id)

budgets = sa.Table(
    "budgets",
    directory,
    _id("budget_id", primary_key=True),
    _id("organization_id"),
    *_texts("name", "scope", "scope_id"),
    _switch("per_head"),
    _number("amount_nusd"),
    *_texts("window"),
    _number("rolling_hours"),
    _switch("hard"),
    *_texts("mode", "when_unknown"),
    _switch("counts_subscription"),
    _number("created_us"),
    _references("organizations.organization_id"),
)
sa.Index("budgets_by_organization", budgets.c.organization_id, budgets.c.created_us)

raises = sa.Table(
    "budget_raises",
    directory,
    _id("raise_id", primary_key=True),
    _id("organization_id"),
    _id("budget_id"),
    *_texts("subject"),
    _number("extra_nusd"),
    _number("from_us"),
    _number("until_us"),
    _references("budgets.budget_id"),
)
sa.Index("budget_raises_by_budget", raises.c.organization_id, raises.c.budget_id)

requests = sa.Table(
    "budget_requests",
    directory,
    _id("request_id", primary_key=True),
    _id("organization_id"),
    _id("budget_id"),
    *_texts("subject"),
    _id("member_id"),
    _number("amount_nusd"),
    *_texts("reason", "state"),
    _number("created_us"),
    _number("expires_us"),
    *_texts("decided_by"),
    _number("decided_us"),
    _id("raise_id"),
    *_texts("note"),
    _references("budgets.budget_id"),
    _references("members.member_id"),
)
sa.Index("budget_requests_by_organization", requests.c.organization_id, requests.c.request_id)

rate_limits = sa.Table(
    "rate_limits",
    directory,
    _id("organization_id", primary_key=True),
    sa.Column("scope", StoredText(), primary_key=True, nullable=False),
    _id("scope_id", primary_key=True),
    _number("requests_per_minute"),
    _number("tokens_per_minute"),
    _number("concurrent_streams"),
    _references("organizations.organization_id"),
)
