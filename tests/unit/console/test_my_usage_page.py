"""My usage: one's own numbers, agents and models; nothing of others."""

import re

import pytest
from starlette.testclient import TestClient
from tests.browser.world import World
from tests.unit.console.test_team_page import TOKENS, USD, cost, figures, labels

from tidegate.services.audit import COMMAND_LINE
from tidegate.services.budget_fields import BudgetDraft

pytestmark = pytest.mark.slow


def signed_in(world: World, client: TestClient, member_id: str) -> TestClient:
    client.cookies.set("tidegate_login", world.login(member_id))
    return client


def test_members_see_their_own_use_only(world: World, client: TestClient) -> None:
    aiko, tomas = world.enroll("aiko@brightwater.dev"), world.enroll("tomas@brightwater.dev")
    world.use(aiko, TOKENS, cost(3), model="model-of-aiko")
    world.use(tomas, TOKENS, cost(4), model="model-of-tomas")
    page = signed_in(world, client, aiko.member_id).get("/my-usage").text
    assert figures(page) == {"Cost": 3 * USD, "Tokens": 1_234, "Requests": 1}
    assert len(labels(page)) == 30
    assert "model-of-aiko" in page
    assert "tomas" not in page
    assert f'href="/agents/{aiko.key_id}" data-dialog' in page
    assert "tidegate launch claude" in page
    assert "New coding agent" not in page  # the organization does not allow it


def test_the_table_adds_up(world: World, client: TestClient) -> None:
    claude = world.enroll("aiko@brightwater.dev")
    codex = world.enroll("aiko@brightwater.dev", "codex")
    world.use(claude, TOKENS, cost(3), model="a")
    world.use(claude, TOKENS, cost(2), model="b", billing="subscription")
    world.use(codex, TOKENS, cost(1), agent="codex", model="c")
    page = signed_in(world, client, claude.member_id).get("/my-usage").text
    rows = re.search(r"<tbody>(.*)</tbody>.*<tfoot>(.*)</tfoot>", page, re.S)
    assert rows
    values = [
        [int(value) for value in re.findall(r'<data value="(\d+)"', row)]
        for row in re.findall(r"<tr>(.*?)</tr>", rows[1] + rows[2], re.S)
    ]
    *lines, total = values
    assert [line[-3:] for line in lines] == [
        [3 * USD, 1_234, 1],
        [1 * USD, 1_234, 1],
        [0, 1_234, 1],
    ]
    assert total == [2 * USD, 4 * USD, 3 * 1_234, 3]
    assert "Subscription value" in page


def test_first_run_of_a_member(world: World, client: TestClient) -> None:
    member = world.services.members.add(world.organization_id, "elena@brightwater.dev")
    elena = signed_in(world, client, member.member_id)
    page = elena.get("/my-usage").text
    assert "0 of 2" in page
    assert "An admin enrols you" in page
    assert "/agents/new" not in page
    key = world.enroll("elena@brightwater.dev")
    page = elena.get("/my-usage").text
    assert "1 of 2" in page
    assert f'href="/agents/{key.key_id}/setup" data-dialog' in page
    world.use(key, TOKENS, cost(1), days_ago=200)
    page = elena.get("/my-usage").text
    assert "Welcome" not in page
    assert "No requests in this period" in page


def test_where_it_is_allowed_members_enrol_themselves(world: World, client: TestClient) -> None:
    world.services.organizations.update(world.organization_id, self_enrolment=True)
    member = world.services.members.add(world.organization_id, "elena@brightwater.dev")
    page = signed_in(world, client, member.member_id).get("/my-usage").text
    assert f'href="/members/{member.member_id}/agents/new" data-dialog' in page


def test_its_parts_have_a_tag_of_their_own(world: World, client: TestClient) -> None:
    key = world.enroll("aiko@brightwater.dev")
    world.use(key, TOKENS, cost(3))
    aiko = signed_in(world, client, key.member_id)
    tag = aiko.get("/my-usage/parts").headers["etag"]
    held = {"if-none-match": tag}
    assert aiko.get("/my-usage/parts", headers=held).status_code == 304
    world.now_us += 3_600_000_001
    assert aiko.get("/my-usage/parts", headers=held).status_code == 304
    world.use(key, TOKENS, cost(3))
    assert aiko.get("/my-usage/parts", headers=held).status_code == 200


def test_its_parts_are_new_when_the_window_of_a_budget_may_be(
    world: World, client: TestClient
) -> None:
    key = world.enroll("aiko@brightwater.dev")
    world.use(key, TOKENS, cost(3))
    draft = BudgetDraft(amount_nusd=10**10, window="rolling", rolling_hours=1)
    world.services.budgets.create(world.organization_id, draft, by_role="owner", actor=COMMAND_LINE)
    aiko = signed_in(world, client, key.member_id)
    held = {"if-none-match": aiko.get("/my-usage/parts").headers["etag"]}
    world.now_us += 3_599_000_000
    assert aiko.get("/my-usage/parts", headers=held).status_code == 304
    world.now_us += 1_000_000
    later = aiko.get("/my-usage/parts", headers=held)
    assert later.status_code == 200
    assert "<strong>0 %</strong>" in later.text


def test_a_developer_sees_that_requests_are_captured(world: World, client: TestClient) -> None:
    aiko, tomas = world.enroll("aiko@brightwater.dev"), world.enroll("tomas@brightwater.dev")
    world.use(aiko, TOKENS, cost(1))
    for key in (aiko, tomas):
        world.services.enrolment.set_debug(
            world.organization_id, key.key_id, hours=8, actor=COMMAND_LINE
        )
    page = signed_in(world, client, aiko.member_id).get("/my-usage").text
    assert page.count("Debug mode until 22 Nov 2026, 20:00") == 1
    tag = client.get("/my-usage/parts").headers["etag"]
    world.now_us += 8 * 3_600_000_000
    later = client.get("/my-usage/parts", headers={"if-none-match": tag})
    assert later.status_code == 200
    assert "Debug mode" not in later.text
