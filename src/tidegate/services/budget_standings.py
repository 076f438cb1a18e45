"""How budgets stand: spent, held, left, when they reset, and where the window will likely end."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import accumulate, pairwise
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from tidegate.core.budgets import (
    EACH,
    Budget,
    Envelope,
    Raise,
    Scope,
    Spender,
    Standing,
    Subject,
    Window,
    WindowKind,
    limit_at,
    resets_us,
    subject_from,
    subject_of,
    window_of,
)
from tidegate.core.calendar import date_start_us, day_start_us, local_time, next_hour_us
from tidegate.core.model import Agent, OrganizationRecord
from tidegate.core.projection import DAYS, Band, project
from tidegate.services.context import Service
from tidegate.services.errors import NotFound
from tidegate.store.ports import DirectoryReads

_DAY_US: Final = 24 * 3_600_000_000
_SHORT_US: Final = 3 * _DAY_US
_AT_REST_US: Final = _DAY_US
MOST_SUBJECTS: Final = 100
"""Of a budget that each one has by itself: those who are nearest to its end."""


class BudgetStanding(msgspec.Struct, frozen=True, kw_only=True):
    """A budget of one subject in its window."""

    budget: Budget
    subject: Subject
    title: str  # of the subject, for people
    window: Window
    resets_us: int  # 0: never
    limit_nusd: int  # with the raises that hold
    raised_nusd: int
    standing: Standing
    band: Band | None = None  # where the window will likely end
    applies: bool = True  # not to who left, or moved to another squad

    @property
    def left_nusd(self) -> int:
        """What may still be spent or held; never below 0."""
        return max(self.limit_nusd - self.standing.gone_nusd, 0)

    @property
    def used_permille(self) -> int:
        """The part that is gone; of a budget of 0 all."""
        if self.limit_nusd <= 0:
            return 1000
        return 1000 * self.standing.gone_nusd // self.limit_nusd

    @property
    def is_exhausted(self) -> bool:
        """Whether a hard budget lets nothing through."""
        return self.standing.gone_nusd >= self.limit_nusd


class _View:
    """What the directory says about an organization's budgets at a moment."""

    def __init__(
        self, reads: DirectoryReads, organization_id: str, now_us: int, *, with_keys: bool
    ) -> None:
        """Keys, of which there are many, are read if a budget is about them, or as said."""
        self.organization = organization = _organization_in(reads, organization_id)
        self.now_us = now_us
        self.zone = ZoneInfo(organization.time_zone)
        self.budgets = reads.budgets(organization_id)
        self.raises: dict[str, list[Raise]] = {budget.budget_id: [] for budget in self.budgets}
        for each in reads.raises(organization_id):
            self.raises.setdefault(each.budget_id, []).append(each)
        self._windows = {budget.budget_id: self._window(budget) for budget in self.budgets}
        self.members = {m.member_id: m for m in reads.members(organization_id)}
        self.squads = {s.squad_id: s for s in reads.squads(organization_id)}
        self.squad_of = {m.member_id: m.squad_id for m in reads.squad_members(organization_id)}
        of_keys = with_keys or any(budget.scope == Scope.KEY for budget in self.budgets)
        keys = reads.keys(organization_id) if of_keys else []
        self.keys = {k.record.key_id: k.record for k in keys}

    def window(self, budget: Budget) -> Window:
        return self._windows[budget.budget_id]

    def envelope(self, budget: Budget, subject: Subject) -> Envelope:
        window = self.window(budget)
        return Envelope(budget.budget_id, subject, window, budget.counts_subscription)

    def title(self, subject: Subject) -> str:
        """Who it is; the id of whoever is gone."""
        if subject.scope == Scope.ORGANIZATION:
            return self.organization.name
        if subject.scope == Scope.SQUAD:
            squad = self.squads.get(subject.id)
            name = squad.name if squad else subject.id
            return f"{self._member(subject.member_id)}, {name}" if subject.member_id else name
        if subject.scope == Scope.MEMBER:
            return self._member(subject.id)
        if subject.scope == Scope.KEY and (key := self.keys.get(subject.id)):
            return f"{Agent(key.agent).title} of {self._member(key.member_id)}"
        return subject.id

    def applies_to(self, subject: Subject) -> bool:
        """Whether requests may still count as of a subject."""
        if subject.scope == Scope.MEMBER:
            return self._is_there(subject.id)
        if subject.scope == Scope.KEY:
            return subject.id in self.keys
        if subject.scope == Scope.SQUAD:
            in_it = self.squad_of.get(subject.member_id) == subject.id
            return subject.id in self.squads and (in_it or not subject.member_id)
        return True

    def spenders(self, member_id: str, repository: str) -> Iterable[Spender]:
        """A member's requests with each of its keys, or without any."""
        squad_id = self.squad_of.get(member_id, "")
        own = [k.key_id for k in self.keys.values() if k.member_id == member_id]
        for key_id in own or [""]:
            yield Spender(
                member_id=member_id, squad_id=squad_id, key_id=key_id, repository=repository
            )

    def _window(self, budget: Budget) -> Window:
        return window_of(budget, self.now_us, self.zone, self.organization.week_start)

    def _is_there(self, member_id: str) -> bool:
        member = self.members.get(member_id)
        return member is not None and not member.removed_us

    def _member(self, member_id: str) -> str:
        member = self.members.get(member_id)
        return (member.name or member.email) if member else member_id


class Standings(Service):
    """Reads of ledger and holds together, to the nano-dollar."""

    def all(self, organization_id: str, budget_id: str = "") -> list[BudgetStanding]:
        """Of every budget, or of one; where each one has its own, those who used most of it."""
        view = self._view(organization_id)
        chosen = [b for b in view.budgets if budget_id in {"", b.budget_id}]
        found = [self._with_band(view, one) for one in self._of_one(view, chosen)]
        for of_each in self._of_each(view, chosen):
            used = [one for one in of_each if one.applies or one.standing.gone_nusd]
            used.sort(key=lambda one: (-one.used_permille, one.title))
            found.extend(used[:MOST_SUBJECTS])
        places = {budget.budget_id: at for at, budget in enumerate(chosen)}
        return sorted(found, key=lambda one: places[one.budget.budget_id])

    def now(self, organization_id: str, least_percent: int) -> list[BudgetStanding]:
        """Of every budget and everyone who has spent so much of one, without a band: what alerts
        watch.

        Of sessions only those that were used within a day.
        """
        view = self._view(organization_id)
        found = self._of_one(view, view.budgets)
        for of_each in self._of_each(view, view.budgets, least_percent):
            found.extend(of_each)
        return found

    def of_member(
        self, organization_id: str, member_id: str, key_id: str = "", repository: str = ""
    ) -> list[BudgetStanding]:
        """Of every budget that a member's requests count under; of one key's or of all.

        With a repository also those that bound what is spent on it.
        """
        view = self._view(organization_id, with_keys=True)
        pairs: dict[tuple[str, Subject], tuple[Budget, Subject]] = {}
        for spender in view.spenders(member_id, repository):
            if key_id and spender.key_id != key_id:
                continue
            for budget in view.budgets:
                subject = subject_of(budget, spender)
                if subject is not None:
                    pairs.setdefault((budget.budget_id, subject), (budget, subject))
        return [self._with_band(view, one) for one in self._standings(view, list(pairs.values()))]

    def course(
        self, organization_id: str, one: BudgetStanding, most: int = 100
    ) -> Sequence[tuple[int, int]]:
        """What was spent in a window up to the end of each of its days, or hours of a short one.

        The last moment is now; nothing for a lifetime, which has no beginning.
        """
        if not one.window.end_us:
            return ()
        now_us = self._clock()
        with self._directory.reading() as reads:
            zone = ZoneInfo(_organization_in(reads, organization_id).time_zone)
        ends = list(_ends(one.window, now_us, zone))[-most:]
        subscription = one.budget.counts_subscription
        parts = [
            Envelope("", one.subject, Window(start_us, end_us), subscription)
            for start_us, end_us in pairwise([one.window.start_us, *ends])
        ]
        spent = [s.spent_nusd for s in self._store.holds.standings(organization_id, parts)]
        return list(zip([*ends[:-1], now_us], accumulate(spent), strict=True))

    @staticmethod
    def envelope_of(one: BudgetStanding) -> Envelope:
        """What a standing is of."""
        subscription = one.budget.counts_subscription
        return Envelope(one.budget.budget_id, one.subject, one.window, subscription)

    def _view(self, organization_id: str, *, with_keys: bool = False) -> _View:
        with self._directory.reading() as reads:
            return _View(reads, organization_id, self._clock(), with_keys=with_keys)

    def _standings(
        self, view: _View, pairs: Sequence[tuple[Budget, Subject]]
    ) -> list[BudgetStanding]:
        organization_id = view.organization.organization_id
        wanted = [view.envelope(budget, subject) for budget, subject in pairs]
        standings = self._store.holds.standings(organization_id, wanted)
        return [
            _made(view, budget, subject, standing)
            for (budget, subject), standing in zip(pairs, standings, strict=True)
        ]

    def _of_one(self, view: _View, budgets: Iterable[Budget]) -> list[BudgetStanding]:
        return self._standings(view, [(b, _only(b)) for b in budgets if _has_one(b)])

    def _of_each(
        self, view: _View, budgets: Iterable[Budget], least_percent: int | None = None
    ) -> list[list[BudgetStanding]]:
        """Of each of the budgets that several have by themselves: who is nearest to its end, or
        of those who are not at rest all who spent so much of it, whatever raises there are."""
        several = [budget for budget in budgets if not _has_one(budget)]
        if not several:
            return []
        organization_id = view.organization.organization_id
        wanted = [view.envelope(budget, _pattern(budget)) for budget in several]
        if least_percent is None:
            found = self._store.holds.subjects(organization_id, wanted)
        else:
            found = self._store.holds.subjects(
                organization_id,
                wanted,
                used_since_us=view.now_us - _AT_REST_US,
                least_nusd=[each.amount_nusd * least_percent // 100 for each in several],
            )
        return [
            [
                _made(view, budget, subject_from(budget, text), standing)
                for text, standing in standings.items()
            ]
            for budget, standings in zip(several, found, strict=True)
        ]

    def _with_band(self, view: _View, one: BudgetStanding) -> BudgetStanding:
        """With where it will end by the pace of the last whole days."""
        if one.budget.window in {WindowKind.LIFETIME, WindowKind.ROLLING}:
            return one
        today_us = day_start_us(view.now_us, view.zone)
        starts = [today_us]
        while len(starts) <= DAYS:
            starts.insert(0, day_start_us(starts[0] - 1, view.zone))
        days = [
            Envelope("", one.subject, Window(*within), one.budget.counts_subscription)
            for within in pairwise(starts)
        ]
        organization_id = view.organization.organization_id
        costs = [s.spent_nusd for s in self._store.holds.standings(organization_id, days)]
        left_us = one.window.end_us - view.now_us
        band = project(one.standing.gone_nusd, costs, left_us, _DAY_US)
        return msgspec.structs.replace(one, band=band)


def _ends(window: Window, now_us: int, zone: ZoneInfo) -> Iterable[int]:
    """The ends of a window's days or hours up to the one that runs."""
    is_short = window.end_us - window.start_us <= _SHORT_US
    at_us = window.start_us
    while at_us <= now_us and at_us < window.end_us:
        hour = next_hour_us(at_us, zone)
        at_us = hour if is_short else _next_day_us(at_us, zone)
        yield min(at_us, window.end_us)


def _next_day_us(at_us: int, zone: ZoneInfo) -> int:
    today = local_time(day_start_us(at_us, zone), zone).date()
    return date_start_us(today + timedelta(days=1), zone)


def _has_one(budget: Budget) -> bool:
    """Whether it is for one subject."""
    return budget.scope == Scope.ORGANIZATION or (budget.scope_id != EACH and not budget.per_head)


def _organization_in(reads: DirectoryReads, organization_id: str) -> OrganizationRecord:
    organization = reads.organization(organization_id)
    if organization is None:
        raise NotFound("There is no such organization.", field="organization")
    return organization


def _pattern(budget: Budget) -> Subject:
    """Of a budget that several have, as whom to look for."""
    per_head = budget.scope == Scope.SQUAD and budget.per_head
    return Subject(budget.scope, budget.scope_id, EACH if per_head else "")


def _only(budget: Budget) -> Subject:
    return Subject(budget.scope, budget.scope_id)


def _made(view: _View, budget: Budget, subject: Subject, standing: Standing) -> BudgetStanding:
    window = view.window(budget)
    limit = limit_at(budget, view.raises[budget.budget_id], view.now_us, subject.text)
    return BudgetStanding(
        budget=budget,
        subject=subject,
        title=view.title(subject),
        window=window,
        resets_us=resets_us(budget, window, view.zone),
        limit_nusd=limit,
        raised_nusd=limit - budget.amount_nusd,
        standing=standing,
        applies=view.applies_to(subject),
    )
