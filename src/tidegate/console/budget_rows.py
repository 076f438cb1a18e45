"""Budgets as the rows of a page: whose, how much is gone, and what happens next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from zoneinfo import ZoneInfo

from tidegate.console import formats
from tidegate.console.period_text import day_text, moment_text
from tidegate.core.budget_words import hours_text
from tidegate.core.budgets import EACH, Budget, HoldMode, Scope, WindowKind
from tidegate.core.calendar import local_time
from tidegate.core.remotes import repository_name
from tidegate.services.budget_standings import BudgetStanding

NEAR_PERMILLE: Final = 800
FULL_PERMILLE: Final = 1000
_MOST_PERCENT: Final = 999
NEAREST: Final = 3
"""Of a budget that each one has by itself, so many are shown in its place."""
_MINUTE_US: Final = 60_000_000
_HOUR_MIN: Final = 60
_DAY_H: Final = 24
_TWO_DAYS_H: Final = 48
_MIDNIGHT: Final = (0, 0)
ICONS: Final = {
    Scope.ORGANIZATION: "building-2",
    Scope.SQUAD: "users",
    Scope.MEMBER: "user",
    Scope.KEY: "key-round",
    Scope.REPOSITORY: "folder-git-2",
    Scope.SESSION: "terminal",
}
_EACH: Final = {
    Scope.SQUAD: "Each squad",
    Scope.MEMBER: "Each member",
    Scope.KEY: "Each key",
    Scope.REPOSITORY: "Each repository",
    Scope.SESSION: "Each session",
}


@dataclass(frozen=True, slots=True)
class Money:
    """An amount as it is shown, and to the nano-dollar."""

    text: str
    exact: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRow:
    """A budget of one subject, or what stands for a budget of each one."""

    budget_id: str
    title: str
    past: str = ""  # "Removed", "Left": it cannot spend any more
    name: str  # that the budget was given
    what: str  # "member", "squad, per head"
    icon: str
    window: str
    kind: str  # "hard", "soft"
    mode: str  # "typical", "strict"; "" of a soft one
    amount: Money
    state: str = ""
    exact: str = ""  # when it resets, in the organization's zone
    notes: str = ""  # its name, and what is unusual
    tone: str = ""  # "", "near", "over"
    has_standing: bool = True
    percent: str = ""
    bar: str = "0%"
    spent: Money = Money("", "")
    held: Money = Money("", "")
    left: Money = Money("", "")
    limit: Money = Money("", "")
    beyond: str = ""
    raised: str = ""
    blocked: bool = False
    is_nearest: bool = False  # one of those that a budget of each one is shown by
    nearest: Sequence["BudgetRow"] = field(default_factory=list)
    subjects: int = 0

    @property
    def near(self) -> bool:
        return bool(self.tone) or any(row.tone for row in self.nearest)

    @property
    def any_blocked(self) -> bool:
        return self.blocked or any(row.blocked for row in self.nearest)


class Rows:
    """Makes rows at a moment, in the zone of an organization."""

    def __init__(self, now_us: int, time_zone: str, squads: Mapping[str, str]) -> None:
        """With what squads are called, by their ids."""
        self._now_us = now_us
        self._squads = squads
        self._zone = ZoneInfo(time_zone)

    def of(
        self,
        budgets: Sequence[Budget],
        standings: Sequence[BudgetStanding],
        passed: Mapping[str, int],
    ) -> list[BudgetRow]:
        """One for each budget; one for each one's has its nearest below it."""
        by_budget: dict[str, list[BudgetStanding]] = {}
        for one in standings:
            by_budget.setdefault(one.budget.budget_id, []).append(one)
        rows = []
        for budget in budgets:
            own = by_budget.get(budget.budget_id, [])
            if is_of_each(budget):
                nearest = [self.row(one, nearest=True) for one in own[:NEAREST]]
                rows.append(self._heading(budget, nearest, len(own)))
            else:
                at_us = passed.get(budget.budget_id, 0)
                rows += [self.row(one, passed_us=at_us) for one in own]
        return rows

    def row(self, one: BudgetStanding, *, passed_us: int = 0, nearest: bool = False) -> BudgetRow:
        """How a budget stands."""
        budget, standing = one.budget, one.standing
        return BudgetRow(
            budget_id=budget.budget_id,
            title=subject_words(one),
            past=_past(one),
            name=budget.name,
            what=_what(budget),
            icon=ICONS[Scope(budget.scope)],
            window=window_words(budget),
            kind="hard" if budget.hard else "soft",
            mode=budget.mode if budget.hard else "",
            amount=money(budget.amount_nusd),
            state=self.state(one, passed_us),
            exact=self._exact(one),
            notes=_notes(budget),
            tone=tone_of(one),
            percent=_percent(one),
            bar=f"{min(one.used_permille, FULL_PERMILLE) / 10:.1f}%",
            spent=money(standing.spent_nusd),
            held=money(standing.held_nusd),
            left=money(one.left_nusd),
            limit=money(one.limit_nusd),
            beyond=formats.money(standing.beyond_nusd)
            if standing.beyond_nusd and budget.mode == HoldMode.TYPICAL
            else "",
            raised=formats.money(one.raised_nusd) if one.raised_nusd else "",
            blocked=is_blocked(one),
            is_nearest=nearest,
        )

    def _heading(self, budget: Budget, nearest: Sequence[BudgetRow], subjects: int) -> BudgetRow:
        return BudgetRow(
            budget_id=budget.budget_id,
            title=each_words(budget, self._squads),
            name=budget.name,
            what="",
            notes=_notes(budget),
            icon=ICONS[Scope(budget.scope)],
            window=window_words(budget),
            kind="hard" if budget.hard else "soft",
            mode=budget.mode if budget.hard else "",
            amount=money(budget.amount_nusd),
            limit=money(budget.amount_nusd),
            state="" if nearest else "nothing spent so far",
            has_standing=False,
            nearest=nearest,
            subjects=subjects,
        )

    def state(self, one: BudgetStanding, passed_us: int = 0) -> str:
        """`resets in 18 days`, `passed on 9 Nov`, `blocked · resets in 3 days`."""
        resets = self._resets(one)
        if is_blocked(one):
            return f"blocked · {resets}"
        if one.used_permille < FULL_PERMILLE:
            return resets
        return f"passed on {self.day(passed_us)}" if passed_us else f"passed · {resets}"

    def _resets(self, one: BudgetStanding) -> str:
        if not one.resets_us:
            return "no reset"
        wait = self.until(one.resets_us)
        if one.budget.window == WindowKind.ROLLING:
            return f"rolls on in {wait}"
        return f"resets in {wait}"

    def _exact(self, one: BudgetStanding) -> str:
        if not one.resets_us:
            return ""
        verb = "Oldest hour leaves" if one.budget.window == WindowKind.ROLLING else "Resets"
        return f"{verb} {self.moment(one.resets_us)}"

    def until(self, at_us: int) -> str:
        """`18 days`, `13 h`, `5 min`."""
        minutes = max(at_us - self._now_us, 0) // _MINUTE_US
        hours = minutes // _HOUR_MIN
        if hours >= _TWO_DAYS_H:
            return f"{hours // _DAY_H} days"
        return f"{hours} h" if hours else f"{max(minutes, 1)} min"

    def moment(self, at_us: int) -> str:
        """`1 Dec 2026, 00:00 (Europe/Berlin)`."""
        return f"{moment_text(at_us, self._zone.key)} ({self._zone.key})"

    def day(self, at_us: int) -> str:
        """`9 Nov`."""
        return day_text(local_time(at_us, self._zone))

    def clock(self, at_us: int) -> str:
        """`10:31`, or `9 Nov` of another day."""
        at, now = local_time(at_us, self._zone), local_time(self._now_us, self._zone)
        return f"at {at:%H:%M}" if at.date() == now.date() else f"on {day_text(at)}"


def subject_words(one: BudgetStanding) -> str:
    """Whose it is; a repository as everywhere, without GitHub's host."""
    if one.budget.scope == Scope.REPOSITORY:
        repository = repository_name(one.subject.id)
        return "/".join(filter(None, (repository.owner, repository.name)))
    return one.title


def _past(one: BudgetStanding) -> str:
    if one.applies:
        return ""
    return "Left" if one.subject.member_id else "Removed"


def money(nusd: int) -> Money:
    return Money(formats.money(nusd), formats.exact_money(nusd))


def is_of_each(budget: Budget) -> bool:
    """Whether more than one may have it."""
    return budget.scope != Scope.ORGANIZATION and (budget.scope_id == EACH or budget.per_head)


def is_blocked(one: BudgetStanding) -> bool:
    """Whether nothing passes any more."""
    return one.budget.hard and one.is_exhausted


def tone_of(one: BudgetStanding) -> str:
    """How urgent it is."""
    if one.used_permille >= FULL_PERMILLE:
        return "over"
    return "near" if one.used_permille >= NEAR_PERMILLE else ""


def window_words(budget: Budget) -> str:
    """`month`, `24 hours`, `30 days`."""
    if budget.window == WindowKind.ROLLING:
        return hours_text(budget.rolling_hours)
    return budget.window


def each_words(budget: Budget, squads: Mapping[str, str]) -> str:
    """`Each member`, `Each member of Platform`, `Each member of each squad`."""
    if budget.scope == Scope.SQUAD and budget.per_head:
        each = budget.scope_id == EACH
        return f"Each member of {'each squad' if each else squads.get(budget.scope_id, 'a squad')}"
    return _EACH[Scope(budget.scope)]


def _percent(one: BudgetStanding) -> str:
    """`108 %`; how much beyond ten times the limit it is says nothing more."""
    percent = one.used_permille // 10
    return f"{percent} %" if percent <= _MOST_PERCENT else f"> {_MOST_PERCENT} %"


def _notes(budget: Budget) -> str:
    subscriptions = "subscriptions count, at list price" if budget.counts_subscription else ""
    return " · ".join(each for each in (budget.name, subscriptions) if each)


def _what(budget: Budget) -> str:
    return f"{budget.scope}, per head" if budget.per_head else budget.scope
