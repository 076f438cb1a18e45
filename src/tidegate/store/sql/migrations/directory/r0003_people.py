"""People: passwords, invitations, logins of several organizations, access tokens, mail."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    _add_columns()
    _create_login_members()
    _create_invitations()
    _create_access_tokens()
    _create_idempotency()
    _create_mail_settings()
    columns = ["organization_id", "actor", "audit_id"]
    op.create_index("audit_by_actor", "audit", columns)
    op.create_index("audit_by_target", "audit", ["organization_id", "target", "audit_id"])


def _add_columns() -> None:
    op.add_column("organizations", _switch("self_enrolment", sa.false()))
    op.add_column("members", _new_text("password_hash"))
    op.add_column(
        "members", sa.Column("password_us", sa.BigInteger, nullable=False, server_default="0")
    )
    op.create_index("members_by_address", "members", ["email"])
    op.add_column("keys", _switch("compression", sa.true()))
    op.add_column("keys", _switch("debug", sa.false()))
    op.add_column("logins", _new_text("user_agent"))


def _create_login_members() -> None:
    op.create_table(
        "login_members",
        _id("login_id", primary_key=True),
        _id("organization_id", primary_key=True),
        _id("member_id"),
        _us("added_us"),
        _references("logins", "login_id"),
        _references("members", "member_id"),
    )
    op.create_index("login_members_by_member", "login_members", ["organization_id", "member_id"])
    op.execute(
        "INSERT INTO login_members (login_id, organization_id, member_id, added_us)"
        " SELECT login_id, organization_id, member_id, created_us FROM logins"
    )


def _create_invitations() -> None:
    op.create_table(
        "invitations",
        _id("invitation_id", primary_key=True),
        _id("organization_id"),
        *_texts("email", "role", "invited_by"),
        *(_us(name) for name in ("created_us", "sent_us", "expires_us")),
        sa.Column("generation", sa.Integer, nullable=False),
        *_texts("mail", "mail_fault"),
        *(_us(name) for name in ("accepted_us", "withdrawn_us")),
        _id("member_id"),
        _references("organizations", "organization_id"),
    )
    pending = sa.text("accepted_us = 0 AND withdrawn_us = 0")
    op.create_index(
        "invitations_pending",
        "invitations",
        ["organization_id", "email"],
        unique=True,
        sqlite_where=pending,
        postgresql_where=pending,
    )


def _create_access_tokens() -> None:
    op.create_table(
        "access_tokens",
        _id("token_id", primary_key=True),
        _id("organization_id"),
        _id("member_id"),
        *_texts("name"),
        sa.Column("secret_hash", sa.String(64), nullable=False, unique=True),
        *_texts("prefix", "scope"),
        *(_us(name) for name in ("created_us", "expires_us", "last_used_us", "revoked_us")),
        _references("members", "member_id"),
    )
    op.create_index("access_tokens_by_member", "access_tokens", ["organization_id", "member_id"])


def _create_idempotency() -> None:
    op.create_table(
        "idempotency",
        _id("organization_id", primary_key=True),
        _id("member_id", primary_key=True),
        sa.Column("idempotency_key", sa.String(255), primary_key=True, nullable=False),
        *_texts("request_digest"),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("response", sa.LargeBinary, nullable=False),
        _us("created_us"),
    )
    op.create_index("idempotency_by_age", "idempotency", ["created_us"])


def _create_mail_settings() -> None:
    op.create_table(
        "mail_settings",
        _id("organization_id", primary_key=True),
        *_texts("host"),
        sa.Column("port", sa.Integer, nullable=False),
        *_texts("security", "user_name"),
        sa.Column("password_ciphertext", sa.LargeBinary, nullable=False),
        *_texts("sender"),
        _us("updated_us"),
        _references("organizations", "organization_id"),
    )


def _id(name: str, *, primary_key: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.String(64), primary_key=primary_key, nullable=False)


def _us(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger, nullable=False)


def _texts(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _new_text(name: str) -> "sa.Column[str]":
    return sa.Column(name, sa.Text, nullable=False, server_default=sa.text("''"))


def _switch(name: str, default: "sa.False_ | sa.True_") -> "sa.Column[bool]":
    return sa.Column(name, sa.Boolean, nullable=False, server_default=default)


def _references(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{table}.{column}"])
