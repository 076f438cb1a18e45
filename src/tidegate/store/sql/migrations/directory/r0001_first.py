"""The directory of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _create_tenants()
    _create_keys()
    _create_logins()
    _create_audit()
    op.create_table(
        "directory_version",
        sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
        _us("version"),
    )
    op.execute("INSERT INTO directory_version (one, version) VALUES (1, 1)")


def _create_tenants() -> None:
    op.create_table(
        "organizations",
        _id("organization_id", primary_key=True),
        *_texts("name", "time_zone"),
        sa.Column("week_start", sa.Integer, nullable=False),
        sa.Column("allow_own_credential", sa.Boolean, nullable=False),
        sa.Column("allowed_models", sa.JSON, nullable=False),
        _us("created_us"),
    )
    op.create_table(
        "members",
        _id("member_id", primary_key=True),
        _id("organization_id"),
        *_texts("email", "name", "role"),
        _us("created_us"),
        _us("removed_us"),
        _references("organizations", "organization_id"),
    )
    op.create_index(
        "members_by_email",
        "members",
        ["organization_id", "email"],
        unique=True,
        sqlite_where=sa.text("removed_us = 0"),
        postgresql_where=sa.text("removed_us = 0"),
    )
    op.create_table(
        "credentials",
        _id("credential_id", primary_key=True),
        _id("organization_id"),
        *_texts("provider", "name", "base_url"),
        sa.Column("ciphertext", sa.LargeBinary, nullable=False),
        *_texts("hint"),
        sa.Column("is_default", sa.Boolean, nullable=False),
        *_texts("price_table"),
        _us("created_us"),
        _references("organizations", "organization_id"),
    )
    columns = ["organization_id", "provider", "name"]
    op.create_index("credentials_by_name", "credentials", columns, unique=True)


def _create_keys() -> None:
    op.create_table(
        "keys",
        _id("key_id", primary_key=True),
        _id("organization_id"),
        _id("member_id"),
        *_texts("agent", "credential_mode"),
        sa.Column("credential_ids", sa.JSON, nullable=False),
        sa.Column("allowed_models", sa.JSON, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False),
        *_texts("prefix"),
        _us("created_us"),
        _references("organizations", "organization_id"),
        _references("members", "member_id"),
    )
    columns = ["organization_id", "member_id", "agent"]
    op.create_index("keys_by_member", "keys", columns, unique=True)
    op.create_table(
        "key_secrets",
        _id("secret_hash", primary_key=True),
        _id("organization_id"),
        _id("key_id"),
        sa.Column("ciphertext", sa.LargeBinary, nullable=False),
        _us("created_us"),
        _us("valid_until_us"),
        _references("keys", "key_id"),
    )
    op.create_index("key_secrets_by_key", "key_secrets", ["organization_id", "key_id"])


def _create_logins() -> None:
    op.create_table(
        "codes",
        _id("code_hash", primary_key=True),
        *_texts("purpose"),
        _id("organization_id"),
        _id("member_id"),
        _id("key_id"),
        _us("created_us"),
        _us("expires_us"),
        _us("used_us"),
    )
    op.create_table(
        "logins",
        _id("login_id", primary_key=True),
        sa.Column("login_hash", sa.String(64), nullable=False, unique=True),
        _id("organization_id"),
        _id("member_id"),
        *_texts("address"),
        _us("created_us"),
        _us("last_seen_us"),
        _us("expires_us"),
        _references("members", "member_id"),
    )
    op.create_index("logins_by_member", "logins", ["organization_id", "member_id"])


def _create_audit() -> None:
    op.create_table(
        "audit",
        _id("audit_id", primary_key=True),
        _id("organization_id"),
        _us("at_us"),
        *_texts("actor", "action", "target"),
        sa.Column("detail", sa.JSON, nullable=False),
        *_texts("address"),
    )
    op.create_index("audit_by_organization", "audit", ["organization_id", "audit_id"])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit"
                " BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
    else:
        op.execute(
            "CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit"
            " FOR EACH ROW EXECUTE FUNCTION audit_is_append_only()"
        )


def _id(name: str, *, primary_key: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.String(64), primary_key=primary_key, nullable=False)


def _us(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger, nullable=False)


def _texts(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _references(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{table}.{column}"])
