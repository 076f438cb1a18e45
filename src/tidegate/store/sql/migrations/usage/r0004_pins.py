"""What each session is compressed with."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "session_pins",
        *[
            sa.Column(name, sa.Text, primary_key=True, nullable=False)
            for name in ("organization_id", "session_id")
        ],
        sa.Column("level", sa.Text, nullable=False),
        *[sa.Column(name, sa.BigInteger, nullable=False) for name in ("version", "pinned_us")],
        sqlite_with_rowid=False,
    )
