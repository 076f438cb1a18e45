"""Inviting: the form, the link, the mail, and the end of an invitation."""

import html
import re

import pytest
from starlette.testclient import TestClient
from tests.browser.world import PUBLIC_URL, World
from tests.mail_server import MailServer
from tests.unit.console.forms import HTMX, send

from tidegate.services.audit import Actor
from tidegate.services.invitations import Invited
from tidegate.services.mail_form import MailForm

pytestmark = pytest.mark.slow

RANA = {"email": "rana@brightwater.dev", "role": "member"}
LINK = re.compile(rf'data-copy="({re.escape(PUBLIC_URL)}/join/[^"]+)"')


def invited(world: World, email: str = "rana@brightwater.dev", role: str = "member") -> Invited:
    return world.services.invitations.invite(
        world.organization_id, email, role, by_role="owner", actor=Actor(world.owner_id)
    )


def pending(world: World) -> list[tuple[str, str]]:
    found = world.services.invitations.pending(world.organization_id)
    return [(each.email, each.role) for each in found]


def actions(world: World, prefix: str = "invitation.") -> list[str]:
    page = world.services.audit_log.page(world.organization_id, action=prefix)
    return [entry.action for entry in page.entries]


def sign_in_as(world: World, client: TestClient, role: str) -> str:
    member = world.services.members.add(world.organization_id, f"{role}@b.dev", role)
    client.cookies.set("tidegate_login", world.login(member.member_id))
    return member.member_id


@pytest.mark.parametrize("htmx", [True, False])
def test_an_invitation_shows_its_link_once_it_is_sent(
    world: World, owner: TestClient, htmx: bool
) -> None:
    response = send(owner, "/invite", RANA, htmx=htmx)
    assert response.status_code == 200
    assert ("<!doctype" in response.text) is not htmx
    assert response.headers["cache-control"] == "no-store"
    link = LINK.search(response.text)
    assert link
    offer = world.services.invitations.peek(link[1].rpartition("/")[2])
    assert offer
    assert offer.email == "rana@brightwater.dev"
    assert "no mail server is set up" in response.text
    assert "data-changed" in response.text
    assert pending(world) == [("rana@brightwater.dev", "member")]
    assert actions(world) == ["invitation.create"]


@pytest.mark.parametrize(
    ("fields", "field", "told"),
    [
        ({"email": " ", "role": "member"}, "email", "Type the email address"),
        ({"email": "x" * 300 + "@b.dev", "role": "member"}, "email", "is no email address"),
        ({"email": "<script>alert(1)</script>", "role": "member"}, "email", "is no email address"),
        ({"email": "maya@brightwater.dev", "role": "member"}, "email", "already"),
        ({"email": "rana@brightwater.dev", "role": "boss"}, "role", "boss"),
        ({"email": "rana@brightwater.dev"}, "role", ""),
    ],
)
def test_a_fault_stands_at_its_field_and_nothing_is_done(
    world: World, owner: TestClient, fields: dict[str, str], field: str, told: str
) -> None:
    response = send(owner, "/invite", fields, htmx=True)
    assert response.status_code == 422
    described = re.findall(r'aria-describedby="tg-invite-(\w+)-fault"', response.text)
    assert described == [field]
    assert told in html.unescape(response.text)
    assert "<script>alert" not in response.text
    assert f'value="{html.escape(fields["email"])}"' in response.text
    assert pending(world) == []


def test_the_second_of_two_invitations_is_refused(world: World, owner: TestClient) -> None:
    assert send(owner, "/invite", RANA, htmx=True).status_code == 200
    again = send(owner, "/invite", RANA | {"email": " RANA@brightwater.dev "}, htmx=True)
    assert again.status_code == 422
    assert "already" in again.text
    assert len(pending(world)) == 1


def test_only_an_owner_may_make_an_owner(world: World, client: TestClient) -> None:
    sign_in_as(world, client, "admin")
    assert 'value="owner"' not in client.get("/invite").text
    response = send(client, "/invite", RANA | {"role": "owner"}, htmx=True)
    assert response.status_code in {403, 422}
    assert pending(world) == []


@pytest.mark.parametrize("act", ["link", "resend"])
def test_an_admin_does_not_get_the_link_of_an_owner(
    world: World, client: TestClient, act: str
) -> None:
    invitation = invited(world, role="owner").invitation
    sign_in_as(world, client, "admin")
    response = send(client, f"/invitations/{invitation.invitation_id}/{act}", htmx=True)
    assert response.status_code == 403
    assert "/join/" not in response.text


def test_the_link_is_shown_again_by_post_alone_and_is_the_same(
    world: World, owner: TestClient
) -> None:
    made = invited(world)
    path = f"/invitations/{made.invitation.invitation_id}/link"
    assert owner.get(path).status_code == 405
    response = send(owner, path, htmx=True)
    assert made.token in response.text
    assert response.headers["cache-control"] == "no-store"
    assert "data-changed" not in response.text
    assert actions(world)[0] == "invitation.link"


def test_resending_voids_the_link_before(world: World, owner: TestClient) -> None:
    made = invited(world)
    world.now_us += 8 * 86_400_000_000
    assert world.services.invitations.peek(made.token) is None  # expired
    path = f"/invitations/{made.invitation.invitation_id}/resend"
    response = send(owner, path, {"generation": "1"}, htmx=True)
    link = LINK.search(response.text)
    assert link
    assert made.token not in response.text
    assert world.services.invitations.peek(link[1].rpartition("/")[2])
    again = send(owner, path, {"generation": "1"}, htmx=True)  # a double click
    assert again.status_code == 409
    assert actions(world).count("invitation.resend") == 1


def test_withdrawing_asks_first_and_names_whom(world: World, owner: TestClient) -> None:
    made = invited(world)
    path = f"/invitations/{made.invitation.invitation_id}/withdraw"
    page = owner.get(path, headers=HTMX).text
    assert "Withdraw the invitation of rana@brightwater.dev?" in page
    assert page.index("autofocus") < page.index('data-variant="destructive"')
    assert page.count("autofocus") == 1
    assert pending(world)
    response = send(owner, path)
    assert (response.status_code, response.headers["location"]) == (303, "/")
    assert pending(world) == []
    assert world.services.invitations.peek(made.token) is None


def test_withdrawing_in_a_dialog_closes_it_and_renews_the_page(
    world: World, owner: TestClient
) -> None:
    path = f"/invitations/{invited(world).invitation.invitation_id}/withdraw"
    response = send(owner, path, htmx=True)
    assert response.status_code == 204
    assert "tg:changed" in response.headers["hx-trigger"]
    stale = send(owner, path, htmx=True)  # someone else was faster
    assert stale.status_code in {404, 409}
    assert "failed" in stale.headers["hx-trigger"]


@pytest.mark.parametrize("act", ["link", "resend", "withdraw"])
def test_another_organizations_invitation_is_not_there(
    world: World, owner: TestClient, act: str
) -> None:
    ours = invited(world)
    other = world.services.organizations.bootstrap("Otherwater", "eve@otherwater.dev")
    theirs = world.services.invitations.invite(
        other.organization_id,
        "rana@brightwater.dev",
        "member",
        by_role="owner",
        actor=Actor(other.member_id),
    )
    path = f"/invitations/{theirs.invitation.invitation_id}/{act}"
    assert send(owner, path).status_code == 404
    assert send(owner, "/invitations/inv_none/" + act).status_code == 404
    assert world.services.invitations.peek(theirs.token)
    assert world.services.invitations.peek(ours.token)


@pytest.mark.parametrize("path", ["/invite", "/invitations/inv_x/withdraw"])
def test_members_do_not_invite(world: World, client: TestClient, path: str) -> None:
    sign_in_as(world, client, "member")
    assert client.get(path).status_code == 403
    assert client.post(path, data={"a": "b"}).status_code == 403


def set_up_mail(world: World, port: int) -> None:
    form = MailForm(host="127.0.0.1", port=port, security="none", sender="team@brightwater.dev")
    world.services.mail_settings.set(world.organization_id, form)


def test_a_mail_with_the_link_goes_out(world: World, owner: TestClient) -> None:
    with MailServer() as server:
        set_up_mail(world, server.port)
        response = send(owner, "/invite", RANA, htmx=True)
    assert "A mail with the link went to rana@brightwater.dev." in response.text
    link = LINK.search(response.text)
    assert link
    [message] = server.messages
    body = message.get_body(("plain",))
    assert body
    assert link[1] in body.get_content()
    [found] = world.services.invitations.pending(world.organization_id)
    assert found.mail == "sent"


def test_a_mail_that_does_not_go_out_is_said_and_the_link_is_there(
    world: World, owner: TestClient
) -> None:
    with MailServer(refused="rana@brightwater.dev") as server:
        set_up_mail(world, server.port)
        response = send(owner, "/invite", RANA, htmx=True)
    assert response.status_code == 200
    assert "The mail did not go out: " in response.text
    assert "no such mailbox here" in response.text
    assert LINK.search(response.text)
    [found] = world.services.invitations.pending(world.organization_id)
    assert found.mail == "failed"
