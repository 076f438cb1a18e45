"""Alerts: what was reached, the rules that watch, and the channels that tell."""

from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from tidegate.console.access import Need
from tidegate.console.api_v1.operation import Call, NoBody, NoQuery
from tidegate.console.api_v1.paging import Page, PageQuery, read_cursor, write_cursor
from tidegate.console.api_v1.table import act, create, delete, get, put
from tidegate.console.api_v1.times import Time, time, time_or_none
from tidegate.core.alerts import EACH, Rule, RuleKind, Scope
from tidegate.services.alert_channels import ChannelForm
from tidegate.services.alert_messages import ChannelKind
from tidegate.services.alert_outbox import ADMINS
from tidegate.services.alert_rules import RuleForm
from tidegate.services.alert_words import rule_sentence
from tidegate.services.alerts import AlertView
from tidegate.store.alerts import AlertSettings, ChannelRecord

Word = Annotated[str, msgspec.Meta(max_length=600)]
Name = Annotated[str, msgspec.Meta(max_length=100)]
Url = Annotated[str, msgspec.Meta(max_length=2000, examples=["https://hooks.example.com/x"])]
Minute = Annotated[
    int, msgspec.Meta(ge=0, lt=1440, description="Minutes since midnight, organization's zone.")
]
Threshold = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000_000_000)]
Thresholds = Annotated[
    list[Threshold],
    msgspec.Meta(
        min_length=1,
        max_length=8,
        description="Percent of budgets and errors, nano-USD of spend, requests of prices,"
        " minutes of backlog, hours of silence.",
    ),
]
_LIST = "alerts"


class AlertState(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    MUTED = "muted"
    ENDED = "ended"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A crossing of a threshold, with the values of that moment."""

    id: str
    rule_id: str
    kind: RuleKind
    subject: str
    subject_name: str
    member_id: str  # whom it is about, or empty
    state: AlertState
    sentence: str
    critical: bool
    threshold: int
    value: int
    amount: int
    limit: int
    at: Time
    ended_at: Time | None
    ended: str
    ended_value: int
    acknowledged_at: Time | None
    acknowledged_by: str
    snoozed_until: Time | None
    muted: bool  # its subject, by its rule


class AlertsQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    state: Literal["", "open", "acknowledged", "ended"] = ""
    rule_id: Word = ""
    subject: Word = ""


class SnoozeAlert(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    hours: Annotated[int, msgspec.Meta(ge=1, le=744)]


class MuteAlert(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    muted: bool


class AlertRule(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    kind: RuleKind
    name: str
    scope: Scope
    scope_id: str  # * for each of them
    thresholds: list[int]
    window_hours: int
    minimum: int
    enabled: bool
    sentence: str
    created_at: Time


class AlertRuleList(msgspec.Struct, frozen=True):
    items: list[AlertRule]


class AlertRuleWrite(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`scope_id` is a budget's id with the kind `budget`, else one of what `scope` names."""

    kind: RuleKind
    name: Name = ""
    scope: Scope = Scope.ORGANIZATION
    scope_id: Word = EACH
    thresholds: Thresholds
    window_hours: Annotated[int, msgspec.Meta(ge=1, le=744)] = 24
    minimum: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 20
    enabled: bool = True


class AlertChannel(msgspec.Struct, frozen=True, kw_only=True):
    """Where alerts are sent. Of an address only the host is told."""

    id: str
    kind: ChannelKind
    name: str
    target: str
    enabled: bool
    sends_ended: bool
    to_members: bool
    created_at: Time
    sent_at: Time | None
    failed_at: Time | None
    fault: str


class AlertChannelList(msgspec.Struct, frozen=True):
    items: list[AlertChannel]


class AlertChannelWrite(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A channel keeps its kind; without `url` it keeps its address."""

    kind: ChannelKind
    name: Name = ""
    url: Url = ""
    addresses: Annotated[str, msgspec.Meta(max_length=4000)] = ADMINS
    enabled: bool = True
    sends_ended: bool = True
    to_members: bool = False


class NewAlertChannel(AlertChannel, frozen=True, kw_only=True):
    signing_secret: str  # of a webhook, told this once


class AlertTest(msgspec.Struct, frozen=True):
    sent: bool
    fault: str  # why not


class AlertSettingsRecord(msgspec.Struct, frozen=True, kw_only=True):
    quiet_from: Minute
    quiet_to: Minute  # equal: there are no quiet hours
    digest: bool


class AlertSettingsReplace(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    quiet_from: Minute = 0
    quiet_to: Minute = 0
    digest: bool = True


def list_alerts(call: Call[AlertsQuery, NoBody]) -> Page[Alert]:
    """List alerts, newest first; a member's are those about the member."""
    query = call.query
    page = call.services.alerts.history.page(
        call.viewer,
        state=query.state,
        rule_id=query.rule_id,
        subject=query.subject,
        before=read_cursor(_LIST, query.cursor),
        limit=query.limit,
    )
    after = write_cursor(_LIST, page.next) if page.next else None
    return Page([_alert(each) for each in page.alerts], after)


def get_alert(call: Call[NoQuery, NoBody]) -> Alert:
    """One alert."""
    return _alert(call.services.alerts.history.get(call.viewer, call.path["alert_id"]))


def acknowledge_alert(call: Call[NoQuery, NoBody]) -> Alert:
    """Say that someone looks after it."""
    history = call.services.alerts.history
    history.acknowledge(call.organization_id, call.path["alert_id"], actor=call.actor)
    return get_alert(call)


def snooze_alert(call: Call[NoQuery, SnoozeAlert]) -> Alert:
    """Send nothing about its subject by its rule for some hours."""
    call.services.alerts.history.snooze(
        call.organization_id, call.path["alert_id"], call.body.hours, actor=call.actor
    )
    return _alert(call.services.alerts.history.get(call.viewer, call.path["alert_id"]))


def mute_alert(call: Call[NoQuery, MuteAlert]) -> Alert:
    """Send nothing about its subject by its rule, or take that back."""
    call.services.alerts.history.mute(
        call.organization_id, call.path["alert_id"], muted=call.body.muted, actor=call.actor
    )
    return _alert(call.services.alerts.history.get(call.viewer, call.path["alert_id"]))


def list_alert_rules(call: Call[NoQuery, NoBody]) -> AlertRuleList:
    """List the rules, oldest first."""
    rules = call.services.alerts.rules.list(call.organization_id)
    return AlertRuleList([_rule(each) for each in rules])


def create_alert_rule(call: Call[NoQuery, AlertRuleWrite]) -> AlertRule:
    """Make a rule."""
    rules = call.services.alerts.rules
    return _rule(rules.create(call.organization_id, _rule_form(call.body), actor=call.actor))


def get_alert_rule(call: Call[NoQuery, NoBody]) -> AlertRule:
    """One rule."""
    return _rule(call.services.alerts.rules.get(call.organization_id, call.path["rule_id"]))


def replace_alert_rule(call: Call[NoQuery, AlertRuleWrite]) -> AlertRule:
    """Change a rule; it keeps its kind."""
    rules, rule_id = call.services.alerts.rules, call.path["rule_id"]
    form = _rule_form(call.body)
    return _rule(rules.update(call.organization_id, rule_id, form, actor=call.actor))


def delete_alert_rule(call: Call[NoQuery, NoBody]) -> None:
    """Remove a rule; its alerts stay."""
    rules = call.services.alerts.rules
    rules.delete(call.organization_id, call.path["rule_id"], actor=call.actor)


def list_alert_channels(call: Call[NoQuery, NoBody]) -> AlertChannelList:
    """List the channels, oldest first."""
    found = call.services.alerts.channels.list(call.organization_id)
    return AlertChannelList([_channel(each) for each in found])


def create_alert_channel(call: Call[NoQuery, AlertChannelWrite]) -> NewAlertChannel:
    """Make a channel. A webhook's signing secret is told this once."""
    channels = call.services.alerts.channels
    made = channels.create(call.organization_id, _channel_form(call.body), actor=call.actor)
    fields = msgspec.structs.asdict(_channel(made.record))
    return NewAlertChannel(**fields, signing_secret=made.signing_secret)


def get_alert_channel(call: Call[NoQuery, NoBody]) -> AlertChannel:
    """One channel."""
    channels = call.services.alerts.channels
    return _channel(channels.get(call.organization_id, call.path["channel_id"]))


def replace_alert_channel(call: Call[NoQuery, AlertChannelWrite]) -> AlertChannel:
    """Change a channel; it keeps its kind."""
    channels, channel_id = call.services.alerts.channels, call.path["channel_id"]
    form = _channel_form(call.body)
    return _channel(channels.update(call.organization_id, channel_id, form, actor=call.actor))


def delete_alert_channel(call: Call[NoQuery, NoBody]) -> None:
    """Remove a channel, with what waits to be sent by it."""
    channels = call.services.alerts.channels
    channels.delete(call.organization_id, call.path["channel_id"], actor=call.actor)


def test_alert_channel(call: Call[NoQuery, NoBody]) -> AlertTest:
    """Send a test message."""
    tested = call.services.alerts.history.test(
        call.organization_id, call.path["channel_id"], to=call.viewer.email, actor=call.actor
    )
    return AlertTest(tested.sent, tested.fault)


def get_alert_settings(call: Call[NoQuery, NoBody]) -> AlertSettingsRecord:
    """Quiet hours and digest."""
    return _settings(call.services.alerts.rules.settings(call.organization_id))


def replace_alert_settings(call: Call[NoQuery, AlertSettingsReplace]) -> AlertSettingsRecord:
    """Set quiet hours and digest."""
    body = call.body
    made = call.services.alerts.rules.set_settings(
        call.organization_id,
        quiet_from=body.quiet_from,
        quiet_to=body.quiet_to,
        digest=body.digest,
        actor=call.actor,
    )
    return _settings(made)


def _alert(view: AlertView) -> Alert:
    record = view.record
    return Alert(
        id=record.alert_id,
        rule_id=record.rule_id,
        kind=RuleKind(record.kind),
        subject=record.subject,
        subject_name=record.subject_name,
        member_id=record.member_id,
        state=AlertState(view.state),
        sentence=record.sentence,
        critical=record.critical,
        threshold=record.threshold,
        value=record.value,
        amount=record.amount,
        limit=record.limit,
        at=time(record.at_us),
        ended_at=time_or_none(record.ended_us),
        ended=record.ended,
        ended_value=record.ended_value,
        acknowledged_at=time_or_none(record.acknowledged_us),
        acknowledged_by=record.acknowledged_by,
        snoozed_until=time_or_none(view.snoozed_until_us),
        muted=view.muted,
    )


def _rule(rule: Rule) -> AlertRule:
    return AlertRule(
        id=rule.rule_id,
        kind=RuleKind(rule.kind),
        name=rule.name,
        scope=Scope(rule.scope),
        scope_id=rule.scope_id,
        thresholds=list(rule.thresholds),
        window_hours=rule.window_hours,
        minimum=rule.minimum,
        enabled=rule.enabled,
        sentence=rule_sentence(rule, rule.scope_id),
        created_at=time(rule.created_us),
    )


def _rule_form(body: AlertRuleWrite) -> RuleForm:
    return RuleForm(**msgspec.structs.asdict(body) | {"thresholds": tuple(body.thresholds)})


def _channel(record: ChannelRecord) -> AlertChannel:
    return AlertChannel(
        id=record.channel_id,
        kind=ChannelKind(record.kind),
        name=record.name,
        target=record.target,
        enabled=record.enabled,
        sends_ended=record.sends_ended,
        to_members=record.to_members,
        created_at=time(record.created_us),
        sent_at=time_or_none(record.sent_us),
        failed_at=time_or_none(record.failed_us),
        fault=record.fault,
    )


def _channel_form(body: AlertChannelWrite) -> ChannelForm:
    return ChannelForm(**msgspec.structs.asdict(body))


def _settings(record: AlertSettings) -> AlertSettingsRecord:
    return AlertSettingsRecord(
        quiet_from=record.quiet_from, quiet_to=record.quiet_to, digest=record.digest
    )


_TAG = "Alerts"
_ALERT = "/alerts/{alert_id}"
_RULE = "/alert-rules/{rule_id}"
_CHANNEL = "/alert-channels/{channel_id}"
_ADMIN = Need.ADMIN
OPERATIONS = (
    get("/alerts", list_alerts, need=Need.MEMBER, tag=_TAG),
    get(_ALERT, get_alert, need=Need.MEMBER, tag=_TAG),
    act(f"{_ALERT}/acknowledge", acknowledge_alert, need=_ADMIN, tag=_TAG),
    act(f"{_ALERT}/snooze", snooze_alert, need=_ADMIN, tag=_TAG),
    act(f"{_ALERT}/mute", mute_alert, need=_ADMIN, tag=_TAG),
    get("/alert-rules", list_alert_rules, need=_ADMIN, tag=_TAG),
    create("/alert-rules", create_alert_rule, need=_ADMIN, tag=_TAG, item=_RULE, conflicts=True),
    get(_RULE, get_alert_rule, need=_ADMIN, tag=_TAG),
    put(_RULE, replace_alert_rule, need=_ADMIN, tag=_TAG),
    delete(_RULE, delete_alert_rule, need=_ADMIN, tag=_TAG),
    get("/alert-channels", list_alert_channels, need=_ADMIN, tag=_TAG),
    create(
        "/alert-channels",
        create_alert_channel,
        need=_ADMIN,
        tag=_TAG,
        item=_CHANNEL,
        conflicts=True,
    ),
    get(_CHANNEL, get_alert_channel, need=_ADMIN, tag=_TAG),
    put(_CHANNEL, replace_alert_channel, need=_ADMIN, tag=_TAG),
    delete(_CHANNEL, delete_alert_channel, need=_ADMIN, tag=_TAG),
    act(f"{_CHANNEL}/test", test_alert_channel, need=_ADMIN, tag=_TAG),
    get("/alert-settings", get_alert_settings, need=_ADMIN, tag=_TAG),
    put("/alert-settings", replace_alert_settings, need=_ADMIN, tag=_TAG),
)
