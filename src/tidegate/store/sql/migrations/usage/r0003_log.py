"""What the log needs: indexes, stored bodies, and from when on the ledger is whole."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column(
        "usage_events",
        sa.Column("captured", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    for name in ("ledger_from_us", "other_zone_before_us"):
        op.add_column(
            "usage_zones", sa.Column(name, sa.BigInteger, nullable=False, server_default="0")
        )
    _create_captures()


def _create_captures() -> None:
    op.create_table(
        "captures",
        sa.Column("event_id", sa.Text, primary_key=True, nullable=False),
        *[
            sa.Column(name, sa.Text, nullable=False)
            for name in ("organization_id", "key_id", "member_id")
        ],
        *[
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("at_us", "expires_us", "size_bytes")
        ],
        sa.Column("truncated", sa.Boolean, nullable=False),
        sa.Column("ciphertext", sa.LargeBinary, nullable=False),
    )
    op.create_index("captures_by_time", "captures", ["organization_id", "at_us"])
    op.create_index("captures_by_end", "captures", ["expires_us"])
