"""Links by mail: to sign in, to set a new password, to join."""

import re

import pytest
from starlette.testclient import TestClient
from tests.browser.world import World

from tidegate.services.audit import Actor
from tidegate.services.invitations import Invited
from tidegate.services.mail_settings import Delivery
from tidegate.services.notices import Notices
from tidegate.services.passwords import Reset, SignInLink

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"
CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')
NASTY = "محمد 🌊 <script>alert(1)</script>"


def csrf_of(client: TestClient, path: str) -> str:
    found = CSRF.search(client.get(path).text)
    assert found, f"{path} holds no form"
    return found[1]


def faults_of(page: str) -> list[str]:
    return re.findall(r'<p class="tg-fault" id="(\w+)-fault"', page)


def without_csrf(page: str) -> str:
    return CSRF.sub("", page)


class Postbox(Notices):
    """Keeps what would be mailed."""

    def __init__(self) -> None:
        self.tokens: list[tuple[str, str]] = []

    def reset(self, reset: Reset) -> Delivery:
        self.tokens.append((reset.email, f"/reset/{reset.token}"))
        return Delivery(sent=True)

    def sign_in_link(self, link: SignInLink) -> Delivery:
        self.tokens.append((link.email, f"/sign-in/{link.token}"))
        return Delivery(sent=True)


@pytest.fixture
def postbox(empty_world: World) -> Postbox:
    """Stands in for the mail server, before the console is made."""
    postbox = Postbox()
    services = empty_world.services
    values = {name: getattr(services, name) for name in type(services).__slots__}
    empty_world.services = type(services)(**(values | {"notices": postbox}))
    return postbox


ASK = pytest.mark.parametrize("path", ["/sign-in/link", "/sign-in/forgot"])


@ASK
def test_the_answer_is_the_same_for_who_is_known_and_who_is_not(
    world: World, postbox: Postbox, client: TestClient, path: str
) -> None:
    csrf = csrf_of(client, path)
    known, unknown = (
        client.post(path, data={"csrf": csrf, "email": f"{who}@brightwater.dev"})
        for who in ("maya", "eve")
    )
    assert known.status_code == unknown.status_code == 200
    assert known.text.replace("maya@", "eve@") == unknown.text
    assert [email for email, _ in postbox.tokens] == ["maya@brightwater.dev"]


@ASK
@pytest.mark.parametrize(
    "email", ["", "maya", "<script>alert(1)</script>", "x" * 5000, "a\x00@b.c"]
)
def test_what_is_no_address_is_told_at_the_field(
    world: World, postbox: Postbox, client: TestClient, path: str, email: str
) -> None:
    response = client.post(path, data={"csrf": csrf_of(client, path), "email": email})
    assert (response.status_code, faults_of(response.text)) == (422, ["email"])
    assert "<script>alert" not in response.text
    assert postbox.tokens == []


@ASK
def test_nobody_is_flooded_with_mail(
    world: World, postbox: Postbox, client: TestClient, path: str
) -> None:
    csrf = csrf_of(client, path)
    pages = set()
    for number in range(12):
        response = client.post(
            path,
            data={"csrf": csrf, "email": "maya@brightwater.dev"},
            headers={"x-tidegate-peer": f"198.51.100.{number}"},
        )
        pages.add((response.status_code, response.text))
    assert len(pages) == 1  # and it does not show
    assert len(postbox.tokens) == 5


@ASK
def test_a_peer_asks_so_many_times(
    world: World, postbox: Postbox, client: TestClient, path: str
) -> None:
    csrf = csrf_of(client, path)
    statuses = [
        client.post(path, data={"csrf": csrf, "email": f"m{n}@brightwater.dev"}).status_code
        for n in range(12)
    ]
    assert statuses == [200] * 10 + [429] * 2


def test_a_mailed_link_signs_in(world: World, postbox: Postbox, client: TestClient) -> None:
    path = "/sign-in/link"
    client.post(path, data={"csrf": csrf_of(client, path), "email": "Maya@Brightwater.dev"})
    [(_, link)] = postbox.tokens
    response = client.post(link, data={"csrf": csrf_of(client, link)})
    assert (response.status_code, response.headers["location"]) == (303, "/")
    log = client.get("/settings/audit?what=login.").text
    assert "Someone with the address" in log
    assert "203.0.113.7" in log


def reset_link(client: TestClient, postbox: Postbox) -> str:
    path = "/sign-in/forgot"
    client.post(path, data={"csrf": csrf_of(client, path), "email": "maya@brightwater.dev"})
    return postbox.tokens[-1][1]


def test_a_new_password_by_a_link(world: World, postbox: Postbox, client: TestClient) -> None:
    before = world.login()
    link = reset_link(client, postbox)
    page = client.get(link).text
    assert "maya@brightwater.dev" in page
    data = {"csrf": csrf_of(client, link), "password": PASSWORD}
    response = client.post(link, data=data)
    assert (response.status_code, response.headers["location"]) == (303, "/")
    assert client.get("/account").status_code == 200
    assert world.services.logins.viewer(before) is None
    assert world.services.passwords.has(world.organization_id, world.owner_id)
    client.cookies.clear()
    assert client.get(link).status_code == 404


@pytest.mark.parametrize(
    "password", ["", "short", "x" * 257, "x" * 5000, "aaaaaaaaaaaaaa", "maya@brightwater.dev"]
)
def test_a_refused_password_leaves_the_link_usable(
    world: World, postbox: Postbox, client: TestClient, password: str
) -> None:
    link = reset_link(client, postbox)
    response = client.post(link, data={"csrf": csrf_of(client, link), "password": password})
    assert (response.status_code, faults_of(response.text)) == (422, ["password"])
    assert not password.startswith("x") or password not in response.text
    assert not world.services.passwords.has(world.organization_id, world.owner_id)
    assert client.get(link).status_code == 200


@pytest.mark.parametrize("change", ["expired", "wrong", "truncated"])
def test_resets_that_are_not_valid_look_the_same(
    world: World, postbox: Postbox, client: TestClient, change: str
) -> None:
    link = reset_link(client, postbox)
    csrf = csrf_of(client, link)
    if change == "expired":
        world.now_us += 3_600_000_001
    path = {"expired": link, "wrong": "/reset/" + "x" * 43, "truncated": link[:-1]}[change]
    page, other = client.get(path), client.get("/reset/anything")
    sent = client.post(path, data={"csrf": csrf, "password": PASSWORD})
    assert {page.status_code, sent.status_code} == {404}
    assert without_csrf(page.text) == without_csrf(other.text) == without_csrf(sent.text)


# Invitations


def invite(world: World, email: str = "rana@brightwater.dev", role: str = "admin") -> Invited:
    actor = Actor(world.owner_id)
    return world.services.invitations.invite(
        world.organization_id, email, role, by_role="owner", actor=actor
    )


def test_an_invitation_is_accepted_once(world: World, client: TestClient) -> None:
    world.services.members.rename(
        world.organization_id, world.owner_id, "Maya <b>", actor=Actor(world.owner_id)
    )
    link = f"/join/{invite(world).token}"
    for _ in range(3):
        page = client.get(link).text
    for shown in (
        "Join Brightwater",
        "Maya &lt;b&gt;</strong> invites you",
        "<strong>admin</strong>",
    ):
        assert shown in page
    data = {"csrf": csrf_of(client, link), "name": NASTY, "password": PASSWORD}
    response = client.post(link, data=data)
    assert (response.status_code, response.headers["location"]) == (303, "/")
    account = client.get("/account").text
    assert "rana@brightwater.dev" in account
    assert "<script>alert" not in account
    secret = world.services.logins.sign_in(
        "rana@brightwater.dev", PASSWORD, address="", user_agent=""
    )
    viewer = world.services.logins.viewer(secret)
    assert viewer is not None
    assert (viewer.name, viewer.role) == (NASTY, "admin")
    client.cookies.clear()
    assert client.get(link).status_code == 404


def test_no_password_is_needed(world: World, client: TestClient) -> None:
    link = f"/join/{invite(world, role='member').token}"
    data = {"csrf": csrf_of(client, link), "name": "", "password": ""}
    assert client.post(link, data=data).status_code == 303
    assert client.get("/").headers["location"] == "/my-usage"
    assert "You have none: one-time links sign you in." in client.get("/account").text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "x" * 101),
        ("name", "a\x00b"),
        ("password", "short"),
        ("password", "x" * 257),
        ("password", "rana@brightwater.dev"),
    ],
)
def test_a_fault_leaves_the_invitation_usable(
    world: World, client: TestClient, field: str, value: str
) -> None:
    link = f"/join/{invite(world).token}"
    right = {"csrf": csrf_of(client, link), "name": "Rana", "password": PASSWORD}
    response = client.post(link, data=right | {field: value})
    assert (response.status_code, faults_of(response.text)) == (422, [field])
    assert ('value="Rana"' in response.text) == (field != "name")
    assert PASSWORD not in response.text
    assert client.post(link, data=right).status_code == 303


@pytest.mark.parametrize("change", ["withdrawn", "resent", "expired", "wrong", "other"])
def test_invitations_that_are_not_valid_look_the_same(
    world: World, client: TestClient, change: str
) -> None:
    invited = invite(world)
    invitation_id = invited.invitation.invitation_id
    link, actor = f"/join/{invited.token}", Actor(world.owner_id)
    csrf = csrf_of(client, link)
    if change == "withdrawn":
        world.services.invitations.withdraw(world.organization_id, invitation_id, actor=actor)
    elif change == "resent":
        world.services.invitations.resend(world.organization_id, invitation_id, actor=actor)
    elif change == "expired":
        world.now_us += 7 * 86_400_000_000
    path = {"wrong": link[:-1], "other": f"/join/{invitation_id}"}.get(change, link)
    page, other = client.get(path), client.get("/join/anything")
    sent = client.post(path, data={"csrf": csrf, "name": "", "password": ""})
    assert {page.status_code, sent.status_code} == {404}
    assert without_csrf(page.text) == without_csrf(other.text) == without_csrf(sent.text)


def test_a_browser_that_is_signed_in_as_someone_else_is_told(
    world: World, owner: TestClient
) -> None:
    link = f"/join/{invite(world).token}"
    page = owner.get(link).text
    assert "This browser is signed in as" in page
    assert "Joining signs that person out of Brightwater here." in page
    other = world.services.organizations.bootstrap("Otherwater", "eve@otherwater.dev")
    invited = world.services.invitations.invite(
        other.organization_id,
        "maya@brightwater.dev",
        "member",
        by_role="owner",
        actor=Actor(other.member_id),
    )
    theirs = f"/join/{invited.token}"
    assert "This browser is signed in as" not in owner.get(theirs).text  # the same person
    owner.post(theirs, data={"csrf": csrf_of(owner, theirs), "name": "Maya", "password": ""})
    page = owner.get("/account").text
    assert "yours in Otherwater" in page
    assert world.organization_id in page  # and can be switched to


def test_who_became_a_member_meanwhile_signs_in(world: World, client: TestClient) -> None:
    link = f"/join/{invite(world).token}"
    csrf = csrf_of(client, link)
    world.services.members.add(world.organization_id, "rana@brightwater.dev")
    response = client.post(link, data={"csrf": csrf, "name": "", "password": ""})
    assert response.status_code == 404
    assert "You accepted it already?" in response.text
