"""Alerts: rules, what is known of subjects, history, channels, messages, digests."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from tidegate.store.sql.texts import StoredId, StoredText

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    _create_settings()
    _create_rules()
    _create_states()
    _create_alerts()
    _create_channels()
    _create_deliveries()
    _create_digests()
    _create_backlogs()
    _create_leases()


def _create_settings() -> None:
    op.create_table(
        "alert_settings",
        *_keys("organization_id"),
        *_numbers("quiet_from", "quiet_to"),
        *_switches("digest"),
        *_numbers("updated_us"),
        _of_organization(),
    )


def _create_rules() -> None:
    op.create_table(
        "alert_rules",
        *_keys("rule_id"),
        *_ids("organization_id"),
        *_texts("kind", "name", "scope", "scope_id"),
        sa.Column("thresholds", sa.JSON, nullable=False),
        *_numbers("window_hours", "minimum"),
        *_switches("enabled"),
        *_numbers("created_us", "updated_us"),
        _of_organization(),
    )
    op.create_index("alert_rules_by_organization", "alert_rules", ["organization_id", "rule_id"])


def _create_states() -> None:
    op.create_table(
        "alert_states",
        *_keys("organization_id", "rule_id"),
        *_keys("subject", length=600),
        sa.Column("memories", sa.JSON, nullable=False),
        *_ids("alert_id"),
        *_numbers("snoozed_until_us"),
        *_switches("muted"),
        sa.ForeignKeyConstraint(["rule_id"], ["alert_rules.rule_id"]),
    )


def _create_alerts() -> None:
    op.create_table(
        "alerts",
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
    op.create_index(
        "alerts_by_crossing",
        "alerts",
        ["organization_id", "rule_id", "subject", "crossing"],
        unique=True,
    )
    op.create_index("alerts_by_organization", "alerts", ["organization_id", "alert_id"])
    op.create_index("alerts_by_member", "alerts", ["organization_id", "member_id", "alert_id"])
    op.create_index("alerts_by_time", "alerts", ["organization_id", "at_us"])
    op.create_index("alerts_open", "alerts", ["organization_id", "alert_id"], **_open())
    op.create_index(
        "alerts_open_of_member", "alerts", ["organization_id", "member_id", "alert_id"], **_open()
    )


def _create_channels() -> None:
    op.create_table(
        "alert_channels",
        *_keys("channel_id"),
        *_ids("organization_id"),
        *_texts("kind", "name", "target"),
        sa.Column("ciphertext", sa.LargeBinary, nullable=False),
        *_switches("enabled", "sends_ended", "to_members"),
        *_numbers("created_us", "updated_us", "sent_us", "failed_us"),
        *_texts("fault"),
        _of_organization(),
    )
    op.create_index(
        "alert_channels_by_organization", "alert_channels", ["organization_id", "channel_id"]
    )


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
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
    op.create_index(
        "deliveries_once",
        "deliveries",
        ["organization_id", "channel_id", "source", "event", "receiver"],
        unique=True,
    )
    op.create_index(
        "deliveries_by_channel", "deliveries", ["organization_id", "channel_id", "delivery_id"]
    )
    op.create_index(
        "deliveries_due",
        "deliveries",
        ["organization_id", "next_us"],
        sqlite_where=sa.text("done_us = 0 AND failed_us = 0"),
        postgresql_where=sa.text("done_us = 0 AND failed_us = 0"),
    )


def _create_digests() -> None:
    op.create_table(
        "digests",
        *_keys("organization_id", "week"),
        *_numbers("at_us"),
        _of_organization(),
    )


def _create_backlogs() -> None:
    op.create_table("alert_backlogs", *_keys("place"), *_numbers("since_us", "at_us"))


def _create_leases() -> None:
    op.create_table(
        "alert_leases",
        *_keys("name"),
        *_ids("holder"),
        *_numbers("until_us"),
    )


def _open() -> "dict[str, Any]":
    still_open = sa.text("ended_us = 0")
    return {"sqlite_where": still_open, "postgresql_where": still_open}


def _ids(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, StoredId(), nullable=False) for name in names]


def _keys(*names: str, length: int = 64) -> "list[sa.Column[str]]":
    return [sa.Column(name, StoredId(length), primary_key=True, nullable=False) for name in names]


def _texts(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, StoredText(), nullable=False) for name in names]


def _numbers(*names: str) -> "list[sa.Column[int]]":
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _switches(*names: str) -> "list[sa.Column[bool]]":
    return [sa.Column(name, sa.Boolean, nullable=False) for name in names]


def _of_organization() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["organization_id"], ["organizations.organization_id"])
