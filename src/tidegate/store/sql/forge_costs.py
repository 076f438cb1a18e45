"""What merged pull requests cost: their records beside the sums that the ledger's rows made."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from tidegate.core.spans import Span
from tidegate.store.forge import MergedTotals, PullCost, PullRequest
from tidegate.store.sql import forge_tables as t
from tidegate.store.sql.usage_tables import by_repository

_SUMS: Final = (
    "cost_nusd", "subscription_nusd", "tokens", "requests", "saved_tokens", "saved_nusd",
    "saved_subscription_nusd", "sessions_ended",
)  # fmt: skip


def merged_between(
    connection: sa.Connection,
    organization_id: str,
    within: tuple[int, int],
    cursor: str,
    limit: int,
) -> tuple[list[PullCost], str]:
    """A page of them, the latest first, and the cursor of the next."""
    page = _merged(organization_id, within)
    place = (t.pull_requests.c.merged_us, t.pull_requests.c.repository_id, t.pull_requests.c.number)
    if (after := _read_cursor(cursor)) is not None:
        page = page.where(sa.tuple_(*place) < sa.tuple_(*map(sa.literal, after)))
    chosen = page.order_by(*(column.desc() for column in place)).limit(limit + 1).subquery()
    columns = [column for column in chosen.c if column.name != "organization_id"]
    query = (
        sa.select(*columns, t.repositories.c.name.label("repository"), *_sums())
        .join_from(chosen, t.repositories, _of(chosen, t.repositories))
        .outerjoin(t.names, _of(chosen, t.names))
        .outerjoin(by_repository, _spent_on(chosen))
        .group_by(*columns, t.repositories.c.name)
        .order_by(*(chosen.c[column.name].desc() for column in place))
    )
    rows = connection.execute(query).mappings().all()
    found = [_pull_cost(row) for row in rows[:limit]]
    return found, _cursor(found[-1].pull_request) if len(rows) > limit else ""


def merged_totals(
    connection: sa.Connection, organization_id: str, within: tuple[int, int]
) -> MergedTotals:
    """How many were merged, and what all of them cost."""
    chosen = _merged(organization_id, within).subquery()
    cost = [_sum(name) for name in ("cost_nusd", "subscription_nusd")]
    each = (
        sa.select(sa.func.coalesce(sa.func.sum(by_repository.c.requests), 0).label("n"), *cost)
        .select_from(chosen)
        .outerjoin(t.names, _of(chosen, t.names))
        .outerjoin(by_repository, _spent_on(chosen))
        .group_by(chosen.c.repository_id, chosen.c.number)
    ).subquery()
    query = sa.select(
        sa.func.count(),
        sa.func.sum(sa.case((each.c.n > 0, 1), else_=0)),
        sa.func.sum(each.c.cost_nusd),
        sa.func.sum(each.c.subscription_nusd),
    ).select_from(each)
    numbers = connection.execute(query).one()
    merged, with_cost, cost_nusd, subscription_nusd = (int(number or 0) for number in numbers)
    middle = (
        sa.select(each.c.cost_nusd)
        .where(each.c.n > 0)
        .order_by(each.c.cost_nusd)
        .offset(max(0, (with_cost - 1) // 2))
        .limit(2 - with_cost % 2)
    )
    middle_nusd = [int(cost) for cost in connection.scalars(middle)]
    return MergedTotals(
        merged=merged,
        with_cost=with_cost,
        cost_nusd=cost_nusd,
        subscription_nusd=subscription_nusd,
        median_nusd=sum(middle_nusd) // len(middle_nusd) if middle_nusd else 0,
    )


def _merged(organization_id: str, within: tuple[int, int]) -> "sa.Select[Any]":
    table = t.pull_requests
    return sa.select(table).where(
        table.c.organization_id == organization_id,
        table.c.merged_us >= max(1, within[0]),
        table.c.merged_us < within[1],
    )


def _of(chosen: sa.Subquery, table: sa.Table) -> "sa.ColumnElement[bool]":
    return sa.and_(
        table.c.organization_id == chosen.c.organization_id,
        table.c.repository_id == chosen.c.repository_id,
    )


def _spent_on(chosen: sa.Subquery) -> "sa.ColumnElement[bool]":
    """The sums under each name that the repository had, while it had it."""
    return sa.and_(
        # Two not as bare columns, lest SQLite reads all rows of the span by the primary key.
        by_repository.c.organization_id.concat("") == chosen.c.organization_id,
        by_repository.c.repository == t.names.c.name,
        by_repository.c.pull_request == sa.cast(chosen.c.number, sa.Text),
        by_repository.c.pull_request != sa.literal_column("''"),
        by_repository.c.span.concat("") == Span.TEN_DAYS.value,
        by_repository.c.last_us >= t.names.c.from_us,
        by_repository.c.last_us < t.names.c.until_us,
    )


def _sums() -> "Sequence[sa.ColumnElement[Any]]":
    last_us = sa.func.coalesce(sa.func.max(by_repository.c.last_us), 0).label("last_us")
    return [*(_sum(name) for name in _SUMS), last_us]


def _sum(name: str) -> "sa.ColumnElement[Any]":
    return sa.func.coalesce(sa.func.sum(by_repository.c[name]), 0).label(name)


def _pull_cost(row: sa.RowMapping) -> PullCost:
    fields = {name: row[name] for name in PullRequest.__struct_fields__}
    sums = {name: int(row[name]) for name in (*_SUMS, "last_us")}
    sums["sessions"] = sums.pop("sessions_ended")
    return PullCost(pull_request=PullRequest(**fields), **sums)


def _cursor(pull: PullRequest) -> str:
    return f"{pull.merged_us}-{pull.repository_id}-{pull.number}"


def _read_cursor(cursor: str) -> tuple[int, ...] | None:
    """None for the first page, and for what is no cursor."""
    parts = cursor.split("-")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    numbers = tuple(int(part[:18]) for part in parts)
    return numbers
