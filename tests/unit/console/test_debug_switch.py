"""The switch of debug mode: what is said before it is on, for how long it is, and who may."""

import pytest
from starlette.testclient import TestClient
from tests.browser.world import World
from tests.unit.console.forms import HTMX, send

from tidegate.services.enrolment import Enrolled

pytestmark = pytest.mark.slow

HOUR_US = 3_600_000_000
HOURS = ["1", "8", "24", "72", "168"]


@pytest.fixture
def key(world: World) -> Enrolled:
    return world.enroll("ben@brightwater.dev")


def debug_until_us(world: World, key: Enrolled) -> int:
    return world.services.enrolment.key(world.organization_id, key.key_id).record.debug_until_us


def actions(world: World) -> list[str]:
    return [e.action for e in world.services.audit_log.page(world.organization_id).entries]


def test_it_is_off_and_asks_before_it_is_on(world: World, owner: TestClient, key: Enrolled) -> None:
    page = owner.get(f"/agents/{key.key_id}").text
    assert f'data-dialog="/agents/{key.key_id}/debug"' in page
    assert f'<form method="get" action="/agents/{key.key_id}/debug">' in page  # without scripts
    question = owner.get(f"/agents/{key.key_id}/debug", headers=HTMX).text
    assert "Captures may hold sensitive prompts and code." in question
    assert "deleted after 3 days" in question
    assert "<bdi>ben@brightwater.dev</bdi> and the admins" in question
    assert 'value="1" checked' in question
    assert [hours for hours in HOURS if f'name="hours" value="{hours}"' in question] == HOURS
    assert debug_until_us(world, key) == 0


@pytest.mark.parametrize("hours", HOURS)
@pytest.mark.parametrize("htmx", [True, False])
def test_it_is_on_for_the_time_chosen(
    world: World, owner: TestClient, key: Enrolled, hours: str, htmx: bool
) -> None:
    path = f"/agents/{key.key_id}/debug"
    answer = send(owner, path, {"on": "yes", "hours": hours}, htmx=htmx)
    assert debug_until_us(world, key) == world.now_us + int(hours) * HOUR_US
    entry = world.services.audit_log.page(world.organization_id, action="key.debug_on").entries[0]
    assert (entry.actor, entry.detail) == (world.owner_id, {"hours": hours})
    if htmx:
        assert 'id="tg-row-debug"' in answer.text
        assert "Switches off by itself" in answer.text
    else:
        assert answer.headers["location"] == f"/agents/{key.key_id}"
        assert "Debug mode is on." in owner.get(f"/agents/{key.key_id}").text


def test_it_warns_says_until_when_and_ends_by_itself(
    world: World, owner: TestClient, key: Enrolled
) -> None:
    send(owner, f"/agents/{key.key_id}/debug", {"on": "yes", "hours": "1"})
    page = owner.get(f"/agents/{key.key_id}").text
    assert "On since 22 Nov 2026, 12:00 by maya@brightwater.dev." in page
    assert "Switches off by itself 22 Nov 2026, 13:00." in page
    assert "Change the time" in page
    assert f'href="/logs?range=all&amp;key={key.key_id}&amp;captured=yes"' in page
    world.now_us += HOUR_US - 1
    assert "Captures may hold" in owner.get(f"/agents/{key.key_id}").text
    world.now_us += 1
    assert "Captures may hold" not in owner.get(f"/agents/{key.key_id}").text


def test_it_gets_another_time_and_is_turned_off_at_once(
    world: World, owner: TestClient, key: Enrolled
) -> None:
    path = f"/agents/{key.key_id}/debug"
    send(owner, path, {"on": "yes", "hours": "1"}, htmx=True)
    assert "Another time for debug mode" in owner.get(path).text
    send(owner, path, {"on": "yes", "hours": "72"}, htmx=True)
    assert debug_until_us(world, key) == world.now_us + 72 * HOUR_US
    answer = send(owner, path, {"on": "no"}, htmx=True)
    assert 'aria-checked="false"' in answer.text
    assert debug_until_us(world, key) == 0
    assert actions(world)[:3] == ["key.debug_off", "key.debug_on", "key.debug_on"]


@pytest.mark.parametrize("hours", ["", "0", "2", "169", "-1", "1e3", "ever"])
def test_a_time_that_is_not_offered(
    world: World, owner: TestClient, key: Enrolled, hours: str
) -> None:
    fields = {"on": "yes", "hours": hours}
    answer = send(owner, f"/agents/{key.key_id}/debug", fields, htmx=True)
    assert answer.status_code == 422
    assert "Choose one of these." in answer.text
    assert debug_until_us(world, key) == 0


def test_members_switch_their_own_keys_alone(
    world: World, client: TestClient, key: Enrolled
) -> None:
    client.cookies.set("tidegate_login", world.login(key.member_id))
    assert "Readable by you and the admins" in client.get(f"/agents/{key.key_id}/debug").text
    send(client, f"/agents/{key.key_id}/debug", {"on": "yes", "hours": "1"})
    assert debug_until_us(world, key)
    other = world.enroll("eve@brightwater.dev")
    assert client.get(f"/agents/{other.key_id}/debug").status_code == 403
    refused = send(client, f"/agents/{other.key_id}/debug", {"on": "yes", "hours": "1"})
    assert refused.status_code == 403
    assert debug_until_us(world, other) == 0
