"""What is stored of squads, budgets, requests for more, and limits of rate."""

from typing import Protocol

import msgspec

from tidegate.core.budgets import Budget, Raise
from tidegate.core.limits import RateLimit


class SquadRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A named group of members."""

    squad_id: str
    organization_id: str
    name: str
    allowed_models: tuple[str, ...] = ()  # globs; empty: every model
    created_us: int = 0


class SquadMember(msgspec.Struct, frozen=True, kw_only=True):
    """A member is in one squad at most. What was spent in another stays with that one."""

    organization_id: str
    member_id: str
    squad_id: str
    from_us: int


class BudgetRequestRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A member asks for more of a budget."""

    request_id: str
    organization_id: str
    budget_id: str
    subject: str = ""  # `Subject.text`, where each one has its own
    member_id: str  # who asks
    amount_nusd: int
    reason: str
    state: str = "open"  # open, approved, declined, withdrawn or expired
    created_us: int
    expires_us: int
    decided_by: str = ""  # a member's id, or "cli"; of one withdrawn who asked
    decided_us: int = 0
    raise_id: str = ""  # what an approval made
    note: str = ""  # of whoever decided

    def state_at(self, now_us: int) -> str:
        """An open one expires."""
        is_over = self.state == "open" and now_us >= self.expires_us
        return "expired" if is_over else self.state


class BudgetReads(Protocol):
    """Part of `tidegate.store.ports.DirectoryReads`."""

    def squads(self, organization_id: str) -> list[SquadRecord]:
        """By name."""

    def squad(self, organization_id: str, squad_id: str) -> SquadRecord | None: ...
    def squad_members(self, organization_id: str) -> list[SquadMember]: ...
    def budgets(self, organization_id: str) -> list[Budget]:
        """Oldest first."""

    def budget(self, organization_id: str, budget_id: str) -> Budget | None: ...
    def raises(self, organization_id: str, budget_id: str = "") -> list[Raise]:
        """Of one budget or all, those that ended too."""

    def budget_requests(
        self, organization_id: str, *, member_id: str = "", limit: int = 200
    ) -> list[BudgetRequestRecord]:
        """Newest first."""

    def budget_request(
        self, organization_id: str, request_id: str
    ) -> BudgetRequestRecord | None: ...
    def rate_limits(self, organization_id: str) -> list[RateLimit]: ...


class BudgetChange(BudgetReads, Protocol):
    """Part of `tidegate.store.ports.DirectoryChange`."""

    def add_squad(self, record: SquadRecord) -> None: ...
    def update_squad(self, record: SquadRecord) -> None: ...
    def delete_squad(self, organization_id: str, squad_id: str) -> None:
        """With its memberships."""

    def put_squad_member(self, record: SquadMember) -> None:
        """In place of another squad, if any."""

    def delete_squad_member(self, organization_id: str, member_id: str) -> None: ...
    def add_budget(self, record: Budget) -> None: ...
    def update_budget(self, record: Budget) -> None: ...
    def delete_budget(self, organization_id: str, budget_id: str) -> None:
        """With its raises and the requests for more of it."""

    def add_raise(self, record: Raise) -> None: ...
    def update_raise(self, record: Raise) -> None: ...
    def add_budget_request(self, record: BudgetRequestRecord) -> None: ...
    def update_budget_request(self, record: BudgetRequestRecord) -> None: ...
    def put_rate_limit(self, record: RateLimit) -> None:
        """In place of the one of the same scope; one that limits nothing goes."""
