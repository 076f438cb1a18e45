"""How a key's budgets stand, in the shape that Claude Code asks for."""

from collections.abc import Iterable
from typing import Any, Final

from tidegate.console import formats
from tidegate.core.budget_words import WARN_AT, percent
from tidegate.core.budgets import WindowKind
from tidegate.core.model import NANO_PER_USD
from tidegate.services.budget_standings import BudgetStanding

_GROUP: Final = {
    WindowKind.DAY: "daily",
    WindowKind.WEEK: "weekly",
    WindowKind.MONTH: "monthly",
    WindowKind.LIFETIME: "lifetime",
    WindowKind.ROLLING: "rolling",
}
_CRITICAL, _WARNING = WARN_AT
_CENTS: Final = 100


def spend_limits(standings: Iterable[BudgetStanding]) -> dict[str, Any]:
    """Of each period the budget that is nearest to its limit; amounts in cents."""
    nearest: dict[str, BudgetStanding] = {}
    for one in standings:
        group = _GROUP[WindowKind(one.budget.window)]
        known = nearest.get(group)
        if known is None or one.used_permille > known.used_permille:
            nearest[group] = one
    return {
        "extra_usage": _extra(nearest),
        "limits": [_limit(group, nearest[group]) for group in _GROUP.values() if group in nearest],
    }


def _extra(nearest: dict[str, BudgetStanding]) -> dict[str, Any]:
    """The monthly budget, as where usage beyond a plan is bought."""
    monthly = nearest.get("monthly")
    if monthly is None:
        return {"is_enabled": bool(nearest), "currency": "USD"}
    return {
        "is_enabled": True,
        "monthly_limit": _cents(monthly.limit_nusd),
        "used_credits": _cents(monthly.standing.gone_nusd),
        "utilization": _percent(monthly),
        "currency": "USD",
    }


def _limit(group: str, one: BudgetStanding) -> dict[str, Any]:
    gone = _percent(one)
    severity = "critical" if gone >= _CRITICAL else "warning" if gone >= _WARNING else "normal"
    return {
        "kind": "spend",
        "group": group,
        "percent": gone,
        "resets_at": formats.utc(one.resets_us) if one.resets_us else None,
        "severity": severity,
        "is_active": one.budget.hard,
    }


def _percent(one: BudgetStanding) -> int:
    return percent(one.standing.gone_nusd, one.limit_nusd)


def _cents(nusd: int) -> float:
    return nusd * _CENTS / NANO_PER_USD
