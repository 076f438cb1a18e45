"""Debug mode ends by itself, and organizations say how long detail is kept.

What was switched on before is turned off: nobody had chosen until when.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column(
        "keys", sa.Column("debug_until_us", sa.BigInteger, nullable=False, server_default="0")
    )
    op.drop_column("keys", "debug")
    for name, days in (("ledger_days", "0"), ("capture_days", "3")):
        op.add_column(
            "organizations", sa.Column(name, sa.Integer, nullable=False, server_default=days)
        )
