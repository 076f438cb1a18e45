"""Enrolling with an agent, the steps that follow, and the wait for the first request."""

import re
from html import unescape

import pytest
from starlette.testclient import TestClient
from tests.browser.world import World
from tests.unit.console.forms import HTMX, send

from tidegate.core.model import Cost, TokenCounts
from tidegate.services.audit import Actor

pytestmark = pytest.mark.slow

HOSTILE = "\N{RIGHT-TO-LEFT OVERRIDE}محمد🌊<script>alert(1)</script>"
CODE = re.compile(r"[0-9A-Z]{4}(?:-[0-9A-Z]{4}){4}")


def member_of(world: World, client: TestClient, role: str = "member") -> str:
    """Add someone and sign them in."""
    member = world.services.members.add(world.organization_id, f"{role}@b.dev", role)
    client.cookies.set("tidegate_login", world.login(member.member_id))
    return member.member_id


def add(world: World, email: str = "ben@brightwater.dev") -> str:
    return world.services.members.add(world.organization_id, email).member_id


def allow_self_enrolment(world: World) -> None:
    world.services.organizations.update(
        world.organization_id, self_enrolment=True, actor=Actor(world.owner_id)
    )


def agents_of(world: World, member_id: str) -> list[str]:
    keys = world.services.enrolment.list_keys(world.organization_id)
    return [key.record.agent for key in keys if key.record.member_id == member_id]


@pytest.mark.parametrize("htmx", [True, False])
@pytest.mark.parametrize(
    ("agent", "command"), [("claude_code", "claude"), ("codex", "codex"), ("opencode", "opencode")]
)
def test_enrolling_shows_the_steps(
    world: World, owner: TestClient, agent: str, command: str, htmx: bool
) -> None:
    ben = add(world)
    path = f"/members/{ben}/agents/new"
    response = send(owner, path, {"agent": agent}, htmx=htmx)
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert f"tidegate launch {command}" in response.text
    code = CODE.search(response.text)
    assert code
    assert f"tidegate login http://localhost:4180 {code[0]}" in response.text
    assert world.services.enrolment.exchange(code[0]).agent == agent
    assert "Tool-result compression is on" in response.text
    assert "Waiting for the first request" in response.text
    assert agents_of(world, ben) == [agent]


def test_the_instructions_to_copy_hold_the_code(world: World, owner: TestClient) -> None:
    path = f"/members/{add(world)}/agents/new"
    page = send(owner, path, {"agent": "codex"}, htmx=True).text
    copied = [unescape(text) for text in re.findall(r'data-copy="([^"]*)"', page)]
    text = next(each for each in copied if each.startswith("Set up Codex"))
    code = CODE.search(text)
    assert code
    assert "tidegate launch codex" in text


def test_the_key_itself_is_shown_nowhere_in_the_steps(world: World, owner: TestClient) -> None:
    path = f"/members/{add(world)}/agents/new"
    page = send(owner, path, {"agent": "codex"}).text
    [key] = world.services.enrolment.list_keys(world.organization_id)
    secret = world.services.enrolment.reveal(world.organization_id, key.record.key_id)
    assert key.prefix in page
    assert secret not in page


def test_what_is_enrolled_is_shown_as_such_and_leads_to_its_dialog(
    world: World, owner: TestClient
) -> None:
    enrolled = world.enroll("ben@brightwater.dev", "claude_code")
    page = owner.get(f"/members/{enrolled.member_id}/agents/new", headers=HTMX).text
    assert 'value="claude_code"' not in page
    assert f'href="/agents/{enrolled.key_id}"' in page
    assert re.findall(r'value="(\w+)" checked', page) == ["codex"]
    for agent in ("codex", "opencode"):
        world.enroll("ben@brightwater.dev", agent)
    page = owner.get(f"/members/{enrolled.member_id}/agents/new", headers=HTMX).text
    assert "All three agents are enrolled" in page
    assert 'type="radio"' not in page


@pytest.mark.parametrize("agent", ["", "cursor", "<script>alert(1)</script>", "claude_code" * 99])
def test_an_unknown_agent_is_refused_at_the_choice(
    world: World, owner: TestClient, agent: str
) -> None:
    ben = add(world)
    path = f"/members/{ben}/agents/new"
    response = send(owner, path, {"agent": agent}, htmx=True)
    assert response.status_code == 422
    assert "tg-enrol-agent-fault" in response.text
    assert agents_of(world, ben) == []


def test_a_double_click_makes_one_key(world: World, owner: TestClient) -> None:
    ben = add(world)
    path = f"/members/{ben}/agents/new"
    assert send(owner, path, {"agent": "codex"}).status_code == 200
    again = send(owner, path, {"agent": "codex"})
    assert again.status_code == 422
    assert "enrolled already" in again.text
    assert agents_of(world, ben) == ["codex"]


def test_enrolling_is_in_the_audit_log_with_who_and_from_where(
    world: World, owner: TestClient
) -> None:
    path = f"/members/{add(world)}/agents/new"
    send(owner, path, {"agent": "codex"})
    [entry] = world.services.audit_log.page(world.organization_id, action="key.enroll").entries
    assert (entry.actor, entry.address) == (world.owner_id, "203.0.113.7")


def test_a_hostile_name_is_only_text(world: World, owner: TestClient) -> None:
    ben = add(world)
    world.services.members.rename(world.organization_id, ben, HOSTILE, actor=Actor(world.owner_id))
    path = f"/members/{ben}/agents/new"
    for page in (owner.get(path), send(owner, path, {"agent": "codex"})):
        assert "<script>alert" not in page.text
        assert "&lt;script&gt;" in page.text


def test_a_member_enrols_only_where_that_is_allowed(world: World, client: TestClient) -> None:
    own = member_of(world, client)
    path = f"/members/{own}/agents/new"
    assert client.get(path).status_code == 403
    assert send(client, path, {"agent": "codex"}).status_code == 403
    assert agents_of(world, own) == []
    allow_self_enrolment(world)
    response = send(client, path, {"agent": "codex"})
    assert response.status_code == 200
    assert "Two steps, on the machine" in response.text
    assert agents_of(world, own) == ["codex"]


def test_a_member_never_enrols_another(world: World, client: TestClient) -> None:
    member_of(world, client)
    allow_self_enrolment(world)
    ben = add(world)
    path = f"/members/{ben}/agents/new"
    assert client.get(path).status_code == 403
    assert send(client, path, {"agent": "codex"}).status_code == 403
    assert agents_of(world, ben) == []


def test_who_is_not_here_cannot_be_enrolled(world: World, owner: TestClient) -> None:
    other = world.services.organizations.bootstrap("Otherwater", "eve@otherwater.dev")
    gone = add(world, "gone@brightwater.dev")
    world.services.members.remove(
        world.organization_id, gone, by_role="owner", actor=Actor(world.owner_id)
    )
    for member_id in (other.member_id, gone, "mem_none"):
        path = f"/members/{member_id}/agents/new"
        assert owner.get(path).status_code == 404
        assert send(owner, path, {"agent": "codex"}).status_code == 404
    assert world.services.enrolment.list_keys(other.organization_id) == []


def test_looking_at_the_steps_makes_no_code(world: World, owner: TestClient) -> None:
    key_id = world.enroll("ben@brightwater.dev").key_id
    page = owner.get(f"/agents/{key_id}/setup").text
    assert not CODE.search(page)
    assert "Make a code" in page
    assert (
        world.services.audit_log.page(world.organization_id, action="key.login_code").entries == []
    )
    response = send(owner, f"/agents/{key_id}/setup", htmx=True)
    code = CODE.search(response.text)
    assert code
    assert world.services.enrolment.exchange(code[0]).key_id == key_id
    assert "Make a code" not in response.text


def test_waiting_costs_nothing_until_the_first_request_is_in(
    world: World, owner: TestClient
) -> None:
    enrolled = world.enroll("ben@brightwater.dev")
    path = f"/agents/{enrolled.key_id}/waiting"
    for _ in range(3):
        response = owner.get(path, headers=HTMX)
        assert (response.status_code, response.text) == (204, "")
    assert world.drains == 0
    world.use(enrolled, TokenCounts(input=1), Cost(input=1))
    response = owner.get(path, headers=HTMX)
    assert response.status_code == 200
    assert "The first request is in" in response.text
    assert "<!doctype" not in response.text
    steps = owner.get(f"/agents/{enrolled.key_id}/setup").text
    assert "data-waiting" not in steps
    assert "This agent is set up" in steps


def test_another_agent_of_the_member_does_not_end_the_wait(world: World, owner: TestClient) -> None:
    waiting = world.enroll("ben@brightwater.dev", "codex")
    world.use(world.enroll("ben@brightwater.dev"), TokenCounts(input=1), Cost(input=1))
    world.use(world.enroll("aiko@brightwater.dev"), TokenCounts(input=1), Cost(input=1))
    assert owner.get(f"/agents/{waiting.key_id}/waiting", headers=HTMX).status_code == 204


def test_waiting_without_scripts_is_the_page_itself(world: World, owner: TestClient) -> None:
    key_id = world.enroll("ben@brightwater.dev").key_id
    response = owner.get(f"/agents/{key_id}/waiting")
    assert response.status_code == 303
    assert response.headers["location"] == f"/agents/{key_id}/setup"


def test_waiting_ends_when_the_agent_is_unenrolled(world: World, owner: TestClient) -> None:
    key_id = world.enroll("ben@brightwater.dev").key_id
    world.services.enrolment.unenroll(world.organization_id, key_id)
    assert owner.get(f"/agents/{key_id}/waiting", headers=HTMX).status_code == 404
