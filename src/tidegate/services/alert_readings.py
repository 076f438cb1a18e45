"""The values that rules watch, as they are now."""

from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from tidegate.core.alerts import EACH, Reading, Rule, RuleKind, Scope
from tidegate.core.budget_words import hours_text
from tidegate.core.budgets import Budget, Subject, Window, WindowKind
from tidegate.core.calendar import HOUR_US, hour_start_us, local_time
from tidegate.core.model import Agent
from tidegate.services.budget_standings import BudgetStanding, Standings
from tidegate.store.alerts import HourSums
from tidegate.store.ports import Store

_FLAPPING: Final = 95  # percent of a threshold below which a rolling sum is over
_ERRORS_OVER: Final = 80
_BACKLOG_OVER: Final = 50
_WEEK_US: Final = 7 * 24 * HOUR_US
_LOST_US: Final = 24 * HOUR_US  # a machine that says nothing for so long will not come back
_MINUTE_US: Final = 60_000_000
_MAX_SUBJECT_CHARS: Final = 500
_FULL: Final = 100
_COLUMNS: Final = {
    Scope.ORGANIZATION: "",
    Scope.MEMBER: "member_id",
    Scope.KEY: "key_id",
    Scope.REPOSITORY: "repository",
}
_AGENTS: Final = {agent.value: agent.title for agent in Agent}


class Names(msgspec.Struct, frozen=True):
    """What ids of an organization are called."""

    organization: str
    members: dict[str, str]  # also who was removed
    removed: frozenset[str]
    owners: dict[str, str]  # the member of a key
    agents: dict[str, str]  # the agent of a key
    squads: dict[str, str]

    def key(self, key_id: str) -> str:
        """`Codex of Noah Kim`."""
        agent = _AGENTS.get(self.agents.get(key_id, ""), "A coding agent")
        member = self.members.get(self.owners.get(key_id, ""), "")
        return f"{agent} of {member}" if member else agent

    def of(self, scope: str, subject_id: str) -> str:
        """A subject by its scope."""
        match scope:
            case "organization":
                return self.organization
            case "member":
                return self.members.get(subject_id, "A member who is gone")
            case "key":
                return self.key(subject_id)
            case "squad":
                return self.squads.get(subject_id, "A squad that is gone")
            case "session":
                return f"Session {subject_id}"
        return subject_id

    def member_of(self, scope: str, subject_id: str) -> str:
        """Whom a subject is about."""
        if scope == Scope.MEMBER:
            return subject_id
        return self.owners.get(subject_id, "") if scope == Scope.KEY else ""

    def has(self, scope: str, subject_id: str) -> bool:
        """Whether a subject can still be used."""
        if scope == Scope.KEY:
            return subject_id in self.owners
        if scope == Scope.MEMBER:
            return subject_id in self.members and subject_id not in self.removed
        return True

    def a_budget(self, budget: Budget) -> str:
        """A budget as a whole."""
        whose = f"each {budget.scope}" if budget.scope_id == EACH else ""
        return budget.name or f"{whose or self.of(budget.scope, budget.scope_id)} ({budget.window})"

    def of_budget(self, budget: Budget, subject: Subject) -> str:
        """A budget's subject, and the budget if it has a name."""
        name = self.of(subject.scope, subject.id)
        if subject.member_id:
            name = f"{self.members.get(subject.member_id, 'A member')} ({name})"
        return f"{name} ({budget.name})" if budget.name else name


class Readings:
    """Reads what rules ask for. What is only held of a budget is not spent, and makes no alert."""

    def __init__(self, store: Store, standings: Standings) -> None:
        self._directory = store.directory
        self._usage = store.usage
        self._standings = standings

    def names(self, organization_id: str) -> Names:
        """What an organization's ids are called now."""
        with self._directory.reading() as reads:
            organization = reads.organization(organization_id)
            keys = reads.keys(organization_id)
            members = reads.members(organization_id)
            return Names(
                organization.name if organization else "",
                {m.member_id: m.name or m.email for m in members},
                frozenset(m.member_id for m in members if m.removed_us),
                {k.record.key_id: k.record.member_id for k in keys},
                {k.record.key_id: k.record.agent for k in keys},
                {s.squad_id: s.name for s in reads.squads(organization_id)},
            )

    def budget_names(self, organization_id: str, names: Names) -> dict[str, str]:
        """What an organization's budgets are called, by id."""
        with self._directory.reading() as reads:
            budgets = reads.budgets(organization_id)
        return {each.budget_id: names.a_budget(each) for each in budgets}

    def of(self, rules: Sequence[Rule], now_us: int) -> dict[str, list[Reading]]:
        """By rule. All rules are of one organization."""
        if not rules:
            return {}
        organization_id = rules[0].organization_id
        names = self.names(organization_id)
        zone = ZoneInfo(self._usage.time_zone(organization_id))
        lines: list[BudgetStanding] = []
        levels = [min(rule.thresholds) for rule in rules if rule.kind == RuleKind.BUDGET]
        if levels:
            lines = self._standings.now(organization_id, min(levels) * _FLAPPING // _FULL)
        return {
            rule.rule_id: [_budget(line, names, zone) for line in lines if _watches(rule, line)]
            if rule.kind == RuleKind.BUDGET
            else self._others(rule, names, zone, now_us)
            for rule in rules
        }

    def _others(self, rule: Rule, names: Names, zone: ZoneInfo, now_us: int) -> list[Reading]:
        match RuleKind(rule.kind):
            case RuleKind.BACKLOG:
                return self._backlog(now_us)
            case RuleKind.SILENCE:
                return self._silence(rule, zone, now_us)
            case RuleKind.PRICES:
                sums = self._sums(rule, "model", zone, now_us)
                return [
                    Reading(subject=_subject(model), name=model, value=each.price_unknown)
                    for model, each in sums.items()
                ]
        sums = self._sums(rule, _COLUMNS[Scope(rule.scope)], zone, now_us)
        if rule.scope != Scope.ORGANIZATION:
            sums = {key: each for key, each in sums.items() if key}
            if rule.scope_id != EACH:
                sums = {rule.scope_id: sums.get(rule.scope_id, HourSums())}
        make = _spend if rule.kind == RuleKind.SPEND else _errors
        return [
            msgspec.structs.replace(
                make(rule, each),
                subject=_subject(key) or "organization",
                name=names.of(rule.scope, key),
                member_id=names.member_of(rule.scope, key),
                gone=not names.has(rule.scope, key),
            )
            for key, each in sums.items()
        ]

    def _sums(self, rule: Rule, by: str, zone: ZoneInfo, now_us: int) -> dict[str, HourSums]:
        """This hour and those before."""
        start_us = hour_start_us(now_us, zone) - (max(1, rule.window_hours) - 1) * HOUR_US
        return self._usage.alert_sums.hours(
            rule.organization_id, by, hour_start_us(start_us, zone), now_us + HOUR_US
        )

    def _backlog(self, now_us: int) -> list[Reading]:
        """Of each machine; also of one that broke down before its spool was empty."""
        with self._directory.reading() as reads:
            backlogs = reads.backlogs()
        return [
            Reading(
                subject=each.place,
                name=f"Server {each.place}" if len(backlogs) > 1 else "",
                value=max(0, now_us - each.since_us) // _MINUTE_US,
                release=_BACKLOG_OVER,
                gone=now_us - each.at_us > _LOST_US,
            )
            for each in backlogs
        ]

    def _silence(self, rule: Rule, zone: ZoneInfo, now_us: int) -> list[Reading]:
        last_us = self._usage.alert_sums.last_use_us(rule.organization_id)
        if not last_us:
            return []
        hours = max(0, now_us - last_us) // HOUR_US
        usual = False
        if hours >= min(rule.thresholds):
            end_us = hour_start_us(now_us - _WEEK_US, zone)
            start_us = end_us - min(rule.thresholds) * HOUR_US
            before = self._usage.alert_sums.hours(rule.organization_id, "", start_us, end_us)
            usual = any(each.requests for each in before.values())
        return [Reading(subject="gateway", name="The gateway", value=hours, may_fire=usual)]


def _watches(rule: Rule, line: BudgetStanding) -> bool:
    return rule.scope_id in {EACH, line.budget.budget_id}


def _budget(line: BudgetStanding, names: Names, zone: ZoneInfo) -> Reading:
    budget, subject = line.budget, line.subject
    about = subject.member_id or names.member_of(subject.scope, subject.id)
    limit, spent = line.limit_nusd, line.standing.spent_nusd
    return Reading(
        subject=_subject(
            f"{budget.budget_id}/{subject.text}" if subject.text else budget.budget_id
        ),
        name=names.of_budget(budget, subject),
        member_id=about,
        value=spent * _FULL // limit if limit > 0 else _FULL,
        window=window_text(budget, line.window),
        window_name=_window_name(budget, line.window, zone),
        amount=spent,
        limit=limit,
        release=_FLAPPING if budget.window == WindowKind.ROLLING else _FULL,
        hard=budget.hard,
        gone=not line.applies,
    )


def window_text(budget: Budget, window: Window) -> str:
    """What a budget's window is known by; "" of one that rolls on."""
    return "" if budget.window == WindowKind.ROLLING else str(window.start_us)


def _window_name(budget: Budget, window: Window, zone: ZoneInfo) -> str:
    match WindowKind(budget.window):
        case WindowKind.ROLLING:
            return f"in {hours_text(budget.rolling_hours)}"
        case WindowKind.LIFETIME:
            return "in all"
    start = local_time(window.start_us, zone)
    if budget.window == WindowKind.MONTH:
        return f"in {start:%B %Y}"
    day = f"{start.day} {start:%b}"
    return f"on {day}" if budget.window == WindowKind.DAY else f"in the week of {day}"


def _spend(rule: Rule, sums: HourSums) -> Reading:
    del rule
    return Reading(subject="", value=sums.cost_nusd, amount=sums.cost_nusd, release=_FLAPPING)


def _errors(rule: Rule, sums: HourSums) -> Reading:
    """With too few requests nothing is told; once told, it is over only with half of them."""
    requests = sums.requests
    percent = sums.errors * _FULL // requests if requests * 2 >= rule.minimum and requests else 0
    return Reading(
        subject="",
        value=percent,
        amount=sums.errors,
        limit=requests,
        may_fire=requests >= rule.minimum,
        release=_ERRORS_OVER,
    )


def _subject(text: str) -> str:
    return text[:_MAX_SUBJECT_CHARS]
