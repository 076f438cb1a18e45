"""The alerts there are and were: who may see which, and what an admin does about them."""

from typing import Final

import msgspec

from tidegate.core.alerts import MAX_SNOOZE_US, State, is_snoozed
from tidegate.core.model import Role
from tidegate.services import audit
from tidegate.services.alert_delivery import AlertDelivery
from tidegate.services.alert_messages import ChannelKind, Event, Message
from tidegate.services.alert_outbox import ADMINS
from tidegate.services.audit import Action, Actor
from tidegate.services.context import Clock, Service, now_us
from tidegate.services.errors import InvalidField, NotFound
from tidegate.services.ids import new_id
from tidegate.services.logins import Viewer
from tidegate.services.vault import Subkeys
from tidegate.store.alerts import AlertFilter, AlertRecord, ChannelRecord
from tidegate.store.ports import DirectoryChange, Store

STATES: Final = ("open", "acknowledged", "ended")
SNOOZES_H: Final = {"1h": 1, "1d": 24, "1w": 24 * 7}
_HOUR_US: Final = 3_600_000_000
_GONE: Final = "There is no such alert in this organization."


class AlertView(msgspec.Struct, frozen=True):
    """An alert with how its subject stands."""

    record: AlertRecord
    state: str  # open, acknowledged, snoozed, muted or ended
    snoozed_until_us: int = 0
    muted: bool = False  # its subject


class AlertPage(msgspec.Struct, frozen=True):
    """Part of the history. `next` is where the next one begins, empty on the last."""

    alerts: list[AlertView]
    next: str


class TestDelivery(msgspec.Struct, frozen=True):
    """Whether a test message was taken; `fault` is a sentence where it was not."""

    sent: bool
    fault: str


class AlertDecisions(Service):
    """What an admin does about an alert."""

    def acknowledge(self, organization_id: str, alert_id: str, *, actor: Actor) -> None:
        """Someone looks after it: it counts as waiting no longer."""
        with self._directory.changing() as change:
            record = _known(change.alert(organization_id, alert_id))
            if record.acknowledged_us:
                return
            seen = {"acknowledged_us": self._clock(), "acknowledged_by": actor.who}
            change.update_alert(msgspec.structs.replace(record, **seen))
            self._audit(change, actor, "alert.acknowledge", record)

    def snooze(self, organization_id: str, alert_id: str, hours: int, *, actor: Actor) -> None:
        """No message about its subject by its rule for so long; then one, if it is not over."""
        if not 0 < hours * _HOUR_US <= MAX_SNOOZE_US:
            raise InvalidField("Choose 1 hour to 31 days.", field="hours")
        with self._directory.changing() as change:
            record = _known(change.alert(organization_id, alert_id))
            until_us = self._clock() + hours * _HOUR_US
            state = _state(change, record)
            change.put_alert_state(msgspec.structs.replace(state, snoozed_until_us=until_us))
            self._audit(change, actor, "alert.snooze", record, hours=str(hours))

    def mute(self, organization_id: str, alert_id: str, *, muted: bool, actor: Actor) -> None:
        """No message about its subject by its rule, until that is taken back."""
        with self._directory.changing() as change:
            record = _known(change.alert(organization_id, alert_id))
            state = _state(change, record)
            silent = {"muted": muted, "snoozed_until_us": 0}
            change.put_alert_state(msgspec.structs.replace(state, **silent))
            name = "alert.mute" if muted else "alert.unmute"
            self._audit(change, actor, name, record)

    def _audit(
        self, change: DirectoryChange, actor: Actor, name: str, record: AlertRecord, **more: str
    ) -> None:
        detail = {"sentence": record.sentence, **more}
        action = Action(name, record.organization_id, record.alert_id, detail)
        audit.record(change, actor, action, self._clock())


class Alerts(AlertDecisions):
    """Members see what is about them; admins see all, and act."""

    def __init__(
        self,
        store: Store,
        subkeys: Subkeys,
        clock: Clock = now_us,
        *,
        delivery: AlertDelivery,
        public_url: str,
    ) -> None:
        super().__init__(store, subkeys, clock)
        self._delivery = delivery
        self._public_url = public_url.rstrip("/")

    def page(
        self,
        viewer: Viewer,
        *,
        state: str = "",
        rule_id: str = "",
        subject: str = "",
        before: str = "",
        limit: int = 50,
    ) -> AlertPage:
        """Newest first."""
        if state and state not in STATES:
            raise InvalidField(f"Choose one of {', '.join(STATES)}.", field="state")
        member_id = _only(viewer)
        only = AlertFilter(state=state, rule_id=rule_id, subject=subject, member_id=member_id)
        with self._directory.reading() as reads:
            found = reads.alerts(viewer.organization_id, only, before=before, limit=limit + 1)
            states = reads.alert_states(viewer.organization_id)
        shown = found[:limit]
        after = shown[-1].alert_id if len(found) > limit else ""
        return AlertPage([self._view(each, states) for each in shown], after)

    def get(self, viewer: Viewer, alert_id: str) -> AlertView:
        """One of them."""
        with self._directory.reading() as reads:
            record = reads.alert(viewer.organization_id, alert_id)
            if record is None or _only(viewer) not in {"", record.member_id}:
                raise NotFound(_GONE)
            return self._view(record, reads.alert_states(viewer.organization_id, record.rule_id))

    def waiting(self, viewer: Viewer) -> int:
        """How many are open, and neither acknowledged nor silenced."""
        with self._directory.reading() as reads:
            return reads.waiting_alerts(viewer.organization_id, self._clock(), _only(viewer))

    def test(
        self, organization_id: str, channel_id: str, *, to: str = "", actor: Actor
    ) -> TestDelivery:
        """Send a test message by a channel. Takes seconds: not for an event loop."""
        with self._directory.reading() as reads:
            channel = reads.channel(organization_id, channel_id)
            organization = reads.organization(organization_id)
        if channel is None or organization is None:
            raise NotFound("There is no such channel in this organization.")
        message = Message(
            event=Event.TEST,
            organization_id=organization_id,
            organization=organization.name,
            title="Tidegate can reach this channel",
            paragraphs=("This is the test message that you asked for. Alerts arrive here.",),
            link=f"{self._public_url}/alerts",
        )
        faults = (
            self._delivery.send(channel, message, receiver=receiver, delivery_id=new_id("dlv"))
            for receiver in _test_receivers(channel, to)
        )
        fault = next((each for each in faults if each), "")  # the first ends it: each takes seconds
        with self._directory.changing() as change:
            now = change.channel(organization_id, channel_id)
            if now is not None:
                at_us = self._clock()
                noted = {"failed_us": at_us, "fault": fault} if fault else {"sent_us": at_us}
                change.put_channel(msgspec.structs.replace(now, **noted))
            detail = {"name": channel.name, "sent": "no" if fault else "yes"}
            action = Action("alert_channel.test", organization_id, channel_id, detail)
            audit.record(change, actor, action, self._clock())
        return TestDelivery(not fault, fault)

    def _view(self, record: AlertRecord, states: list[State]) -> AlertView:
        state = next(
            (s for s in states if (s.rule_id, s.subject) == (record.rule_id, record.subject)), None
        )
        muted = state is not None and state.muted
        until_us = state.snoozed_until_us if state is not None else 0
        if not is_snoozed(until_us, self._clock()):
            until_us = 0
        if record.ended_us:
            word = "ended"
        elif muted:
            word = "muted"
        elif until_us:
            word = "snoozed"
        else:
            word = "acknowledged" if record.acknowledged_us else "open"
        return AlertView(record, word, until_us, muted)


def _only(viewer: Viewer) -> str:
    """Whose alerts are shown; empty for everyone's."""
    return viewer.member_id if viewer.role == Role.MEMBER else ""


def _known(record: AlertRecord | None) -> AlertRecord:
    if record is None:
        raise NotFound(_GONE)
    return record


def _state(change: DirectoryChange, record: AlertRecord) -> State:
    """What its rule knows of its subject; NotFound if the rule is gone."""
    rule = change.alert_rule(record.organization_id, record.rule_id)
    if rule is None:
        raise NotFound("The rule of this alert was removed.")
    states = change.alert_states(record.organization_id, record.rule_id)
    new = State(
        rule_id=record.rule_id, organization_id=record.organization_id, subject=record.subject
    )
    return next((state for state in states if state.subject == record.subject), new)


def _test_receivers(channel: ChannelRecord, to: str) -> list[str]:
    if channel.kind != ChannelKind.EMAIL:
        return [""]
    return [to] if channel.target == ADMINS else channel.target.split(", ")
