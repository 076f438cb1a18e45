"""The life of an alert by running jobs: a mail server, and a webhook receiver that fails twice."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace
from tests.browser.world import PUBLIC_URL, World
from tests.mail_server import MailServer
from tests.unit.gateway.world import until
from tests.unit.services.alert_world import USD, alerts, budget, mail_of, outbox, spend, webhook
from tests.webhook_receiver import Receiver

from tidegate.console.app import ConsoleOptions
from tidegate.core.alerts import Ended, RuleKind
from tidegate.core.budgets import Budget
from tidegate.core.signatures import DELIVERY, SIGNATURE, TIMESTAMP, is_signed
from tidegate.jobs.alerts import AlertsJob
from tidegate.services.audit import COMMAND_LINE
from tidegate.services.log import NoLog
from tidegate.store.sql.database import SqlStore
from tidegate.wiring.composition import compose

pytestmark = pytest.mark.slow

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
FAILED_TWICE = [500, 503]


@pytest.fixture
def world(store: SqlStore) -> World:
    made = World(store, ConsoleOptions(public_url=PUBLIC_URL, version="0.1.0"))
    made.found()
    return made


@pytest.fixture
def mail(world: World) -> Iterator[MailServer]:
    with mail_of(world) as server:
        yield server


@pytest.fixture
def pager() -> Iterator[Receiver]:
    with Receiver(FAILED_TWICE) as receiver:
        yield receiver


class Faults(NoLog):
    """A log that keeps what went wrong."""

    def __init__(self) -> None:
        self.errors: list[tuple[str, dict[str, Any]]] = []

    def error(self, event: str, **fields: Any) -> None:
        self.errors.append((event, fields))


@asynccontextmanager
async def consoles(world: World) -> AsyncIterator[None]:
    """Two consoles on one store, whose jobs do nothing but look and send."""
    stop, log = asyncio.Event(), Faults()
    runs = []
    for _ in range(2):
        made = compose(world.store, world.subkeys, world.around).alerts
        job = AlertsJob(made.watch, made.digest, made.delivery, log)
        runs.append(asyncio.create_task(job.run(stop, poll_s=0.01, send_s=0.01)))
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*runs)
    assert log.errors == []


def test_an_alert_lives_and_ends(world: World, mail: MailServer, pager: Receiver) -> None:
    asyncio.run(_life(world, mail, pager))
    told = [(a.threshold, a.value, a.ended, a.silenced) for a in alerts(world)]
    assert told == [
        (80, 80, Ended.OVERTAKEN, False),
        (100, 100, Ended.WINDOW, False),
        (50, 60, Ended.OVERTAKEN, True),
        (100, 120, Ended.BELOW, False),
    ]
    assert all(each.done_us and not each.failed_us for each in outbox(world))
    assert len({each.delivery_id for each in outbox(world)}) == len(pager.requests) - 2 + len(
        mail.messages
    )
    subjects = [str(message["Subject"]) for message in mail.messages]
    assert subjects == [
        "Budget: Brightwater",
        "Budget: Brightwater",
        "Still: Budget: Brightwater",
        "Brightwater: the week of 16 Nov",
        "Budget: Brightwater",
        "Ended: Budget: Brightwater",
    ]


async def _life(world: World, mail: MailServer, pager: Receiver) -> None:
    _, secret = webhook(world, pager)
    made = budget(world)  # $100 a day
    rules = world.services.alerts.rules
    for rule in rules.list(world.organization_id):
        if rule.kind != RuleKind.BUDGET:  # the others would see how this clock leaps
            rules.delete(world.organization_id, rule.rule_id, actor=COMMAND_LINE)
    async with consoles(world):
        spend(world, 80)
        for fault in ("(500)", "(503)"):
            await until(partial(_failed, world, fault))
            world.now_us += 10 * MINUTE_US
        await _settled(world, 2)
        _check_first(world, mail, pager, secret)
        await _by_day(world)
        await _next_day(world, made)


def _check_first(world: World, mail: MailServer, pager: Receiver, secret: str) -> None:
    assert len(mail.messages) == 1  # once, whatever the webhook did
    first = pager.requests
    assert len({each.headers[DELIVERY] for each in first}) == 1
    assert len(first) == 3
    for each in first:
        at = each.headers[TIMESTAMP]
        assert is_signed(secret, each.headers[SIGNATURE], at, each.body, int(at))
    assert first[2].json["alert"]["amount"] == 80 * USD
    assert first[2].json["alert"]["id"] == alerts(world)[0].alert_id


async def _by_day(world: World) -> None:
    """Acknowledged, overtaken, snoozed and told again."""
    history, whose = world.services.alerts.history, world.organization_id
    history.acknowledge(whose, alerts(world)[0].alert_id, actor=COMMAND_LINE)
    assert _waiting(world) == 0
    spend(world, 20)
    await _settled(world, 4)
    assert _waiting(world) == 1
    history.snooze(whose, alerts(world)[1].alert_id, 1, actor=COMMAND_LINE)
    assert _waiting(world) == 0
    world.now_us += HOUR_US
    await _settled(world, 6)
    assert _waiting(world) == 1


async def _next_day(world: World, made: Budget) -> None:
    """Muted, over with its window, crossed in silence, told again, and over by a raise."""
    history, whose = world.services.alerts.history, world.organization_id
    muted = alerts(world)[1].alert_id
    history.mute(whose, muted, muted=True, actor=COMMAND_LINE)
    world.now_us += DAY_US
    await _settled(world, 7)  # the digest
    await until(lambda: alerts(world)[1].ended)
    spend(world, 60)
    await until(lambda: len(alerts(world)) == 3)
    assert _waiting(world) == 0
    history.mute(whose, muted, muted=False, actor=COMMAND_LINE)
    spend(world, 60)
    await _settled(world, 9)
    with world.store.directory.changing() as change:
        change.update_budget(replace(made, amount_nusd=1000 * USD))
    await _settled(world, 11)
    assert _waiting(world) == 0


async def _settled(world: World, messages: int) -> None:
    """So many messages there are, and all of them arrived."""

    def arrived() -> bool:
        found = outbox(world)
        return len(found) >= messages and all(each.done_us for each in found)

    await until(arrived)
    assert len(outbox(world)) == messages


def _failed(world: World, fault: str) -> bool:
    """The webhook, that is; the mail arrived."""
    waiting = [each for each in outbox(world) if not each.done_us]
    return len(waiting) == 1 and fault in waiting[0].fault


def _waiting(world: World) -> int:
    viewer = world.services.logins.viewer(world.login())
    assert viewer is not None
    return world.services.alerts.history.waiting(viewer)
