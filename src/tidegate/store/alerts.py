"""What is stored of alerts: rules, what is known of each subject, history, channels, messages."""

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from tidegate.core.alerts import Rule, State


class AlertSettings(msgspec.Struct, frozen=True, kw_only=True):
    """An organization's quiet hours and digest. Without any its alerts were never set up."""

    organization_id: str
    quiet_from: int = 0  # minutes since midnight; equal: no quiet hours
    quiet_to: int = 0
    digest: bool = True
    updated_us: int = 0


class AlertRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One crossing of one threshold, with the values of that moment. It is never deleted."""

    alert_id: str
    organization_id: str
    rule_id: str
    kind: str  # RuleKind
    subject: str
    subject_name: str
    member_id: str = ""  # whom it is about
    crossing: str  # unique for rule and subject
    threshold: int
    value: int
    amount: int = 0
    limit: int = 0
    sentence: str
    critical: bool = False
    at_us: int
    silenced: bool = False  # muted or snoozed then: no message was sent
    ended_us: int = 0
    ended: str = ""  # Ended
    ended_value: int = 0
    acknowledged_us: int = 0
    acknowledged_by: str = ""


class ChannelRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Where messages go. What is secret of it is AES-256-GCM ciphertext."""

    channel_id: str
    organization_id: str
    kind: str  # ChannelKind
    name: str
    target: str  # what may be shown: addresses, or the host of a URL
    ciphertext: bytes = b""
    enabled: bool = True
    sends_ended: bool = True  # also when an alert is over
    to_members: bool = False  # of mail: also to whom an alert is about
    created_us: int
    updated_us: int = 0
    sent_us: int = 0  # the last success
    failed_us: int = 0  # the last failure
    fault: str = ""  # its sentence


class DeliveryRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A message on its way to one receiver, or that arrived, or was given up."""

    delivery_id: str
    organization_id: str
    channel_id: str  # "": the organization's mail server, to who need not be on any channel
    event: str  # Event
    source: str  # the alert, digest or request; with event, channel and receiver it is unique
    receiver: str = ""  # an address; "": the channel's
    message: bytes  # what is told, with the values of that moment
    critical: bool = False
    created_us: int
    next_us: int  # the next attempt
    attempts: int = 0
    done_us: int = 0
    failed_us: int = 0  # when it was given up
    fault: str = ""  # of the last attempt


class AlertFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which alerts; what is empty does not matter."""

    state: str = ""  # open, acknowledged (and open) or ended
    rule_id: str = ""
    subject: str = ""
    member_id: str = ""


EVERY_ALERT: Final = AlertFilter()


class Backlog(msgspec.Struct, frozen=True):
    """How far the ledger is behind the spool of one machine."""

    place: str  # the spool's name
    since_us: int  # what was written there until then the ledger has
    at_us: int  # when its console said so


class HourSums(msgspec.Struct, frozen=True):
    """What the requests of some hours come to."""

    requests: int = 0
    errors: int = 0  # cancelled ones are none
    price_unknown: int = 0
    cost_nusd: int = 0  # billed; what subscriptions are worth is not part of it


class AlertSums(Protocol):
    """Part of `tidegate.store.ports.UsageStore`."""

    def hours(
        self, organization_id: str, by: str, start_us: int, end_us: int
    ) -> dict[str, HourSums]:
        """Hours that begin within [start, end), by a column of theirs; "": all as one."""
        ...

    def last_use_us(self, organization_id: str) -> int:
        """When the last request was; 0: never."""
        ...


class AlertReads(Protocol):
    """Part of `tidegate.store.ports.DirectoryReads`."""

    def alert_settings(self, organization_id: str) -> AlertSettings | None: ...
    def alert_rules(self, organization_id: str) -> list[Rule]:
        """Oldest first."""

    def alert_rule(self, organization_id: str, rule_id: str) -> Rule | None: ...
    def alert_states(self, organization_id: str, rule_id: str = "") -> list[State]: ...
    def alerts(
        self,
        organization_id: str,
        only: AlertFilter = EVERY_ALERT,
        *,
        before: str = "",
        limit: int = 50,
    ) -> list[AlertRecord]:
        """Newest first."""

    def alert(self, organization_id: str, alert_id: str) -> AlertRecord | None: ...
    def alerts_between(
        self, organization_id: str, start_us: int, end_us: int
    ) -> list[AlertRecord]: ...
    def waiting_alerts(self, organization_id: str, now_us: int, member_id: str = "") -> int:
        """Open ones that nobody acknowledged, snoozed or muted."""

    def channels(self, organization_id: str) -> list[ChannelRecord]:
        """Oldest first."""

    def channel(self, organization_id: str, channel_id: str) -> ChannelRecord | None: ...
    def deliveries(
        self, organization_id: str, channel_id: str | None = None, limit: int = 50
    ) -> list[DeliveryRecord]:
        """Newest first; of all channels or of one, "" being none."""

    def has_digest(self, organization_id: str, first: str, last: str) -> bool:
        """Of a week that began on a day within these."""

    def backlogs(self) -> list[Backlog]:
        """Of all machines that did not end in order."""

    def due_organizations(self, now_us: int, latest_us: int) -> dict[str, bool]:
        """Of all: which have messages to send, and whether a critical one; one due after
        `latest_us` was set by a clock that jumped."""


class AlertChange(AlertReads, Protocol):
    """Part of `tidegate.store.ports.DirectoryChange`."""

    def take_lease(self, name: str, holder: str, now_us: int, until_us: int) -> bool:
        """Have it until then, unless another has it."""

    def put_backlog(self, record: Backlog) -> None: ...
    def delete_backlog(self, place: str) -> None: ...
    def put_alert_settings(self, record: AlertSettings) -> None: ...
    def put_alert_rule(self, rule: Rule) -> None: ...
    def delete_alert_rule(self, organization_id: str, rule_id: str) -> None:
        """With what is known of its subjects; the history stays."""

    def put_alert_state(self, state: State) -> None: ...
    def delete_alert_state(self, state: State) -> None: ...
    def add_alert(self, record: AlertRecord) -> bool:
        """False if this crossing was told already."""

    def update_alert(self, record: AlertRecord) -> None: ...
    def put_channel(self, record: ChannelRecord) -> None: ...
    def delete_channel(self, organization_id: str, channel_id: str) -> None:
        """With its messages."""

    def add_deliveries(self, records: Sequence[DeliveryRecord]) -> None:
        """Those that are not there yet."""

    def update_delivery(self, record: DeliveryRecord) -> None: ...
    def claim_deliveries(
        self,
        organization_id: str,
        now_us: int,
        *,
        latest_us: int,
        until_us: int,
        only_critical: bool,
        limit: int,
    ) -> list[DeliveryRecord]:
        """What is due and nobody is at, with one attempt more; claimed until then."""

    def delete_old_deliveries(self, before_us: int) -> None: ...
    def add_digest(self, organization_id: str, week: str, at_us: int) -> bool:
        """False if that week had its digest."""
