"""The directory's part on alerts; see `tidegate.store.alerts`. Nothing of it raises the version:
gateways know nothing of alerts."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from tidegate.core.alerts import MAX_SNOOZE_US, Memory, Rule, State
from tidegate.store.alerts import (
    EVERY_ALERT,
    AlertFilter,
    AlertRecord,
    AlertSettings,
    Backlog,
    ChannelRecord,
    DeliveryRecord,
)
from tidegate.store.sql import alert_tables as t
from tidegate.store.sql.directory_transaction import DirectoryTransaction, Row
from tidegate.store.sql.upserts import insert_into

_NONE: Final[sa.ColumnElement[int]] = sa.literal_column(
    "0"
)  # not a parameter: else a partial index may not be used


class SqlAlertReads(DirectoryTransaction):
    """Reading, inside a transaction."""

    def alert_settings(self, organization_id: str) -> AlertSettings | None:
        query = sa.select(t.settings).where(t.settings.c.organization_id == organization_id)
        return next((AlertSettings(**row) for row in self._rows(query)), None)

    def alert_rules(self, organization_id: str) -> list[Rule]:
        query = sa.select(t.rules).where(t.rules.c.organization_id == organization_id)
        ordered = query.order_by(t.rules.c.created_us, t.rules.c.rule_id)
        return [_rule(row) for row in self._rows(ordered)]

    def alert_rule(self, organization_id: str, rule_id: str) -> Rule | None:
        query = sa.select(t.rules).where(
            t.rules.c.organization_id == organization_id, t.rules.c.rule_id == rule_id
        )
        return next((_rule(row) for row in self._rows(query)), None)

    def alert_states(self, organization_id: str, rule_id: str = "") -> list[State]:
        query = sa.select(t.states).where(t.states.c.organization_id == organization_id)
        if rule_id:
            query = query.where(t.states.c.rule_id == rule_id)
        return [_state(row) for row in self._rows(query)]

    def alerts(
        self,
        organization_id: str,
        only: AlertFilter = EVERY_ALERT,
        *,
        before: str = "",
        limit: int = 50,
    ) -> list[AlertRecord]:
        table = t.alerts
        query = sa.select(table).where(table.c.organization_id == organization_id)
        for name in ("rule_id", "subject", "member_id"):
            if value := getattr(only, name):
                query = query.where(table.c[name] == value)
        if only.state:
            query = query.where(*_in_state(only.state))
        if before:
            query = query.where(table.c.alert_id < before)
        newest = query.order_by(table.c.alert_id.desc()).limit(limit)
        return [AlertRecord(**row) for row in self._rows(newest)]

    def alert(self, organization_id: str, alert_id: str) -> AlertRecord | None:
        query = sa.select(t.alerts).where(
            t.alerts.c.organization_id == organization_id, t.alerts.c.alert_id == alert_id
        )
        return next((AlertRecord(**row) for row in self._rows(query)), None)

    def alerts_between(self, organization_id: str, start_us: int, end_us: int) -> list[AlertRecord]:
        table = t.alerts
        query = sa.select(table).where(
            table.c.organization_id == organization_id,
            table.c.at_us >= start_us,
            table.c.at_us < end_us,
        )
        return [AlertRecord(**row) for row in self._rows(query.order_by(table.c.alert_id))]

    def waiting_alerts(self, organization_id: str, now_us: int, member_id: str = "") -> int:
        alerts, states = t.alerts, t.states
        silent = (
            sa.select(states.c.alert_id)
            .where(
                states.c.organization_id == organization_id,
                states.c.alert_id != "",
                states.c.muted
                | states.c.snoozed_until_us.between(now_us + 1, now_us + MAX_SNOOZE_US),
            )
            .scalar_subquery()
        )
        query = sa.select(sa.func.count()).where(
            alerts.c.organization_id == organization_id,
            alerts.c.ended_us == _NONE,
            alerts.c.acknowledged_us == 0,
            alerts.c.alert_id.not_in(silent),
        )
        if member_id:
            query = query.where(alerts.c.member_id == member_id)
        return int(self._connection.execute(query).scalar_one())

    def channels(self, organization_id: str) -> list[ChannelRecord]:
        query = sa.select(t.channels).where(t.channels.c.organization_id == organization_id)
        return [ChannelRecord(**row) for row in self._rows(query.order_by(t.channels.c.channel_id))]

    def channel(self, organization_id: str, channel_id: str) -> ChannelRecord | None:
        query = sa.select(t.channels).where(
            t.channels.c.organization_id == organization_id,
            t.channels.c.channel_id == channel_id,
        )
        return next((ChannelRecord(**row) for row in self._rows(query)), None)

    def deliveries(
        self, organization_id: str, channel_id: str | None = None, limit: int = 50
    ) -> list[DeliveryRecord]:
        table = t.deliveries
        query = sa.select(table).where(table.c.organization_id == organization_id)
        if channel_id is not None:
            query = query.where(table.c.channel_id == channel_id)
        newest = query.order_by(table.c.delivery_id.desc()).limit(limit)
        return [DeliveryRecord(**row) for row in self._rows(newest)]

    def has_digest(self, organization_id: str, first: str, last: str) -> bool:
        query = sa.select(t.digests.c.at_us).where(
            t.digests.c.organization_id == organization_id, t.digests.c.week.between(first, last)
        )
        return bool(self._rows(query.limit(1)))

    def backlogs(self) -> list[Backlog]:
        return [Backlog(**row) for row in self._rows(sa.select(t.backlogs))]

    def due_organizations(self, now_us: int, latest_us: int) -> dict[str, bool]:
        table = t.deliveries
        query = sa.select(table.c.organization_id, table.c.critical).distinct()
        found: dict[str, bool] = {}
        for row in self._rows(query.where(*_due(now_us, latest_us))):
            found[row["organization_id"]] = bool(row["critical"]) or found.get(
                row["organization_id"], False
            )
        return found


class SqlAlertChange(SqlAlertReads):
    """Writing, inside a transaction."""

    def take_lease(self, name: str, holder: str, now_us: int, until_us: int) -> bool:
        table = t.leases
        query = sa.select(table).where(table.c.name == name)
        held = next(iter(self._rows(query)), None)
        if held is None:
            row = {"name": name, "holder": holder, "until_us": until_us}
            return self._add(t.leases, row)
        # One that lasts longer than any that is given was taken by a clock that jumped.
        lasts = now_us < held["until_us"] <= until_us
        if held["holder"] != holder and lasts:
            return False
        taken = sa.update(table).where(table.c.name == name)
        self._write(taken, {"holder": holder, "until_us": until_us})
        return True

    def put_backlog(self, record: Backlog) -> None:
        self._put(t.backlogs, msgspec.structs.asdict(record))

    def delete_backlog(self, place: str) -> None:
        self._write(sa.delete(t.backlogs).where(t.backlogs.c.place == place))

    def put_alert_settings(self, record: AlertSettings) -> None:
        self._put(t.settings, msgspec.structs.asdict(record))

    def put_alert_rule(self, rule: Rule) -> None:
        row = msgspec.structs.asdict(rule)
        self._put(t.rules, {**row, "thresholds": list(rule.thresholds)})

    def delete_alert_rule(self, organization_id: str, rule_id: str) -> None:
        for table in (t.states, t.rules):
            chosen = (table.c.organization_id == organization_id) & (table.c.rule_id == rule_id)
            self._write(sa.delete(table).where(chosen))

    def put_alert_state(self, state: State) -> None:
        row = msgspec.structs.asdict(state)
        memories = [[m.window, m.peak, m.rearmed] for m in state.memories]
        self._put(t.states, {**row, "memories": memories})

    def delete_alert_state(self, state: State) -> None:
        table = t.states
        self._write(
            sa.delete(table).where(
                table.c.organization_id == state.organization_id,
                table.c.rule_id == state.rule_id,
                table.c.subject == state.subject,
            )
        )

    def add_alert(self, record: AlertRecord) -> bool:
        return self._add(t.alerts, msgspec.structs.asdict(record))

    def update_alert(self, record: AlertRecord) -> None:
        self._put(t.alerts, msgspec.structs.asdict(record))

    def put_channel(self, record: ChannelRecord) -> None:
        self._put(t.channels, msgspec.structs.asdict(record))

    def delete_channel(self, organization_id: str, channel_id: str) -> None:
        for table in (t.deliveries, t.channels):
            mine = table.c.organization_id == organization_id
            self._write(sa.delete(table).where(mine, table.c.channel_id == channel_id))

    def add_deliveries(self, records: Sequence[DeliveryRecord]) -> None:
        for record in records:
            self._add(t.deliveries, msgspec.structs.asdict(record))

    def update_delivery(self, record: DeliveryRecord) -> None:
        chosen = t.deliveries.c.delivery_id == record.delivery_id
        self._write(sa.update(t.deliveries).where(chosen), msgspec.structs.asdict(record))

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
        table = t.deliveries
        query = sa.select(table).where(
            table.c.organization_id == organization_id, *_due(now_us, latest_us)
        )
        if only_critical:
            query = query.where(table.c.critical)
        found = [
            DeliveryRecord(**row)
            for row in self._rows(query.order_by(table.c.next_us).limit(limit))
        ]
        claimed = [
            msgspec.structs.replace(each, next_us=until_us, attempts=each.attempts + 1)
            for each in found
        ]
        for each in claimed:
            self.update_delivery(each)
        return claimed

    def delete_old_deliveries(self, before_us: int) -> None:
        over = (t.deliveries.c.done_us != 0) | (t.deliveries.c.failed_us != 0)
        self._write(sa.delete(t.deliveries).where(over, t.deliveries.c.created_us < before_us))

    def add_digest(self, organization_id: str, week: str, at_us: int) -> bool:
        row = {"organization_id": organization_id, "week": week, "at_us": at_us}
        return self._add(t.digests, row)

    def _add(self, table: sa.Table, row: dict[str, Any]) -> bool:
        """Insert what is not there yet: whether it was not. Not every driver counts the rows."""
        insert = insert_into(self._connection.dialect.name, table).on_conflict_do_nothing()
        added = insert.returning(*table.primary_key)
        return self._connection.execute(added, row).first() is not None

    def _put(self, table: sa.Table, row: dict[str, Any]) -> None:
        """An insert that replaces what is there."""
        insert = insert_into(self._connection.dialect.name, table)
        keys = [column.name for column in table.primary_key]
        changes = {name: insert.excluded[name] for name in row if name not in keys}
        self._write(insert.on_conflict_do_update(index_elements=keys, set_=changes), row)


def _rule(row: Row) -> Rule:
    return Rule(**{**row, "thresholds": tuple(row["thresholds"])})


def _state(row: Row) -> State:
    return State(**{**row, "memories": tuple(Memory(*each) for each in row["memories"])})


def _in_state(state: str) -> "list[sa.ColumnElement[bool]]":
    ended, acknowledged = t.alerts.c.ended_us, t.alerts.c.acknowledged_us
    if state == "ended":
        return [ended != _NONE]
    is_open = ended == _NONE
    return [is_open, acknowledged != 0] if state == "acknowledged" else [is_open]


def _due(now_us: int, latest_us: int) -> "list[sa.ColumnElement[bool]]":
    table = t.deliveries
    return [
        table.c.done_us == _NONE,
        table.c.failed_us == _NONE,
        (table.c.next_us <= now_us) | (table.c.next_us > latest_us),
    ]
