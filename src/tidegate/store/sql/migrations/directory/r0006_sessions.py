"""Share links of sessions; GitHub Apps and where they are installed; a switch of the tools."""

import sqlalchemy as sa
from alembic import op

from tidegate.store.sql.texts import StoredId, StoredText

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    switch = sa.Column("session_tools", sa.Boolean, nullable=False, server_default=sa.true())
    op.add_column("organizations", switch)
    _share_links()
    _github_apps()
    _github_installations()


def _share_links() -> None:
    op.create_table(
        "session_shares",
        sa.Column("share_id", StoredId(), primary_key=True, nullable=False),
        sa.Column("organization_id", StoredId(), nullable=False),
        sa.Column("session_id", StoredId(), nullable=False),
        sa.Column("secret_hash", StoredId(), nullable=False, unique=True),
        sa.Column("made_by", StoredText(), nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("expires_us", sa.BigInteger, nullable=False),
        sa.Column("revoked_us", sa.BigInteger, nullable=False),
        sa.Column("hides_names", sa.Boolean, nullable=False),
        sa.Column("hides_costs", sa.Boolean, nullable=False),
        sa.Column("hides_repositories", sa.Boolean, nullable=False),
        sa.Column("views", sa.BigInteger, nullable=False),
        sa.Column("last_view_us", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.organization_id"]),
    )
    op.create_index(
        "session_shares_by_session", "session_shares", ["organization_id", "session_id"]
    )


def _github_apps() -> None:
    op.create_table(
        "github_apps",
        sa.Column("organization_id", StoredId(), primary_key=True, nullable=False),
        sa.Column("hook_id", StoredId(), nullable=False, unique=True),
        sa.Column("app_id", sa.BigInteger, nullable=False),
        *(
            sa.Column(name, StoredText(), nullable=False)
            for name in ("slug", "name", "api_url", "web_url")
        ),
        *(
            sa.Column(name, sa.LargeBinary, nullable=False)
            for name in ("private_key", "webhook_secret", "client_secret")
        ),
        sa.Column("client_id", StoredText(), nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("updated_us", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.organization_id"]),
        sa.UniqueConstraint("web_url", "app_id"),
    )


def _github_installations() -> None:
    op.create_table(
        "github_installations",
        sa.Column("web_url", StoredText(), primary_key=True, nullable=False),
        sa.Column(
            "installation_id",
            sa.BigInteger,
            primary_key=True,
            nullable=False,
            autoincrement=False,
        ),
        sa.Column("organization_id", StoredId(), nullable=False),
        *(sa.Column(name, StoredText(), nullable=False) for name in ("account", "selection")),
        *(
            sa.Column(name, sa.Boolean, nullable=False)
            for name in ("approved", "suspended", "removed")
        ),
        sa.Column("updated_us", sa.BigInteger, nullable=False),
        sa.Column("seen_us", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["github_apps.organization_id"]),
    )
    op.create_index(
        "github_installations_by_organization", "github_installations", ["organization_id"]
    )
