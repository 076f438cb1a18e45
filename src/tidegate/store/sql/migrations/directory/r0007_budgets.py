"""Squads, budgets with their raises, requests for more of them, and limits of rate."""

import sqlalchemy as sa
from alembic import op

from tidegate.store.sql.texts import StoredId, StoredText

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    _create_squads()
    _create_budgets()
    _create_raises()
    _create_requests()
    op.create_table(
        "rate_limits",
        _id("organization_id", primary_key=True),
        sa.Column("scope", StoredText(), primary_key=True, nullable=False),
        _id("scope_id", primary_key=True),
        *(_number(name) for name in ("requests_per_minute", "tokens_per_minute")),
        _number("concurrent_streams"),
        _references("organizations", "organization_id"),
    )


def _create_squads() -> None:
    op.create_table(
        "squads",
        _id("squad_id", primary_key=True),
        _id("organization_id"),
        *_texts("name"),
        sa.Column("allowed_models", sa.JSON, nullable=False),
        _number("created_us"),
        _references("organizations", "organization_id"),
    )
    op.create_index("squads_by_organization", "squads", ["organization_id", "name"])
    op.create_table(
        "squad_members",
        _id("organization_id", primary_key=True),
        _id("member_id", primary_key=True),
        _id("squad_id"),
        _number("from_us"),
        _references("squads", "squad_id"),
        _references("members", "member_id"),
    )
    op.create_index("squad_members_by_squad", "squad_members", ["squad_id"])


def _create_budgets() -> None:
    op.create_table(
        "budgets",
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
        _references("organizations", "organization_id"),
    )
    op.create_index("budgets_by_organization", "budgets", ["organization_id", "created_us"])


def _create_raises() -> None:
    op.create_table(
        "budget_raises",
        _id("raise_id", primary_key=True),
        _id("organization_id"),
        _id("budget_id"),
        *_texts("subject"),
        *(_number(name) for name in ("extra_nusd", "from_us", "until_us")),
        _references("budgets", "budget_id"),
    )
    op.create_index("budget_raises_by_budget", "budget_raises", ["organization_id", "budget_id"])


def _create_requests() -> None:
    op.create_table(
        "budget_requests",
        _id("request_id", primary_key=True),
        _id("organization_id"),
        _id("budget_id"),
        *_texts("subject"),
        _id("member_id"),
        _number("amount_nusd"),
        *_texts("reason", "state"),
        *(_number(name) for name in ("created_us", "expires_us")),
        *_texts("decided_by"),
        _number("decided_us"),
        _id("raise_id"),
        *_texts("note"),
        _references("budgets", "budget_id"),
        _references("members", "member_id"),
    )
    columns = ["organization_id", "request_id"]
    op.create_index("budget_requests_by_organization", "budget_requests", columns)


def _id(name: str, *, primary_key: bool = False) -> "sa.Column[str]":
    return sa.Column(name, StoredId(), primary_key=primary_key, nullable=False)


def _texts(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, StoredText(), nullable=False) for name in names]


def _number(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger, nullable=False)


def _switch(name: str) -> "sa.Column[bool]":
    return sa.Column(name, sa.Boolean, nullable=False)


def _references(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{table}.{column}"])
