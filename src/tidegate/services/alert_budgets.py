"""How budgets stand, for the rules that watch them."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from tidegate.core.budgets import (
    EACH,
    Budget,
    Envelope,
    Scope,
    Subject,
    limit_at,
    subject_from,
    window_of,
)
from tidegate.services.alert_readings import BudgetLine
from tidegate.store.ports import Store


class BudgetStandings:
    """Reads the ledger's sums. What is only held is not spent, and makes no alert."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, organization_id: str, now_us: int) -> list[BudgetLine]:
        with self._store.directory.reading() as reads:
            organization = reads.organization(organization_id)
            budgets = reads.budgets(organization_id)
            raises = reads.raises(organization_id) if budgets else []
        if organization is None:
            return []
        zone = ZoneInfo(organization.time_zone)
        envelopes = {
            budget: Envelope(
                budget.budget_id,
                _whose(budget),
                window_of(budget, now_us, zone, organization.week_start),
                budget.counts_subscription,
            )
            for budget in budgets
        }
        return [
            BudgetLine(
                budget=budget,
                subject=subject,
                window=envelopes[budget].window,
                limit_nusd=limit_at(budget, raises, now_us, subject.text),
                spent_nusd=spent_nusd,
            )
            for budget, subject, spent_nusd in self._spent(organization_id, envelopes)
        ]

    def _spent(
        self, organization_id: str, envelopes: dict[Budget, Envelope]
    ) -> Iterator[tuple[Budget, Subject, int]]:
        holds = self._store.holds
        many = {budget: each for budget, each in envelopes.items() if _is_of_many(budget)}
        one = {budget: each for budget, each in envelopes.items() if budget not in many}
        if one:
            standings = holds.standings(organization_id, list(one.values()))
            for (budget, envelope), standing in zip(one.items(), standings, strict=True):
                yield budget, envelope.subject, standing.spent_nusd
        if many:
            found = holds.subjects(organization_id, list(many.values()))
            for budget, of_each in zip(many, found, strict=True):
                for text, standing in of_each.items():
                    yield budget, subject_from(budget, text), standing.spent_nusd


def _is_of_many(budget: Budget) -> bool:
    return budget.scope_id == EACH or (budget.per_head and budget.scope == Scope.SQUAD)


def _whose(budget: Budget) -> Subject:
    """The subject of a budget; of one for each, or per head, the pattern of them."""
    if budget.scope == Scope.ORGANIZATION:
        return Subject(budget.scope)
    per_head = budget.per_head and budget.scope == Scope.SQUAD
    return Subject(budget.scope, budget.scope_id, EACH if per_head else "")
