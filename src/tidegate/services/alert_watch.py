"""Looking whether alerts are due: a reading of each rule, a step of each state.

The state, the alert and its messages are written in one transaction, and a crossing has a name
that is unique, so that neither a restart nor a second console tells it again.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from tidegate.core.alerts import (
    Ended,
    Reading,
    Rule,
    RuleKind,
    State,
    Step,
    crossing,
    leave,
    step,
)
from tidegate.core.budgets import Scope as BudgetScope
from tidegate.core.budgets import window_of
from tidegate.core.model import OrganizationRecord
from tidegate.services.alert_messages import Event, Message, Subject
from tidegate.services.alert_outbox import address
from tidegate.services.alert_readings import Readings, window_text
from tidegate.services.alert_rules import AlertRules
from tidegate.services.alert_words import (
    ended_sentence,
    fired_sentence,
    moment_text,
    rule_title,
)
from tidegate.services.context import Clock, Service, now_us
from tidegate.services.ids import new_id
from tidegate.services.vault import Subkeys
from tidegate.store.alerts import AlertRecord, Backlog
from tidegate.store.ports import DirectoryChange, DirectoryReads, Store

LEASE_US: Final = 60_000_000
_LEASE: Final = "alerts"
_EMPTY_US: Final = 60_000_000
_FORGOTTEN_US: Final = 2 * 86_400_000_000  # its alert ended a day ago
_ALL: Final = 100  # percent of a budget


class Spool(msgspec.Struct, frozen=True):
    """The spool of this console's machine."""

    place: str = "here"
    behind_us: Callable[[int], int] = lambda _now_us: 0


LOCAL: Final = Spool()


class AlertWatch(Service):
    """One look at an organization's rules. Of several consoles one has the lease."""

    def __init__(
        self,
        store: Store,
        subkeys: Subkeys,
        clock: Clock = now_us,
        *,
        readings: Readings,
        public_url: str,
        spool: Spool = LOCAL,
    ) -> None:
        super().__init__(store, subkeys, clock)
        self._readings = readings
        self._rules = AlertRules(store, subkeys, clock)
        self._public_url = public_url.rstrip("/")
        self._spool = spool
        self._holder = new_id("hold")

    def note_backlog(self) -> None:
        """Say how far the ledger is behind this console's spool, whichever console looks."""
        now_us = self._clock()
        since_us = now_us - self._spool.behind_us(now_us)
        with self._directory.changing() as change:
            change.put_backlog(Backlog(self._spool.place, since_us, now_us))
            for each in change.backlogs():
                if now_us - each.at_us > _FORGOTTEN_US:
                    change.delete_backlog(each.place)

    def leave(self) -> None:
        """Nothing comes into this console's spool any more; if it is empty, it is not watched."""
        if self._spool.behind_us(self._clock()) < _EMPTY_US:
            with self._directory.changing() as change:
                change.delete_backlog(self._spool.place)

    def may_look(self) -> bool:
        """Whether it is this console's turn, as it stays while it looks every minute."""
        with self._directory.changing() as change:
            return self._has_lease(change)

    def organizations(self) -> list[str]:
        """Whose rules there are to look at."""
        with self._directory.reading() as reads:
            return [each.organization_id for each in reads.organizations()]

    def look(self, organization_id: str) -> int:
        """Read and step; what changed is written down: how many alerts are new."""
        self._rules.set_up(organization_id)
        now_us = self._clock()
        with self._directory.reading() as reads:
            rules = [rule for rule in reads.alert_rules(organization_id) if rule.enabled]
            states = reads.alert_states(organization_id)
            budgets = _lasting(reads, organization_id, now_us)
        readings = self._readings.of(rules, now_us)
        if not any(_changes(rules, states, readings, budgets, now_us)):
            return 0
        with self._directory.changing() as change:
            organization = change.organization(organization_id)
            if organization is None or not self._has_lease(change):
                return 0  # another console looks, and knows better
            states = change.alert_states(organization_id)
            current = [r for r in rules if change.alert_rule(organization_id, r.rule_id) == r]
            writer = _Writer(change, organization, self._public_url, now_us)
            budgets = _lasting(change, organization_id, now_us)
            changes = _changes(current, states, readings, budgets, now_us)
            return sum(writer.write(each) for each in changes)

    def _has_lease(self, change: DirectoryChange) -> bool:
        now_us = self._clock()
        return change.take_lease(_LEASE, self._holder, now_us, now_us + LEASE_US)


class _Change(msgspec.Struct, frozen=True, kw_only=True):
    """A step that changes something."""

    rule: Rule
    before: State
    reading: Reading
    taken: Step
    is_last: bool = False  # nothing need be known of the subject any more


def _changes(
    rules: Iterable[Rule],
    states: Iterable[State],
    readings: dict[str, list[Reading]],
    budgets: dict[str, str],
    now_us: int,
) -> Iterator[_Change]:
    known: dict[str, dict[str, State]] = {}
    for state in states:
        known.setdefault(state.rule_id, {})[state.subject] = state
    for rule in rules:
        mine = dict(known.get(rule.rule_id, {}))
        for reading in readings.get(rule.rule_id, []):
            new = State(
                rule_id=rule.rule_id,
                organization_id=rule.organization_id,
                subject=reading.subject,
            )
            state = mine.pop(reading.subject, new)
            taken = step(state, rule.thresholds, reading, now_us)
            if taken.state != state:
                yield _Change(rule=rule, before=state, reading=reading, taken=taken)
        for state in mine.values():
            made = _without_reading(rule, state, budgets, now_us)
            if made.is_last or made.taken.state != state:
                yield made


def _without_reading(rule: Rule, state: State, budgets: dict[str, str], now_us: int) -> _Change:
    """Too little was spent of it, most often as a budget's window is another; or it is gone."""
    reading = Reading(subject=state.subject, value=0, window=_window(state))
    budget_id = state.subject.partition("/")[0]
    is_last = False
    if rule.kind == RuleKind.BUDGET and budget_id not in budgets:
        taken = leave(state, Ended.GONE)
        is_last = not state.is_silent(now_us)
    elif rule.kind == RuleKind.BUDGET and reading.window not in {"", budgets[budget_id]}:
        taken = leave(state, Ended.WINDOW)
    else:
        taken = step(state, rule.thresholds, reading, now_us)
    return _Change(rule=rule, before=state, reading=reading, taken=taken, is_last=is_last)


def _lasting(reads: DirectoryReads, organization_id: str, now_us: int) -> dict[str, str]:
    """The windows that run of the budgets whose subjects stay: a session is at rest some day."""
    organization = reads.organization(organization_id)
    if organization is None:
        return {}
    zone, week_start = ZoneInfo(organization.time_zone), organization.week_start
    return {
        budget.budget_id: window_text(budget, window_of(budget, now_us, zone, week_start))
        for budget in reads.budgets(organization_id)
        if budget.scope != BudgetScope.SESSION
    }


def _window(state: State) -> str:
    return state.memories[-1].window if state.memories else ""


class _Writer:
    """Writes steps down, in one transaction."""

    def __init__(
        self,
        change: DirectoryChange,
        organization: OrganizationRecord,
        public_url: str,
        now_us: int,
    ) -> None:
        self._change = change
        self._organization = organization
        self._zone = ZoneInfo(organization.time_zone)
        self._public_url = public_url
        self._now_us = now_us

    def write(self, made: _Change) -> int:
        """How many alerts are new."""
        rule, reading, taken = made.rule, made.reading, made.taken
        state, new = taken.state, 0
        before = self._open(made.before)
        silent = state.is_silent(self._now_us)
        if taken.ended and before is not None:
            self._end(rule, before, taken, reading, silent=silent)
        if taken.fired:
            record = self._record(rule, reading, taken, silent=silent)
            if self._change.add_alert(record):
                new = 1
                state = msgspec.structs.replace(state, alert_id=record.alert_id)
                if not silent:
                    self._tell(rule, record, Event.FIRED)
        elif taken.reminded and before is not None:
            self._tell(rule, before, Event.REMINDER)
        if made.is_last:
            self._change.delete_alert_state(state)
        else:
            self._change.put_alert_state(state)
        return new

    def _open(self, state: State) -> AlertRecord | None:
        if not state.alert_id:
            return None
        return self._change.alert(state.organization_id, state.alert_id)

    def _end(
        self, rule: Rule, before: AlertRecord, taken: Step, reading: Reading, *, silent: bool
    ) -> None:
        ended = msgspec.structs.replace(
            before, ended_us=self._now_us, ended=taken.ended, ended_value=reading.value
        )
        self._change.update_alert(ended)
        if taken.ended == Ended.BELOW and not silent and not before.silenced:
            self._tell(rule, ended, Event.ENDED)

    def _record(self, rule: Rule, reading: Reading, taken: Step, *, silent: bool) -> AlertRecord:
        return AlertRecord(
            alert_id=new_id("alert"),
            organization_id=rule.organization_id,
            rule_id=rule.rule_id,
            kind=rule.kind,
            subject=reading.subject,
            subject_name=reading.name,
            member_id=reading.member_id,
            crossing=crossing(reading, taken.fired, taken.rearmed),
            threshold=taken.fired,
            value=reading.value,
            amount=reading.amount,
            limit=reading.limit,
            sentence=fired_sentence(rule, reading, taken.fired, taken.passed),
            critical=rule.kind == RuleKind.BUDGET and taken.fired >= _ALL,
            at_us=self._now_us,
            silenced=silent,
        )

    def _tell(self, rule: Rule, record: AlertRecord, event: Event) -> None:
        title = rule_title(rule)
        name = record.subject_name
        words = {
            Event.FIRED: (f"{title}: {name}", record.sentence),
            Event.REMINDER: (f"Still: {title}: {name}", record.sentence),
            Event.ENDED: (
                f"Ended: {title}: {name}",
                ended_sentence(rule, name, record.threshold, record.ended_value),
            ),
        }
        heading, sentence = words[event]
        facts = [("Reached", moment_text(record.at_us, self._zone))]
        if event is Event.ENDED:
            facts.append(("Ended", moment_text(record.ended_us, self._zone)))
        message = Message(
            event=event,
            organization_id=record.organization_id,
            organization=self._organization.name,
            title=heading.removesuffix(": "),
            paragraphs=(sentence,),
            facts=tuple(facts),
            link=f"{self._public_url}/alerts/{record.alert_id}",
            made_at=utc_text(self._now_us),
            alert=_subject(record),
        )
        source = record.alert_id
        if event is Event.REMINDER:
            source = f"{record.alert_id}:{self._now_us}"
        self._change.add_deliveries(
            address(self._change, message, source, record, now_us=self._now_us)
        )


def utc_text(at_us: int) -> str:
    """ISO 8601 in UTC."""
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).isoformat().replace("+00:00", "Z")


def _subject(record: AlertRecord) -> Subject:
    return Subject(
        id=record.alert_id,
        rule_id=record.rule_id,
        kind=record.kind,
        subject=record.subject,
        subject_name=record.subject_name,
        member_id=record.member_id,
        threshold=record.threshold,
        value=record.value,
        amount=record.amount,
        limit=record.limit,
        fired_at=utc_text(record.at_us),
        ended_at=utc_text(record.ended_us) if record.ended_us else None,
    )
