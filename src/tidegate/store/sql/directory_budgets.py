"""The directory's part on squads, budgets and limits; see `tidegate.store.budgets`."""

from typing import Any

import msgspec
import sqlalchemy as sa

from tidegate.core.budgets import Budget, Raise
from tidegate.core.limits import RateLimit
from tidegate.store.budgets import BudgetRequestRecord, SquadMember, SquadRecord
from tidegate.store.sql import budget_tables as t
from tidegate.store.sql.directory_transaction import DirectoryTransaction, Row

Condition = sa.ColumnElement[bool]


class SqlBudgetReads(DirectoryTransaction):
    """Reading, inside a transaction."""

    def squads(self, organization_id: str) -> list[SquadRecord]:
        query = sa.select(t.squads).where(t.squads.c.organization_id == organization_id)
        ordered = query.order_by(t.squads.c.name, t.squads.c.squad_id)
        return [_squad(row) for row in self._rows(ordered)]

    def squad(self, organization_id: str, squad_id: str) -> SquadRecord | None:
        query = sa.select(t.squads).where(*_squad_of(t.squads, organization_id, squad_id))
        return next((_squad(row) for row in self._rows(query)), None)

    def squad_members(self, organization_id: str) -> list[SquadMember]:
        mine = t.squad_members.c.organization_id == organization_id
        ordered = sa.select(t.squad_members).where(mine).order_by(t.squad_members.c.member_id)
        return [SquadMember(**row) for row in self._rows(ordered)]

    def budgets(self, organization_id: str) -> list[Budget]:
        query = sa.select(t.budgets).where(t.budgets.c.organization_id == organization_id)
        ordered = query.order_by(t.budgets.c.created_us, t.budgets.c.budget_id)
        return [Budget(**row) for row in self._rows(ordered)]

    def budget(self, organization_id: str, budget_id: str) -> Budget | None:
        query = sa.select(t.budgets).where(*_budget_of(t.budgets, organization_id, budget_id))
        return next((Budget(**row) for row in self._rows(query)), None)

    def raises(self, organization_id: str, budget_id: str = "") -> list[Raise]:
        query = sa.select(t.raises).where(t.raises.c.organization_id == organization_id)
        if budget_id:
            query = query.where(t.raises.c.budget_id == budget_id)
        ordered = query.order_by(t.raises.c.from_us, t.raises.c.raise_id)
        return [Raise(**row) for row in self._rows(ordered)]

    def budget_requests(
        self, organization_id: str, *, member_id: str = "", limit: int = 200
    ) -> list[BudgetRequestRecord]:
        query = sa.select(t.requests).where(t.requests.c.organization_id == organization_id)
        if member_id:
            query = query.where(t.requests.c.member_id == member_id)
        newest = query.order_by(t.requests.c.request_id.desc()).limit(limit)
        return [BudgetRequestRecord(**row) for row in self._rows(newest)]

    def budget_request(self, organization_id: str, request_id: str) -> BudgetRequestRecord | None:
        query = sa.select(t.requests).where(*_request_of(organization_id, request_id))
        return next((BudgetRequestRecord(**row) for row in self._rows(query)), None)

    def rate_limits(self, organization_id: str) -> list[RateLimit]:
        mine = t.rate_limits.c.organization_id == organization_id
        query = sa.select(t.rate_limits).where(mine)
        ordered = query.order_by(t.rate_limits.c.scope.desc(), t.rate_limits.c.scope_id)
        return [RateLimit(**row) for row in self._rows(ordered)]

    def _policies(self) -> dict[str, Any]:
        """What the gateways' snapshot holds of all organizations."""
        squads = [_squad(row) for row in self._rows(sa.select(t.squads))]
        members = self._rows(sa.select(t.squad_members.c.member_id, t.squad_members.c.squad_id))
        return {
            "budgets": tuple(Budget(**row) for row in self._rows(sa.select(t.budgets))),
            "raises": tuple(Raise(**row) for row in self._rows(sa.select(t.raises))),
            "squads": {row["member_id"]: row["squad_id"] for row in members},
            "squad_models": {s.squad_id: s.allowed_models for s in squads if s.allowed_models},
            "rate_limits": tuple(RateLimit(**row) for row in self._rows(sa.select(t.rate_limits))),
        }


class SqlBudgetChange(SqlBudgetReads):
    """Writing, inside a transaction."""

    def add_squad(self, record: SquadRecord) -> None:
        self._change(sa.insert(t.squads), msgspec.structs.asdict(record))

    def update_squad(self, record: SquadRecord) -> None:
        chosen = _squad_of(t.squads, record.organization_id, record.squad_id)
        self._change(sa.update(t.squads).where(*chosen), msgspec.structs.asdict(record))

    def delete_squad(self, organization_id: str, squad_id: str) -> None:
        for table in (t.squad_members, t.squads):
            self._change(sa.delete(table).where(*_squad_of(table, organization_id, squad_id)))

    def put_squad_member(self, record: SquadMember) -> None:
        self.delete_squad_member(record.organization_id, record.member_id)
        self._change(sa.insert(t.squad_members), msgspec.structs.asdict(record))

    def delete_squad_member(self, organization_id: str, member_id: str) -> None:
        table = t.squad_members.c
        mine = (table.organization_id == organization_id, table.member_id == member_id)
        self._change(sa.delete(t.squad_members).where(*mine))

    def add_budget(self, record: Budget) -> None:
        self._change(sa.insert(t.budgets), msgspec.structs.asdict(record))

    def update_budget(self, record: Budget) -> None:
        chosen = _budget_of(t.budgets, record.organization_id, record.budget_id)
        self._change(sa.update(t.budgets).where(*chosen), msgspec.structs.asdict(record))

    def delete_budget(self, organization_id: str, budget_id: str) -> None:
        for table in (t.requests, t.raises, t.budgets):
            self._change(sa.delete(table).where(*_budget_of(table, organization_id, budget_id)))

    def add_raise(self, record: Raise) -> None:
        self._change(sa.insert(t.raises), msgspec.structs.asdict(record))

    def update_raise(self, record: Raise) -> None:
        chosen = _budget_of(t.raises, record.organization_id, record.budget_id)
        mine = (*chosen, t.raises.c.raise_id == record.raise_id)
        self._change(sa.update(t.raises).where(*mine), msgspec.structs.asdict(record))

    def add_budget_request(self, record: BudgetRequestRecord) -> None:
        self._change(sa.insert(t.requests), msgspec.structs.asdict(record))

    def update_budget_request(self, record: BudgetRequestRecord) -> None:
        chosen = _request_of(record.organization_id, record.request_id)
        self._change(sa.update(t.requests).where(*chosen), msgspec.structs.asdict(record))

    def put_rate_limit(self, record: RateLimit) -> None:
        table = t.rate_limits.c
        mine = (
            table.organization_id == record.organization_id,
            table.scope == record.scope,
            table.scope_id == record.scope_id,
        )
        self._change(sa.delete(t.rate_limits).where(*mine))
        if not record.is_none:
            self._change(sa.insert(t.rate_limits), msgspec.structs.asdict(record))


def _squad_of(table: sa.Table, organization_id: str, squad_id: str) -> tuple[Condition, Condition]:
    return table.c.organization_id == organization_id, table.c.squad_id == squad_id


def _budget_of(
    table: sa.Table, organization_id: str, budget_id: str
) -> tuple[Condition, Condition]:
    return table.c.organization_id == organization_id, table.c.budget_id == budget_id


def _request_of(organization_id: str, request_id: str) -> tuple[Condition, Condition]:
    table = t.requests.c
    return table.organization_id == organization_id, table.request_id == request_id


def _squad(row: Row) -> SquadRecord:
    return SquadRecord(**{**row, "allowed_models": tuple(row["allowed_models"])})
