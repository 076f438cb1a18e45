"""Sums by pull request, and in each pull request's row what it cost in all its time."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_FIGURES: Final = (
    "cost_nusd", "subscription_nusd", "tokens", "requests", "saved_tokens", "saved_nusd",
    "saved_subscription_nusd", "sessions_ended", "last_us",
)  # fmt: skip
_ZERO_AT_FIRST: Final = _FIGURES[4:7]
_SPENT: Final = ("requests", "cost_nusd", "subscription_nusd")
_COLUMNS: Final = ", ".join(
    ("organization_id", "repository", "pull_request", "bucket_start_us", *_FIGURES)
)
_MERGED: Final = "merged_us > 0"


def upgrade() -> None:
    op.create_table(
        "usage_by_pull_request",
        *(
            sa.Column(name, sa.Text, primary_key=True, nullable=False)
            for name in ("organization_id", "repository", "pull_request")
        ),
        sa.Column("bucket_start_us", sa.BigInteger, primary_key=True, autoincrement=False),
        *(
            sa.Column(
                name,
                sa.BigInteger,
                nullable=False,
                server_default="0" if name in _ZERO_AT_FIRST else None,
            )
            for name in _FIGURES
        ),
        sqlite_with_rowid=False,
    )
    for name in _SPENT:
        column = sa.Column(name, sa.BigInteger, nullable=False, server_default="0")
        op.add_column("forge_pull_requests", column)
    op.drop_index("by_repository_pull_requests", "usage_by_repository")
    fill(op.get_bind())
    op.drop_index("forge_pulls_merged", "forge_pull_requests")
    op.create_index(
        "forge_pulls_merged",
        "forge_pull_requests",
        ["organization_id", "merged_us", "repository_id", "number", *_SPENT],
        sqlite_where=sa.text(_MERGED),
        postgresql_where=sa.text(_MERGED),
    )


def fill(connection: sa.Connection) -> None:
    """Take both from the sums by repository."""
    connection.execute(
        sa.text(
            f"INSERT INTO usage_by_pull_request ({_COLUMNS})"  # noqa: S608 - our names
            f" SELECT {_COLUMNS} FROM usage_by_repository"
            " WHERE span = 'ten_days' AND pull_request <> ''"
        )
    )
    connection.execute(
        sa.text(
            "UPDATE forge_pull_requests SET (requests, cost_nusd, subscription_nusd) = ("
            " SELECT coalesce(sum(spent.requests), 0), coalesce(sum(spent.cost_nusd), 0),"
            " coalesce(sum(spent.subscription_nusd), 0)"
            " FROM forge_names LEFT JOIN usage_by_pull_request AS spent"
            " ON spent.organization_id = forge_names.organization_id"
            " AND spent.repository = forge_names.name"
            " AND spent.pull_request = CAST(forge_pull_requests.number AS text)"
            " AND spent.last_us >= forge_names.from_us AND spent.last_us < forge_names.until_us"
            " WHERE forge_names.organization_id = forge_pull_requests.organization_id"
            " AND forge_names.repository_id = forge_pull_requests.repository_id)"
        )
    )
