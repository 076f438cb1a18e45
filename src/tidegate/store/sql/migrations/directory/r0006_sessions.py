"""Share links of sessions."""

import sqlalchemy as sa
from alembic import op

from tidegate.store.sql.texts import StoredId, StoredText

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    _share_links()


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
