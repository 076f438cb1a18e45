"""A console on a real store, with people and usage in it, for its tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette

from tidegate.console.app import ConsoleOptions, create_app
from tidegate.core.captures import Capture, Part, pack
from tidegate.core.model import Billing, Cost, TokenCounts, UsageEvent
from tidegate.core.price_book import PriceBook
from tidegate.gateway.options import GatewayOptions
from tidegate.services.alert_channels import ChannelForm
from tidegate.services.alert_rules import RuleForm
from tidegate.services.alert_watch import Spool
from tidegate.services.audit import Actor
from tidegate.services.budget_fields import BudgetDraft
from tidegate.services.demo import Demo, Opened
from tidegate.services.enrolment import Enrolled
from tidegate.services.ids import new_id
from tidegate.services.mail import MailSender
from tidegate.services.password_hashing import PasswordHashing
from tidegate.services.price_book import ModelListing, compile_price_book
from tidegate.services.vault import derive, seal_capture
from tidegate.services.webhooks import WebhookSender
from tidegate.store.alerts import AlertRecord
from tidegate.store.captures import StoredCapture
from tidegate.store.github import GithubApp, GithubInstallation
from tidegate.store.ports import SpoolBatch
from tidegate.store.sql.database import SqlStore, open_store
from tidegate.wiring.composition import Surroundings, compose
from tidegate.wiring.github_transport import UpstreamTransport
from tidegate.wiring.outbound import Outbound
from tidegate.wiring.probe import UpstreamProbe

DAY_US = 86_400_000_000
NOON_US = 1_795_348_800_000_000  # 22 Nov 2026, 12:00 UTC
WEDNESDAY_US = 1_795_014_300_000_000  # 18 Nov 2026, 15:05 UTC
PUBLIC_URL = "http://localhost:4180"
QUICK_HASHING = PasswordHashing(rounds=1, memory_kib=8)
_MOST_THINGS = 12
LOOPBACK = ("127.0.0.1:*", "localhost:*")


class World:
    """One organization with an owner; its clock stands at noon unless a test moves it.

    Mail servers and providers may be on loopback; `authorities` (PEM) vouch for their certificates.
    """

    def __init__(self, store: SqlStore, options: ConsoleOptions, *, authorities: str = "") -> None:
        self.subkeys = subkeys = derive(bytes(range(32)))
        self.now_us = NOON_US
        self.drains = 0
        self.behind_us = 0
        self.store = store
        self._events = count(1)
        self._offset = 0
        upstreams = GatewayOptions(
            console_socket="", allow_upstreams=LOOPBACK, upstream_ca=authorities
        )
        outbound = Outbound(LOOPBACK, authorities)
        self.around = Surroundings(
            public_url=options.public_url,
            drain_now=self._drain,
            agent_models=_agent_models,
            prices=price_book,
            mail_sender=MailSender(outbound.connect, outbound.tls),
            webhooks=WebhookSender(outbound.connect, outbound.tls),
            spool=Spool("plc_1", lambda _now_us: self.behind_us),
            probe=UpstreamProbe(upstreams),
            github_transport=lambda: UpstreamTransport(upstreams),
            clock=self.clock,
            hashing=QUICK_HASHING,
        )
        self.services = compose(store, subkeys, self.around)
        self.options = options
        self.organization_id = ""
        self.owner_id = ""

    def clock(self) -> int:
        return self.now_us

    @property
    def app(self) -> Starlette:
        return create_app(self.services, self.options, clock=self.clock)

    def found(self, name: str = "Brightwater", email: str = "maya@brightwater.dev") -> str:
        """Make an organization; the token of its owner's sign-in link."""
        founded = self.services.organizations.bootstrap(name, email)
        self.organization_id, self.owner_id = founded.organization_id, founded.member_id
        return founded.sign_in_token

    def demo(self) -> Opened:
        """Make the organization of `tidegate demo`, on a Wednesday afternoon."""
        self.now_us = WEDNESDAY_US
        demo = Demo(self.store, self.subkeys, price_book(), now_us=self.now_us)
        opened = demo.fill()
        self.organization_id, self.owner_id = opened.organization_id, opened.owner_id
        return opened

    def login(self, member_id: str = "") -> str:
        """The secret of a new login, as the cookie holds it."""
        logins = self.services.logins
        token = logins.make_sign_in_token(self.organization_id, member_id or self.owner_id)
        return logins.redeem_sign_in(token)

    def enroll(self, email: str, agent: str = "claude_code") -> Enrolled:
        return self.services.enrolment.enroll(self.organization_id, email, agent)

    def connect_github(self, organization_id: str = "", web_url: str = "https://github.com") -> str:
        """An App that nobody asks, with an installation that waits to be used: its id."""
        mine = organization_id or self.organization_id
        number = self.store.directory.version() + next(self._events)
        app = GithubApp(
            organization_id=mine,
            hook_id=mine,
            app_id=number,
            slug="tidegate",
            name="Tidegate",
            api_url="https://api.github.com",
            web_url=web_url,
            private_key=b"",
            webhook_secret=b"sealed",
            created_us=self.now_us,
            updated_us=self.now_us,
        )
        installation = GithubInstallation(
            organization_id=mine, web_url=web_url, installation_id=number, account="brightwater"
        )
        with self.store.directory.changing() as change:
            change.put_github_app(app)
            change.put_github_installation(installation)
        return str(number)

    def use(
        self,
        enrolled: Enrolled,
        tokens: TokenCounts,
        cost: Cost,
        *,
        agent: str = "claude_code",
        model: str = "claude-sonnet-4-5",
        billing: str = Billing.API,
        days_ago: int = 0,
        estimated: bool = False,
        price_unknown: bool = False,
        launch_id: str = "",
        session_id: str = "",
        repository: str = "",
        times: int = 1,
        **more: Any,
    ) -> list[str]:
        """Record finished requests; their ids. `more` are other fields of them."""
        fields: dict[str, Any] = {
            "organization_id": self.organization_id,
            "member_id": enrolled.member_id,
            "key_id": enrolled.key_id,
            "agent": agent,
            "provider": "anthropic",
            "billing": billing,
            "model_asked": model,
            "model_served": model,
            "dialect": "anthropic_messages",
            "launch_id": launch_id,
            "session_id": session_id,
            "repository": repository,
            "started_us": self.now_us - days_ago * DAY_US,
            "status": 200,
            "outcome": "ok",
            "tokens": tokens,
            "cost": cost,
            "estimated": estimated,
            "price_unknown": price_unknown,
        } | more
        events = [
            UsageEvent(event_id=f"req_{next(self._events):032x}", **fields) for _ in range(times)
        ]
        batch = SpoolBatch(
            file="test", start=self._offset, end=self._offset + len(events), events=events
        )
        self.store.usage.record(batch)
        self._offset = batch.end
        return [event.event_id for event in events]

    def capture(
        self, organization_id: str, enrolled: Enrolled, event_id: str, text: str = "Hello"
    ) -> None:
        """Store what debug mode would have of a request."""
        body = Part([("content-type", "application/json")], f'{{"model": "{text}"}}'.encode())
        kept = Capture(event_id, "POST", "/v1/messages", body, body, 200, body, 1, 2)
        self.keep(organization_id, enrolled.key_id, enrolled.member_id, kept)

    def keep(self, organization_id: str, key_id: str, member_id: str, kept: Capture) -> None:
        """Store a capture."""
        packed = pack(kept)
        event_id = kept.event_id
        self.store.usage.captures.put_capture(
            StoredCapture(
                event_id=event_id,
                organization_id=organization_id,
                key_id=key_id,
                member_id=member_id,
                at_us=self.now_us,
                expires_us=self.now_us + 3 * DAY_US,
                size_bytes=len(packed),
                truncated=kept.truncated,
                ciphertext=seal_capture(self.subkeys.capture, organization_id, event_id, packed),
            )
        )

    def break_seal(self, of: str, event_id: str) -> None:
        """Put what was sealed for one request in the place of another's capture."""
        captures = self.store.usage.captures
        stored = captures.capture(self.organization_id, of)
        assert stored is not None
        captures.put_capture(msgspec.structs.replace(stored, event_id=event_id))

    def _drain(self) -> int:
        self.drains += 1
        return 0


def budget_things(world: World, organization_id: str, member_id: str) -> dict[str, str]:
    """The ids of a budget of a member, of its raise, and of a request for more of another one."""
    budgets, actor = world.services.budgets, Actor("cli")
    for old in budgets.list(organization_id)[_MOST_THINGS:]:  # there may be so many only
        budgets.delete(organization_id, old.budget_id, by_role="owner", actor=actor)
    mine = BudgetDraft(scope="member", scope_id=member_id, amount_nusd=1_000_000_000, hard=True)
    made, other = (
        budgets.create(organization_id, mine, by_role="owner", actor=actor) for _ in range(2)
    )
    raised = budgets.raise_until(
        organization_id,
        made.budget_id,
        1_000_000_000,
        world.now_us + DAY_US,
        by_role="owner",
        actor=actor,
    )
    asked = world.services.budget_requests.ask(
        organization_id,
        member_id,
        other.budget_id,
        amount_nusd=5_000_000_000,
        reason="A release",
        actor=Actor(member_id),
    )
    return {
        "budget_id": made.budget_id,
        "raise_id": raised.raise_id,
        "budget_request_id": asked.request_id,
    }


def squad_of(world: World, organization_id: str, member_id: str) -> str:
    """A squad with the member in it, besides whom nobody is."""
    squads, actor = world.services.squads, Actor("cli")
    for old in squads.list(organization_id)[_MOST_THINGS:]:
        squads.delete(organization_id, old.record.squad_id, by_role="owner", actor=actor)
    name = new_id("Squad")
    made = squads.create(organization_id, name, by_role="owner", actor=actor)
    squads.place(organization_id, member_id, made.squad_id, by_role="owner", actor=actor)
    return made.squad_id


def alert_things(world: World, organization_id: str, member_id: str) -> dict[str, str]:
    """The ids of an alert about a member, of its rule and of a channel."""
    actor, alerts = Actor(member_id), world.services.alerts
    for old in alerts.rules.list(organization_id)[_MOST_THINGS:]:  # there may be so many only
        alerts.rules.delete(organization_id, old.rule_id, actor=actor)
    for one in alerts.channels.list(organization_id)[_MOST_THINGS:]:
        alerts.channels.delete(organization_id, one.channel_id, actor=actor)
    rule = alerts.rules.create(
        organization_id, RuleForm(kind="budget", thresholds=(80,)), actor=actor
    )
    form = ChannelForm(kind="slack", url="http://127.0.0.1:1/hook")
    channel = alerts.channels.create(organization_id, form, actor=actor)
    record = AlertRecord(
        alert_id=new_id("alert"),
        organization_id=organization_id,
        rule_id=rule.rule_id,
        kind=rule.kind,
        subject="budget_1",
        subject_name="Noah Kim",
        member_id=member_id,
        crossing=new_id("crossing"),
        threshold=80,
        value=87,
        amount=87_000_000_000,
        limit=100_000_000_000,
        sentence="Noah Kim reached 80 % of its budget: $87.00 of $100.00 in November 2026.",
        at_us=world.now_us,
    )
    with world.store.directory.changing() as change:
        change.add_alert(record)
    return {
        "alert_id": record.alert_id,
        "rule_id": rule.rule_id,
        "channel_id": channel.record.channel_id,
    }


@contextmanager
def made_world(
    data_dir: Path,
    *,
    public_url: str = PUBLIC_URL,
    migrate: bool = True,
    authorities: str = "",
) -> Iterator[World]:
    store = open_store(data_dir=data_dir, migrate=migrate)
    try:
        options = ConsoleOptions(public_url=public_url, version="0.1.0")
        yield World(store, options, authorities=authorities)
    finally:
        store.close()


@cache
def price_book() -> PriceBook:
    """List prices, compiled once."""
    return compile_price_book()


def _agent_models(provider: str) -> list[ModelListing]:
    name = {"anthropic": "claude-sonnet-4-5", "openai": "gpt-5-codex"}[provider]
    usd = 1_000_000_000
    return [
        ModelListing(
            name, name, provider, 200_000, 64_000, 3 * usd, 15 * usd, usd // 10, 4 * usd, 0
        )
    ]
