"""Rules of alerts: made, changed and removed by admins; an organization starts with some."""

from collections.abc import Callable
from typing import Final

import msgspec

from tidegate.core.alerts import EACH, Ended, Memory, Rule, RuleKind, Scope, State
from tidegate.services import audit
from tidegate.services.audit import Action, Actor
from tidegate.services.context import Service
from tidegate.services.errors import Conflict, InvalidField, NotFound
from tidegate.services.fields import display_name
from tidegate.services.ids import new_id
from tidegate.store.alerts import AlertSettings, ChannelRecord
from tidegate.store.ports import DirectoryChange, DirectoryReads

MAX_RULES: Final = 50
MAX_THRESHOLDS: Final = 8
MAX_HOURS: Final = 24 * 31
_MAX_REQUESTS: Final = 1_000_000
_MAX_REPOSITORY_CHARS: Final = 500
_CENT_NUSD: Final = 10_000_000
_MOST: Final = {
    RuleKind.BUDGET: 1000,
    RuleKind.SPEND: 1_000_000 * 100 * _CENT_NUSD,
    RuleKind.ERRORS: 100,
    RuleKind.PRICES: 1_000_000,
    RuleKind.BACKLOG: 60 * 24 * 7,
    RuleKind.SILENCE: 24 * 6,  # what it was like a week before must be known
}
_SCOPED: Final = frozenset({RuleKind.SPEND, RuleKind.ERRORS})
_ROLLING: Final = frozenset({RuleKind.SPEND, RuleKind.ERRORS, RuleKind.PRICES})
_GONE: Final = "There is no such rule in this organization."


class RuleForm(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as someone wants it; see `tidegate.core.alerts.Rule`."""

    kind: str
    name: str = ""
    scope: str = "organization"
    scope_id: str = EACH
    thresholds: tuple[int, ...] = ()
    window_hours: int = 24
    minimum: int = 20
    enabled: bool = True


STANDARD: Final = (
    RuleForm(kind=RuleKind.BUDGET, thresholds=(50, 80, 100)),
    RuleForm(kind=RuleKind.ERRORS, thresholds=(20,), window_hours=1, minimum=20),
    RuleForm(kind=RuleKind.PRICES, thresholds=(1,), window_hours=24),
    RuleForm(kind=RuleKind.BACKLOG, thresholds=(10,)),
    RuleForm(kind=RuleKind.SILENCE, thresholds=(24,)),
)
"""What an organization starts with."""


class AlertRules(Service):
    """An organization's rules."""

    def list(self, organization_id: str) -> list[Rule]:
        """Oldest first."""
        self.set_up(organization_id)
        with self._directory.reading() as reads:
            return reads.alert_rules(organization_id)

    def get(self, organization_id: str, rule_id: str) -> Rule:
        """One of them."""
        with self._directory.reading() as reads:
            rule = reads.alert_rule(organization_id, rule_id)
        if rule is None:
            raise NotFound(_GONE)
        return rule

    def create(self, organization_id: str, form: RuleForm, *, actor: Actor) -> Rule:
        """Make a rule. What it watches is told from now on, also what is reached already."""
        self.set_up(organization_id)
        with self._directory.changing() as change:
            if len(change.alert_rules(organization_id)) >= MAX_RULES:
                raise Conflict(f"There are {MAX_RULES} rules. Remove one first.")
            rule = self._rule(change, organization_id, form, new_id("rule"))
            change.put_alert_rule(rule)
            self._audit(change, actor, "alert_rule.create", rule)
        return rule

    def update(self, organization_id: str, rule_id: str, form: RuleForm, *, actor: Actor) -> Rule:
        """Change a rule. Another subject, or switching it off, ends what is open."""
        with self._directory.changing() as change:
            before = change.alert_rule(organization_id, rule_id)
            if before is None:
                raise NotFound(_GONE)
            if form.kind != before.kind:
                raise InvalidField("A rule keeps its kind. Make a new one.", field="kind")
            after = self._rule(change, organization_id, form, rule_id, before.created_us)
            if msgspec.structs.replace(after, updated_us=before.updated_us) == before:
                return before
            moved = (after.scope, after.scope_id) != (before.scope, before.scope_id)
            if moved or not after.enabled:
                self._end_all(change, organization_id, rule_id)
            change.put_alert_rule(after)
            self._audit(change, actor, "alert_rule.update", after)
        return after

    def delete(self, organization_id: str, rule_id: str, *, actor: Actor) -> None:
        """Remove a rule; its alerts stay in the history."""
        with self._directory.changing() as change:
            rule = change.alert_rule(organization_id, rule_id)
            if rule is None:
                raise NotFound(_GONE)
            self._end_all(change, organization_id, rule_id)
            change.delete_alert_rule(organization_id, rule_id)
            self._audit(change, actor, "alert_rule.delete", rule)

    def settings(self, organization_id: str) -> AlertSettings:
        """Quiet hours and digest."""
        self.set_up(organization_id)
        with self._directory.reading() as reads:
            found = reads.alert_settings(organization_id)
        return found or AlertSettings(organization_id=organization_id)

    def set_settings(
        self,
        organization_id: str,
        *,
        quiet_from: int,
        quiet_to: int,
        digest: bool,
        actor: Actor,
    ) -> AlertSettings:
        """Set quiet hours, in minutes since midnight, and whether there is a digest."""
        for field, minute in (("quiet_from", quiet_from), ("quiet_to", quiet_to)):
            if not 0 <= minute < 24 * 60:
                raise InvalidField("Write a time of day like 22:00.", field=field)
        self.set_up(organization_id)
        record = AlertSettings(
            organization_id=organization_id,
            quiet_from=quiet_from,
            quiet_to=quiet_to,
            digest=digest,
            updated_us=self._clock(),
        )
        with self._directory.changing() as change:
            change.put_alert_settings(record)
            quiet = f"{_time(quiet_from)}-{_time(quiet_to)}" if quiet_from != quiet_to else "none"
            detail = {"quiet_hours": quiet, "digest": "yes" if digest else "no"}
            action = Action("alert_settings.set", organization_id, organization_id, detail)
            audit.record(change, actor, action, self._clock())
        return record

    def set_up(self, organization_id: str) -> None:
        """Give an organization what it starts with, once."""
        with self._directory.reading() as reads:
            if reads.alert_settings(organization_id) is not None:
                return
        with self._directory.changing() as change:
            if change.alert_settings(organization_id) is not None:
                return
            if change.organization(organization_id) is None:
                raise NotFound("There is no such organization.")
            now_us = self._clock()
            change.put_alert_settings(
                AlertSettings(organization_id=organization_id, updated_us=now_us)
            )
            for form in STANDARD:
                rule = self._rule(change, organization_id, form, new_id("rule"))
                change.put_alert_rule(rule)
            change.put_channel(
                ChannelRecord(
                    channel_id=new_id("chan"),
                    organization_id=organization_id,
                    kind="email",
                    name="Admins by email",
                    target="admins",
                    created_us=now_us,
                    updated_us=now_us,
                )
            )

    def checked(self, organization_id: str, form: RuleForm) -> Rule:
        """The rule that a form would make, or its first fault; nothing is stored."""
        with self._directory.reading() as reads:
            return self._rule(reads, organization_id, form, "rule_new")

    def _rule(
        self,
        reads: DirectoryReads,
        organization_id: str,
        form: RuleForm,
        rule_id: str,
        created_us: int = 0,
    ) -> Rule:
        if form.kind not in list(RuleKind):
            raise InvalidField(f"Choose one of {', '.join(RuleKind)}.", field="kind")
        kind = RuleKind(form.kind)
        scope, scope_id = _subject(reads, organization_id, form, kind)
        return Rule(
            rule_id=rule_id,
            organization_id=organization_id,
            kind=kind,
            name=display_name(form.name, field="name") if form.name.strip() else "",
            scope=scope,
            scope_id=scope_id,
            thresholds=_thresholds(form, kind),
            window_hours=_within(form.window_hours, MAX_HOURS, "window_hours", "hours")
            if kind in _ROLLING
            else 0,
            minimum=_within(form.minimum, _MAX_REQUESTS, "minimum", "requests")
            if kind is RuleKind.ERRORS
            else 0,
            enabled=form.enabled,
            created_us=created_us or self._clock(),
            updated_us=self._clock(),
        )

    def _end_all(self, change: DirectoryChange, organization_id: str, rule_id: str) -> None:
        """What is open of a rule is over, and may be told anew if the rule is switched on."""
        for state in change.alert_states(organization_id, rule_id):
            if state.alert_id and (alert := change.alert(organization_id, state.alert_id)):
                ended = {"ended_us": self._clock(), "ended": Ended.RULE, "ended_value": alert.value}
                change.update_alert(msgspec.structs.replace(alert, **ended))
            change.put_alert_state(_rearmed(state))

    def _audit(self, change: DirectoryChange, actor: Actor, name: str, rule: Rule) -> None:
        detail = {
            "name": rule.name,
            "kind": rule.kind,
            "scope": rule.scope,
            "scope_id": rule.scope_id,
            "thresholds": ", ".join(map(str, rule.thresholds)),
            "enabled": "yes" if rule.enabled else "no",
        }
        action = Action(name, rule.organization_id, rule.rule_id, detail)
        audit.record(change, actor, action, self._clock())


def _subject(
    reads: DirectoryReads, organization_id: str, form: RuleForm, kind: RuleKind
) -> tuple[str, str]:
    """Scope and id, known in the organization."""
    scope_id = form.scope_id.strip() or EACH
    if kind is RuleKind.BUDGET:
        if scope_id != EACH and reads.budget(organization_id, scope_id) is None:
            raise InvalidField("There is no such budget.", field="scope_id")
        return "organization", scope_id
    if kind not in _SCOPED:
        return "organization", EACH
    if form.scope not in list(Scope):
        raise InvalidField(f"Choose one of {', '.join(Scope)}.", field="scope")
    scope = Scope(form.scope)
    if scope is Scope.ORGANIZATION or scope_id == EACH:
        return scope, EACH
    known: dict[Scope, Callable[[], bool]] = {
        Scope.MEMBER: lambda: reads.member(organization_id, scope_id) is not None,
        Scope.KEY: lambda: reads.key(organization_id, scope_id) is not None,
        Scope.REPOSITORY: lambda: len(scope_id) <= _MAX_REPOSITORY_CHARS and scope_id.isprintable(),
    }
    if not known[scope]():
        raise InvalidField(f"There is no such {scope}.", field="scope_id")
    return scope, scope_id


def _thresholds(form: RuleForm, kind: RuleKind) -> tuple[int, ...]:
    levels = tuple(sorted(set(form.thresholds)))
    if not 1 <= len(levels) <= MAX_THRESHOLDS:
        raise InvalidField(f"Give one to {MAX_THRESHOLDS} thresholds.", field="thresholds")
    if levels[0] < 1 or levels[-1] > _MOST[kind]:
        raise InvalidField("A threshold is too low or too high.", field="thresholds")
    return levels


def _within(value: int, most: int, field: str, unit: str) -> int:
    if not 1 <= value <= most:
        raise InvalidField(f"Choose 1 to {most:,} {unit}.", field=field)
    return value


def _rearmed(state: State) -> State:
    memories = tuple(Memory(m.window, 0, m.rearmed + 1) for m in state.memories)
    return msgspec.structs.replace(state, memories=memories, alert_id="")


def _time(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
