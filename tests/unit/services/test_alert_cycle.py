"""The life of alerts: from a crossing to mail and webhook, and to its end; servers on loopback."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.browser.world import World
from tests.mail_server import MailServer
from tests.unit.services.alert_world import (
    USD,
    alert_world,
    alerts,
    budget,
    developer,
    look,
    mail_of,
    outbox,
    send,
    spend,
    webhook,
)
from tests.webhook_receiver import Receiver

from tidegate.core.alerts import Ended
from tidegate.core.model import Cost, TokenCounts
from tidegate.core.signatures import DELIVERY, EVENT, SIGNATURE, TIMESTAMP, is_signed
from tidegate.services.alert_channels import ChannelForm
from tidegate.services.alert_rules import RuleForm
from tidegate.services.audit import COMMAND_LINE
from tidegate.services.logins import Viewer
from tidegate.services.mail_form import MailForm
from tidegate.wiring.composition import compose

pytestmark = pytest.mark.slow

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
NO_BODY = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"


@pytest.fixture
def world(empty_installation: Path, tmp_path: Path) -> Iterator[World]:
    with alert_world(empty_installation, tmp_path) as made:
        yield made


@pytest.fixture
def mail(world: World) -> Iterator[MailServer]:
    with mail_of(world) as server:
        yield server


def owner(world: World) -> Viewer:
    viewer = world.services.logins.viewer(world.login())
    assert viewer is not None
    return viewer


def test_a_budget_is_told_once_by_mail_and_webhook(world: World, mail: MailServer) -> None:
    with Receiver([500, 503]) as receiver:
        _, secret = webhook(world, receiver)
        budget(world)
        spend(world, 79)
        assert look(world) == 1
        assert [a.threshold for a in alerts(world)] == [50]
        spend(world, 1)
        assert [look(world), look(world)] == [1, 0]
        assert send(world) == 2  # the mails
        assert [m["Subject"] for m in mail.messages] == ["Budget: Brightwater"] * 2
        sentence = "80 % of its budget: $80.00 of $100.00 on 22 Nov."
        assert sum(sentence in str(message) for message in mail.messages) == 1
        assert receiver.requests[0].headers[EVENT] == "alert.fired"
        for _ in range(5):  # the receiver fails twice; each pause is longer
            world.now_us += 10 * MINUTE_US
            send(world)
        assert len(receiver.requests) == 4
        found = {r.headers[DELIVERY]: r for r in receiver.requests}.values()
        first, second = sorted(found, key=lambda request: request.json["alert"]["threshold"])
        for request in (first, second):
            headers = request.headers
            at_s = int(headers[TIMESTAMP])
            assert is_signed(secret, headers[SIGNATURE], headers[TIMESTAMP], request.body, at_s)
            assert request.json["id"] == headers[DELIVERY]
        told = second.json["alert"]
        assert (told["threshold"], told["amount"], told["limit"]) == (80, 80 * USD, 100 * USD)
        assert [d.attempts for d in outbox(world) if not d.receiver] == [2, 2]
        assert all(d.done_us for d in outbox(world))
        assert len(mail.messages) == 2


def test_a_restart_repeats_and_loses_nothing(world: World) -> None:
    budget(world)
    spend(world, 100)
    with Receiver() as receiver:
        webhook(world, receiver)
        look(world)
        again = compose(world.store, world.subkeys, world.around)  # another console
        world.now_us += 2 * HOUR_US  # the first one's lease is over
        again.alerts.watch.note_backlog()
        assert again.alerts.watch.look(world.organization_id) == 0
        assert again.alerts.delivery.run() == 1
        assert send(world) == 0
        assert [r.json["alert"]["threshold"] for r in receiver.requests] == [100]
    assert "50 % and 80 % were passed at the same time." in alerts(world)[0].sentence


def test_only_one_of_two_consoles_looks(world: World) -> None:
    other = compose(world.store, world.subkeys, world.around).alerts.watch
    mine = world.services.alerts.watch
    assert [mine.may_look(), other.may_look(), mine.may_look()] == [True, False, True]
    budget(world)
    spend(world, 100)
    assert other.look(world.organization_id) == 0
    assert look(world) == 1
    world.now_us += 2 * MINUTE_US
    assert [other.may_look(), mine.may_look()] == [True, False]


def test_a_new_day_and_a_raise_arm_it_anew(world: World) -> None:
    made = budget(world)
    spend(world, 100)
    look(world)
    with world.store.directory.changing() as change:
        change.update_budget(replace(made, amount_nusd=200 * USD))
    look(world)
    assert [(a.threshold, a.ended) for a in alerts(world)] == [(100, Ended.BELOW)]
    world.now_us += DAY_US
    look(world)
    assert look(world) == 0
    spend(world, 160)
    look(world)
    assert [(a.threshold, a.ended) for a in alerts(world)][1:] == [(80, "")]


def test_a_clock_that_jumps_tells_nothing_twice(world: World) -> None:
    budget(world)
    spend(world, 100)
    look(world)
    for jump_us in (40 * DAY_US, -40 * DAY_US, -DAY_US, DAY_US):
        world.now_us += jump_us
        look(world)
    told = [a for a in alerts(world) if a.kind == "budget"]
    assert [a.threshold for a in told] == [100]


def test_quiet_hours_hold_messages_but_not_a_spent_budget(world: World, mail: MailServer) -> None:
    world.services.alerts.rules.set_settings(
        world.organization_id,
        quiet_from=11 * 60,
        quiet_to=13 * 60,
        digest=False,
        actor=COMMAND_LINE,
    )
    budget(world)
    spend(world, 60)  # at noon
    look(world)
    assert send(world) == 0
    spend(world, 60)
    look(world)
    assert send(world) == 1
    assert "reached 100 %" in str(mail.messages[0])
    world.now_us += HOUR_US
    assert send(world) == 1
    assert "reached 50 %" in str(mail.messages[1])


def test_what_is_snoozed_is_written_down_and_told_at_its_end(
    world: World, mail: MailServer
) -> None:
    budget(world)
    spend(world, 50)
    look(world)
    history = world.services.alerts.history
    [open_one] = history.page(owner(world)).alerts
    history.snooze(world.organization_id, open_one.record.alert_id, 1, actor=COMMAND_LINE)
    assert history.waiting(owner(world)) == 0
    spend(world, 40)
    assert look(world) == 1
    assert alerts(world)[1].silenced
    assert send(world) == 1  # what was told before
    world.now_us += HOUR_US
    look(world)
    assert history.waiting(owner(world)) == 1
    assert send(world) == 1
    assert mail.messages[-1]["Subject"] == "Still: Budget: Brightwater"
    history.mute(world.organization_id, alerts(world)[1].alert_id, muted=True, actor=COMMAND_LINE)
    spend(world, 40)
    look(world)
    assert (send(world), history.waiting(owner(world))) == (0, 0)
    history.mute(world.organization_id, alerts(world)[1].alert_id, muted=False, actor=COMMAND_LINE)
    history.acknowledge(world.organization_id, alerts(world)[2].alert_id, actor=COMMAND_LINE)
    assert [v.state for v in history.page(owner(world), state="acknowledged").alerts] == [
        "acknowledged"
    ]
    assert history.waiting(owner(world)) == 0


def test_errors_need_enough_requests_and_are_over_when_none_fail(world: World) -> None:
    spend(world, 0.01, outcome="upstream_error", times=10)
    assert look(world) == 0  # fewer than twenty
    spend(world, 0.01, times=30)
    assert look(world) == 1
    assert "10 of 40 requests" in alerts(world)[0].sentence
    spend(world, 0.01, times=100)
    look(world)
    assert alerts(world)[0].ended == Ended.BELOW


def test_spend_of_each_member_in_a_rolling_window(world: World) -> None:
    form = RuleForm(kind="spend", scope="member", thresholds=(20 * USD,), window_hours=2)
    world.services.alerts.rules.create(world.organization_id, form, actor=COMMAND_LINE)
    spend(world, 25)
    look(world)
    [told] = alerts(world)
    assert told.sentence == (
        "noah@brightwater.dev spent $25.00 in the last 2 hours: $20.00 or more."
    )
    assert told.member_id == developer(world).member_id
    member = world.services.logins.viewer(world.login(told.member_id))
    assert member is not None
    assert len(world.services.alerts.history.page(member).alerts) == 1
    world.now_us += 2 * HOUR_US
    look(world)
    assert alerts(world)[0].ended == Ended.BELOW


def test_prices_backlog_and_silence(world: World) -> None:
    enrolled = developer(world)
    world.use(enrolled, TokenCounts(output=1), Cost(), model="new-model", price_unknown=True)
    world.use(enrolled, TokenCounts(output=1), Cost(), days_ago=6)
    world.behind_us = 11 * MINUTE_US
    look(world)
    assert {a.kind: a.subject_name for a in alerts(world)} == {"prices": "new-model", "backlog": ""}
    world.now_us += 25 * HOUR_US
    world.behind_us = 0
    look(world)
    ended = [a.kind for a in alerts(world) if a.ended]
    assert sorted(ended) == ["backlog", "prices"]
    assert alerts(world)[-1].kind == "silence"
    assert "No request came for 25 hours" in alerts(world)[-1].sentence
    spend(world, 1)
    look(world)
    assert all(a.ended for a in alerts(world))


def test_the_digest_goes_out_once_a_week(world: World, mail: MailServer) -> None:
    digest = world.services.alerts.digest
    look(world)  # gives the organization its channel of mail
    spend(world, 12)
    assert not digest.make(world.organization_id)  # Sunday noon; the week before was empty
    world.now_us += 19 * HOUR_US  # Monday, 7:00
    assert not digest.make(world.organization_id)
    world.now_us += HOUR_US
    made = [digest.make(world.organization_id) for _ in range(3)]
    assert made == [True, False, False]
    send(world)
    [message] = mail.messages
    assert message["Subject"] == "Brightwater: the week of 16 Nov"
    text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "Cost: $12.00" in text
    assert "Members: noah@brightwater.dev $12.00" in text
    world.now_us += 7 * DAY_US
    assert digest.make(world.organization_id)
    send(world)
    assert "$0.00, 100 % less than the week before" in str(mail.messages[1])


@pytest.mark.parametrize(
    ("zone", "morning"),
    [
        ("Europe/Berlin", "2026-03-29T06:00:00+00:00"),  # clocks went forward at 2:00
        ("Europe/Berlin", "2026-10-25T07:00:00+00:00"),  # and back at 3:00
        ("Pacific/Auckland", "2026-11-21T19:00:00+00:00"),
    ],
)
def test_the_digest_is_made_at_eight_by_the_clock_on_the_wall(
    world: World, zone: str, morning: str
) -> None:
    at_us = int(datetime.fromisoformat(morning).timestamp()) * 1_000_000
    with world.store.directory.changing() as change:
        [organization] = change.organizations()
        change.update_organization(replace(organization, week_start=7, time_zone=zone))
    world.now_us = at_us - 2 * DAY_US
    spend(world, 12)
    look(world)
    world.now_us = at_us - 1
    assert not world.services.alerts.digest.make(world.organization_id)
    world.now_us = at_us
    assert world.services.alerts.digest.make(world.organization_id)


def test_weeks_that_begin_on_another_day_are_not_told_twice(world: World) -> None:
    digest, whose = world.services.alerts.digest, world.organization_id
    look(world)
    spend(world, 12)
    world.now_us += 20 * HOUR_US  # Monday, 8:00
    assert digest.make(whose)
    told = []
    for _ in range(9):  # weeks begin on Tuesday now
        with world.store.directory.changing() as change:
            [organization] = change.organizations()
            change.update_organization(replace(organization, week_start=2))
        world.now_us += DAY_US
        told.append(digest.make(whose))
    assert told == [False] * 7 + [True, False]


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (NO_BODY, "redirects to another address (302)"),
        (500, "has trouble of its own (500)"),
        (404, "refused the message (404)"),
        (b"SSH-2.0-x\r\n\r\n", "did not answer as an HTTP server should"),
        (b"HTTP/1.1 403 X\r\ncontent-length: 12\r\n\r\ninvalid_auth", "It said: invalid_auth."),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 5000, "did not answer as an HTTP server should"),
    ],
)
def test_what_an_endpoint_does_is_seen(world: World, answer: int | bytes, fault: str) -> None:
    with Receiver([answer]) as receiver:
        channel_id, _ = webhook(world, receiver)
        tested = world.services.alerts.history.test(
            world.organization_id, channel_id, actor=COMMAND_LINE
        )
        assert not tested.sent
        assert fault in tested.fault
        channel = world.services.alerts.channels.get(world.organization_id, channel_id)
        assert (channel.fault, channel.target) == (tested.fault, f"127.0.0.1:{receiver.port}")
        assert b"secret" not in channel.ciphertext
        assert len(receiver.requests) == 1  # nothing was followed


def test_an_endless_answer_is_not_read_to_its_end(world: World) -> None:
    endless = b"HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n" + b"x" * 100_000
    with Receiver([endless]) as receiver:
        channel_id, _ = webhook(world, receiver)
        history = world.services.alerts.history
        assert history.test(world.organization_id, channel_id, actor=COMMAND_LINE).sent


def test_a_test_to_many_ends_with_the_first_fault(world: World) -> None:
    with MailServer(refused="b@x.dev") as server:
        form = MailForm(host="127.0.0.1", port=str(server.port), security="none", sender="t@x.dev")
        world.services.mail_settings.set(world.organization_id, form)
        many = ChannelForm(kind="email", addresses="a@x.dev, b@x.dev, c@x.dev")
        channels = world.services.alerts.channels
        made = channels.create(world.organization_id, many, actor=COMMAND_LINE)
        tested = world.services.alerts.history.test(
            world.organization_id, made.record.channel_id, actor=COMMAND_LINE
        )
        assert "refused the recipient" in tested.fault
        assert [m["To"] for m in server.messages] == ["a@x.dev"]


def test_private_addresses_are_refused(world: World) -> None:
    for host in ("10.0.0.1", "169.254.169.254", "[::1]", "2130706433:8080", "metadata"):
        form = ChannelForm(kind="slack", url=f"http://{host}/services/x")
        channels = world.services.alerts.channels
        made = channels.create(world.organization_id, form, actor=COMMAND_LINE)
        tested = world.services.alerts.history.test(
            world.organization_id, made.record.channel_id, actor=COMMAND_LINE
        )
        assert not tested.sent
        assert "metadata" in tested.fault or "not a public address" in tested.fault


def test_messages_are_given_up_visibly(world: World) -> None:
    with Receiver([500] * 20) as receiver:
        channel_id, _ = webhook(world, receiver)
        budget(world)
        spend(world, 100)
        look(world)
        for _ in range(12):
            send(world)
            world.now_us += 2 * HOUR_US
        assert len(receiver.requests) == 8
        [given_up] = world.services.alerts.channels.deliveries(world.organization_id, channel_id)
        assert given_up.failed_us
        assert "has trouble of its own (500)" in given_up.fault
