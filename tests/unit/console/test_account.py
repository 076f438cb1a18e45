"""One's own account: name, password, browsers and access tokens."""

import re

import pytest
from starlette.testclient import TestClient
from tests.browser.world import World
from tests.unit.console.forms import send

from tidegate.services.audit import Actor

pytestmark = pytest.mark.slow

ACCOUNT = "/account"
PASSWORD = "correct horse battery"
NEW = "another long sentence"
NASTY = "محمد 🌊 <script>alert(1)</script>"


def faults_of(page: str) -> list[str]:
    return re.findall(r'<p class="tg-fault" id="([\w-]+)-fault"', page)


def set_password(world: World) -> None:
    actor = Actor(world.owner_id)
    world.services.passwords.set(
        world.organization_id, world.owner_id, PASSWORD, current=None, actor=actor
    )


def can_sign_in(world: World, password: str) -> bool:
    try:
        world.services.logins.sign_in("maya@brightwater.dev", password, address="", user_agent="")
    except Exception:
        return False
    return True


@pytest.mark.parametrize("name", [NASTY, "", " Maya ", "\N{RIGHT-TO-LEFT OVERRIDE}ayaM"])
def test_the_name_is_changed(world: World, owner: TestClient, name: str) -> None:
    assert send(owner, f"{ACCOUNT}/name", {"name": name}).status_code == 303
    assert world.services.members.get(world.organization_id, world.owner_id).name == name.strip()
    assert "<script>alert" not in owner.get(ACCOUNT).text


@pytest.mark.parametrize("name", ["x" * 101, "a\x00b", "a\nb"])
def test_a_wrong_name_is_told_at_its_field(world: World, owner: TestClient, name: str) -> None:
    response = send(owner, f"{ACCOUNT}/name", {"name": name})
    assert (response.status_code, faults_of(response.text)) == (422, ["name"])
    assert world.services.members.get(world.organization_id, world.owner_id).name == ""


def test_a_first_password_needs_no_present_one(world: World, owner: TestClient) -> None:
    assert "Present password" not in owner.get(ACCOUNT).text
    other = world.login()
    response = send(owner, f"{ACCOUNT}/password", {"password": PASSWORD})
    assert (response.status_code, response.headers["location"]) == (303, ACCOUNT)
    assert "Present password" in owner.get(ACCOUNT).text  # this browser stays signed in
    assert world.services.logins.viewer(other) is None
    assert can_sign_in(world, PASSWORD)


@pytest.mark.parametrize(
    ("current", "new", "field"),
    [
        ("", NEW, "current"),
        ("wrong wrong wrong", NEW, "current"),
        ("x" * 5000, NEW, "current"),
        (PASSWORD, "", "password"),
        (PASSWORD, "short", "password"),
        (PASSWORD, "x" * 257, "password"),
        (PASSWORD, "aaaaaaaaaaaaaa", "password"),
        (PASSWORD, "maya@brightwater.dev", "password"),
    ],
)
def test_a_refused_password_changes_nothing(
    world: World, owner: TestClient, current: str, new: str, field: str
) -> None:
    set_password(world)
    owner.cookies.set("tidegate_login", world.login())
    response = send(owner, f"{ACCOUNT}/password", {"current": current, "password": new})
    assert (response.status_code, faults_of(response.text)) == (422, [field])
    assert can_sign_in(world, PASSWORD)
    for typed in (current, new):
        assert len(typed) < 6 or typed == "maya@brightwater.dev" or typed not in response.text


def test_the_present_password_is_guessed_slowly(world: World, owner: TestClient) -> None:
    set_password(world)
    owner.cookies.set("tidegate_login", world.login())
    form = {"current": "wrong wrong wrong", "password": NEW}
    statuses = [send(owner, f"{ACCOUNT}/password", form).status_code for _ in range(12)]
    assert statuses[:10] == [422] * 10
    assert statuses[-1] == 429


def test_browsers_are_listed_and_signed_out(world: World, owner: TestClient) -> None:
    token = world.services.logins.make_sign_in_token(world.organization_id, world.owner_id)
    agent = "Mozilla/5.0 (Windows NT 10.0) Firefox/131.0"
    other = world.services.logins.redeem_sign_in(token, address="198.51.100.1", user_agent=agent)
    viewer = world.services.logins.viewer(other)
    assert viewer is not None
    page = owner.get(ACCOUNT).text
    assert page.count("This browser</span>") == 1
    assert "Firefox on Windows" in page
    assert "198.51.100.1" in page
    path = f"{ACCOUNT}/logins/{viewer.login_id}"
    assert send(owner, path).headers["location"] == ACCOUNT
    assert world.services.logins.viewer(other) is None
    assert send(owner, path).status_code == 404


def test_all_other_browsers_are_signed_out_at_once(world: World, owner: TestClient) -> None:
    others = [world.login() for _ in range(3)]
    response = send(owner, f"{ACCOUNT}/logins/others")
    assert response.status_code == 303
    assert "3 other browsers signed out." in owner.get(ACCOUNT).text
    assert [world.services.logins.viewer(secret) for secret in others] == [None] * 3
    send(owner, f"{ACCOUNT}/logins/others")
    assert "There was no other." in owner.get(ACCOUNT).text


def test_signing_out_this_browser_leads_to_the_sign_in(world: World, owner: TestClient) -> None:
    viewer = world.services.logins.viewer(owner.cookies["tidegate_login"])
    assert viewer is not None
    response = send(owner, f"{ACCOUNT}/logins/{viewer.login_id}")
    assert response.headers["location"] == "/sign-in"
    assert owner.get(ACCOUNT).status_code == 303


def secret_in(page: str) -> str:
    [secret] = set(re.findall(r"tgp_[\w-]{20,}", page))
    return str(secret)


def test_a_token_is_shown_once_and_revoked(world: World, owner: TestClient) -> None:
    form = {"name": NASTY, "scope": "read", "days": "30"}
    made = send(owner, f"{ACCOUNT}/tokens", form)
    assert made.status_code == 200
    assert "<script>alert" not in made.text
    secret = secret_in(made.text)
    viewer = world.services.access_tokens.authenticate(secret)
    assert viewer is not None
    assert viewer.scope == "read"
    page = owner.get(ACCOUNT).text
    assert secret not in page
    assert "ends on 22 Dec 2026" in page
    assert secret not in owner.get("/settings/audit").text
    [record] = world.services.access_tokens.list(world.organization_id, world.owner_id)
    path = f"{ACCOUNT}/tokens/{record.token_id}/revoke"
    assert "Revoke the access token “محمد" in owner.get(path).text
    assert send(owner, path).headers["location"] == ACCOUNT
    assert world.services.access_tokens.authenticate(secret) is None
    assert send(owner, path).status_code == 404
    assert owner.get(path).status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 101),
        ("name", "a\x00b"),
        ("name", "Taken"),
        ("scope", ""),
        ("scope", "admin"),
        ("days", "31"),
        ("days", "-1"),
        ("days", "x" * 5000),
    ],
)
def test_a_token_with_a_fault_is_not_made(
    world: World, owner: TestClient, field: str, value: str
) -> None:
    right = {"name": "Report", "scope": "write", "days": ""}
    send(owner, f"{ACCOUNT}/tokens", right | {"name": "Taken"})
    response = send(owner, f"{ACCOUNT}/tokens", right | {field: value})
    assert response.status_code == 422
    [told] = faults_of(response.text)
    assert told in {field, f"token-{field}"}
    assert len(world.services.access_tokens.list(world.organization_id, world.owner_id)) == 1


def test_a_double_click_makes_one_token(world: World, owner: TestClient) -> None:
    form = {"name": "Report", "scope": "read", "days": "90"}
    statuses = [send(owner, f"{ACCOUNT}/tokens", form).status_code for _ in range(2)]
    assert statuses == [200, 422]


def test_expired_tokens_say_so(world: World, owner: TestClient) -> None:
    send(owner, f"{ACCOUNT}/tokens", {"name": "Report", "scope": "read", "days": "30"})
    world.now_us += 31 * 86_400_000_000
    owner.cookies.set("tidegate_login", world.login())
    page = owner.get(ACCOUNT).text
    assert ">Expired</span>" in page
    assert "ended on 22 Dec 2026" in page
