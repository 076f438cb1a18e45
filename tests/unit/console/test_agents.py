"""Managing an agent: switches, key, rotation, the end; by admins and by the member whose it is."""

import json
import re

import pytest
from starlette.testclient import TestClient
from tests.browser.world import World
from tests.unit.console.forms import HTMX, send

from tidegate.core.model import Cost, TokenCounts
from tidegate.services.audit import Actor
from tidegate.services.enrolment import Enrolled
from tidegate.store.ports import AuditEntry, StoredKey

pytestmark = pytest.mark.slow

CODE = re.compile(r"[0-9A-Z]{4}(?:-[0-9A-Z]{4}){4}")
POSTS = ["compression", "debug", "reveal", "rotate", "unenrol", "setup"]
FIELDS = {"on": "yes", "hours": "1", "overlap": "0"}


@pytest.fixture
def key(world: World) -> Enrolled:
    return world.enroll("ben@brightwater.dev")


def stored(world: World, key: Enrolled) -> StoredKey:
    return world.services.enrolment.key(world.organization_id, key.key_id)


def audited(world: World, action: str) -> list[AuditEntry]:
    return world.services.audit_log.page(world.organization_id, action=action).entries


def as_member(world: World, client: TestClient, member_id: str = "") -> TestClient:
    """Someone without a role, or the member given."""
    member_id = member_id or world.services.members.add(world.organization_id, "m@b.dev").member_id
    client.cookies.set("tidegate_login", world.login(member_id))
    return client


def test_the_dialog_says_what_is_known_of_the_agent(
    world: World, owner: TestClient, key: Enrolled
) -> None:
    page = owner.get(f"/agents/{key.key_id}").text
    assert "Claude Code · <bdi>ben@brightwater.dev</bdi>" in page
    assert "Enrolled 22 Nov 2026 · never used" in page  # on the command line, by no one
    assert stored(world, key).prefix in page
    assert key.key not in page
    world.use(key, TokenCounts(input=1), Cost(input=1))
    world.now_us += 2 * 60_000_000
    page = owner.get(f"/agents/{key.key_id}").text
    assert 'title="22 Nov 2026, 12:00">2 min ago</time>' in page


def test_it_names_who_enrolled(world: World, owner: TestClient) -> None:
    ben = world.services.members.add(world.organization_id, "ben@brightwater.dev").member_id
    key = world.services.enrolment.enroll_member(
        world.organization_id, ben, "codex", actor=Actor(world.owner_id)
    )
    page = owner.get(f"/agents/{key.key_id}").text
    assert "by <bdi>maya@brightwater.dev</bdi>" in page


@pytest.mark.parametrize("htmx", [True, False])
def test_a_switch_acts_at_once_and_is_written_down(
    world: World, owner: TestClient, key: Enrolled, htmx: bool
) -> None:
    response = send(owner, f"/agents/{key.key_id}/compression", {"on": "no"}, htmx=htmx)
    assert not stored(world, key).record.compression
    [entry] = audited(world, "key.switch")
    assert entry.detail == {"compression": "off"}
    assert (entry.actor, entry.address) == (world.owner_id, "203.0.113.7")
    if htmx:
        assert response.status_code == 200
        assert 'aria-checked="false"' in response.text
        assert 'id="tg-row-compression"' in response.text
        assert "<!doctype" not in response.text
    else:
        assert response.headers["location"] == f"/agents/{key.key_id}"
        assert "Token compression is off." in owner.get(f"/agents/{key.key_id}").text


def test_a_double_click_on_a_switch_turns_it_once(
    world: World, owner: TestClient, key: Enrolled
) -> None:
    for _ in range(2):
        send(owner, f"/agents/{key.key_id}/compression", {"on": "no"}, htmx=True)
    assert not stored(world, key).record.compression
    assert len(audited(world, "key.switch")) == 1


@pytest.mark.parametrize("value", ["", "maybe", "1", "yes\x00"])
@pytest.mark.parametrize("name", ["compression", "debug"])
def test_a_switch_takes_yes_and_no(
    world: World, owner: TestClient, key: Enrolled, name: str, value: str
) -> None:
    fields = {"on": value, "hours": "1"}
    response = send(owner, f"/agents/{key.key_id}/{name}", fields, htmx=True)
    assert response.status_code == 422
    assert json.loads(response.headers["hx-trigger"])["tg:toast"]["failed"]
    record = stored(world, key).record
    assert (record.compression, record.debug_until_us) == (True, 0)


@pytest.mark.parametrize("htmx", [True, False])
def test_the_key_is_in_the_answer_to_a_reveal_alone(
    world: World, owner: TestClient, key: Enrolled, htmx: bool
) -> None:
    path = f"/agents/{key.key_id}/reveal"
    assert owner.get(path).status_code == 405
    response = send(owner, path, htmx=htmx)
    assert key.key in response.text
    assert response.headers["cache-control"] == "no-store"
    [entry] = audited(world, "key.reveal")
    assert (entry.actor, entry.target) == (world.owner_id, key.key_id)
    assert key.key not in str(entry)
    for page in ("", "/setup", "/rotate", "/unenrol"):
        assert key.key not in owner.get(f"/agents/{key.key_id}{page}").text


@pytest.mark.parametrize("overlap", ["0", "3600", "86400", "604800"])
def test_rotating_ends_the_key_before_after_the_overlap(
    world: World, owner: TestClient, key: Enrolled, overlap: str
) -> None:
    path = f"/agents/{key.key_id}/rotate"
    prefix = stored(world, key).prefix
    response = send(owner, path, {"overlap": overlap, "prefix": prefix}, htmx=True)
    assert response.status_code == 200
    authenticate = world.services.enrolment.authenticate
    assert (authenticate(key.key) is not None) is (overlap != "0")
    told = "The key before works until" if overlap != "0" else "The key before is refused"
    assert told in response.text
    code = CODE.search(response.text)
    assert code
    new = world.services.enrolment.exchange(code[0]).key
    assert new != key.key
    assert new not in response.text
    assert "data-waiting" not in response.text  # the key before may still be in use
    world.now_us += int(overlap) * 1_000_000 + 1
    assert authenticate(key.key) is None
    assert authenticate(new)


@pytest.mark.parametrize("overlap", ["", "-1", "1", "99999999", "<b>"])
def test_an_overlap_that_is_not_offered_rotates_nothing(
    world: World, owner: TestClient, key: Enrolled, overlap: str
) -> None:
    path = f"/agents/{key.key_id}/rotate"
    fields = {"overlap": overlap, "prefix": stored(world, key).prefix}
    response = send(owner, path, fields, htmx=True)
    assert response.status_code == 422
    assert "tg-rotate-overlap-fault" in response.text
    assert world.services.enrolment.authenticate(key.key)


def test_two_admins_who_rotate_at_once_rotate_once(
    world: World, owner: TestClient, key: Enrolled
) -> None:
    path = f"/agents/{key.key_id}/rotate"
    fields = {"overlap": "0", "prefix": stored(world, key).prefix}
    assert send(owner, path, fields, htmx=True).status_code == 200
    for stale in (fields, {"overlap": "0"}):
        second = send(owner, path, stale, htmx=True)
        assert second.status_code == 422
        assert "rotated a moment ago" in second.text
    assert len(audited(world, "key.rotate")) == 1


def test_unenrolling_asks_first_and_names_member_and_agent(
    world: World, owner: TestClient, key: Enrolled
) -> None:
    path = f"/agents/{key.key_id}/unenrol"
    page = owner.get(path, headers=HTMX).text
    assert "Unenrol Claude Code of ben@brightwater.dev?" in page
    assert page.index("autofocus") < page.index('data-variant="destructive"')
    assert page.count("autofocus") == 1
    assert world.services.enrolment.authenticate(key.key)
    response = send(owner, path)
    assert (response.status_code, response.headers["location"]) == (303, "/")
    assert world.services.enrolment.authenticate(key.key) is None
    assert world.services.enrolment.list_keys(world.organization_id) == []
    assert audited(world, "key.unenroll")


@pytest.mark.parametrize("act", POSTS)
def test_a_stale_dialog_is_told_that_the_agent_is_gone(
    world: World, owner: TestClient, key: Enrolled, act: str
) -> None:
    world.services.enrolment.unenroll(world.organization_id, key.key_id)
    response = send(owner, f"/agents/{key.key_id}/{act}", FIELDS, htmx=True)
    assert response.status_code == 404
    toast = json.loads(response.headers["hx-trigger"])["tg:toast"]
    assert toast["failed"]
    assert "not enrolled" in toast["text"]
    assert response.headers["hx-reswap"] == "none"
    assert send(owner, f"/agents/{key.key_id}/{act}", FIELDS).status_code == 404


@pytest.mark.parametrize("act", POSTS)
def test_another_organizations_key_is_not_there(world: World, owner: TestClient, act: str) -> None:
    other = world.services.organizations.bootstrap("Otherwater", "eve@otherwater.dev")
    theirs = world.services.enrolment.enroll(other.organization_id, "eve@otherwater.dev", "codex")
    before = world.services.enrolment.key(other.organization_id, theirs.key_id)
    assert send(owner, f"/agents/{theirs.key_id}/{act}", FIELDS).status_code == 404
    for page in ("", "/setup", "/waiting", "/rotate", "/unenrol"):
        assert owner.get(f"/agents/{theirs.key_id}{page}", headers=HTMX).status_code == 404
    assert world.services.enrolment.key(other.organization_id, theirs.key_id) == before
    assert world.services.enrolment.authenticate(theirs.key)


@pytest.mark.parametrize("act", POSTS)
def test_a_member_manages_no_one_elses_agent(
    world: World, client: TestClient, key: Enrolled, act: str
) -> None:
    as_member(world, client)
    before = stored(world, key)
    response = send(client, f"/agents/{key.key_id}/{act}", FIELDS, htmx=True)
    assert response.status_code == 403
    assert key.key not in response.text
    for page in ("", "/setup", "/waiting", "/rotate", "/unenrol"):
        assert client.get(f"/agents/{key.key_id}{page}", headers=HTMX).status_code == 403
    assert stored(world, key) == before


def test_a_member_manages_the_own_agent(world: World, client: TestClient, key: Enrolled) -> None:
    as_member(world, client, key.member_id)
    page = f"/agents/{key.key_id}"
    assert send(client, f"{page}/debug", {"on": "yes", "hours": "1"}).status_code == 303
    assert stored(world, key).record.captures(world.now_us)
    assert key.key in send(client, f"{page}/reveal").text
    assert audited(world, "key.reveal")[0].actor == key.member_id
    response = send(client, f"{page}/unenrol")
    assert (response.status_code, response.headers["location"]) == (303, "/my-usage")


def test_a_key_that_is_switched_off_says_so(world: World, owner: TestClient, key: Enrolled) -> None:
    assert "switched off: its requests" not in owner.get(f"/agents/{key.key_id}").text
    world.services.enrolment.set_key(world.organization_id, key.key_id, disabled=True)
    assert "switched off: its requests are refused" in owner.get(f"/agents/{key.key_id}").text
