"""Budgets, squads, requests for more and limits of rate: who may do what, and what comes of it."""

from typing import Any

import msgspec
import pytest
from tests.unit.jobs.events import event
from tests.unit.services.world import DAY_US, START_US, World

from tidegate.core.budgets import EACH, Budget, Standing
from tidegate.core.limits import RateLimit
from tidegate.core.model import Cost
from tidegate.core.projection import Band
from tidegate.services import money
from tidegate.services.audit import Actor
from tidegate.services.budget_fields import BudgetDraft
from tidegate.services.budget_requests import BudgetRequests
from tidegate.services.budget_standings import Standings
from tidegate.services.budgets import Budgets
from tidegate.services.errors import Conflict, Forbidden, InvalidField, NotFound, Refused
from tidegate.services.rate_limits import RateLimits
from tidegate.services.squads import Squads
from tidegate.store.holds import Holder, HoldRequest, Want
from tidegate.store.ports import SpoolBatch

pytestmark = pytest.mark.slow

USD = 1_000_000_000


class Office:
    """The services on budgets in a world with an admin and a member."""

    def __init__(self, world: World) -> None:
        self.world, self.id = world, world.organization_id
        made = (world.store, world.subkeys, world.clock)
        self.budgets, self.squads = Budgets(*made), Squads(*made)
        self.requests, self.standings = BudgetRequests(*made), Standings(*made)
        self.limits = RateLimits(*made)
        self.admin: dict[str, Any] = {"by_role": "owner", "actor": world.owner}
        self.dev_id = world.join("dev@example.com", password="")
        self.dev = Actor(self.dev_id)
        self.key_id = world.enrolled("dev@example.com").key_id

    def budget(self, **fields: Any) -> Budget:
        draft = BudgetDraft(**({"amount_nusd": 100 * USD} | fields))
        return self.budgets.create(self.id, draft, **self.admin)

    def spend(self, usd: int, *, days_ago: int = 0, **fields: Any) -> None:
        number = self.world.clock.now_us + usd + days_ago
        plain = {
            "event_id": f"req_{number}",
            "organization_id": self.id,
            "member_id": self.dev_id,
            "key_id": self.key_id,
            "started_us": self.world.clock.now_us - days_ago * DAY_US,
            "cost": Cost(input=usd * USD),
        }
        spent = event(1, **(plain | fields))
        batch = SpoolBatch(file=f"{number}", start=0, end=1, events=[spent])
        assert self.world.store.usage.record(batch) == 1


@pytest.fixture
def office(world: World) -> Office:
    return Office(world)


@pytest.mark.parametrize(
    ("text", "nusd"),
    [
        ("20", 20 * USD),
        (" $12.50 ", 12_500_000_000),
        ("0", 0),
        ("0.000000001", 1),
        ("1,250.00", 1250 * USD),
        ("1,250,000 usd", 1_250_000 * USD),
        ("1000000000", 10**18),
    ],
)
def test_amounts_are_taken_to_the_last_digit(text: str, nusd: int) -> None:
    assert money.amount(text) == nusd


@pytest.mark.parametrize(
    ("text", "told"),
    [
        *((text, "Write an amount") for text in ("", "12,5", "1.000,50", "1e3", "nan", "inf")),
        *((text, "Write an amount") for text in ("20 EUR", "٣", "$", "--1", "1.")),
        *((text, "is negative") for text in ("-1", "-$1,000.50", "- 3")),
        ("0.0000000001", "nine decimals"),
        *((text, "over a billion") for text in ("1000000001", "9" * 40, "9223372036.9")),
    ],
)
def test_what_is_no_amount_is_refused(text: str, told: str) -> None:
    with pytest.raises(InvalidField, match=told):
        money.amount(text)


def test_a_budget_lives_and_gateways_learn_of_it(office: Office) -> None:
    store = office.world.store.directory
    before = store.version()
    made = office.budget(name=" Spring ", window="week", hard=True, mode="strict")
    assert (made.name, made.scope_id, made.amount_nusd) == ("Spring", "", 100 * USD)
    assert store.version() > before
    assert store.snapshot().budgets == (made,)
    changed = office.budgets.change(
        office.id, made.budget_id, amount_nusd=5, hard=False, **office.admin
    )
    assert changed == msgspec.structs.replace(made, amount_nusd=5, hard=False)
    assert store.snapshot().budgets == (changed,)
    given = office.budgets.raise_until(
        office.id, made.budget_id, 7, START_US + DAY_US, **office.admin
    )
    assert store.snapshot().raises == (given,)
    office.world.clock.now_us += 1000
    office.budgets.end_raise(office.id, made.budget_id, given.raise_id, **office.admin)
    [ended] = office.budgets.raises(office.id, made.budget_id)
    assert ended.until_us == START_US + 1000
    office.budgets.delete(office.id, made.budget_id, **office.admin)
    assert (store.snapshot().budgets, store.snapshot().raises) == ((), ())
    assert office.world.actions()[-5:] == [
        "budget.create", "budget.change", "budget.raise", "budget.end_raise", "budget.delete",
    ]  # fmt: skip
    detail = office.world.audit()[-4].detail
    assert detail == {
        "amount_nusd": "5",
        "before_amount_nusd": str(100 * USD),
        "hard": "False",
        "before_hard": "True",
        "of": "the organization (“Spring”)",
    }
    detail = office.world.audit()[-2].detail
    assert (detail["before_until_us"], detail["until_us"]) == (
        str(START_US + DAY_US),
        str(START_US + 1000),
    )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"scope": "team"}, "scope"),
        ({"scope": "squad", "scope_id": "sqd_none"}, "scope_id"),
        ({"scope": "member"}, "scope_id"),
        ({"scope": "member", "scope_id": "mem_none"}, "scope_id"),
        ({"scope": "key", "scope_id": "key_none"}, "scope_id"),
        ({"scope": "repository", "scope_id": "a\nb"}, "scope_id"),
        ({"scope": "member", "scope_id": EACH, "per_head": True}, "per_head"),
        ({"window": "year"}, "window"),
        ({"window": "rolling"}, "rolling_hours"),
        ({"window": "rolling", "rolling_hours": 5000}, "rolling_hours"),
        ({"mode": "loose"}, "mode"),
        ({"when_unknown": ""}, "when_unknown"),
        ({"amount_nusd": -1}, "amount"),
        ({"amount_nusd": 10**18 + 1}, "amount"),
        ({"name": "x" * 101}, "name"),
    ],
)
def test_no_budget_is_made_of_what_makes_no_sense(
    office: Office, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(Refused) as refusal:
        office.budget(**fields)
    assert refusal.value.field == field
    assert office.budgets.list(office.id) == []


def test_a_limit_with_its_raises_stays_within_what_can_be_reckoned(office: Office) -> None:
    most = 10**18
    budget = office.budget(amount_nusd=most - 5)
    until_us = START_US + DAY_US
    raising = office.budgets.raise_until
    raising(office.id, budget.budget_id, 5, until_us, **office.admin)
    with pytest.raises(InvalidField) as refusal:
        raising(office.id, budget.budget_id, 1, until_us, **office.admin)
    assert refusal.value.field == "amount"
    asked = ask(office, budget, amount_nusd=1)
    with pytest.raises(InvalidField):
        office.requests.approve(office.id, asked.request_id, **office.admin)
    with pytest.raises(InvalidField):
        office.budgets.change(office.id, budget.budget_id, amount_nusd=most, **office.admin)
    assert len(office.budgets.raises(office.id, budget.budget_id)) == 1
    assert office.requests.get(office.id, asked.request_id).state == "open"
    office.world.clock.now_us = until_us  # what has ended does not count
    raising(office.id, budget.budget_id, 5, until_us + 1, **office.admin)


def test_a_raise_is_for_all_or_for_one_who_has_it(office: Office) -> None:
    squad_id = office.squads.create(office.id, "Core", **office.admin).squad_id
    other_id, stranger_id = office.world.other_organization("other@example.com", "")
    until_us = START_US + DAY_US
    one = office.budget(scope="member", scope_id=office.dev_id)
    each = office.budget(scope="member", scope_id=EACH)
    head = office.budget(scope="squad", scope_id=squad_id, per_head=True)
    keys = office.budget(scope="key", scope_id=EACH)
    repositories = office.budget(scope="repository", scope_id=EACH)
    for budget, subject in (
        (one, office.dev_id),
        (each, stranger_id),
        (each, "mem_none"),
        (head, squad_id),
        (head, f"sqd_none/{office.dev_id}"),
        (head, f"{squad_id}/{stranger_id}"),
        (keys, office.dev_id),
        (repositories, "a\nb"),
    ):
        with pytest.raises(InvalidField) as refusal:
            office.budgets.raise_until(
                office.id, budget.budget_id, 1, until_us, subject=subject, **office.admin
            )
        assert refusal.value.field == "subject"
    for budget, subject in (
        (one, ""),
        (each, office.dev_id),
        (head, f"{squad_id}/{office.dev_id}"),
        (keys, office.key_id),
        (repositories, "github.com/acme/app"),
    ):
        office.budgets.raise_until(
            office.id, budget.budget_id, 1, until_us, subject=subject, **office.admin
        )
    with pytest.raises(NotFound):
        office.budgets.raise_until(
            other_id, one.budget_id, 1, until_us, by_role="owner", actor=Actor(stranger_id)
        )


def test_only_admins_change_anything(office: Office) -> None:
    budget = office.budget()
    squad = office.squads.create(office.id, "Core", **office.admin)
    member: dict[str, Any] = {"by_role": "member", "actor": office.dev}
    pretender: dict[str, Any] = {"by_role": "owner", "actor": office.dev}
    for who in (member, pretender):
        for refused in (
            lambda who=who: office.budgets.create(office.id, BudgetDraft(), **who),
            lambda who=who: office.budgets.change(office.id, budget.budget_id, hard=True, **who),
            lambda who=who: office.budgets.delete(office.id, budget.budget_id, **who),
            lambda who=who: office.budgets.raise_until(
                office.id, budget.budget_id, 1, START_US + 1, **who
            ),
            lambda who=who: office.squads.create(office.id, "Mine", **who),
            lambda who=who: office.squads.place(office.id, office.dev_id, squad.squad_id, **who),
            lambda who=who: office.squads.delete(office.id, squad.squad_id, **who),
            lambda who=who: office.limits.set(office.id, requests_per_minute=1, **who),
        ):
            with pytest.raises(Forbidden):
                refused()


def test_budgets_of_other_organizations_are_not_there(office: Office) -> None:
    budget = office.budget()
    other_id, owner_id = office.world.other_organization("other@example.com", "")
    other: dict[str, Any] = {"by_role": "owner", "actor": Actor(owner_id)}
    for refused in (
        lambda: office.budgets.get(other_id, budget.budget_id),
        lambda: office.budgets.change(other_id, budget.budget_id, hard=True, **other),
        lambda: office.budgets.delete(other_id, budget.budget_id, **other),
    ):
        with pytest.raises(NotFound):
            refused()
    with pytest.raises(NotFound):
        office.requests.ask(
            other_id, owner_id, budget.budget_id, amount_nusd=1, reason="", actor=Actor(owner_id)
        )
    assert office.budgets.get(office.id, budget.budget_id) == budget


def test_standings_are_spent_held_and_where_it_will_end(office: Office) -> None:
    office.world.clock.now_us = now_us = START_US + 14 * DAY_US + DAY_US // 2
    budget = office.budget(scope="member", scope_id=office.dev_id)
    each = office.budget(scope="member", scope_id=EACH, window="rolling", rolling_hours=48)
    for days_ago in range(1, 15):
        office.spend(10, days_ago=days_ago)
    office.spend(5)
    [one, other] = office.standings.all(office.id)
    held = HoldRequest(
        event_id="req_held",
        organization_id=office.id,
        started_us=now_us,
        wants=(
            Want(
                envelope=office.standings.envelope_of(one),
                amount_nusd=3 * USD,
                limit_nusd=USD * 1000,
                bound_nusd=4 * USD,
            ),
        ),
    )
    office.world.store.holds.exchange(Holder("plc_1", "wrk_1"), reserve=[held])
    [one, other] = office.standings.all(office.id)
    assert (one.budget, one.title) == (budget, "dev@example.com")
    # The month began with the first of those days; half a day was there before it.
    assert one.standing == Standing(145 * USD, 3 * USD, USD)
    assert (one.left_nusd, one.is_exhausted, one.used_permille) == (0, True, 1480)
    assert one.resets_us == START_US + 31 * DAY_US
    assert one.band == Band(313 * USD, 313 * USD)  # 16.5 more days at 10 each
    assert (other.budget, other.standing.spent_nusd, other.band) == (each, 15 * USD, None)
    assert other.left_nusd == 85 * USD
    found = office.standings.of_member(office.id, office.dev_id)
    assert [mine.budget for mine in found] == [budget, each]
    assert office.standings.of_member(office.id, office.world.owner_id)[0].budget == each
    office.budgets.raise_until(office.id, budget.budget_id, 60 * USD, now_us + 1, **office.admin)
    [raised] = office.standings.all(office.id, budget.budget_id)
    assert (raised.limit_nusd, raised.left_nusd) == (160 * USD, 12 * USD)
    office.world.clock.now_us += 1
    assert office.standings.all(office.id, budget.budget_id)[0].limit_nusd == 100 * USD


def test_a_member_who_changes_squads_leaves_what_was_spent(office: Office) -> None:
    squads = [office.squads.create(office.id, name, **office.admin) for name in ("A", "B")]
    ids = [squad.squad_id for squad in squads]
    for squad_id in ids:
        office.budget(scope="squad", scope_id=squad_id)
    office.squads.place(office.id, office.dev_id, ids[0], **office.admin)
    assert office.world.store.directory.snapshot().squads == {office.dev_id: ids[0]}
    office.spend(10, squad_id=ids[0])
    office.squads.place(office.id, office.dev_id, ids[1], **office.admin)
    office.spend(3, squad_id=ids[1])
    assert [one.standing.spent_nusd for one in office.standings.all(office.id)] == [
        10 * USD,
        3 * USD,
    ]
    assert [squad.member_ids for squad in office.squads.list(office.id)] == [(), (office.dev_id,)]
    with pytest.raises(Conflict):
        office.squads.delete(office.id, ids[0], **office.admin)
    office.world.members.remove(office.id, office.dev_id, **office.admin)
    assert office.squads.get(office.id, ids[1]).member_ids == ()


def test_squads_have_names_and_models(office: Office) -> None:
    squad = office.squads.create(office.id, "Core", **office.admin)
    with pytest.raises(Conflict):
        office.squads.create(office.id, "CORE", **office.admin)
    office.squads.change(
        office.id, squad.squad_id, name="core", allowed_models=["claude-*"], **office.admin
    )
    snapshot = office.world.store.directory.snapshot()
    assert snapshot.squad_models == {squad.squad_id: ("claude-*",)}
    assert office.world.audit()[-1].detail == {
        "name": "core",
        "before_name": "Core",
        "allowed_models": "claude-*",
        "before_allowed_models": "",
        "squad": "core",
    }
    office.squads.place(office.id, office.dev_id, squad.squad_id, **office.admin)
    office.squads.place(office.id, office.dev_id, "", **office.admin)
    assert office.world.audit()[-1].detail == {
        "squad": "",
        "before_squad": squad.squad_id,
        "name": "",
        "before_name": "core",
    }
    office.squads.delete(office.id, squad.squad_id, **office.admin)
    assert office.squads.list(office.id) == []


def ask(office: Office, budget: Budget, **fields: Any) -> Any:
    plain: dict[str, Any] = {"amount_nusd": 20 * USD, "reason": "a release", "actor": office.dev}
    return office.requests.ask(office.id, office.dev_id, budget.budget_id, **(plain | fields))


def test_asking_and_approving_raises_once(office: Office) -> None:
    budget = office.budget(scope="member", scope_id=EACH)
    asked = ask(office, budget)
    with pytest.raises(Conflict):
        ask(office, budget)
    with pytest.raises(Forbidden):
        office.requests.approve(office.id, asked.request_id, by_role="member", actor=office.dev)
    approved = office.requests.approve(office.id, asked.request_id, **office.admin)
    assert (approved.state, approved.decided_by) == ("approved", office.world.owner_id)
    [given] = office.budgets.raises(office.id, budget.budget_id)
    assert (given.raise_id, given.subject) == (approved.raise_id, office.dev_id)
    assert (given.extra_nusd, given.until_us) == (20 * USD, START_US + 31 * DAY_US)
    for again in (office.requests.approve, office.requests.decline):
        with pytest.raises(Conflict):
            again(office.id, asked.request_id, **office.admin)
    second = ask(office, budget)
    declined = office.requests.decline(
        office.id, second.request_id, note="next month", **office.admin
    )
    assert (declined.state, declined.note) == ("declined", "next month")
    third = ask(office, budget)
    office.world.clock.now_us += 15 * DAY_US
    states = [one.state for one in office.requests.list(office.id, member_id=office.dev_id)]
    assert states == ["expired", "declined", "approved"]
    with pytest.raises(Conflict):
        office.requests.approve(office.id, third.request_id, **office.admin)
    assert len(office.budgets.raises(office.id, budget.budget_id)) == 1
    assert office.world.actions().count("budget.request") == 3


def test_one_asks_for_oneself_and_for_what_concerns_one(office: Office) -> None:
    for fields in (
        {"scope": "member", "scope_id": office.world.owner_id},
        {"scope": "squad", "scope_id": EACH},
    ):
        with pytest.raises(Forbidden):
            ask(office, office.budget(**fields))
    mine = office.budget(scope="key", scope_id=EACH)
    with pytest.raises(Forbidden):
        ask(office, mine, actor=Actor(office.world.owner_id))
    with pytest.raises(Forbidden):
        ask(office, mine, subject="key_other")
    for wrong in ({"amount_nusd": 0}, {"reason": "x" * 501}, {"reason": "\0"}):
        with pytest.raises(InvalidField):
            ask(office, mine, **wrong)
    assert ask(office, mine).subject == office.key_id
    assert ask(office, office.budget()).subject == ""


def test_what_was_asked_for_is_withdrawn_by_whoever_asked(office: Office) -> None:
    budget = office.budget(scope="member", scope_id=EACH)
    asked = ask(office, budget)
    owner = Actor(office.world.owner_id)
    for member_id, actor in (
        (office.world.owner_id, owner),
        (office.dev_id, owner),
        (office.world.owner_id, office.dev),
    ):
        with pytest.raises(NotFound):
            office.requests.withdraw(office.id, asked.request_id, member_id, actor=actor)
    gone = office.requests.withdraw(office.id, asked.request_id, office.dev_id, actor=office.dev)
    assert gone.state == "withdrawn"
    entry = office.world.audit()[-1]
    assert entry.action == "budget.withdraw"
    assert entry.detail == {
        "amount_nusd": str(20 * USD),
        "budget": budget.budget_id,
        "of": "each member",
    }
    for decide in (office.requests.approve, office.requests.decline):
        with pytest.raises(Conflict, match="was withdrawn already"):
            decide(office.id, asked.request_id, **office.admin)
    with pytest.raises(Conflict):
        office.requests.withdraw(office.id, asked.request_id, office.dev_id, actor=office.dev)
    assert office.budgets.raises(office.id, budget.budget_id) == []


def test_admins_are_not_flooded_with_what_is_asked_and_taken_back(office: Office) -> None:
    budget = office.budget()
    for _ in range(20):
        asked = ask(office, budget)
        office.requests.withdraw(office.id, asked.request_id, office.dev_id, actor=office.dev)
    with pytest.raises(Conflict, match="20 times in a day"):
        ask(office, budget)
    office.world.clock.now_us += DAY_US
    assert ask(office, budget).state == "open"


@pytest.mark.parametrize("scope", ["repository", "session"])
def test_what_each_has_by_itself_is_asked_for_by_name(office: Office, scope: str) -> None:
    budget = office.budget(scope=scope, scope_id=EACH)
    for subject in ("", "a\nb"):
        with pytest.raises(InvalidField) as refusal:
            ask(office, budget, subject=subject)
        assert refusal.value.field == "subject"
    assert ask(office, budget, subject="one").subject == "one"


def test_limits_of_rate_are_set_and_lifted(office: Office) -> None:
    office.limits.set(office.id, requests_per_minute=60, **office.admin)
    office.limits.set(office.id, scope="key", scope_id=EACH, concurrent_streams=4, **office.admin)
    first, second = office.limits.list(office.id)
    assert first == RateLimit(organization_id=office.id, requests_per_minute=60)
    assert (second.scope_id, second.concurrent_streams) == (EACH, 4)
    assert set(office.world.store.directory.snapshot().rate_limits) == {first, second}
    assert office.world.audit()[-2].detail == {
        "scope": "organization",
        "scope_id": "",
        "requests_per_minute": "60",
        "before_requests_per_minute": "0",
    }
    written = len(office.world.audit())
    office.limits.set(office.id, requests_per_minute=60, **office.admin)  # as it was
    assert len(office.world.audit()) == written
    office.limits.set(office.id, **office.admin)
    assert office.limits.list(office.id) == [second]
    for wrong in (
        {"requests_per_minute": -1},
        {"concurrent_streams": 10**9},
        {"scope": "squad"},
        {"scope": "key", "scope_id": "key_none"},
    ):
        with pytest.raises(Refused):
            office.limits.set(office.id, **wrong, **office.admin)
