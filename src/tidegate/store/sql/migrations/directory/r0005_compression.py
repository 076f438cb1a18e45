"""How an organization's tool results are compressed.

Keys keep their switch, which was on from the start but did nothing yet.
"""

import sqlalchemy as sa
from alembic import op

from tidegate.store.sql.texts import StoredText

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    for column in (
        sa.Column(
            "compression_level",
            StoredText(),
            nullable=False,
            server_default=sa.text("'lossless'"),
        ),
        sa.Column("compression_locked", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("compression_default", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("holdout_permille", sa.Integer, nullable=False, server_default="0"),
    ):
        op.add_column("organizations", column)
