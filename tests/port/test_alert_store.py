"""What every backend must do about alerts: each crossing and message once, whoever asks."""

import threading

import pytest
from msgspec.structs import replace
from tests.port.test_directory_store import fill

from tidegate.core.alerts import Memory, Rule, State
from tidegate.core.model import Cost, TokenCounts, UsageEvent
from tidegate.store.alerts import (
    AlertFilter,
    AlertRecord,
    AlertSettings,
    Backlog,
    ChannelRecord,
    DeliveryRecord,
    HourSums,
)
from tidegate.store.ports import SpoolBatch
from tidegate.store.sql.database import SqlStore

pytestmark = pytest.mark.slow

HOUR_US = 3_600_000_000
RULE = Rule(
    rule_id="rule_1", organization_id="org_1", kind="budget", thresholds=(50, 80), created_us=1
)
STATE = State(
    rule_id="rule_1",
    organization_id="org_1",
    subject="bud_1/ü🚀",
    memories=(Memory("1", 50, 2), Memory("2")),
    alert_id="alert_1",
)
ALERT = AlertRecord(
    alert_id="alert_1",
    organization_id="org_1",
    rule_id="rule_1",
    kind="budget",
    subject=STATE.subject,
    subject_name="Noah \0 Kim",
    member_id="mem_1",
    crossing="1:50:2",
    threshold=50,
    value=2**40,
    amount=2**62,
    limit=5,
    sentence="ü 🚀",
    at_us=7,
)
CHANNEL = ChannelRecord(
    channel_id="chan_1",
    organization_id="org_1",
    kind="slack",
    name="Ops",
    target="hooks.example",
    ciphertext=b"\0\xff",
    created_us=1,
)
MESSAGE = DeliveryRecord(
    delivery_id="dlv_1",
    organization_id="org_1",
    channel_id="chan_1",
    event="alert.fired",
    source="alert_1",
    message=b"{}",
    created_us=1,
    next_us=10,
)


def prepared(store: SqlStore) -> None:
    with store.directory.changing() as change:
        fill(change)
        change.put_alert_rule(RULE)
        change.put_alert_state(STATE)
        change.add_alert(ALERT)
        change.put_channel(CHANNEL)
        change.add_deliveries([MESSAGE])


def test_what_is_stored_is_read(store: SqlStore) -> None:
    prepared(store)
    version = store.directory.version()
    settings = AlertSettings(organization_id="org_1", quiet_from=1, quiet_to=2, digest=False)
    with store.directory.changing() as change:
        change.put_alert_settings(settings)
        change.put_alert_rule(replace(RULE, enabled=False))
        change.put_channel(replace(CHANNEL, fault="no 🚀", failed_us=3))
    with store.directory.reading() as reads:
        assert reads.alert_settings("org_1") == settings
        assert reads.alert_rules("org_1") == [replace(RULE, enabled=False)]
        assert reads.alert_states("org_1", "rule_1") == [STATE]
        assert reads.alert("org_1", "alert_1") == replace(
            ALERT, subject_name="Noah \N{REPLACEMENT CHARACTER} Kim"
        )
        assert reads.channels("org_1") == [replace(CHANNEL, fault="no 🚀", failed_us=3)]
        assert reads.deliveries("org_1", "chan_1") == [MESSAGE]
        for nothing in (
            reads.alert_rule("org_2", "rule_1"),
            reads.alert("org_2", "alert_1"),
            reads.channel("org_2", "chan_1"),
        ):
            assert nothing is None
        assert not (reads.alerts("org_2"))
        assert not (reads.deliveries("org_2"))
        assert reads.alert_states("org_2") == []
    assert store.directory.version() == version  # gateways need not know


def test_a_crossing_a_message_and_a_week_are_there_once(store: SqlStore) -> None:
    prepared(store)
    with store.directory.changing() as change:
        assert not change.add_alert(replace(ALERT, alert_id="alert_2"))
        assert change.add_alert(replace(ALERT, alert_id="alert_2", crossing="1:50:3"))
        change.add_deliveries([replace(MESSAGE, delivery_id="dlv_2")])
        assert len(change.deliveries("org_1")) == 1
        change.add_deliveries([replace(MESSAGE, delivery_id="dlv_2", receiver="a@b.c")])
        assert len(change.deliveries("org_1")) == 2
        assert [change.add_digest("org_1", "2026-11-16", 1) for _ in range(2)] == [True, False]
        assert change.has_digest("org_1", "2026-11-16", "2026-11-16")
        assert change.has_digest("org_1", "2026-11-10", "2026-11-22")
        assert not change.has_digest("org_1", "2026-11-17", "2026-11-29")
        assert not change.has_digest("org_2", "2026-11-16", "2026-11-16")


def test_the_history_is_filtered_and_paged(store: SqlStore) -> None:
    prepared(store)
    with store.directory.changing() as change:
        for number in range(2, 6):
            change.add_alert(
                replace(ALERT, alert_id=f"alert_{number}", crossing=str(number), member_id="mem_2")
            )
        change.update_alert(replace(ALERT, ended_us=9, ended="below"))

        def ids(only: AlertFilter, before: str = "", limit: int = 50) -> list[str]:
            found = change.alerts("org_1", only, before=before, limit=limit)
            return [each.alert_id for each in found]

        assert ids(AlertFilter(state="ended")) == ["alert_1"]
        assert ids(AlertFilter(state="open"), limit=2) == ["alert_5", "alert_4"]
        assert ids(AlertFilter(state="open"), before="alert_4") == ["alert_3", "alert_2"]
        assert ids(AlertFilter(member_id="mem_1")) == ["alert_1"]
        assert ids(AlertFilter(rule_id="rule_2")) == []
        assert [a.alert_id for a in change.alerts_between("org_1", 7, 8)][:1] == ["alert_1"]
        assert change.alerts_between("org_1", 8, 9) == []


@pytest.mark.parametrize(
    ("changes", "waiting"),
    [
        ({}, 1),
        ({"snoozed_until_us": HOUR_US}, 0),
        ({"snoozed_until_us": 100}, 1),
        ({"snoozed_until_us": 10**17}, 1),  # of a clock that jumped
        ({"muted": True}, 0),
    ],
)
def test_what_waits_to_be_looked_at(
    store: SqlStore, changes: dict[str, int | bool], waiting: int
) -> None:
    prepared(store)
    with store.directory.changing() as change:
        change.put_alert_state(replace(STATE, **changes))
        assert change.waiting_alerts("org_1", 100) == waiting
        assert change.waiting_alerts("org_1", 100, "mem_2") == 0
        change.update_alert(replace(ALERT, acknowledged_us=1))
        assert change.waiting_alerts("org_1", 100) == 0


def test_a_message_is_claimed_by_one_of_many(store: SqlStore) -> None:
    prepared(store)
    with store.directory.changing() as change:
        more = [replace(MESSAGE, delivery_id=f"dlv_{n}", source=f"alert_{n}") for n in range(2, 12)]
        change.add_deliveries(more)
    claimed: list[str] = []

    def claim() -> None:
        for _ in range(4):
            with store.directory.changing() as change:
                found = change.claim_deliveries(
                    "org_1", 10, latest_us=1000, until_us=300, only_critical=False, limit=2
                )
            claimed.extend(each.delivery_id for each in found)

    threads = [threading.Thread(target=claim) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == sorted(f"dlv_{n}" for n in range(1, 12))


def test_what_is_due(store: SqlStore) -> None:
    prepared(store)

    def claim(now_us: int, **more: bool) -> list[DeliveryRecord]:
        options = {"only_critical": False} | more
        with store.directory.changing() as change:
            return change.claim_deliveries(
                "org_1", now_us, latest_us=now_us + 100, until_us=now_us + 50, limit=9, **options
            )

    with store.directory.reading() as reads:
        assert reads.due_organizations(9, 100) == {}
        assert reads.due_organizations(10, 100) == {"org_1": False}
        assert reads.due_organizations(1, 5) == {"org_1": False}  # set by a clock that jumped
    assert claim(10, only_critical=True) == []
    [first] = claim(10)
    assert (first.attempts, first.next_us) == (1, 60)
    assert claim(59) == []
    [again] = claim(60)  # whoever had it died
    with store.directory.changing() as change:
        change.update_delivery(replace(again, done_us=61))
        assert change.due_organizations(500, 600) == {}
        change.delete_old_deliveries(2)
        assert change.deliveries("org_1") == []


def test_one_holds_the_lease(store: SqlStore) -> None:
    def take(holder: str, now_us: int) -> bool:
        with store.directory.changing() as change:
            return change.take_lease("alerts", holder, now_us, now_us + 60)

    assert [take("a", 100), take("b", 110), take("a", 150)] == [True, False, True]
    assert [take("b", 209), take("b", 210)] == [False, True]
    assert take("a", 10)  # the clock went back: the lease would last too long


def test_each_machine_says_how_far_it_is_behind(store: SqlStore) -> None:
    with store.directory.changing() as change:
        for place, since_us in (("plc_1", 5), ("plc_2", 6), ("plc_1", 7)):
            change.put_backlog(Backlog(place, since_us, 8))
        assert sorted(b.since_us for b in change.backlogs()) == [6, 7]
        change.delete_backlog("plc_2")
        assert change.backlogs() == [Backlog("plc_1", 7, 8)]


def test_removing(store: SqlStore) -> None:
    prepared(store)
    with store.directory.changing() as change:
        change.delete_alert_rule("org_2", "rule_1")
        change.delete_channel("org_2", "chan_1")
        assert len(change.alert_rules("org_1")) == len(change.channels("org_1")) == 1
        change.delete_alert_rule("org_1", "rule_1")
        change.delete_channel("org_1", "chan_1")
        assert not (change.alert_rules("org_1"))
        assert not (change.alert_states("org_1"))
        assert not (change.channels("org_1"))
        assert not (change.deliveries("org_1"))
        assert len(change.alerts("org_1")) == 1  # the history stays


def test_sums_of_hours(store: SqlStore) -> None:
    def event(number: int, at_us: int, **more: object) -> UsageEvent:
        fields: dict[str, object] = {
            "event_id": f"req_{number}",
            "organization_id": "org_1",
            "member_id": "mem_1",
            "key_id": "key_1",
            "agent": "codex",
            "dialect": "openai_responses",
            "model_asked": "m",
            "started_us": at_us,
            "outcome": "ok",
            "billing": "api",
            "model_served": "m",
            "tokens": TokenCounts(output=1),
            "cost": Cost(output=5),
        }
        return UsageEvent(**(fields | more))  # type: ignore[arg-type]

    at_us = 100 * HOUR_US
    events = [
        event(1, at_us),
        event(2, at_us, outcome="upstream_error", repository="r"),
        event(3, at_us, outcome="cancelled", billing="subscription"),
        event(4, at_us + HOUR_US, price_unknown=True, member_id="mem_2"),
    ]
    store.usage.record(SpoolBatch(file="f", start=0, end=4, events=events))
    sums = store.usage.alert_sums
    assert sums.hours("org_1", "", at_us, at_us + HOUR_US) == {"": HourSums(3, 1, 0, 10)}
    assert sums.hours("org_1", "member_id", at_us, at_us + 2 * HOUR_US) == {
        "mem_1": HourSums(3, 1, 0, 10),
        "mem_2": HourSums(1, 0, 1, 5),
    }
    assert sums.hours("org_1", "repository", at_us, at_us + 1)["r"] == HourSums(1, 1, 0, 5)
    assert sums.hours("org_2", "", 0, 1 << 60) == {}
    assert sums.last_use_us("org_1") == at_us + HOUR_US
    assert sums.last_use_us("org_2") == 0
