"""The directory's tables of alerts. The migrations make them; a test compares the two."""

from typing import Any

import sqlalchemy as sa

from tidegate.store.sql.directory_tables import directory
from tidegate.store.sql.texts import StoredId, StoredText


def _ids(*names: str) -> "list[sa.Column[Any]]":
    return [sa.Column(name, StoredId(), nullable=False) for name in names]


def _keys(*names: str, length: int = 64) -> "list[sa.Column[Any]]":
    return [sa.Column(name, StoredId(length), primary_key=True, nullable=False) for name in names]


def _texts(*names: str) -> "list[sa.Column[Any]]":
    return [sa.Column(name, StoredText(), nullable=False) for name in names]


def _numbers(*names: str) -> "list[sa.Column[Any]]":
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _switches(*names: str) -> "list[sa.Column[Any]]":
    return [sa.Column(name, sa.Boolean, nullable=False) for name in names]


def _of_organization() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["organization_id"], ["organizations.organization_id"])


settings = sa.Table(
    "alert_settings",
    directory,
    *_keys("organization_id"),
    *_numbers("quiet_from", "quiet_to"),
    *_switches("digest"),
    *_numbers("updated_us"),
    _of_organization(),
)

rules = sa.Table(
    "alert_rules",
    directory,
    *_keys("rule_id"),
    *_ids("organization_id"),
    *_texts("kind", "name", "scope", "scope_id"),
    sa.Column("thresholds", sa.JSON, nullable=False),
    *_numbers("window_hours", "minimum"),
    *_switches("enabled"),
    *_numbers("created_us", "updated_us"),
    _of_organization(),
)
sa.Index("alert_rules_by_organization", rules.c.organization_id, rules.c.rule_id)

states = sa.Table(
    "alert_states",
    directory,
    *_keys("organization_id", "rule_id"),
    *_keys("subject", length=600),
    sa.Column("memories", sa.JSON, nullable=False),
    *_ids("alert_id"),
    *_numbers("snoozed_until_us"),
    *_switches("muted"),
    sa.ForeignKeyConstraint(["rule_id"], ["alert_rules.rule_id"]),
)

alerts = sa.Table(
    "alerts",
    directory,
    *_keys("alert_id"),
    *_ids("organization_id", "rule_id"),
    *_texts("kind"),
    sa.Column("subject", StoredId(600), nullable=False),
    *_texts("subject_name"),
    *_ids("member_id"),
    sa.Column("crossing", StoredId(200), nullable=False),
    *_numbers("threshold", "value", "amount", "limit"),
    *_texts("sentence"),
    *_switches("critical"),
    *_numbers("at_us"),
    *_switches("silenced"),
    *_numbers("ended_us"),
    *_texts("ended"),
    *_numbers("ended_value", "acknowledged_us"),
    *_ids("acknowledged_by"),
    _of_organization(),
)
sa.Index(
    "alerts_by_crossing",
    alerts.c.organization_id,
    alerts.c.rule_id,
    alerts.c.subject,
    alerts.c.crossing,
    unique=True,
)
sa.Index("alerts_by_organization", alerts.c.organization_id, alerts.c.alert_id)
sa.Index("alerts_by_member", alerts.c.organization_id, alerts.c.member_id, alerts.c.alert_id)
sa.Index("alerts_by_time", alerts.c.organization_id, alerts.c.at_us)
sa.Index(
    "alerts_open",
    alerts.c.organization_id,
    alerts.c.alert_id,
    sqlite_where=sa.text("ended_us = 0"),
    postgresql_where=sa.text("ended_us = 0"),
)
sa.Index(
    "alerts_open_of_member",
    alerts.c.organization_id,
    alerts.c.member_id,
    alerts.c.alert_id,
    sqlite_where=sa.text("ended_us = 0"),
    postgresql_where=sa.text("ended_us = 0"),
)

channels = sa.Table(
    "alert_channels",
    directory,
    *_keys("channel_id"),
    *_ids("organization_id"),
    *_texts("kind", "name", "target"),
    sa.Column("ciphertext", sa.LargeBinary, nullable=False),
    *_switches("enabled", "sends_ended", "to_members"),
    *_numbers("created_us", "updated_us", "sent_us", "failed_us"),
    *_texts("fault"),
    _of_organization(),
)
sa.Index("alert_channels_by_organization", channels.c.organization_id, channels.c.channel_id)

deliveries = sa.Table(
    "deliveries",
    directory,
    *_keys("delivery_id"),
    *_ids("organization_id", "channel_id", "event"),
    sa.Column("source", StoredId(128), nullable=False),
    sa.Column("receiver", StoredId(300), nullable=False),
    sa.Column("message", sa.LargeBinary, nullable=False),
    *_switches("critical"),
    *_numbers("created_us", "next_us", "attempts", "done_us", "failed_us"),
    *_texts("fault"),
    _of_organization(),
)
sa.Index(
    "deliveries_once",
    deliveries.c.organization_id,
    deliveries.c.channel_id,
    deliveries.c.source,
    deliveries.c.event,
    deliveries.c.receiver,
    unique=True,
)
sa.Index(
    "deliveries_by_channel",
    deliveries.c.organization_id,
    deliveries.c.channel_id,
    deliveries.c.delivery_id,
)
sa.Index(
    "deliveries_due",
    deliveries.c.organization_id,
    deliveries.c.next_us,
    sqlite_where=sa.text("done_us = 0 AND failed_us = 0"),
    postgresql_where=sa.text("done_us = 0 AND failed_us = 0"),
)

digests = sa.Table(
    "digests",
    directory,
    *_keys("organization_id", "week"),
    *_numbers("at_us"),
    _of_organization(),
)

backlogs = sa.Table(
    "alert_backlogs",
    directory,
    *_keys("place"),
    *_numbers("since_us", "at_us"),
)

leases = sa.Table(
    "alert_leases",
    directory,
    *_keys("name"),
    *_ids("holder"),
    *_numbers("until_us"),
)
