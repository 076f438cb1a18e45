"""The directory's tables: who may do what. The migrations make them; a test compares the two."""

from typing import Final

import sqlalchemy as sa

from tidegate.store.sql.texts import StoredId, StoredText

directory = sa.MetaData()
_EMPTY: Final = sa.text("''")


def _id(name: str, *, primary_key: bool = False) -> "sa.Column[str]":
    return sa.Column(name, StoredId(), primary_key=primary_key, nullable=False)


def _us(name: str, default: str | None = None) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger, nullable=False, server_default=default)


def _text(name: str, default: "sa.TextClause | None" = None) -> "sa.Column[str]":
    return sa.Column(name, StoredText(), nullable=False, server_default=default)


def _switch(name: str, default: "sa.False_ | sa.True_") -> "sa.Column[bool]":
    return sa.Column(name, sa.Boolean, nullable=False, server_default=default)


def _references(column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column.partition(".")[2]], [column])


versions = sa.Table(
    "directory_version",
    directory,
    sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("version", sa.BigInteger, nullable=False),
)

organizations = sa.Table(
    "organizations",
    directory,
    _id("organization_id", primary_key=True),
    _text("name"),
    _text("time_zone"),
    sa.Column("week_start", sa.Integer, nullable=False),
    sa.Column("allow_own_credential", sa.Boolean, nullable=False),
    sa.Column("allowed_models", sa.JSON, nullable=False),
    _us("created_us"),
    _switch("self_enrolment", sa.false()),
    sa.Column("ledger_days", sa.Integer, nullable=False, server_default="0"),
    sa.Column("capture_days", sa.Integer, nullable=False, server_default="3"),
    _text("compression_level", sa.text("'lossless'")),
    _switch("compression_locked", sa.false()),
    _switch("compression_default", sa.true()),
    sa.Column("holdout_permille", sa.Integer, nullable=False, server_default="0"),
    _switch("session_tools", sa.true()),
)

members = sa.Table(
    "members",
    directory,
    _id("member_id", primary_key=True),
    _id("organization_id"),
    _text("email"),
    _text("name"),
    _text("role"),
    _us("created_us"),
    _us("removed_us"),
    _text("password_hash", _EMPTY),
    _us("password_us", "0"),
    _references("organizations.organization_id"),
)
sa.Index("members_by_address", members.c.email)
sa.Index(
    "members_by_email",
    members.c.organization_id,
    members.c.email,
    unique=True,
    sqlite_where=sa.text("removed_us = 0"),
    postgresql_where=sa.text("removed_us = 0"),
)

keys = sa.Table(
    "keys",
    directory,
    _id("key_id", primary_key=True),
    _id("organization_id"),
    _id("member_id"),
    _text("agent"),
    _text("credential_mode"),
    sa.Column("credential_ids", sa.JSON, nullable=False),
    sa.Column("allowed_models", sa.JSON, nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False),
    _text("prefix"),
    _us("created_us"),
    _switch("compression", sa.true()),
    _us("debug_until_us", "0"),
    _references("organizations.organization_id"),
    _references("members.member_id"),
)
sa.Index("keys_by_member", keys.c.organization_id, keys.c.member_id, keys.c.agent, unique=True)

key_secrets = sa.Table(
    "key_secrets",
    directory,
    sa.Column("secret_hash", StoredId(), primary_key=True, nullable=False),
    _id("organization_id"),
    _id("key_id"),
    sa.Column("ciphertext", sa.LargeBinary, nullable=False),
    _us("created_us"),
    _us("valid_until_us"),
    _references("keys.key_id"),
)
sa.Index("key_secrets_by_key", key_secrets.c.organization_id, key_secrets.c.key_id)

credentials = sa.Table(
    "credentials",
    directory,
    _id("credential_id", primary_key=True),
    _id("organization_id"),
    _text("provider"),
    _text("name"),
    _text("base_url"),
    sa.Column("ciphertext", sa.LargeBinary, nullable=False),
    _text("hint"),
    sa.Column("is_default", sa.Boolean, nullable=False),
    _text("price_table"),
    _us("created_us"),
    _references("organizations.organization_id"),
)
sa.Index(
    "credentials_by_name",
    credentials.c.organization_id,
    credentials.c.provider,
    credentials.c.name,
    unique=True,
)

codes = sa.Table(
    "codes",
    directory,
    sa.Column("code_hash", StoredId(), primary_key=True, nullable=False),
    _text("purpose"),
    sa.Column("organization_id", StoredId(), nullable=False),
    sa.Column("member_id", StoredId(), nullable=False),
    sa.Column("key_id", StoredId(), nullable=False),
    _us("created_us"),
    _us("expires_us"),
    _us("used_us"),
)

logins = sa.Table(
    "logins",
    directory,
    _id("login_id", primary_key=True),
    sa.Column("login_hash", StoredId(), nullable=False, unique=True),
    _id("organization_id"),
    _id("member_id"),
    _text("address"),
    _us("created_us"),
    _us("last_seen_us"),
    _us("expires_us"),
    _text("user_agent", _EMPTY),
    _references("members.member_id"),
)
sa.Index("logins_by_member", logins.c.organization_id, logins.c.member_id)

login_members = sa.Table(
    "login_members",
    directory,
    _id("login_id", primary_key=True),
    _id("organization_id", primary_key=True),
    _id("member_id"),
    _us("added_us"),
    _references("logins.login_id"),
    _references("members.member_id"),
)
sa.Index("login_members_by_member", login_members.c.organization_id, login_members.c.member_id)

invitations = sa.Table(
    "invitations",
    directory,
    _id("invitation_id", primary_key=True),
    _id("organization_id"),
    _text("email"),
    _text("role"),
    _text("invited_by"),
    _us("created_us"),
    _us("sent_us"),
    _us("expires_us"),
    sa.Column("generation", sa.Integer, nullable=False),
    _text("mail"),
    _text("mail_fault"),
    _us("accepted_us"),
    _us("withdrawn_us"),
    sa.Column("member_id", StoredId(), nullable=False),
    _references("organizations.organization_id"),
)
sa.Index(
    "invitations_pending",
    invitations.c.organization_id,
    invitations.c.email,
    unique=True,
    sqlite_where=sa.text("accepted_us = 0 AND withdrawn_us = 0"),
    postgresql_where=sa.text("accepted_us = 0 AND withdrawn_us = 0"),
)

access_tokens = sa.Table(
    "access_tokens",
    directory,
    _id("token_id", primary_key=True),
    _id("organization_id"),
    _id("member_id"),
    _text("name"),
    sa.Column("secret_hash", StoredId(), nullable=False, unique=True),
    _text("prefix"),
    _text("scope"),
    _us("created_us"),
    _us("expires_us"),
    _us("last_used_us"),
    _us("revoked_us"),
    _references("members.member_id"),
)
sa.Index("access_tokens_by_member", access_tokens.c.organization_id, access_tokens.c.member_id)

idempotency = sa.Table(
    "idempotency",
    directory,
    _id("organization_id", primary_key=True),
    _id("member_id", primary_key=True),
    sa.Column("idempotency_key", StoredId(255), primary_key=True, nullable=False),
    _text("request_digest"),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("response", sa.LargeBinary, nullable=False),
    _us("created_us"),
)
sa.Index("idempotency_by_age", idempotency.c.created_us)

mail_settings = sa.Table(
    "mail_settings",
    directory,
    _id("organization_id", primary_key=True),
    _text("host"),
    sa.Column("port", sa.Integer, nullable=False),
    _text("security"),
    _text("user_name"),
    sa.Column("password_ciphertext", sa.LargeBinary, nullable=False),
    _text("sender"),
    _us("updated_us"),
    _references("organizations.organization_id"),
)

session_shares = sa.Table(
    "session_shares",
    directory,
    _id("share_id", primary_key=True),
    _id("organization_id"),
    _id("session_id"),
    sa.Column("secret_hash", StoredId(), nullable=False, unique=True),
    _text("made_by"),
    _us("created_us"),
    _us("expires_us"),
    _us("revoked_us"),
    *(
        sa.Column(name, sa.Boolean, nullable=False)
        for name in ("hides_names", "hides_costs", "hides_repositories")
    ),
    sa.Column("views", sa.BigInteger, nullable=False),
    _us("last_view_us"),
    _references("organizations.organization_id"),
)
sa.Index("session_shares_by_session", session_shares.c.organization_id, session_shares.c.session_id)

github_apps = sa.Table(
    "github_apps",
    directory,
    _id("organization_id", primary_key=True),
    sa.Column("hook_id", StoredId(), nullable=False, unique=True),
    _us("app_id"),
    *(_text(name) for name in ("slug", "name", "api_url", "web_url")),
    *(
        sa.Column(name, sa.LargeBinary, nullable=False)
        for name in ("private_key", "webhook_secret", "client_secret")
    ),
    _text("client_id"),
    _us("created_us"),
    _us("updated_us"),
    _references("organizations.organization_id"),
    sa.UniqueConstraint("web_url", "app_id"),
)

github_installations = sa.Table(
    "github_installations",
    directory,
    sa.Column("web_url", StoredText(), primary_key=True, nullable=False),
    sa.Column(
        "installation_id", sa.BigInteger, primary_key=True, nullable=False, autoincrement=False
    ),
    _id("organization_id"),
    *(_text(name) for name in ("account", "selection")),
    *(sa.Column(name, sa.Boolean, nullable=False) for name in ("approved", "suspended", "removed")),
    _us("updated_us"),
    _us("seen_us"),
    _references("github_apps.organization_id"),
)
sa.Index("github_installations_by_organization", github_installations.c.organization_id)

audit = sa.Table(
    "audit",
    directory,
    _id("audit_id", primary_key=True),
    _id("organization_id"),
    _us("at_us"),
    _text("actor"),
    _text("action"),
    _text("target"),
    sa.Column("detail", sa.JSON, nullable=False),
    _text("address"),
)
sa.Index("audit_by_organization", audit.c.organization_id, audit.c.audit_id)
sa.Index("audit_by_actor", audit.c.organization_id, audit.c.actor, audit.c.audit_id)
sa.Index("audit_by_target", audit.c.organization_id, audit.c.target, audit.c.audit_id)
