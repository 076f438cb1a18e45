"""Budgets: how much may be spent by whom in which window, and what a request may still take.

What is *spent* is never a counter of its own: it is the ledger's sums for a budget's subject and
window. What is *held* is put aside for requests that the ledger does not have yet. A budget made,
changed or raised in the middle of a window is therefore right from that moment on.
"""

from collections.abc import Iterable
from datetime import date, timedelta, tzinfo
from enum import StrEnum
from typing import Final

import msgspec

from tidegate.core.calendar import HOUR_US, date_start_us, day_start_us, hour_start_us, local_time
from tidegate.core.calendar import next_hour_us as _next_hour_us

EACH: Final = "*"
"""As a budget's `scope_id`: every one of the kind by itself has this much."""
MAX_ROLLING_HOURS: Final = 24 * 90
_ONE_DAY: Final = timedelta(days=1)
_LAST_MONTH: Final = 12


class Scope(StrEnum):
    """Whose spend a budget bounds."""

    ORGANIZATION = "organization"
    SQUAD = "squad"
    MEMBER = "member"
    KEY = "key"
    REPOSITORY = "repository"
    SESSION = "session"


class WindowKind(StrEnum):
    """Over which time a budget bounds it, in the organization's time zone."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    LIFETIME = "lifetime"
    ROLLING = "rolling"  # this hour and the ones before


class HoldMode(StrEnum):
    """How much is put aside for a request."""

    TYPICAL = "typical"  # what such requests usually cost at most
    STRICT = "strict"  # what it cannot exceed


class WhenUnknown(StrEnum):
    """What a hard budget does while its state cannot be told."""

    OPEN = "open"
    CLOSED = "closed"


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """A bound on spend. A soft one warns; a hard one refuses."""

    budget_id: str
    organization_id: str
    name: str = ""
    scope: str = "organization"  # Scope
    scope_id: str = ""  # of a squad, member, key, repository or session; EACH; "": organization
    per_head: bool = False  # of a squad: so much for each of its members
    amount_nusd: int = 0
    window: str = "month"  # WindowKind
    rolling_hours: int = 0
    hard: bool = False
    mode: str = "typical"  # HoldMode
    when_unknown: str = "open"  # WhenUnknown
    counts_subscription: bool = False  # what subscriptions are worth at list price counts too
    created_us: int = 0


class Raise(msgspec.Struct, frozen=True, kw_only=True):
    """More of a budget, for a time."""

    raise_id: str
    organization_id: str
    budget_id: str
    subject: str = ""  # `Subject.text`, where each one has its own; "": for all of them
    extra_nusd: int
    from_us: int
    until_us: int  # exclusive

    def holds(self, now_us: int) -> bool:
        """Whether it counts at a moment."""
        return self.from_us <= now_us < self.until_us


class Window(msgspec.Struct, frozen=True):
    """The time that is running. Of a lifetime both are 0."""

    start_us: int
    end_us: int  # exclusive; 0: it never ends

    def has(self, at_us: int) -> bool:
        """Whether a request that began then counts."""
        return self.start_us <= at_us and (not self.end_us or at_us < self.end_us)


class Spender(msgspec.Struct, frozen=True, kw_only=True):
    """Whose request it is. A sub-agent's session is its root's, as far as that is known."""

    member_id: str = ""
    squad_id: str = ""
    key_id: str = ""
    repository: str = ""
    session_id: str = ""


class Subject(msgspec.Struct, frozen=True):
    """What a budget adds up: one organization, squad, member, key, repository or session."""

    scope: str  # Scope
    id: str = ""
    member_id: str = ""  # of a squad's budget per head

    @property
    def text(self) -> str:
        """Both ids as one."""
        return f"{self.id}/{self.member_id}" if self.member_id else self.id


class Envelope(msgspec.Struct, frozen=True):
    """The money of a budget for one subject and window."""

    budget_id: str
    subject: Subject
    window: Window
    counts_subscription: bool = False


class Standing(msgspec.Struct, frozen=True):
    """How much of an envelope is gone."""

    spent_nusd: int = 0  # the ledger has it
    held_nusd: int = 0  # put aside for requests that the ledger does not have yet
    beyond_nusd: int = 0  # the most by which requests in flight may exceed what is held

    @property
    def gone_nusd(self) -> int:
        """Spent and held."""
        return self.spent_nusd + self.held_nusd


class BudgetRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request does not fit: all that its sentence needs."""

    budget: Budget
    subject: Subject
    standing: Standing
    wanted_nusd: int
    limit_nusd: int
    resets_us: int  # 0: never; of a rolling window when its oldest hour leaves it


def subject_of(budget: Budget, spender: Spender) -> Subject | None:
    """What a request counts as under a budget; None if it does not count."""
    own = {
        Scope.SQUAD: spender.squad_id,
        Scope.MEMBER: spender.member_id,
        Scope.KEY: spender.key_id,
        Scope.REPOSITORY: spender.repository,
        Scope.SESSION: spender.session_id,
    }
    if budget.scope == Scope.ORGANIZATION:
        return Subject(budget.scope)
    mine = own[Scope(budget.scope)]
    if not mine or budget.scope_id not in {EACH, mine}:
        return None
    per_head = budget.per_head and budget.scope == Scope.SQUAD
    return Subject(budget.scope, mine, spender.member_id if per_head else "")


def subject_from(budget: Budget, text: str) -> Subject:
    """The subject of a budget whose `Subject.text` is known."""
    if budget.per_head and budget.scope == Scope.SQUAD:
        squad_id, _, member_id = text.rpartition("/")
        return Subject(budget.scope, squad_id, member_id)
    return Subject(budget.scope, text)


def limit_at(budget: Budget, raises: Iterable[Raise], now_us: int, subject: str = "") -> int:
    """The amount with the raises that hold; of other budgets' and subjects' none."""
    return budget.amount_nusd + sum(
        each.extra_nusd
        for each in raises
        if each.budget_id == budget.budget_id
        and each.holds(now_us)
        and each.subject in {"", subject}
    )


def fits(standing: Standing, wanted_nusd: int, limit_nusd: int) -> bool:
    """Whether a request may go on. Where all is gone nothing may, even if it costs nothing."""
    gone_nusd = standing.gone_nusd
    return gone_nusd < limit_nusd and gone_nusd + wanted_nusd <= limit_nusd


def window_of(budget: Budget, now_us: int, zone: tzinfo, week_start: int = 1) -> Window:
    """The window of a budget at a moment, in the organization's days and hours."""
    match WindowKind(budget.window):
        case WindowKind.LIFETIME:
            return Window(0, 0)
        case WindowKind.ROLLING:
            return _rolling(budget.rolling_hours, now_us, zone)
        case kind:
            today = local_time(day_start_us(now_us, zone), zone).date()
            first, end = _dates(kind, today, week_start)
            return Window(date_start_us(first, zone), date_start_us(end, zone))


def resets_us(budget: Budget, window: Window, zone: tzinfo) -> int:
    """When a window gives anything back; 0: never."""
    if budget.window == WindowKind.ROLLING:
        return _next_hour_us(hour_start_us(window.end_us - 1, zone), zone)
    return window.end_us


def _rolling(hours: int, now_us: int, zone: tzinfo) -> Window:
    this_us = hour_start_us(now_us, zone)
    before_us = (max(hours, 1) - 1) * HOUR_US
    return Window(hour_start_us(this_us - before_us, zone), _next_hour_us(this_us, zone))


def _dates(kind: WindowKind, today: date, week_start: int) -> tuple[date, date]:
    """The first day of a window, and the first one after it."""
    if kind == WindowKind.DAY:
        return today, today + _ONE_DAY
    if kind == WindowKind.WEEK:
        first = today - timedelta(days=(today.isoweekday() - week_start) % 7)
        return first, first + timedelta(days=7)
    year, month = divmod(today.year * _LAST_MONTH + today.month, _LAST_MONTH)
    return today.replace(day=1), date(year, month + 1, 1)
