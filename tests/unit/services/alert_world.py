"""A console whose alerts are tried out: its mail server, budget, spending, history and outbox."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.browser.world import World, made_world
from tests.mail_server import MailServer
from tests.webhook_receiver import Receiver

from tidegate.core.budgets import Budget
from tidegate.core.model import Cost, TokenCounts
from tidegate.services.alert_channels import ChannelForm
from tidegate.services.audit import COMMAND_LINE
from tidegate.services.enrolment import Enrolled
from tidegate.services.mail_form import MailForm
from tidegate.store.alerts import AlertRecord, DeliveryRecord

USD = 1_000_000_000


@contextmanager
def alert_world(installation: Path, tmp_path: Path) -> Iterator[World]:
    """One organization with an owner, at noon of a Sunday."""
    shutil.copytree(installation, tmp_path / "data")
    with made_world(tmp_path / "data", migrate=False) as made:
        made.found()
        yield made


@contextmanager
def mail_of(world: World) -> Iterator[MailServer]:
    """The organization's mail server."""
    with MailServer() as server:
        form = MailForm(
            host="127.0.0.1",
            port=str(server.port),
            security="none",
            sender="tidegate@brightwater.dev",
        )
        world.services.mail_settings.set(world.organization_id, form)
        yield server


def spend(world: World, usd: float, *, outcome: str = "ok", times: int = 1) -> None:
    enrolled = developer(world)
    cost = Cost(output=int(usd * USD))
    world.use(enrolled, TokenCounts(output=1), cost, outcome=outcome, times=times)


@cache
def developer(world: World) -> Enrolled:
    return world.enroll("noah@brightwater.dev")


def budget(world: World) -> Budget:
    made = Budget(
        budget_id="bud_1",
        organization_id=world.organization_id,
        amount_nusd=100 * USD,
        window="day",
    )
    with world.store.directory.changing() as change:
        change.add_budget(made)
    return made


def look(world: World) -> int:
    world.services.alerts.watch.note_backlog()
    return world.services.alerts.watch.look(world.organization_id)


def send(world: World) -> int:
    return world.services.alerts.delivery.run()


def alerts(world: World) -> list[AlertRecord]:
    with world.store.directory.reading() as reads:
        return list(reversed(reads.alerts(world.organization_id)))


def outbox(world: World) -> list[DeliveryRecord]:
    with world.store.directory.reading() as reads:
        return list(reversed(reads.deliveries(world.organization_id)))


def webhook(world: World, receiver: Receiver) -> tuple[str, str]:
    form = ChannelForm(kind="webhook", name="Pager", url=receiver.url)
    made = world.services.alerts.channels.create(world.organization_id, form, actor=COMMAND_LINE)
    return made.record.channel_id, made.signing_secret
