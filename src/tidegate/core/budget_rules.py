"""Which budgets a request counts under, worked out once for each key of a directory snapshot.

A key under no budget costs one look-up. Of budgets that go by repository or session the subject is
known with the request only.
"""

from collections import defaultdict
from datetime import UTC, tzinfo
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from tidegate.core.budgets import (
    Budget,
    Envelope,
    Raise,
    Scope,
    Spender,
    Subject,
    WhenUnknown,
    Window,
    WindowKind,
    limit_at,
    subject_of,
    window_of,
)
from tidegate.core.calendar import HOUR_US
from tidegate.core.model import DirectorySnapshot, KeyRecord, OrganizationRecord

_BY_REQUEST: Final = frozenset((Scope.REPOSITORY, Scope.SESSION))


class Terms:
    """A budget with what its window and amount follow from. Remembers the window that runs."""

    __slots__ = ("_raises", "_week_start", "_window", "budget", "zone")

    def __init__(
        self, budget: Budget, raises: tuple[Raise, ...], organization: OrganizationRecord
    ) -> None:
        self.budget = budget
        self.zone = _zone(organization.time_zone)
        self._week_start = organization.week_start
        self._raises = raises
        self._window = Window(1, 1)

    def window(self, now_us: int) -> Window:
        """The window at a moment."""
        window = self._window
        rolling = self.budget.window == WindowKind.ROLLING
        stale = rolling and now_us < window.end_us - HOUR_US
        if stale or not window.has(now_us):
            window = self._window = window_of(self.budget, now_us, self.zone, self._week_start)
        return window

    def limit(self, now_us: int, subject: Subject) -> int:
        """The amount, with what it was raised by."""
        if not self._raises:
            return self.budget.amount_nusd
        return limit_at(self.budget, self._raises, now_us, subject.text)


class Share(NamedTuple):
    """A budget that a request counts under, and as what."""

    terms: Terms
    subject: Subject

    @property
    def budget(self) -> Budget:
        return self.terms.budget

    def envelope(self, now_us: int) -> Envelope:
        """The money that it is taken from."""
        budget = self.terms.budget
        return Envelope(
            budget.budget_id, self.subject, self.terms.window(now_us), budget.counts_subscription
        )

    def limit(self, now_us: int) -> int:
        return self.terms.limit(now_us, self.subject)


class KeyRules:
    """The budgets of one key."""

    __slots__ = ("_by_request", "_fixed", "_spender", "by_repository", "has_closed", "has_hard")

    def __init__(self, spender: Spender, terms: list[Terms]) -> None:
        self._spender = spender
        placed = [(each, subject_of(each.budget, spender)) for each in terms]
        self._fixed = tuple(Share(each, subject) for each, subject in placed if subject is not None)
        self._by_request = tuple(each for each in terms if each.budget.scope in _BY_REQUEST)
        mine = [*(share.budget for share in self._fixed), *(e.budget for e in self._by_request)]
        self.has_hard = any(budget.hard for budget in mine)
        self.has_closed = any(b.hard and b.when_unknown == WhenUnknown.CLOSED for b in mine)
        self.by_repository = any(budget.scope == Scope.REPOSITORY for budget in mine)

    @property
    def by_request(self) -> bool:
        """Whether the session or the repository of a request matters."""
        return bool(self._by_request)

    @property
    def empty(self) -> bool:
        return not (self._fixed or self._by_request)

    def shares(self, repository: str, session_id: str, *, subscription: bool) -> list[Share]:
        """What a request counts under. One of a subscription counts where the budget says so."""
        found = list(self._fixed)
        if self._by_request and (repository or session_id):
            spender = Spender(repository=repository, session_id=session_id)
            found += [
                Share(terms, subject)
                for terms in self._by_request
                if (subject := subject_of(terms.budget, spender)) is not None
            ]
        if subscription:
            found = [share for share in found if share.budget.counts_subscription]
        return found


class BudgetIndex:
    """The budgets of a snapshot, by key."""

    def __init__(self, snapshot: DirectorySnapshot) -> None:
        self.squads = snapshot.squads
        self._terms = _terms(snapshot)
        self._rules: dict[str, KeyRules | None] = {}

    def of(self, key: KeyRecord) -> KeyRules | None:
        """The budgets that requests of a key may count under; None: there are none."""
        try:
            return self._rules[key.key_id]
        except KeyError:
            rules = self._rules[key.key_id] = self._made(key)
            return rules

    def _made(self, key: KeyRecord) -> KeyRules | None:
        terms = self._terms.get(key.organization_id)
        if not terms:
            return None
        squad_id = self.squads.get(key.member_id, "")
        spender = Spender(member_id=key.member_id, squad_id=squad_id, key_id=key.key_id)
        rules = KeyRules(spender, terms)
        return None if rules.empty else rules


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError):  # of another machine: keys must work all the same
        return UTC


def _terms(snapshot: DirectorySnapshot) -> dict[str, list[Terms]]:
    organizations = {each.organization_id: each for each in snapshot.organizations}
    raises: dict[str, list[Raise]] = defaultdict(list)
    for each in snapshot.raises:
        raises[each.budget_id].append(each)
    terms: dict[str, list[Terms]] = defaultdict(list)
    for budget in snapshot.budgets:
        organization = organizations.get(budget.organization_id)
        if organization is not None:
            own = tuple(raises.get(budget.budget_id, ()))
            terms[budget.organization_id].append(Terms(budget, own, organization))
    return dict(terms)


def closes(shares: list[Share]) -> bool:
    """Whether one of them lets nothing pass while its state is unknown."""
    return any(share.budget.when_unknown == WhenUnknown.CLOSED for share in shares)
