"""The demo's squads, budgets and alerts: their amounts follow from what is spent, so that one is
nearly used up, one is over and one far from it, whatever the day.

Alerts are not made up: the real watch looks at the ledger as it was on each of the days.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from tidegate.core.alerts import RuleKind
from tidegate.core.budgets import EACH, Budget, HoldMode, Scope, WhenUnknown, WindowKind
from tidegate.core.calendar import HOUR_US, hour_start_us
from tidegate.core.model import NANO_PER_USD, Agent, Billing, Role, UsageEvent
from tidegate.services import demo_cast as cast
from tidegate.services.alert_channels import AlertChannels, ChannelForm
from tidegate.services.alert_readings import Readings
from tidegate.services.alert_rules import AlertRules, RuleForm
from tidegate.services.alert_watch import AlertWatch
from tidegate.services.alerts import AlertDecisions
from tidegate.services.audit import Actor
from tidegate.services.budget_fields import BudgetDraft
from tidegate.services.budget_requests import BudgetRequests
from tidegate.services.budget_standings import Standings
from tidegate.services.budgets import Budgets
from tidegate.services.context import Clock
from tidegate.services.demo_use import Enlisted
from tidegate.services.rate_limits import RateLimits
from tidegate.services.squads import Squads
from tidegate.services.vault import Subkeys
from tidegate.store.alerts import AlertFilter
from tidegate.store.ports import Store

POOLED: Final = "Product"
_PER_HEAD: Final = "Data"
_OVER: Final = "Aiko Tanaka"
_TRIES: Final = "Noah Kim"
_RAISED: Final = "Priya Raman"
_ASKS: Final = "Tomás Herrera"
_WAS_GIVEN: Final = "Sofia Rossi"
_REPOSITORY: Final = "github.com/brightwater/data-pipelines"
_MONTH_H: Final = 30 * 24
_ALWAYS_H: Final = 100 * 24
_WEEK_H: Final = 7 * 24
_NEARLY: Final = 0.86
_ROOMY: Final = 1.15
_BEYOND: Final = 1.12
_CALM: Final = 1.9  # times what the busiest spent
_MANY: Final = 0.75  # of what anyone spent in a day at most
_SHARE_GIVEN: Final = 0.1
_RAISE_US: Final = 30 * 24 * HOUR_US


class Past(NamedTuple):
    """What a made-up past is made of: the clock stands where the story is."""

    store: Store
    subkeys: Subkeys
    clock: Clock


class Spending:
    """What the events of the demo come to, before the ledger has them."""

    def __init__(self, events: Iterable[UsageEvent], now_us: int) -> None:
        self._billed = [event for event in events if event.billing == Billing.API]
        self._now_us = now_us

    def last(self, hours: int, only: Callable[[UsageEvent], bool] = lambda _event: True) -> int:
        """Nano-USD in this hour and those before, as a rolling budget counts them."""
        since_us = self._since_us(hours)
        return sum(e.cost.total for e in self._billed if e.started_us >= since_us and only(e))

    def most_of_a_member(self, hours: int) -> int:
        """Who spent most in these hours spent this much."""
        sums: defaultdict[str, int] = defaultdict(int)
        since_us = self._since_us(hours)
        for event in self._billed:
            if event.started_us >= since_us:
                sums[event.member_id] += event.cost.total
        return max(sums.values(), default=0)

    def most_in_a_day(self, days: int) -> int:
        """The most that a member spent in a day of the last ones."""
        sums: defaultdict[tuple[str, int], int] = defaultdict(int)
        since_us, day_us = self._since_us(days * 24), 24 * HOUR_US
        for event in self._billed:
            if event.started_us >= since_us:
                sums[event.member_id, event.started_us // day_us] += event.cost.total
        return max(sums.values(), default=0)

    def _since_us(self, hours: int) -> int:
        return hour_start_us(self._now_us, ZoneInfo(cast.TIME_ZONE)) - (hours - 1) * HOUR_US


class Budgeting:
    """What admins and members do about money, each at the time that the clock shows."""

    def __init__(self, past: Past, organization_id: str, owner: Actor) -> None:
        self._store = past.store
        self._clock = past.clock
        self._squads = Squads(*past)
        self._budgets = Budgets(*past)
        self._requests = BudgetRequests(*past)
        self._limits = RateLimits(*past)
        self._rules = AlertRules(*past)
        self._channels = AlertChannels(*past)
        self._decisions = AlertDecisions(*past)
        readings = Readings(past.store, Standings(*past))
        self._watch = AlertWatch(*past, readings=readings, public_url="")
        self._organization_id = organization_id
        self._owner = owner
        self._by_owner: dict[str, Any] = {"by_role": Role.OWNER, "actor": owner}
        self._squad_ids: dict[str, str] = {}
        self._made: dict[str, Budget] = {}
        self._given_nusd = 0

    def found_squads(self) -> None:
        """Make all squads, with nobody in them."""
        for name in cast.SQUADS:
            squad = self._squads.create(self._organization_id, name, **self._by_owner)
            self._squad_ids[name] = squad.squad_id

    def place(self, person: cast.Person, member_id: str) -> str:
        """Put someone into a squad: its id; "" for who is in none."""
        squad_id = self._squad_ids.get(person.squad, "")
        if squad_id:
            self._squads.place(self._organization_id, member_id, squad_id, **self._by_owner)
        return squad_id

    def set_limits(self) -> None:
        """What no key exceeds."""
        self._limits.set(
            self._organization_id,
            scope="key",
            scope_id=EACH,
            requests_per_minute=120,
            tokens_per_minute=20_000_000,
            concurrent_streams=12,
            **self._by_owner,
        )

    def set_rules(self, spending: Spending, days: int) -> None:
        """Rules of alerts, one of them such that a few days are above it; nothing is sent."""
        self._rules.set_up(self._organization_id)
        for each in self._channels.list(self._organization_id):
            off = ChannelForm(kind=each.kind, name=each.name, enabled=False)
            self._channels.update(self._organization_id, each.channel_id, off, actor=self._owner)
        threshold = rounded(int(spending.most_in_a_day(days) * _MANY))
        form = RuleForm(
            kind=RuleKind.SPEND,
            name="A costly day",
            scope=Scope.MEMBER,
            thresholds=(threshold,),
            window_hours=24,
        )
        self._rules.create(self._organization_id, form, actor=self._owner)

    def make_budgets(self, spending: Spending, team: Sequence[Enlisted]) -> None:
        """One of each kind; the amounts are chosen by what is spent today."""
        drafts = self._shared(spending) | self._personal(spending, team)
        for name, draft in drafts.items():
            self._made[name] = self._budgets.create(self._organization_id, draft, **self._by_owner)

    def _shared(self, spending: Spending) -> dict[str, BudgetDraft]:
        pool = self._squad_ids[POOLED]
        pooled = spending.last(_MONTH_H, lambda event: event.squad_id == pool)
        worked = spending.last(_WEEK_H, lambda event: event.repository == _REPOSITORY)
        self._given_nusd = rounded(int(pooled * _SHARE_GIVEN))
        return {
            "all": BudgetDraft(amount_nusd=rounded(int(spending.last(_MONTH_H) * _ROOMY))),
            "pool": BudgetDraft(
                scope=Scope.SQUAD,
                scope_id=pool,
                amount_nusd=rounded(int(pooled / _NEARLY)) - self._given_nusd,
                window=WindowKind.ROLLING,
                rolling_hours=_MONTH_H,
            ),
            "head": BudgetDraft(
                scope=Scope.SQUAD,
                scope_id=self._squad_ids[_PER_HEAD],
                per_head=True,
                amount_nusd=rounded(int(spending.most_in_a_day(60) * _CALM)),
                window=WindowKind.DAY,
                hard=True,
                mode=HoldMode.STRICT,
                when_unknown=WhenUnknown.CLOSED,
            ),
            "repository": BudgetDraft(
                scope=Scope.REPOSITORY,
                scope_id=_REPOSITORY,
                amount_nusd=rounded(4 * worked),
                window=WindowKind.WEEK,
            ),
        }

    def _personal(self, spending: Spending, team: Sequence[Enlisted]) -> dict[str, BudgetDraft]:
        trial, over = _named(team, _TRIES).keys[Agent.CODEX], _named(team, _OVER).member_id
        tried = spending.last(_ALWAYS_H, lambda event: event.key_id == trial)
        migrated = spending.last(_WEEK_H, lambda event: event.member_id == over)
        return {
            "each": BudgetDraft(
                scope=Scope.MEMBER,
                scope_id=EACH,
                amount_nusd=rounded(int(spending.most_of_a_member(_MONTH_H) * _CALM)),
                hard=True,
            ),
            "one": BudgetDraft(
                name="Migration spike",
                scope=Scope.MEMBER,
                scope_id=over,
                amount_nusd=rounded(int(migrated / _BEYOND)),
                window=WindowKind.ROLLING,
                rolling_hours=_WEEK_H,
            ),
            "trial": BudgetDraft(
                name="Codex trial",
                scope=Scope.KEY,
                scope_id=trial,
                amount_nusd=rounded(int(tried / _NEARLY)),
                window=WindowKind.LIFETIME,
                hard=True,
            ),
        }

    def raise_one(self, team: Sequence[Enlisted]) -> None:
        """More for one of those who have a budget each."""
        self._budgets.raise_until(
            self._organization_id,
            self._made["each"].budget_id,
            rounded(self._made["each"].amount_nusd // 4),
            self._clock() + _RAISE_US,
            subject=_named(team, _RAISED).member_id,
            **self._by_owner,
        )

    def give(self, team: Sequence[Enlisted]) -> None:
        """A member of the squad asks, and gets it."""
        reason = "The new design tokens touch every page: more runs than usual this month."
        request_id = self._ask(team, _WAS_GIVEN, "pool", self._given_nusd, reason)
        note = "Agreed. Let us look at it again next month."
        self._requests.approve(self._organization_id, request_id, note=note, **self._by_owner)

    def ask_for_the_pool(self, team: Sequence[Enlisted]) -> None:
        reason = "Two agents work through the keyboard navigation until Friday."
        self._ask(team, _ASKS, "pool", 2 * self._given_nusd, reason)

    def ask_for_oneself(self, team: Sequence[Enlisted]) -> None:
        wanted = rounded(self._made["one"].amount_nusd // 2)
        reason = "The migration needs one more week of long sessions."
        self._ask(team, _OVER, "one", wanted, reason)

    def look(self) -> None:
        """What the watch would have seen at this moment."""
        self._watch.look(self._organization_id)

    def acknowledge(self) -> None:
        """Someone looks after the oldest open alert."""
        with self._store.directory.reading() as reads:
            waiting = reads.alerts(self._organization_id, AlertFilter(state="open"))
        for oldest in waiting[-1:]:
            self._decisions.acknowledge(self._organization_id, oldest.alert_id, actor=self._owner)

    def _ask(
        self, team: Sequence[Enlisted], name: str, budget: str, amount_nusd: int, reason: str
    ) -> str:
        member_id = _named(team, name).member_id
        request = self._requests.ask(
            self._organization_id,
            member_id,
            self._made[budget].budget_id,
            amount_nusd=amount_nusd,
            reason=reason,
            actor=Actor(member_id, self._owner.address),
        )
        return request.request_id


def rounded(nusd: int) -> int:
    """An amount as people choose it, at least a dollar."""
    dollars = max(nusd // NANO_PER_USD, 1)
    step: int = max(10 ** (len(str(dollars)) - 2) // 2, 1)
    return round(max(nusd, NANO_PER_USD) / (step * NANO_PER_USD)) * step * NANO_PER_USD


def _named(team: Sequence[Enlisted], name: str) -> Enlisted:
    return next(who for who in team if who.person.name == name)
