"""The pages of budgets, in each role; forms, and deciding on requests for more."""

from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.browser.world import World
from tests.unit.console.forms import send

from tidegate.core.budgets import Budget
from tidegate.core.model import Cost, TokenCounts
from tidegate.services.audit import Actor
from tidegate.services.budget_fields import BudgetDraft
from tidegate.services.enrolment import Enrolled

pytestmark = pytest.mark.slow

USD = 1_000_000_000
FIELDS = {
    "whom": "organization",
    "amount": "500",
    "window": "month",
    "limit": "hard",
    "mode": "strict",
    "when_unknown": "closed",
}


@pytest.fixture
def noah(world: World) -> Enrolled:
    return world.enroll("noah@brightwater.dev")


def make(world: World, **fields: Any) -> Budget:
    draft = BudgetDraft(**{"amount_nusd": 20 * USD} | fields)
    return world.services.budgets.create(
        world.organization_id, draft, by_role="owner", actor=Actor(world.owner_id)
    )


def ask(world: World, noah: Enrolled, budget: Budget) -> str:
    made = world.services.budget_requests.ask(
        world.organization_id,
        noah.member_id,
        budget.budget_id,
        amount_nusd=30 * USD,
        reason="<b>A release</b>",
        actor=Actor(noah.member_id),
    )
    return f"/budgets/requests/{made.request_id}"


def be(client: TestClient, world: World, member_id: str) -> TestClient:
    client.cookies.set("tidegate_login", world.login(member_id))
    return client


def test_admins_see_all_and_members_what_concerns_them(
    world: World, owner: TestClient, noah: Enrolled
) -> None:
    assert "Nothing bounds what is spent" in owner.get("/budgets").text
    mine = make(world, scope="member", scope_id=noah.member_id, hard=True, name="Noah's")
    theirs = make(world, scope="member", scope_id=world.owner_id, name="Maya's")
    make(world, scope="member", scope_id="*", name="Everyone's")
    world.use(noah, TokenCounts(output=1), Cost(output=25 * USD))
    page = owner.get("/budgets").text
    assert "noah@brightwater.dev is blocked" in page
    assert all(name in page for name in ("Noah&#39;s", "Maya&#39;s", "Each member"))
    assert "Maya&#39;s" not in owner.get("/budgets?show=blocked").text
    member = be(owner, world, noah.member_id)
    page = member.get("/budgets").text
    assert "Noah&#39;s" in page
    assert "Maya&#39;s" not in page
    assert "New budget" not in page
    assert member.get(f"/budgets/{mine.budget_id}").status_code == 200
    assert member.get(f"/budgets/{theirs.budget_id}").status_code == 404


def test_a_budget_is_made_changed_raised_and_deleted(world: World, owner: TestClient) -> None:
    budgets, organization_id = world.services.budgets, world.organization_id
    assert send(owner, "/budgets", FIELDS).status_code == 303
    [made] = budgets.list(organization_id)
    assert (made.amount_nusd, made.hard, made.mode) == (500 * USD, True, "strict")
    path = f"/budgets/{made.budget_id}"
    assert send(owner, path, FIELDS | {"amount": "1,250.50", "limit": "soft"}).status_code == 303
    changed = budgets.get(organization_id, made.budget_id)
    assert (changed.amount_nusd, changed.hard) == (1_250_500_000_000, False)
    assert send(owner, f"{path}/raise", {"amount": "20", "until": "2026-11-30"}).status_code == 303
    [raised] = budgets.raises(organization_id, made.budget_id)
    assert raised.extra_nusd == 20 * USD
    assert send(owner, f"{path}/raises/{raised.raise_id}/end").status_code == 303
    [ended] = budgets.raises(organization_id, made.budget_id)
    assert ended.until_us == world.now_us
    assert "Brightwater" in owner.get(f"{path}/delete").text
    assert send(owner, f"{path}/delete").status_code == 303
    assert budgets.list(organization_id) == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"amount": "-1"}, "The amount is negative."),
        ({"amount": ""}, "Write an amount in US dollars"),
        ({"window": "rolling", "rolling_hours": "0"}, "1 to 2160 hours"),
        ({"window": "rolling", "rolling_hours": "x"}, "whole number of hours"),
        ({"window": "fortnight"}, "Choose one of"),
        ({"limit": ""}, "Choose hard or soft."),
        ({"whom": "member:mem_x"}, "There is no such member"),
        ({"whom": "repository"}, "Name the repository."),
        ({"mode": "lax"}, "Choose one of typical, strict."),
    ],
)
def test_a_wrong_form_says_what_is_wrong(
    world: World, owner: TestClient, wrong: dict[str, str], told: str
) -> None:
    answer = send(owner, "/budgets", FIELDS | wrong)
    assert answer.status_code == 422
    assert told in answer.text
    assert world.services.budgets.list(world.organization_id) == []


@pytest.mark.parametrize("until", ["", "tomorrow", "2020-01-01", "9999-12-31", "2030-01-01"])
def test_a_raise_ends_on_a_day_within_a_year(world: World, owner: TestClient, until: str) -> None:
    path = f"/budgets/{make(world).budget_id}/raise"
    answer = send(owner, path, {"amount": "20", "until": until})
    assert answer.status_code == 422
    assert "until-fault" in answer.text


def test_a_request_is_decided_by_a_post_alone(
    world: World, owner: TestClient, noah: Enrolled
) -> None:
    budget = make(world, hard=True)
    path = ask(world, noah, budget)
    page = owner.get(path).text
    assert "&lt;b&gt;A release&lt;/b&gt;" in page
    assert "Open" in page
    assert owner.get(f"{path}/approve").status_code in {404, 405}
    assert send(owner, f"{path}/approve", {"amount": "much"}).status_code == 422
    assert world.services.budgets.raises(world.organization_id, budget.budget_id) == []
    answer = send(owner, f"{path}/approve", {"amount": "25", "until": "2026-11-30"})
    assert answer.status_code == 303
    [raised] = world.services.budgets.raises(world.organization_id, budget.budget_id)
    assert raised.extra_nusd == 25 * USD
    again = send(owner, f"{path}/decline")
    assert again.status_code == 422
    assert "This request was approved already." in again.text
    member = be(owner, world, noah.member_id)
    page = member.get(path).text
    assert "Approved" in page
    assert "tg-decide" not in page
    assert send(member, f"{path}/approve").status_code == 403


def test_a_request_of_a_colleague_is_not_there(
    world: World, client: TestClient, noah: Enrolled
) -> None:
    path = ask(world, noah, make(world))
    answer = client.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next={path}")
    other = world.enroll("aiko@brightwater.dev")
    assert be(client, world, other.member_id).get(path).status_code == 404
