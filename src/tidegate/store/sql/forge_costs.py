"""What pull requests cost: their records beside the sums that the ledger's rows made.

What one cost in all its time stands in its record too, so that thousands are added up at once.
Whoever changes a sum, a name, or what is known of pull requests, renews it in the same transaction.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import Dialect

from tidegate.store.forge import MergedTotals, PullCost, PullRequest
from tidegate.store.sql import forge_tables as t
from tidegate.store.sql.pull_sums import Place
from tidegate.store.sql.upserts import Statement, execute, worded
from tidegate.store.sql.usage_tables import by_pull_request

_SUMS: Final = (
    "cost_nusd", "subscription_nusd", "tokens", "requests", "saved_tokens", "saved_nusd",
    "saved_subscription_nusd", "sessions_ended",
)  # fmt: skip
_IN_AT_ONCE: Final = 500  # values of one IN
_DIGITS: Final = 10
_RENEW_ALL: Final = """
UPDATE forge_pull_requests SET (requests, cost_nusd, subscription_nusd) = (
    SELECT coalesce(sum(spent.requests), 0), coalesce(sum(spent.cost_nusd), 0),
        coalesce(sum(spent.subscription_nusd), 0)
    FROM forge_names LEFT JOIN usage_by_pull_request AS spent
        ON spent.organization_id = forge_names.organization_id
        AND spent.repository = forge_names.name
        AND spent.pull_request = CAST(forge_pull_requests.number AS text)
        AND spent.last_us >= forge_names.from_us AND spent.last_us < forge_names.until_us
    WHERE forge_names.organization_id = forge_pull_requests.organization_id
        AND forge_names.repository_id = forge_pull_requests.repository_id
)
WHERE organization_id = :of_organization"""
_RENEW_ONE: Final = f"{_RENEW_ALL} AND repository_id = :of_repository AND number = :of_number"

Pull = tuple[str, int, int]  # organization, id of the repository, number


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
    columns = [chosen.c[column.name] for column in told_columns()]
    query = (
        sa.select(*columns, t.repositories.c.name.label("repository"), *_sums())
        .join_from(chosen, t.repositories, _of(chosen, t.repositories))
        .outerjoin(t.names, _of(chosen, t.names))
        .outerjoin(by_pull_request, _spent_on(chosen))
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
    query = sa.select(
        sa.func.count(),
        sa.func.sum(sa.case((chosen.c.requests > 0, 1), else_=0)),
        sa.func.sum(chosen.c.cost_nusd),
        sa.func.sum(chosen.c.subscription_nusd),
    )
    numbers = (int(number or 0) for number in connection.execute(query).one())
    merged, with_cost, cost_nusd, subscription_nusd = numbers
    return MergedTotals(
        merged=merged,
        with_cost=with_cost,
        cost_nusd=cost_nusd,
        subscription_nusd=subscription_nusd,
    )


def merged_median(connection: sa.Connection, organization_id: str, within: tuple[int, int]) -> int:
    """What the middle one cost; of an even number the mean of both."""
    chosen = _merged(organization_id, within).subquery()
    with_cost = merged_totals(connection, organization_id, within).with_cost
    query = (
        sa.select(chosen.c.cost_nusd)
        .where(chosen.c.requests > 0)
        .order_by(chosen.c.cost_nusd)
        .offset(max(0, (with_cost - 1) // 2))
        .limit(2 - with_cost % 2)
    )
    middle = [int(cost) for cost in connection.scalars(query)]
    return sum(middle) // len(middle) if middle else 0


def renew_spent(connection: sa.Connection, places: Iterable[Place]) -> None:
    """Renew what pull requests cost whose sums, or whose repositories' names, have changed."""
    numbers: dict[tuple[str, str], set[int]] = defaultdict(set)
    for organization_id, repository, number in places:
        if is_number(number):
            numbers[organization_id, repository].add(int(number))
    pulls = set()
    for organization_id in sorted({organization_id for organization_id, _ in numbers}):
        names = sorted(name for mine, name in numbers if mine == organization_id)
        for name, repository_id in _owners(connection, organization_id, names):
            pulls |= {(organization_id, repository_id, n) for n in numbers[organization_id, name]}
    renew_pulls(connection, pulls)


def renew_pulls(connection: sa.Connection, pulls: Iterable[Pull]) -> None:
    """The same of pull requests that are known."""
    values = [
        {"of_organization": organization_id, "of_repository": repository_id, "of_number": number}
        for organization_id, repository_id, number in sorted(pulls)
    ]
    execute(connection, values, _renewing(connection.dialect))


def renew_all_spent(connection: sa.Connection, organization_id: str) -> None:
    """The same of all of an organization."""
    connection.execute(sa.text(_RENEW_ALL), {"of_organization": organization_id})


def renew_named(connection: sa.Connection, organization_id: str, names: Iterable[str]) -> None:
    """The same of all that the sums know by a repository's name."""
    columns = by_pull_request.c
    for name in sorted(names):
        query = sa.select(columns.pull_request).where(
            columns.organization_id == organization_id, columns.repository == name
        )
        numbers = connection.scalars(query.distinct()).all()
        renew_spent(connection, [(organization_id, name, number) for number in numbers])


def told_columns() -> "list[sa.Column[Any]]":
    """What the forge told of a pull request itself."""
    ours = {"organization_id", *t.SPENT}
    return [column for column in t.pull_requests.c if column.name not in ours]


@cache
def _renewing(dialect: Dialect) -> Statement:
    return worded(dialect, sa.text(_RENEW_ONE))


def is_number(text: str) -> bool:
    """Whether a forge numbers pull requests so."""
    return text.isascii() and text.isdigit() and len(text) < _DIGITS


def _owners(
    connection: sa.Connection, organization_id: str, names: Sequence[str]
) -> list[tuple[str, int]]:
    """Which repositories had these names at any time."""
    columns = t.names.c
    query = sa.select(columns.name, columns.repository_id)
    return [
        (name, repository_id)
        for at in range(0, len(names), _IN_AT_ONCE)
        for name, repository_id in connection.execute(
            query.where(
                columns.organization_id == organization_id,
                columns.name.in_(names[at : at + _IN_AT_ONCE]),
            )
        )
    ]


def _merged(organization_id: str, within: tuple[int, int]) -> "sa.Select[Any]":
    table = t.pull_requests
    return sa.select(table).where(
        table.c.organization_id == organization_id,
        table.c.merged_us >= max(1, within[0]),
        table.c.merged_us < within[1],
        sa.text("merged_us > 0"),  # in so many words, for the index
    )


def _of(chosen: sa.FromClause, table: sa.Table) -> "sa.ColumnElement[bool]":
    return sa.and_(
        table.c.organization_id == chosen.c.organization_id,
        table.c.repository_id == chosen.c.repository_id,
    )


def _spent_on(chosen: sa.FromClause) -> "sa.ColumnElement[bool]":
    """The sums under each name that the repository had, while it had it."""
    columns = by_pull_request.c
    return sa.and_(
        columns.organization_id == t.names.c.organization_id,
        columns.repository == t.names.c.name,
        columns.pull_request == sa.cast(chosen.c.number, sa.Text),
        columns.last_us >= t.names.c.from_us,
        columns.last_us < t.names.c.until_us,
    )


def _sums() -> "Sequence[sa.ColumnElement[Any]]":
    last_us = sa.func.coalesce(sa.func.max(by_pull_request.c.last_us), 0).label("last_us")
    return [*(_sum(name) for name in _SUMS), last_us]


def _sum(name: str) -> "sa.ColumnElement[Any]":
    return sa.func.coalesce(sa.func.sum(by_pull_request.c[name]), 0).label(name)


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
