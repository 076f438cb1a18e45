"""What compression saved: of each request, and in every sum. Older ones say 0, which is right."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_SAVED: Final = ("saved_tokens", "saved_nusd")
_NUMBERS: Final[dict[str, tuple[str, ...]]] = {
    "usage_events": (
        "compression_version", "compression_faults", "saved_tokens_new", "saved_tokens_again",
        "saved_nano",
    ),
    **dict.fromkeys(("usage_hours", "usage_days", "sessions"), _SAVED),
    **dict.fromkeys(
        ("usage_totals", "usage_by_member", "usage_by_repository"),
        (*_SAVED, "saved_subscription_nusd"),
    ),
}  # fmt: skip
_TEXTS: Final = {"usage_events": ("compression", "tool_savings"), "sessions": ("compression",)}


def upgrade() -> None:
    """SQLite and PostgreSQL add a column with a default without touching a row."""
    for table, names in _TEXTS.items():
        for name in names:
            default = sa.text("''")
            op.add_column(table, sa.Column(name, sa.Text, nullable=False, server_default=default))
    for table, names in _NUMBERS.items():
        for name in names:
            op.add_column(table, sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
