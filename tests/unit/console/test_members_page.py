"""Settings: members, their names, roles and links, and their removal."""

import re

import pytest
from starlette.testclient import TestClient
from tests.browser.world import PUBLIC_URL, World
from tests.unit.console.forms import HTMX, send

from tidegate.services.audit import COMMAND_LINE, Actor

pytestmark = pytest.mark.slow

MEMBERS = "/settings/members"
NASTY = "محمد 🌊 <script>alert(1)</script>"


def add(world: World, email: str = "aiko@brightwater.dev", role: str = "member") -> str:
    return world.services.members.add(world.organization_id, email, role).member_id


def form(client: TestClient, member_id: str, **fields: str) -> dict[str, str]:
    page = client.get(f"{MEMBERS}/{member_id}").text
    seen = re.search(r'name="seen" value="(\w+)"', page)
    assert seen
    return {"seen": seen[1], "name": "Aiko", "role": "member"} | fields


def signed_in(world: World, client: TestClient, member_id: str) -> TestClient:
    client.cookies.set("tidegate_login", world.login(member_id))
    return client


def test_name_and_role_are_changed_together(world: World, owner: TestClient) -> None:
    aiko = add(world)
    path = f"{MEMBERS}/{aiko}"
    response = send(owner, path, form(owner, aiko, name=NASTY, role="admin"))
    assert (response.status_code, response.headers["location"]) == (303, MEMBERS)
    now = world.services.members.get(world.organization_id, aiko)
    assert (now.name, now.role) == (NASTY, "admin")
    page = owner.get(MEMBERS).text
    assert "<script>alert" not in page
    assert "محمد 🌊 &lt;script&gt;" in page
    assert '<span class="tg-chip tg-chip-accent">Admin</span>' in page


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "x" * 101),
        ("name", "a\x00b"),
        ("role", ""),
        ("role", "superuser"),
        ("role", "OWNER"),
        ("role", "<script>alert(1)</script>"),
        ("role", "x" * 5000),
    ],
)
def test_a_fault_changes_neither(world: World, owner: TestClient, field: str, value: str) -> None:
    aiko = add(world)
    before = world.services.members.get(world.organization_id, aiko)
    wrong = form(owner, aiko, role="admin") | {field: value}
    response = send(owner, f"{MEMBERS}/{aiko}", wrong)
    assert response.status_code == 422
    assert re.findall(r'<p class="tg-fault" id="(\w+)-fault"', response.text) == [field]
    assert "<script>alert" not in response.text
    assert world.services.members.get(world.organization_id, aiko) == before


def test_two_admins_change_one_member(world: World, owner: TestClient) -> None:
    aiko = add(world)
    stale = form(owner, aiko, role="admin")
    world.services.members.rename(world.organization_id, aiko, "Early", actor=COMMAND_LINE)
    response = send(owner, f"{MEMBERS}/{aiko}", stale)
    assert response.status_code == 409
    assert "Someone else changed this in the meantime." in response.text
    assert 'value="Early"' in response.text
    assert world.services.members.get(world.organization_id, aiko).role == "member"
    again = form(owner, aiko, role="admin")
    assert send(owner, f"{MEMBERS}/{aiko}", again).status_code == 303


def test_the_last_owner_stays(world: World, owner: TestClient) -> None:
    own = f"{MEMBERS}/{world.owner_id}"
    response = send(owner, own, form(owner, world.owner_id, role="admin"))
    assert response.status_code == 422
    assert "This is the last owner." in response.text
    assert send(owner, f"{own}/remove").status_code == 409
    assert owner.get(MEMBERS).status_code == 200


def test_an_owner_who_steps_down_is_led_out_of_the_settings(
    world: World, owner: TestClient
) -> None:
    add(world, "second@brightwater.dev", "owner")
    own = f"{MEMBERS}/{world.owner_id}"
    response = send(owner, own, form(owner, world.owner_id, role="member"))
    assert (response.status_code, response.headers["location"]) == (303, "/")
    assert owner.get(MEMBERS).status_code == 403


def test_an_admin_makes_no_owner(world: World, client: TestClient) -> None:
    aiko = add(world)
    admin = signed_in(world, client, add(world, "admin@brightwater.dev", "admin"))
    assert "Owner</strong>" not in admin.get(f"{MEMBERS}/{aiko}").text
    response = send(admin, f"{MEMBERS}/{aiko}", form(admin, aiko, role="owner"))
    assert response.status_code == 403
    assert world.services.members.get(world.organization_id, aiko).role == "member"
    assert f"{MEMBERS}/{world.owner_id}" not in admin.get(MEMBERS).text


def test_whoever_lost_the_role_meanwhile_changes_nothing(world: World, client: TestClient) -> None:
    aiko, admin_id = add(world), add(world, "admin@brightwater.dev", "admin")
    admin = signed_in(world, client, admin_id)
    stale = form(admin, aiko, role="admin")
    world.services.members.set_role(
        world.organization_id, admin_id, "member", by_role="owner", actor=COMMAND_LINE
    )
    assert send(admin, f"{MEMBERS}/{aiko}", stale).status_code == 403
    assert world.services.members.get(world.organization_id, aiko).role == "member"


def test_a_member_is_removed_after_a_question_that_names_them(
    world: World, owner: TestClient
) -> None:
    aiko = world.enroll("aiko@brightwater.dev").member_id
    world.services.members.rename(world.organization_id, aiko, "Aiko <b>", actor=COMMAND_LINE)
    login = world.login(aiko)
    path = f"{MEMBERS}/{aiko}/remove"
    question = owner.get(path).text
    assert "Remove Aiko &lt;b&gt;?" in question
    assert "The 1 key of their coding agents is deleted" in question
    assert 'data-variant="destructive">Remove Aiko</button>' in question
    assert send(owner, path).headers["location"] == MEMBERS
    assert world.services.logins.viewer(login) is None
    assert world.services.enrolment.list_keys(world.organization_id) == []
    page = owner.get(MEMBERS).text
    assert "1 removed" in page
    assert "Aiko &lt;b&gt;" in page  # the history keeps the name


def test_a_second_click_says_that_it_is_done_already(world: World, owner: TestClient) -> None:
    aiko = add(world)
    stale = form(owner, aiko)
    send(owner, f"{MEMBERS}/{aiko}/remove")
    for response in (
        send(owner, f"{MEMBERS}/{aiko}/remove"),
        send(owner, f"{MEMBERS}/{aiko}", stale),
        send(owner, f"{MEMBERS}/{aiko}/link"),
        owner.get(f"{MEMBERS}/{aiko}"),
    ):
        assert response.status_code == 409
        assert "This member was removed already." in response.text


def test_a_one_time_link_signs_in_once(world: World, owner: TestClient) -> None:
    aiko = add(world)
    page = send(owner, f"{MEMBERS}/{aiko}/link").text
    [link] = set(re.findall(rf"{PUBLIC_URL}/sign-in/[\w-]+", page))
    token = link.rpartition("/")[2]
    offer = world.services.logins.peek_sign_in(token)
    assert offer is not None
    assert offer.member_id == aiko
    log = owner.get("/settings/audit?what=login.").text
    assert "Made a one-time link for aiko@brightwater.dev" in log
    assert token not in log


def test_an_admin_makes_no_link_for_an_equal(world: World, client: TestClient) -> None:
    own, peer = add(world, "a@b.dev", "admin"), add(world, "c@b.dev", "admin")
    admin = signed_in(world, client, own)
    statuses = [
        send(admin, f"{MEMBERS}/{member_id}/link").status_code
        for member_id in (own, add(world), peer, world.owner_id)
    ]
    assert statuses == [200, 200, 403, 403]


def test_pending_invitations_are_listed(world: World, owner: TestClient) -> None:
    actor = Actor(world.owner_id)
    invited = world.services.invitations.invite(
        world.organization_id, "rana@brightwater.dev", "admin", by_role="owner", actor=actor
    )
    page = owner.get(MEMBERS).text
    assert "rana@brightwater.dev" in page
    assert "the link is valid until 29 Nov 2026" in page
    world.services.invitations.mailed(
        world.organization_id, invited.invitation.invitation_id, "It broke."
    )
    world.now_us += 8 * 86_400_000_000
    page = owner.get(MEMBERS).text
    assert "the link expired on 29 Nov 2026" in page
    assert "the mail did not go out" in page
    assert f"/invitations/{invited.invitation.invitation_id}/link" not in page
    assert f"/invitations/{invited.invitation.invitation_id}/resend" in page


def test_in_a_dialog_the_fault_stands_there(world: World, owner: TestClient) -> None:
    aiko = add(world)
    wrong = form(owner, aiko, role="boss")
    response = send(owner, f"{MEMBERS}/{aiko}", wrong, htmx=True)
    assert response.status_code == 422
    assert "<html" not in response.text
    assert "<html" not in owner.get(f"{MEMBERS}/{aiko}", headers=HTMX).text
