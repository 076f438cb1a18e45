"""What a forge tells of repositories and pull requests."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    _create_repositories()
    _create_pull_requests()
    _create_deliveries()
    pulls = sa.text("pull_request <> ''")
    op.create_index(
        "by_repository_pull_requests",
        "usage_by_repository",
        ["repository", "pull_request", "organization_id", "span"],
        sqlite_where=pulls,
        postgresql_where=pulls,
    )


def _create_repositories() -> None:
    op.create_table(
        "forge_repositories",
        _text("organization_id", primary_key=True),
        _number("repository_id", primary_key=True),
        *(_text(name) for name in ("name", "default_branch")),
        _flag("private"),
        *(_number(name) for name in ("telling", "at_us", "installation_id")),
        _flag("accessible"),
        _number("access_us"),
        _text("pulls_etag"),
        _number("pulls_seen_us"),
    )
    op.create_table(
        "forge_names",
        _text("organization_id", primary_key=True),
        _text("name", primary_key=True),
        _number("repository_id", primary_key=True),
        *(_number(name) for name in ("first_us", "from_us", "until_us")),
    )
    op.create_index(
        "forge_names_by_repository", "forge_names", ["organization_id", "repository_id"]
    )


def _create_pull_requests() -> None:
    op.create_table(
        "forge_pull_requests",
        _text("organization_id", primary_key=True),
        _number("repository_id", primary_key=True),
        _number("number", primary_key=True),
        *(
            _text(name)
            for name in ("title", "author", "state", "head_branch", "base_branch", "url")
        ),
        *(
            _number(name)
            for name in (
                "head_repository_id", "created_us", "merged_us", "closed_us", "additions",
                "deletions", "updated_us",
            )
        ),
    )  # fmt: skip
    op.create_index(
        "forge_pulls_merged",
        "forge_pull_requests",
        ["organization_id", "merged_us", "repository_id", "number"],
    )
    op.create_index(
        "forge_pulls_by_head",
        "forge_pull_requests",
        ["organization_id", "repository_id", "head_branch"],
    )


def _create_deliveries() -> None:
    op.create_table(
        "forge_deliveries",
        _text("organization_id", primary_key=True),
        _text("delivery_id", primary_key=True),
        *(_text(name) for name in ("event", "action")),
        _number("received_us"),
    )
    op.create_index("forge_deliveries_by_time", "forge_deliveries", ["received_us"])
    op.create_table(
        "forge_status",
        _text("organization_id", primary_key=True),
        *(
            _number(name)
            for name in (
                "last_delivery_us", "last_sync_us", "last_success_us", "retry_us", "requested_us",
                "turn_until_us",
            )
        ),
        *(_text(name) for name in ("last_event", "last_error", "turn_holder")),
    )  # fmt: skip


def _text(name: str, *, primary_key: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text, primary_key=primary_key, nullable=False)


def _number(name: str, *, primary_key: bool = False) -> "sa.Column[int]":
    return sa.Column(
        name, sa.BigInteger, primary_key=primary_key, nullable=False, autoincrement=False
    )


def _flag(name: str) -> "sa.Column[bool]":
    return sa.Column(name, sa.Boolean, nullable=False)
