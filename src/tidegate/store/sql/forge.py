"""Repositories and pull requests of a forge on SQL. See `tidegate.store.forge`."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any, Final

import sqlalchemy as sa

from tidegate.core.repository_names import NameSpan, RepositoryNames
from tidegate.core.spans import Span
from tidegate.store.forge import (
    Delivery,
    Facts,
    ForgeRepository,
    MergedTotals,
    PullCost,
    PullRequest,
    Telling,
)
from tidegate.store.sql import forge_tables as t
from tidegate.store.sql.accounts import raise_versions
from tidegate.store.sql.engines import transaction
from tidegate.store.sql.forge_costs import (
    is_number,
    merged_between,
    merged_median,
    merged_totals,
    told_columns,
)
from tidegate.store.sql.forge_facts import FactWriter
from tidegate.store.sql.forge_status import SqlForgeStatus
from tidegate.store.sql.upserts import insert_into
from tidegate.store.sql.usage_tables import by_repository

_IN_AT_ONCE: Final = 500  # values of one IN
_LOOKED_AT: Final = 1000  # pull requests that were worked on
_TABLES: Final = (t.deliveries, t.pull_requests, t.names, t.repositories)


class SqlForge(SqlForgeStatus):
    """See `tidegate.store.forge.ForgeStore`."""

    def take(self, organization_id: str, facts: Facts, delivery: Delivery | None = None) -> bool:
        with transaction(self._writing) as connection:
            if delivery is not None and not self._is_new(connection, organization_id, delivery):
                return False
            writer = FactWriter(connection, organization_id)
            for repository in facts.repositories:
                writer.repository(repository)
            for access in facts.access:
                writer.access(access)
            for pull_request in facts.pull_requests:
                writer.pull_request(pull_request)
            writer.renew_spent()
            raise_versions(connection, {organization_id})
        return True

    def names(self, organization_id: str) -> RepositoryNames:
        current = t.repositories.c.name.label("current")
        query = (
            sa.select(t.names.c.name, current, t.names.c.from_us, t.names.c.until_us)
            .join(t.repositories, _same_repository(t.names))
            .where(t.names.c.organization_id == organization_id)
        )
        with transaction(self._reading) as connection:
            return RepositoryNames(NameSpan(*row) for row in connection.execute(query))

    def repositories(self, organization_id: str) -> list[ForgeRepository]:
        mine = t.repositories.c.organization_id == organization_id
        query = sa.select(t.repositories).where(mine).order_by(t.repositories.c.name)
        with transaction(self._reading) as connection:
            return [_repository(row) for row in connection.execute(query).mappings()]

    def pull_requests(
        self, organization_id: str, wanted: Collection[tuple[str, int]]
    ) -> dict[tuple[str, int], PullRequest]:
        with transaction(self._reading) as connection:
            ids = _ids_of(connection, organization_id, {name for name, _ in wanted})
            numbers: dict[int, set[int]] = defaultdict(set)
            for name, number in wanted:
                if name in ids:
                    numbers[ids[name]].add(number)
            found = {
                (pull.repository_id, pull.number): pull
                for repository_id, some in numbers.items()
                for pull in _pulls(connection, organization_id, repository_id, some)
            }
        return {
            (name, number): found[ids[name], number]
            for name, number in wanted
            if name in ids and (ids[name], number) in found
        }

    def with_head(self, organization_id: str, repository_id: int, branch: str) -> list[PullRequest]:
        table = t.pull_requests
        query = (
            select_pulls()
            .where(
                table.c.organization_id == organization_id,
                table.c.repository_id == repository_id,
                table.c.head_repository_id == repository_id,
                table.c.head_branch == branch,
            )
            .order_by(table.c.created_us, table.c.number)
        )
        with transaction(self._reading) as connection:
            return [PullRequest(**row) for row in connection.execute(query).mappings()]

    def merged_between(
        self, organization_id: str, start_us: int, end_us: int, cursor: str, limit: int
    ) -> tuple[list[PullCost], str]:
        with transaction(self._reading) as connection:
            return merged_between(connection, organization_id, (start_us, end_us), cursor, limit)

    def merged_totals(self, organization_id: str, start_us: int, end_us: int) -> MergedTotals:
        with transaction(self._reading) as connection:
            return merged_totals(connection, organization_id, (start_us, end_us))

    def merged_median(self, organization_id: str, start_us: int, end_us: int) -> int:
        with transaction(self._reading) as connection:
            return merged_median(connection, organization_id, (start_us, end_us))

    def unknown_pull_requests(self, organization_id: str, limit: int) -> list[tuple[int, str, int]]:
        names = self.names(organization_id)
        readable = {
            each.name: each.repository_id
            for each in self.repositories(organization_id)
            if each.accessible and not each.deleted
        }
        worked_on = [
            (current, int(number))
            for repository, number, last_us in self._worked_on(organization_id)
            if is_number(number) and (current := names.current(repository, last_us)) in readable
        ]
        known = self.pull_requests(organization_id, worked_on)
        unknown = dict.fromkeys(each for each in worked_on if each not in known)
        return [(readable[name], name, number) for name, number in unknown][:limit]

    def _worked_on(self, organization_id: str) -> list[tuple[str, str, int]]:
        """The pull requests that requests counted for lately, by the names of then."""
        table = by_repository
        last_us = sa.func.max(table.c.last_us)
        query = (
            sa.select(table.c.repository, table.c.pull_request, last_us)
            .where(
                table.c.organization_id == organization_id,
                table.c.span == Span.TEN_DAYS.value,
                table.c.pull_request != "",
            )
            .group_by(table.c.repository, table.c.pull_request)
            .order_by(last_us.desc())
            .limit(_LOOKED_AT)
        )
        with transaction(self._reading) as connection:
            rows = connection.execute(query).all()
        return [(repository, number, int(last_us)) for repository, number, last_us in rows]

    def note_pulls(self, organization_id: str, repository_id: int, etag: str, seen_us: int) -> None:
        table = t.repositories
        mine = table.c.organization_id == organization_id
        row = {"pulls_etag": etag, "pulls_seen_us": seen_us}
        with transaction(self._writing) as connection:
            statement = sa.update(table).where(mine, table.c.repository_id == repository_id)
            connection.execute(statement, row)

    def delete_deliveries_before(self, at_us: int) -> int:
        with transaction(self._writing) as connection:
            statement = sa.delete(t.deliveries).where(t.deliveries.c.received_us < at_us)
            return connection.execute(statement).rowcount

    def delete_all(self, organization_id: str) -> None:
        with transaction(self._writing) as connection:
            for table in _TABLES:
                mine = table.c.organization_id == organization_id
                connection.execute(sa.delete(table).where(mine))

    def _is_new(self, connection: sa.Connection, organization_id: str, delivery: Delivery) -> bool:
        row = {
            "organization_id": organization_id,
            "delivery_id": delivery.delivery_id,
            "event": delivery.event,
            "action": delivery.action,
            "received_us": delivery.received_us,
        }
        insert = insert_into(connection.dialect.name, t.deliveries).on_conflict_do_nothing()
        new = connection.execute(insert.returning(t.deliveries.c.delivery_id), row)
        if new.first() is None:
            return False
        self._note_delivery(connection, organization_id, delivery)
        return True


def select_pulls(*more: "sa.ColumnElement[Any]") -> "sa.Select[Any]":
    """Pull requests with what their repositories are called now."""
    named = t.repositories.c.name.label("repository")
    query = sa.select(*told_columns(), named, *more)
    return query.join(t.repositories, _same_repository(t.pull_requests))


def _same_repository(table: sa.Table) -> "sa.ColumnElement[bool]":
    return sa.and_(
        t.repositories.c.organization_id == table.c.organization_id,
        t.repositories.c.repository_id == table.c.repository_id,
    )


def _ids_of(
    connection: sa.Connection, organization_id: str, names: Iterable[str]
) -> dict[str, int]:
    """The repositories that names mean today: first one that is called so, else that was."""
    wanted = list(names)
    ranked: dict[str, tuple[bool, int, int]] = {}
    lowered = sorted({name.lower() for name in wanted})
    for at in range(0, len(lowered), _IN_AT_ONCE):
        query = (
            sa.select(
                t.names.c.name,
                t.repositories.c.name.label("current"),
                t.repositories.c.telling,
                t.names.c.first_us,
                t.names.c.repository_id,
            )
            .join(t.repositories, _same_repository(t.names))
            .where(
                t.names.c.organization_id == organization_id,
                t.names.c.name.in_(lowered[at : at + _IN_AT_ONCE]),
            )
        )
        for row in connection.execute(query):
            holds = row.current.lower() == row.name and row.telling != Telling.DELETED
            rank = (holds, row.first_us, row.repository_id)
            ranked[row.name] = max(rank, ranked.get(row.name, rank))
    return {name: ranked[name.lower()][2] for name in wanted if name.lower() in ranked}


def _pulls(
    connection: sa.Connection, organization_id: str, repository_id: int, numbers: set[int]
) -> list[PullRequest]:
    table, ordered = t.pull_requests, sorted(numbers)
    found = []
    for at in range(0, len(ordered), _IN_AT_ONCE):
        query = select_pulls().where(
            table.c.organization_id == organization_id,
            table.c.repository_id == repository_id,
            table.c.number.in_(ordered[at : at + _IN_AT_ONCE]),
        )
        found += [PullRequest(**row) for row in connection.execute(query).mappings()]
    return found


def _repository(row: sa.RowMapping) -> ForgeRepository:
    return ForgeRepository(
        repository_id=row["repository_id"],
        name=row["name"],
        private=row["private"],
        default_branch=row["default_branch"],
        deleted=row["telling"] == Telling.DELETED,
        accessible=row["accessible"],
        installation_id=row["installation_id"],
        pulls_etag=row["pulls_etag"],
        pulls_seen_us=row["pulls_seen_us"],
    )
