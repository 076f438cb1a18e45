"""Settings: squads, models and limits, by whom they may be changed, and what is refused."""

import re

import pytest
from starlette.testclient import TestClient
from tests.browser.world import World
from tests.unit.console.forms import send

from tidegate.console.budget_bar import budget_bar
from tidegate.core.budgets import EACH, Budget, Standing
from tidegate.core.model import Cost, TokenCounts
from tidegate.services.audit import Actor
from tidegate.services.budget_bars import MemberBudget

pytestmark = pytest.mark.slow

SQUADS, MODELS, LIMITS = "/settings/squads", "/settings/models", "/settings/limits"


def with_mark(client: TestClient, path: str, **fields: str) -> dict[str, str]:
    found = re.search(r'name="seen" value="(\w+)"', client.get(path).text)
    assert found
    return {"seen": found[1]} | fields


def make(world: World, name: str) -> str:
    owner = Actor(world.owner_id)
    made = world.services.squads.create(world.organization_id, name, by_role="owner", actor=owner)
    return made.squad_id


def members_of(world: World, squad_id: str) -> tuple[str, ...]:
    return world.services.squads.get(world.organization_id, squad_id).member_ids


def put_budget(world: World, **fields: object) -> Budget:
    budget = Budget(
        budget_id=f"bud_{len(fields)}",
        organization_id=world.organization_id,
        **{"amount_nusd": 10_000_000_000, "window": "lifetime"} | fields,  # type: ignore[arg-type]
    )
    with world.store.directory.changing() as change:
        change.add_budget(budget)
    return budget


def test_a_squad_lives_and_ends(world: World, owner: TestClient) -> None:
    assert "No squad yet" in owner.get(SQUADS).text
    assert send(owner, f"{SQUADS}/add", {"name": " Platform "}).headers["location"] == SQUADS
    [squad] = world.services.squads.list(world.organization_id)
    one = f"{SQUADS}/{squad.record.squad_id}"
    send(owner, one, with_mark(owner, one, name="Core <b>"))
    assert "Core &lt;b&gt;" in owner.get(SQUADS).text
    assert "nobody" in owner.get(f"{one}/members").text.casefold()
    send(owner, f"{one}/members", {"member": world.owner_id})
    assert members_of(world, squad.record.squad_id) == (world.owner_id,)
    told = owner.get(f"{one}/delete").text
    assert "Its 1 member stays, in no squad." in told
    assert "It has no budget of its own." in told
    send(owner, f"{one}/delete", {})
    assert world.services.squads.list(world.organization_id) == []
    written = [e.action for e in world.services.audit_log.page(world.organization_id).entries]
    assert written[:4] == ["squad.delete", "squad.member", "squad.change", "squad.create"]
    assert "name Platform → Core &lt;b&gt;" in owner.get("/settings/audit").text


def test_names_that_are_taken_or_none(world: World, owner: TestClient) -> None:
    squad_id = make(world, "Platform")
    for name, told in (("PLATFORM", "already"), ("", "needed"), ("x" * 101, "longer")):
        answer = send(owner, f"{SQUADS}/add", {"name": name})
        assert (answer.status_code, told in answer.text) == (422, True)
    stale = with_mark(owner, f"{SQUADS}/{squad_id}", name="Late")
    send(owner, f"{SQUADS}/{squad_id}", stale | {"name": "First"})
    answer = send(owner, f"{SQUADS}/{squad_id}", stale)
    assert (answer.status_code, 'value="First"' in answer.text) == (409, True)


def test_a_member_is_in_one_squad(world: World, owner: TestClient) -> None:
    first, second = make(world, "First"), make(world, "Second")
    send(owner, f"{SQUADS}/{first}/members", {"member": world.owner_id})
    assert "(now in First)" in owner.get(f"{SQUADS}/{second}/members").text
    send(owner, f"{SQUADS}/{second}/members", {"member": world.owner_id})
    assert (members_of(world, first), members_of(world, second)) == ((), (world.owner_id,))
    out = f"{world.owner_id}/out"
    assert send(owner, f"{SQUADS}/{first}/members/{out}", {}).status_code == 404
    send(owner, f"{SQUADS}/{second}/members/{out}", {})
    assert members_of(world, second) == ()
    answer = send(owner, f"{SQUADS}/{second}/members", {"member": "mem_nobody"})
    assert (answer.status_code, 'id="member-fault"' in answer.text) == (422, True)


def test_the_squad_in_a_members_settings(world: World, owner: TestClient) -> None:
    squad_id, page = make(world, "Platform"), f"/settings/members/{world.owner_id}"
    form = with_mark(owner, page, name="Maya", role="owner")
    wrong = send(owner, page, form | {"squad": "sqd_nobody", "name": "Other"})
    assert (wrong.status_code, members_of(world, squad_id)) == (404, ())
    assert send(owner, page, form | {"squad": squad_id}).headers["location"] == "/settings/members"
    assert members_of(world, squad_id) == (world.owner_id,)
    assert "squad <bdi>Platform</bdi>" in owner.get("/settings/members").text
    assert send(owner, page, form | {"squad": ""}).status_code == 409  # it moved meanwhile


def test_a_squad_with_a_budget_stays(world: World, owner: TestClient) -> None:
    squad_id = make(world, "Platform")
    put_budget(world, scope="squad", scope_id=squad_id)
    assert "1 budget is for this squad." in owner.get(f"{SQUADS}/{squad_id}/delete").text
    assert send(owner, f"{SQUADS}/{squad_id}/delete", {}).status_code == 409
    assert world.services.squads.list(world.organization_id)


def test_models_of_organization_squad_and_key(world: World, owner: TestClient) -> None:
    squad_id = make(world, "Platform")
    key = world.services.enrolment.enroll_member(
        world.organization_id, world.owner_id, "codex", actor=Actor("cli")
    )
    world.services.squads.place(
        world.organization_id, world.owner_id, squad_id, by_role="owner", actor=Actor("cli")
    )
    for path, typed in (
        ("organization", "claude-*, gpt-*\n\n gpt-*"),
        (f"squads/{squad_id}", "gpt-*"),
        (f"keys/{key.key_id}", "claude-*"),
    ):
        form = with_mark(owner, f"{MODELS}/{path}", allowed_models=typed)
        assert send(owner, f"{MODELS}/{path}", form).headers["location"] == MODELS
        assert send(owner, f"{MODELS}/{path}", form | {"seen": "x"}).status_code == 409
    organization = world.services.organizations.get(world.organization_id)
    assert organization.allowed_models == ("claude-*", "gpt-*")
    page = owner.get(MODELS).text
    assert "Allows none of the" in page  # the key's list and its squad's have nothing in common
    assert f"/settings/models/keys/{key.key_id}" in owner.get(f"/agents/{key.key_id}").text
    none = with_mark(owner, f"{MODELS}/organization", allowed_models=" \n")
    send(owner, f"{MODELS}/organization", none)
    assert world.services.organizations.get(world.organization_id).allowed_models == ()


@pytest.mark.parametrize("typed", ["x" * 101, "a\x00b", " ".join(f"m{n}" for n in range(101))])
def test_what_is_no_pattern(world: World, owner: TestClient, typed: str) -> None:
    form = with_mark(owner, f"{MODELS}/organization", allowed_models=typed)
    answer = send(owner, f"{MODELS}/organization", form)
    assert (answer.status_code, 'id="allowed_models-fault"' in answer.text) == (422, True)
    assert world.services.organizations.get(world.organization_id).allowed_models == ()


def test_limits_of_all_of_each_key_and_of_one(world: World, owner: TestClient) -> None:
    key = world.services.enrolment.enroll_member(
        world.organization_id, world.owner_id, "codex", actor=Actor("cli")
    )
    for path, typed in (("organization", "1,200"), ("each-key", "60"), (f"keys/{key.key_id}", "7")):
        form = with_mark(owner, f"{LIMITS}/{path}", requests_per_minute=typed)
        assert send(owner, f"{LIMITS}/{path}", form).headers["location"] == LIMITS
        assert send(owner, f"{LIMITS}/{path}", form).status_code == 409
    limits = world.services.rate_limits.list(world.organization_id)
    assert {(x.scope, x.scope_id): x.requests_per_minute for x in limits} == {
        ("organization", ""): 1200, ("key", EACH): 60, ("key", key.key_id): 7,
    }  # fmt: skip
    assert "1,200 requests a minute" in owner.get(LIMITS).text
    empty = with_mark(owner, f"{LIMITS}/each-key", requests_per_minute="", tokens_per_minute="0")
    send(owner, f"{LIMITS}/each-key", empty)
    assert "No limit" in owner.get(LIMITS).text


@pytest.mark.parametrize("typed", ["-1", "1.5", "many", "1000001", "9" * 20, "１２"])  # noqa: RUF001
def test_what_is_no_limit(world: World, owner: TestClient, typed: str) -> None:
    form = with_mark(owner, f"{LIMITS}/organization", requests_per_minute=typed)
    answer = send(owner, f"{LIMITS}/organization", form)
    assert (answer.status_code, "Write a whole number up to 1,000,000" in answer.text) == (
        422,
        True,
    )
    assert world.services.rate_limits.list(world.organization_id) == []


def test_only_admins_and_of_the_own_organization(world: World, client: TestClient) -> None:
    squad_id, services = make(world, "Platform"), world.services
    key = services.enrolment.enroll_member(
        world.organization_id, world.owner_id, "codex", actor=Actor("cli")
    )
    things = [
        f"{SQUADS}/{squad_id}", f"{SQUADS}/{squad_id}/members", f"{SQUADS}/{squad_id}/delete",
        f"{MODELS}/squads/{squad_id}", f"{MODELS}/keys/{key.key_id}", f"{LIMITS}/keys/{key.key_id}",
    ]  # fmt: skip
    paths = [SQUADS, MODELS, LIMITS, f"{MODELS}/organization", f"{LIMITS}/each-key"]
    assert {client.get(path).status_code for path in paths + things} == {303}
    roles = {
        role: services.members.add(world.organization_id, f"{role}@b.dev", role).member_id
        for role in ("member", "admin")
    }
    client.cookies.set("tidegate_login", world.login(roles["member"]))
    assert {client.get(path).status_code for path in paths + things} == {403}
    client.cookies.set("tidegate_login", world.login(roles["admin"]))
    assert {client.get(path).status_code for path in paths + things} == {200}
    other = services.organizations.bootstrap("Otherwater", "eve@otherwater.dev")
    token = services.logins.make_sign_in_token(other.organization_id, other.member_id)
    client.cookies.set("tidegate_login", services.logins.redeem_sign_in(token))
    assert {client.get(path).status_code for path in paths} == {200}
    assert {client.get(path).status_code for path in things} == {404}


# Budgets on cards


@pytest.mark.parametrize(("limit", "scope"), [(13, "member"), (12, "organization")])
def test_the_bar_of_the_organization_once_it_is_near(
    world: World, owner: TestClient, limit: int, scope: str
) -> None:
    noah = world.services.enrolment.enroll_member(
        world.organization_id, world.owner_id, "codex", actor=Actor("cli")
    )
    world.use(noah, TokenCounts(output=1), Cost(output=10_000_000_000))
    put_budget(world, amount_nusd=limit * 1_000_000_000)
    put_budget(world, scope="member", scope_id=EACH, amount_nusd=20_000_000_000)
    owner.get("/budgets")
    found = world.services.budget_bars.of_members(world.organization_id, {world.owner_id: []})
    assert found[world.owner_id].budget.scope == scope


def test_the_bar_of_the_nearest_budget(world: World, owner: TestClient) -> None:
    world.services.enrolment.enroll_member(
        world.organization_id, world.owner_id, "codex", actor=Actor("cli")
    )
    assert "tg-budget" not in owner.get("/my-usage").text
    put_budget(world, scope="member", scope_id=EACH, hard=True, window="month")
    put_budget(world, scope="repository", scope_id=EACH, hard=True, amount_nusd=0, rolling_hours=1)
    keys_of: dict[str, list[str]] = {world.owner_id: [], "mem_x": []}
    bars = world.services.budget_bars.of_members(world.organization_id, keys_of)
    assert bars[world.owner_id].budget.scope == "member"
    for path in ("/my-usage", "/"):
        page = owner.get(path).text
        if "tg-budget" in page:
            assert "<strong>0 %</strong> of $10.00 this month" in page
    put_budget(world, amount_nusd=0, window="rolling", rolling_hours=720)
    bars = world.services.budget_bars.of_members(world.organization_id, keys_of)
    assert budget_bar(bars[world.owner_id]).told == "of shared $0.00 in 30 days"  # soft, and gone
    put_budget(
        world, scope="member", scope_id=EACH, hard=True, amount_nusd=0, window="day", mode=""
    )
    bars = world.services.budget_bars.of_members(world.organization_id, keys_of)
    assert bars[world.owner_id].budget.hard  # of equal ones


@pytest.mark.parametrize(
    ("gone", "limit", "percent", "width", "tone"),
    [
        (0, 100, 0, 0, ""), (799, 1000, 79, 79, ""), (80, 100, 80, 80, "warning"),
        (9999, 10_000, 99, 99, "warning"), (100, 100, 100, 100, "full"),
        (250, 100, 250, 100, "full"), (0, 0, 100, 100, "full"),
    ],
)  # fmt: skip
def test_colours_of_a_bar(gone: int, limit: int, percent: int, width: int, tone: str) -> None:
    budget = Budget(budget_id="b", organization_id="o", scope="squad", window="week")
    bar = budget_bar(MemberBudget(budget=budget, limit_nusd=limit, standing=Standing(gone)))
    assert (bar.percent, bar.width, bar.tone) == (percent, width, tone)
    assert bar.told.startswith("of the squad's ")
    assert bar.told.endswith(" this week")
