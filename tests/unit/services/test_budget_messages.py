"""Mail about budgets that somebody asks for more of: it needs a mail server, and no channel."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.browser.world import PUBLIC_URL, World
from tests.mail_server import MailServer
from tests.unit.services.alert_world import (
    USD,
    alert_world,
    budget,
    developer,
    look,
    mail_of,
    outbox,
    send,
)
from tests.webhook_receiver import Receiver

from tidegate.services.alert_channels import ChannelForm
from tidegate.services.audit import COMMAND_LINE, Actor
from tidegate.store.budgets import BudgetRequestRecord

pytestmark = pytest.mark.slow

OWNER, DEVELOPER = "maya@brightwater.dev", "noah@brightwater.dev"


@pytest.fixture
def world(empty_installation: Path, tmp_path: Path) -> Iterator[World]:
    with alert_world(empty_installation, tmp_path) as made:
        yield made


@pytest.fixture
def mail(world: World) -> Iterator[MailServer]:
    with mail_of(world) as server:
        yield server


def ask(world: World) -> BudgetRequestRecord:
    member_id = developer(world).member_id
    return world.services.budget_requests.ask(
        world.organization_id,
        member_id,
        budget(world).budget_id,
        amount_nusd=20 * USD,
        reason="A release",
        actor=Actor(member_id),
    )


def decide(world: World, asked: BudgetRequestRecord, verb: str) -> None:
    admin: dict[str, Any] = {"by_role": "owner", "actor": Actor(world.owner_id)}
    requests = world.services.budget_requests
    {"approve": requests.approve, "decline": requests.decline}[verb](
        world.organization_id, asked.request_id, note="Until Friday", **admin
    )


def told(mail: MailServer) -> list[tuple[str, str]]:
    return [(str(m["To"]), str(m["Subject"])) for m in mail.messages]


@pytest.mark.parametrize(
    ("verb", "state", "became"),
    [("approve", "approved", "was raised"), ("decline", "declined", "was left as it is")],
)
def test_a_mail_server_is_all_it_takes(
    world: World, mail: MailServer, verb: str, state: str, became: str
) -> None:
    asked = ask(world)
    assert world.services.alerts.channels.list(world.organization_id) == []
    send(world)
    assert told(mail) == [(OWNER, f"{DEVELOPER} asks for $20.00 more")]
    link = f"{PUBLIC_URL}/budgets/requests/{asked.request_id}"
    text = mail.messages[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert link in text
    assert "Nothing is decided by opening the link." in text
    decide(world, asked, verb)
    send(world)
    assert told(mail)[1:] == [(DEVELOPER, f"Your request for $20.00 more was {state}")]
    text = mail.messages[1].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert all(each in text for each in (link, became, "Note: Until Friday"))
    assert send(world) == 0


def test_without_a_mail_server_nothing_is_on_its_way(world: World) -> None:
    asked = ask(world)
    decide(world, asked, "approve")
    assert outbox(world) == []


def test_channels_are_told_too_and_nobody_twice(world: World, mail: MailServer) -> None:
    look(world)  # gives the organization its channel of mail to admins
    channels = world.services.alerts.channels
    team = ChannelForm(kind="email", addresses=f"team@brightwater.dev, {OWNER}")
    channels.create(world.organization_id, team, actor=COMMAND_LINE)
    with Receiver() as receiver:
        slack = ChannelForm(kind="slack", url=receiver.url)
        channels.create(world.organization_id, slack, actor=COMMAND_LINE)
        asked = ask(world)
        send(world)
        decide(world, asked, "approve")
        send(world)
        [request] = receiver.requests
    assert sorted(told(mail)) == [
        (OWNER, f"{DEVELOPER} asks for $20.00 more"),
        (DEVELOPER, "Your request for $20.00 more was approved"),
        ("team@brightwater.dev", f"{DEVELOPER} asks for $20.00 more"),
    ]
    [button] = request.json["blocks"][-1]["elements"]
    assert button["url"] == f"{PUBLIC_URL}/budgets/requests/{asked.request_id}"


def test_in_quiet_hours_admins_sleep_and_who_waits_is_told(world: World, mail: MailServer) -> None:
    world.services.alerts.rules.set_settings(
        world.organization_id,
        quiet_from=11 * 60,
        quiet_to=13 * 60,
        digest=False,
        actor=COMMAND_LINE,
    )
    asked = ask(world)
    assert send(world) == 0
    decide(world, asked, "approve")
    send(world)
    assert [to for to, _ in told(mail)] == [DEVELOPER]
    world.now_us += 3_600_000_000
    send(world)
    assert [to for to, _ in told(mail)] == [DEVELOPER, OWNER]


def test_a_mail_that_is_sent_again_has_its_id_again(world: World, mail: MailServer) -> None:
    ask(world)
    send(world)
    [sent] = outbox(world)
    with world.store.directory.changing() as change:  # the console died before it wrote that down
        change.update_delivery(replace(sent, done_us=0))
    world.now_us += 300_000_000
    send(world)
    ids = [str(m["Message-ID"]) for m in mail.messages]
    assert ids == [f"<{sent.delivery_id}@brightwater.dev>"] * 2
