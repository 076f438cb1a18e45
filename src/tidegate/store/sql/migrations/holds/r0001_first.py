"""What is put aside for requests, and the workers that do so."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "holds",
        *_key("event_id", "budget_id"),
        *_texts("subject", "organization_id"),
        *_numbers("started_us", "amount_nusd", "bound_nusd", "settled_us"),
        *_texts("place", "worker"),
        sqlite_with_rowid=False,
    )
    columns = ["budget_id", "subject", "started_us", "amount_nusd", "bound_nusd", "settled_us"]
    op.create_index("holds_by_budget", "holds", columns)
    op.create_index("holds_by_worker", "holds", ["worker"])
    op.create_table(
        "holders",
        *_key("worker"),
        *_texts("place", "boot"),
        *_numbers("renewed_us"),
        sqlite_with_rowid=False,
    )


def _key(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, sa.Text, primary_key=True, nullable=False) for name in names]


def _texts(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _numbers(*names: str) -> "list[sa.Column[int]]":
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]
