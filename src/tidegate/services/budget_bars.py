"""The budget that is nearest to its end, of each of some members: what their cards show."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from tidegate.core.budgets import (
    Budget,
    Envelope,
    Scope,
    Spender,
    Standing,
    Subject,
    limit_at,
    subject_of,
    window_of,
)
from tidegate.core.calendar import HOUR_US
from tidegate.services.context import Service

_NO_CARD = {Scope.REPOSITORY, Scope.SESSION}  # they are about no member
_NEAR_PERMILLE: Final = 800


class MemberBudget(msgspec.Struct, frozen=True, kw_only=True):
    """A budget that a member's requests count under, and how it stands."""

    budget: Budget
    limit_nusd: int  # with the raises that hold
    standing: Standing

    @property
    def used_permille(self) -> int:
        """The part that is gone; of a budget of 0 all."""
        return 1000 * self.standing.gone_nusd // self.limit_nusd if self.limit_nusd > 0 else 1000


class BudgetBars(Service):
    """Reads of many members in one go."""

    def of_members(
        self, organization_id: str, keys_of: Mapping[str, Sequence[str]]
    ) -> dict[str, MemberBudget]:
        """By member: the budget of which most is gone, of equal ones a hard one.

        The organization's, which says the same of all, stands behind others until it is near.

        Given are the keys of each member that is asked for. Who is under none is left out.
        """
        with self._directory.reading() as reads:
            budgets = [b for b in reads.budgets(organization_id) if b.scope not in _NO_CARD]
            organization = reads.organization(organization_id)
            if not budgets or organization is None:
                return {}
            raises = reads.raises(organization_id)
            squad_of = {m.member_id: m.squad_id for m in reads.squad_members(organization_id)}
        now_us, zone = self._clock(), ZoneInfo(organization.time_zone)
        windows = [window_of(b, now_us, zone, organization.week_start) for b in budgets]
        wanted: dict[str, list[tuple[Budget, Envelope]]] = {}
        for member_id, keys in keys_of.items():
            squad_id = squad_of.get(member_id, "")
            wanted[member_id] = [
                (budget, Envelope(budget.budget_id, subject, window, budget.counts_subscription))
                for budget, window in zip(budgets, windows, strict=True)
                for subject in _subjects(budget, member_id, squad_id, keys)
            ]
        envelopes = list(dict.fromkeys(e for each in wanted.values() for _, e in each))
        found = self._store.holds.standings(organization_id, envelopes)
        standings = dict(zip(envelopes, found, strict=True))
        return {
            member_id: max(
                (
                    MemberBudget(
                        budget=budget,
                        limit_nusd=limit_at(budget, raises, now_us, envelope.subject.text),
                        standing=standings[envelope],
                    )
                    for budget, envelope in each
                ),
                key=_urgency,
            )
            for member_id, each in wanted.items()
            if each
        }

    def turn(self, organization_id: str) -> int:
        """Changes with the windows and raises of budgets, if there are any; 0 if not."""
        with self._directory.reading() as reads:
            return self._clock() // HOUR_US if reads.budgets(organization_id) else 0


def _urgency(one: MemberBudget) -> tuple[bool, int, bool]:
    is_own = one.budget.scope != Scope.ORGANIZATION
    return is_own or one.used_permille >= _NEAR_PERMILLE, one.used_permille, one.budget.hard


def _subjects(
    budget: Budget, member_id: str, squad_id: str, keys: Sequence[str]
) -> Iterable[Subject]:
    """What requests of a member count as under a budget; once, whichever key makes them."""
    spenders = (
        Spender(member_id=member_id, squad_id=squad_id, key_id=key_id) for key_id in keys or [""]
    )
    found = (subject_of(budget, spender) for spender in spenders)
    return dict.fromkeys(subject for subject in found if subject is not None)
