"""The bar of a budget: how much of it is gone, in colour and in words."""

from dataclasses import dataclass
from typing import Final

from tidegate.console import formats
from tidegate.core.budget_words import hours_text, percent
from tidegate.core.budgets import Scope, WindowKind
from tidegate.services.budget_bars import MemberBudget

WARNS_AT: Final = 80
FULL: Final = 100
_WINDOWS: Final = {
    WindowKind.DAY: "today",
    WindowKind.WEEK: "this week",
    WindowKind.MONTH: "this month",
    WindowKind.LIFETIME: "in all",
}
_WHOSE: Final = {
    Scope.ORGANIZATION: "the organization's",
    Scope.SQUAD: "the squad's",
    Scope.MEMBER: "the member's",
    Scope.KEY: "a key's",
}


@dataclass(frozen=True, slots=True)
class BudgetBar:
    percent: int
    width: int  # percent, 100 at most
    tone: str  # "", "warning" or "full"
    told: str  # behind the percentage: `of the squad's $250.00 this month`
    hover: str


def budget_bar(one: MemberBudget) -> BudgetBar:
    """Amber from 80 %, red from 100 %; never rounded up."""
    gone = percent(one.standing.gone_nusd, one.limit_nusd)
    budget, kind = one.budget, WindowKind(one.budget.window)
    window = _WINDOWS.get(kind, f"in {hours_text(budget.rolling_hours)}")
    whose = _WHOSE[Scope(budget.scope)]
    if budget.scope == Scope.SQUAD and budget.per_head:
        whose = "each head of the squad's"
    name = f" “{budget.name}”" if budget.name else ""
    shared = "" if _is_own(one) else "shared " if _is_of_all(one) else f"{whose} "
    return BudgetBar(
        percent=gone,
        width=min(gone, FULL),
        tone="full" if gone >= FULL else "warning" if gone >= WARNS_AT else "",
        told=f"of {shared}{formats.money(one.limit_nusd)} {window}",
        hover=f"{whose[0].upper()}{whose[1:]} {'hard' if budget.hard else 'soft'} budget{name}:"
        f" {formats.money(one.standing.gone_nusd)} of {formats.money(one.limit_nusd)} {window}",
    )


def _is_of_all(one: MemberBudget) -> bool:
    return one.budget.scope == Scope.ORGANIZATION


def _is_own(one: MemberBudget) -> bool:
    """Whether nobody else spends of it."""
    budget = one.budget
    return budget.scope == Scope.MEMBER or (budget.scope == Scope.SQUAD and budget.per_head)
