"""What admins should look at: requests for more, budgets that are gone, and those that will be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tidegate.console import formats
from tidegate.console.budget_rows import Rows, is_blocked, subject_words, tone_of, window_words
from tidegate.core.budgets import EACH, WindowKind
from tidegate.services.budget_standings import BudgetStanding
from tidegate.store.budgets import BudgetRequestRecord

_MOST_REQUESTS: Final = 50
_MOST_OTHERS: Final = 4  # however much was asked
_THIS: Final = {
    WindowKind.DAY: "today",
    WindowKind.WEEK: "this week",
    WindowKind.MONTH: "this month",
    WindowKind.LIFETIME: "in all",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One entry; with a request it can be decided at once."""

    title: str
    told: str
    href: str
    tone: str  # "over", "near"
    request_id: str = ""
    amount: str = ""
    reason: str = ""


def decisions(
    rows: Rows,
    now_us: int,
    standings: Sequence[BudgetStanding],
    requests: Sequence[BudgetRequestRecord],
    names: Mapping[str, str],
) -> tuple[list[Decision], int]:
    """All that was asked, the first comes first, then the most urgent; and how many more there are.

    Requests wait for an answer that is given nowhere else: none of them stands behind others, and
    each says how its budget stands, which is not told twice.
    """
    waiting = [each for each in reversed(requests) if each.state == "open"]
    wishes = [_asked(rows, standings, each, names) for each in waiting[:_MOST_REQUESTS]]
    asked = {(each.budget_id, each.subject) for each in waiting}
    rest = [
        one for one in standings if one.applies and (one.budget.budget_id, _text(one)) not in asked
    ]
    gone: dict[str, list[BudgetStanding]] = {}
    for one in sorted((one for one in rest if tone_of(one)), key=_urgency):
        gone.setdefault(one.budget.budget_id, []).append(one)
    found = [_gone(first, len(others)) for first, *others in gone.values()]
    found += [_passing(rows, now_us, one) for one in rest if not tone_of(one) and will_pass(one)]
    shown = found[:_MOST_OTHERS]
    return [*wishes, *shown], len(found) - len(shown)


def will_pass(one: BudgetStanding) -> bool:
    """Whether a window will likely end above its limit."""
    return one.band is not None and one.band.high_nusd > one.limit_nusd and not one.is_exhausted


def passes_us(one: BudgetStanding, now_us: int) -> int:
    """When it may pass its limit at the earliest."""
    assert one.band is not None
    still = one.band.high_nusd - one.standing.gone_nusd
    return now_us + (one.window.end_us - now_us) * one.left_nusd // max(still, 1)


def standing_words(one: BudgetStanding) -> str:
    """`$60.00 of $60.00 this week`."""
    within = _THIS.get(WindowKind(one.budget.window), f"in {window_words(one.budget)}")
    gone, limit = formats.money(one.standing.gone_nusd), formats.money(one.limit_nusd)
    return f"{gone} of {limit} {within}"


def standing_of(
    standings: Sequence[BudgetStanding], request: BudgetRequestRecord
) -> BudgetStanding | None:
    """How the budget stands that a request is about."""
    own = [one for one in standings if one.budget.budget_id == request.budget_id]
    return next((one for one in own if request.subject in {"", _text(one)}), None)


def _asked(
    rows: Rows,
    standings: Sequence[BudgetStanding],
    request: BudgetRequestRecord,
    names: Mapping[str, str],
) -> Decision:
    one = standing_of(standings, request)
    amount = formats.money(request.amount_nusd)
    told = f"Asked {rows.clock(request.created_us)}."
    if one is not None:
        told = f"{_how(one)}: {standing_words(one)}. {told}"
    return Decision(
        title=f"{names.get(request.member_id, 'A member')} asks for {amount} more",
        told=told,
        href=f"/budgets/requests/{request.request_id}",
        tone="over" if one is not None and one.is_exhausted else "near",
        request_id=request.request_id,
        amount=amount,
        reason=request.reason,
    )


def _how(one: BudgetStanding) -> str:
    """`Aiko is blocked`, `Platform is over its soft limit`, `Platform is at 84 %`."""
    if is_blocked(one):
        return f"{subject_words(one)} is blocked"
    if one.is_exhausted:
        return f"{subject_words(one)} is over its soft limit"
    return f"{subject_words(one)} is at {one.used_permille // 10} %"


def _gone(one: BudgetStanding, others: int) -> Decision:
    """Where each one has its own, the one that is nearest speaks for the others."""
    stands = standing_words(one)
    told = f"{stands}."
    if one.is_exhausted:
        told += " Requests are refused." if one.budget.hard else " Requests still pass."
    if others:
        told += f" Of this budget {others} more are near or over."
    return Decision(
        title=_how(one), told=told, href=f"/budgets/{one.budget.budget_id}", tone=tone_of(one)
    )


def _passing(rows: Rows, now_us: int, one: BudgetStanding) -> Decision:
    assert one.band is not None
    low, high = formats.money(one.band.low_nusd), formats.money(one.band.high_nusd)
    when = rows.day(passes_us(one, now_us))
    return Decision(
        title=f"{subject_words(one)} may pass its limit from {when} on",
        told=f"At the pace of the last days {low} to {high} by the end of the window.",
        href=f"/budgets/{one.budget.budget_id}",
        tone="near",
    )


def _urgency(one: BudgetStanding) -> tuple[bool, bool, int]:
    return not is_blocked(one), not one.is_exhausted, -one.used_permille


def _text(one: BudgetStanding) -> str:
    """The subject as raises and requests name it: of a budget that all share, nobody."""
    return one.subject.text if _has_subject(one) else ""


def _has_subject(one: BudgetStanding) -> bool:
    return one.budget.scope_id == EACH or one.budget.per_head
