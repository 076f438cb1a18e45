"""The pages of budgets, in each role; forms, and deciding on requests for more."""

import re
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.browser.world import DAY_US, World
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


def mark(client: TestClient, path: str) -> dict[str, str]:
    """What a form says it was filled in over."""
    found = re.search(r'name="seen" value="(\w+)"', client.get(path).text)
    assert found
    return {"seen": found[1]}


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


def test_a_budget_of_each_head_names_the_squad(world: World, owner: TestClient) -> None:
    squad = world.services.squads.create(
        world.organization_id, "Platform", by_role="owner", actor=Actor(world.owner_id)
    )
    budget = make(world, scope="squad", scope_id=squad.squad_id, per_head=True)
    for path in ("/budgets", f"/budgets/{budget.budget_id}"):
        assert "Each member of Platform" in owner.get(path).text
    assert "each member of Platform" in owner.get(f"/budgets/{budget.budget_id}/delete").text


def test_who_was_removed_is_marked_as_long_as_the_window_has_what_they_spent(
    world: World, owner: TestClient, noah: Enrolled
) -> None:
    made = make(world, scope="member", scope_id="*", hard=True)
    idle = world.enroll("aiko@brightwater.dev")
    world.use(noah, TokenCounts(output=1), Cost(output=25 * USD))
    world.use(idle, TokenCounts(output=1), Cost())
    pages = ("/budgets", f"/budgets/{made.budget_id}")
    marked = re.compile(r"<bdi>noah@brightwater.dev</bdi> <span class=\"tg-chip\">Removed<")
    assert "noah@brightwater.dev is blocked" in owner.get("/budgets").text
    assert not any(marked.search(owner.get(page).text) for page in pages)
    for member_id in (noah.member_id, idle.member_id):
        world.services.members.remove(
            world.organization_id, member_id, by_role="owner", actor=Actor(world.owner_id)
        )
    assert all(marked.search(owner.get(page).text) for page in pages)
    assert not any("aiko@brightwater.dev" in owner.get(page).text for page in pages)
    assert "noah@brightwater.dev is blocked" not in owner.get("/budgets").text
    world.now_us += 31 * DAY_US
    assert not any("noah@brightwater.dev" in owner.get(page).text for page in pages)


def test_a_budget_is_made_changed_raised_and_deleted(world: World, owner: TestClient) -> None:
    budgets, organization_id = world.services.budgets, world.organization_id
    assert send(owner, "/budgets", FIELDS).status_code == 303
    [made] = budgets.list(organization_id)
    assert (made.amount_nusd, made.hard, made.mode) == (500 * USD, True, "strict")
    path = f"/budgets/{made.budget_id}"
    edit = FIELDS | {"amount": "1,250.50", "limit": "soft"} | mark(owner, f"{path}/edit")
    assert send(owner, path, edit).status_code == 303
    stale = send(owner, path, edit | {"amount": "7"})
    assert stale.status_code == 409
    assert "Someone else changed this" in stale.text
    assert 'value="1250.50"' in stale.text  # what holds now
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


def test_what_was_typed_stays_in_a_form_that_is_refused(world: World, owner: TestClient) -> None:
    typed = {"amount": "1e9", "name": "Spring", "window": "rolling", "rolling_hours": "48"}
    answer = send(owner, "/budgets", FIELDS | typed | {"counts_subscription": "yes"}, htmx=True)
    assert answer.status_code == 422
    assert 'aria-describedby="amount-fault' in answer.text
    for kept in ("1e9", "Spring", "48"):
        assert f'value="{kept}"' in answer.text
    for kept in ('value="rolling" selected', 'value="strict" checked', 'value="yes" checked'):
        assert kept in answer.text


def test_a_member_asks_for_more_and_takes_it_back(
    world: World, owner: TestClient, noah: Enrolled
) -> None:
    budget = make(world, scope="member", scope_id="*", hard=True, amount_nusd=20 * USD)
    theirs = make(world, scope="member", scope_id=world.owner_id)
    world.use(noah, TokenCounts(output=1), Cost(output=25 * USD))
    member = be(owner, world, noah.member_id)
    path = f"/budgets/{budget.budget_id}/ask"
    assert path in member.get("/budgets").text
    assert f"{path}?from=my-usage" in member.get("/my-usage").text
    assert "125 %" in member.get(path).text
    assert member.get(f"/budgets/{theirs.budget_id}/ask").status_code == 404
    assert send(member, f"/budgets/{theirs.budget_id}/ask", {"amount": "1"}).status_code == 404
    for wrong, field in (
        ({"amount": "-5", "reason": "A release"}, "amount"),
        ({"amount": "5", "reason": " "}, "reason"),
        ({"amount": "5", "reason": "A release", "subject": world.owner_id}, "subject"),
    ):
        answer = send(member, path, wrong, htmx=True)
        assert answer.status_code == 422
        assert field == "subject" or f"{field}-fault" in answer.text
        assert wrong["reason"] in answer.text
    assert world.services.budget_requests.list(world.organization_id) == []
    good = {"amount": "30", "reason": "<b>A release</b>", "from": "my-usage"}
    answer = send(member, path, good)
    assert (answer.status_code, answer.headers["location"]) == (303, "/my-usage")
    [asked] = world.services.budget_requests.list(world.organization_id)
    assert (asked.member_id, asked.subject, asked.amount_nusd) == (
        noah.member_id, noah.member_id, 30 * USD,
    )  # fmt: skip
    page = member.get("/my-usage").text
    assert f"/budgets/requests/{asked.request_id}" in page
    assert path not in page  # one at a time
    assert "See the request" in member.get(path).text
    assert "You have asked for this budget already." in send(member, path, good).text
    one = f"/budgets/requests/{asked.request_id}"
    assert send(member, f"{one}/withdraw").headers["location"] == "/budgets"
    assert "Taken back" in member.get(one).text
    assert send(member, f"{one}/withdraw").headers["location"] == one
    assert path in member.get("/my-usage").text


def test_only_whoever_asked_takes_it_back(world: World, owner: TestClient, noah: Enrolled) -> None:
    path = ask(world, noah, make(world))
    assert "withdraw" not in owner.get(path).text
    assert send(owner, f"{path}/withdraw").status_code == 404
    [asked] = world.services.budget_requests.list(world.organization_id)
    assert asked.state == "open"


def test_a_decision_is_told_on_my_usage_for_a_week(
    world: World, owner: TestClient, noah: Enrolled
) -> None:
    world.use(noah, TokenCounts(output=1), Cost(output=1))
    path = ask(world, noah, make(world))
    approval = {"amount": "12.50", "until": "2026-11-25", "note": "Go on"}
    assert send(owner, f"{path}/approve", approval).status_code == 303
    member = be(owner, world, noah.member_id)
    page = member.get("/my-usage").text
    assert all(told in page for told in (path, "Approved", "Go on", "Ask for more"))
    assert 'by <span title="$12.50">$12.50</span> until 26 Nov 2026, 00:00' in member.get(path).text
    world.now_us += 8 * DAY_US
    assert path not in member.get("/my-usage").text


def test_where_each_key_has_its_own_one_says_which(
    world: World, owner: TestClient, noah: Enrolled
) -> None:
    codex = world.enroll("noah@brightwater.dev", "codex")
    budget = make(world, scope="key", scope_id="*")
    member = be(owner, world, noah.member_id)
    path = f"/budgets/{budget.budget_id}/ask"
    assert "Codex of noah@brightwater.dev</option>" in member.get(path).text
    fields = {"amount": "3", "reason": "A release", "subject": codex.key_id}
    assert send(member, path, fields).status_code == 303
    [asked] = world.services.budget_requests.list(world.organization_id)
    assert asked.subject == codex.key_id


def test_no_request_stands_behind_other_things(world: World, owner: TestClient) -> None:
    budget = make(world, amount_nusd=1, hard=True)
    near = make(world, amount_nusd=6 * USD)
    full = make(world, amount_nusd=2, name="Second")
    for _ in range(3):
        make(world, amount_nusd=USD)
    people = [world.enroll(f"person{number}@brightwater.dev") for number in range(6)]
    paths = [ask(world, each, budget) for each in people]
    world.use(people[0], TokenCounts(output=1), Cost(output=5 * USD))
    page = owner.get("/budgets").text
    places = [page.index(path) for path in paths]
    assert places == sorted(places)
    above = page[: page.index("All budgets")]
    assert f'href="/budgets/{full.budget_id}"' in above  # nor does what is gone behind requests
    assert f'href="/budgets/{budget.budget_id}"' not in above  # the requests say how it stands
    assert above.count("Brightwater is blocked: $5.00 of") == len(paths)
    assert above.count("Brightwater is over its soft limit") == 4
    assert f'href="/budgets/{near.budget_id}"' not in above
    assert ">1 more<" in above


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
