"""Coming and going: set-up link, sign-in links, sign-out."""

import re
from html import unescape

import pytest
from starlette.testclient import TestClient
from tests.browser.world import PUBLIC_URL, World

from tidegate.console.app import ConsoleOptions, create_app
from tidegate.services.audit import Actor

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"
CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')


def faults_of(page: str) -> list[str]:
    """The fields that a page finds fault with."""
    return re.findall(r'<p class="tg-fault" id="(\w+)-fault"', page)


def csrf_of(client: TestClient, path: str) -> str:
    found = CSRF.search(client.get(path).text)
    assert found, f"{path} holds no form"
    return found[1]


def link_of(world: World) -> str:
    token = world.services.logins.make_sign_in_token(world.organization_id, world.owner_id)
    return f"/sign-in/{token}"


def test_a_link_signs_in_once(world: World, client: TestClient) -> None:
    link = link_of(world)
    for _ in range(3):  # looking at it, as mail scanners do, uses nothing up
        page = client.get(link).text
    assert "Brightwater" in page
    assert "maya@brightwater.dev" in page
    csrf = csrf_of(client, link)
    response = client.post(link, data={"csrf": csrf})
    assert (response.status_code, response.headers["location"]) == (303, "/")
    assert client.get("/account").status_code == 200
    client.cookies.clear()
    again = client.get(link)
    assert again.status_code == 404
    assert "This link is not valid" in again.text


def test_the_login_cookie_is_kept_from_scripts_and_other_sites(
    world: World, client: TestClient
) -> None:
    link = link_of(world)
    response = client.post(link, data={"csrf": csrf_of(client, link)})
    cookie = response.headers["set-cookie"].split("; ")
    assert cookie[0].startswith("tidegate_login=")
    assert set(cookie[1:]) == {"HttpOnly", "Max-Age=2592000", "Path=/", "SameSite=lax"}


def test_over_tls_the_login_cookie_is_secure(world: World) -> None:
    options = ConsoleOptions("https://tidegate.example")
    client = TestClient(
        create_app(world.services, options, clock=world.clock),
        base_url="https://tidegate.example",
        follow_redirects=False,
    )
    link = link_of(world)
    response = client.post(link, data={"csrf": csrf_of(client, link)})
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("__Host-tidegate_login=")
    assert "Secure" in cookie
    assert client.get("/account").status_code == 200


@pytest.mark.parametrize("change", ["expired", "wrong", "truncated"])
def test_links_that_are_not_valid_look_the_same(
    world: World, client: TestClient, change: str
) -> None:
    link = link_of(world)
    if change == "expired":
        world.now_us += 15 * 60_000_000 + 1
    path = {"expired": link, "wrong": "/sign-in/" + "x" * 43, "truncated": link[:-1]}[change]
    page, other = client.get(path), client.get("/sign-in/anything")
    assert page.status_code == 404
    assert CSRF.sub("", page.text) == CSRF.sub("", other.text)


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({}, "missing"),
        ({}, "other"),
        ({"origin": "https://evil.example"}, "right"),
        ({"sec-fetch-site": "cross-site"}, "right"),
    ],
)
@pytest.mark.parametrize("path", ["sign-in", "sign-out", "setup"])
def test_a_form_from_elsewhere_does_nothing(
    world: World, client: TestClient, path: str, headers: dict[str, str], token: str
) -> None:
    link = link_of(world)
    right = csrf_of(client, link)
    if path == "sign-out":
        client.cookies.set("tidegate_login", world.login())
        right = csrf_of(client, "/account")
    target = {"sign-in": link, "sign-out": "/sign-out", "setup": "/setup/x"}[path]
    data = {"missing": {"a": "form"}, "other": {"csrf": "00" * 32}, "right": {"csrf": right}}[token]
    assert client.post(target, data=data, headers=headers).status_code == 403
    if path == "sign-out":
        assert client.get("/account").status_code == 200
    client.cookies.clear()
    assert client.get(link).status_code == 200


def test_a_form_must_be_a_form(world: World, client: TestClient) -> None:
    link = link_of(world)
    csrf_of(client, link)
    assert client.post(link, json={}).status_code == 415
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert client.post(link, content=b"\xff", headers=form).status_code == 400
    assert client.post(link, content=b"a=1&" * 60, headers=form).status_code == 400


def test_sign_out_ends_the_login_on_the_server(world: World, owner: TestClient) -> None:
    secret = owner.cookies["tidegate_login"]
    response = owner.post("/sign-out", data={"csrf": csrf_of(owner, "/account")})
    assert (response.status_code, response.headers["location"]) == (303, "/sign-in")
    assert 'tidegate_login=""' in response.headers["set-cookie"]
    assert world.services.logins.viewer(secret) is None
    owner.cookies.set("tidegate_login", secret)
    assert owner.get("/").headers["location"] == "/sign-in"


def test_guessing_is_slowed_down_for_the_guesser_alone(world: World, client: TestClient) -> None:
    link = link_of(world)
    statuses = [client.get(f"/sign-in/{n}").status_code for n in range(12)]
    assert statuses == [404] * 10 + [429] * 2
    refused = client.get(link)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    assert client.get(link, headers={"x-tidegate-peer": "203.0.113.8"}).status_code == 200


def test_setup_founds_the_organization_and_signs_in(empty_world: World, client: TestClient) -> None:
    link = f"/setup/{empty_world.services.logins.make_setup_token()}"
    assert client.get("/").headers["location"] == "/sign-in"
    assert "no organization yet" in client.get("/sign-in").text
    data = {"csrf": csrf_of(client, link), "organization": "  Brightwater ", "email": "M@b.dev"}
    data |= {"name": "Maya", "password": PASSWORD, "time_zone": "Europe/Berlin"}
    response = client.post(link, data=data)
    assert (response.status_code, response.headers["location"]) == (303, "/")
    page = client.get("/account").text
    for shown in ("Brightwater", "Maya", "m@b.dev", "Present password"):
        assert shown in page
    [organization] = empty_world.services.organizations.list()
    assert organization.time_zone == "Europe/Berlin"
    assert client.get(link).status_code == 404


@pytest.mark.parametrize("zone", ["", "Mars/Base", "../etc/passwd", "x" * 5000, "posix/UTC"])
def test_setup_takes_utc_where_the_browsers_zone_is_unknown(
    empty_world: World, client: TestClient, zone: str
) -> None:
    link = f"/setup/{empty_world.services.logins.make_setup_token()}"
    data = {"csrf": csrf_of(client, link), "organization": "B", "email": "m@b.dev"}
    assert client.post(link, data=data | {"time_zone": zone}).status_code == 303
    [organization] = empty_world.services.organizations.list()
    assert organization.time_zone == "UTC"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("organization", ""),
        ("organization", "x" * 101),
        ("organization", "a\x00b"),
        ("email", ""),
        ("email", "<script>alert(1)</script>"),
        ("name", "x" * 101),
        ("name", "a\x00b"),
        ("password", "short"),
        ("password", "x" * 257),
        ("password", "maya@brightwater.dev"),
    ],
)
def test_setup_shows_the_fault_at_the_field_and_keeps_the_values(
    empty_world: World, client: TestClient, field: str, value: str
) -> None:
    link = f"/setup/{empty_world.services.logins.make_setup_token()}"
    right = {
        "organization": "Brightwater",
        "email": "maya@brightwater.dev",
        "name": "Maya 🌊",
        "password": PASSWORD,
    }
    response = client.post(link, data={"csrf": csrf_of(client, link)} | right | {field: value})
    assert response.status_code == 422
    assert faults_of(response.text) == [field]
    assert "<script>alert" not in response.text
    for name, kept in right.items():
        assert (f'value="{kept}"' in response.text) == (name not in {field, "password"})
    assert value not in response.text or field != "password" or not value.startswith("x")
    assert not empty_world.services.organizations.exists()
    assert client.get(link).status_code == 200  # and the link still holds


def test_there_is_no_setup_where_an_organization_is(world: World, client: TestClient) -> None:
    link = f"/setup/{world.services.logins.make_setup_token()}"
    assert client.get(link).status_code == 404


def test_a_stranger_learns_no_name_from_the_sign_in_page(world: World, client: TestClient) -> None:
    page = client.get("/sign-in").text
    assert "Brightwater" not in page
    assert PUBLIC_URL not in page


def with_password(world: World, client: TestClient) -> str:
    """Give the owner a password: the token of the sign-in form."""
    actor = Actor(world.owner_id)
    world.services.passwords.set(
        world.organization_id, world.owner_id, PASSWORD, current=None, actor=actor
    )
    return csrf_of(client, "/sign-in")


def test_email_and_password_sign_in(world: World, client: TestClient) -> None:
    csrf = with_password(world, client)
    data = {"csrf": csrf, "email": " MAYA@brightwater.dev ", "password": PASSWORD}
    agent = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0"}
    response = client.post("/sign-in", data=data, headers=agent)
    assert (response.status_code, response.headers["location"]) == (303, "/")
    [login] = world.services.logins.list(world.organization_id, world.owner_id)
    assert (login.address, login.user_agent) == ("203.0.113.7", agent["user-agent"])
    assert "Firefox on Linux" in client.get("/account").text


@pytest.mark.parametrize(
    ("asked", "leads_to"),
    [
        ("/settings/members", "/settings/members"),
        ("/settings/audit?what=key.&who=x", "/settings/audit?what=key.&who=x"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("/x\r\nset-cookie: a=b", "/"),
        ("", "/"),
    ],
)
def test_after_the_sign_in_one_is_where_one_wanted_to_be(
    world: World, client: TestClient, asked: str, leads_to: str
) -> None:
    with_password(world, client)
    page = client.get("/sign-in", params={"next": asked}).text
    hidden = re.search(r'name="next" value="([^"]*)"', page)
    assert hidden
    assert unescape(hidden[1]) == ("" if leads_to == "/" else leads_to)
    data = {"csrf": csrf_of(client, "/sign-in"), "email": "maya@brightwater.dev"}
    response = client.post("/sign-in", data=data | {"password": PASSWORD, "next": asked})
    assert response.headers["location"] == leads_to


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("maya@brightwater.dev", "wrong wrong wrong"),
        ("maya@brightwater.dev", PASSWORD + " "),
        ("maya@brightwater.dev", "x" * 5000),
        ("nobody@brightwater.dev", PASSWORD),
        ("<script>alert(1)</script>", PASSWORD),
        ("x" * 5000, PASSWORD),
        ("\N{RIGHT-TO-LEFT OVERRIDE}maya@brightwater.dev", PASSWORD),
    ],
)
def test_every_wrong_sign_in_reads_the_same(
    world: World, client: TestClient, email: str, password: str
) -> None:
    csrf = with_password(world, client)
    data = {"csrf": csrf, "email": email, "password": password}
    response = client.post("/sign-in", data=data)
    assert response.status_code == 422
    assert "The email address or the password is wrong." in response.text
    assert "<script>alert" not in response.text
    assert password not in response.text
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("missing", ["email", "password"])
def test_an_empty_field_costs_no_attempt(world: World, client: TestClient, missing: str) -> None:
    csrf = with_password(world, client)
    data = {"csrf": csrf, "email": "maya@brightwater.dev", "password": PASSWORD}
    for _ in range(12):
        response = client.post("/sign-in", data=data | {missing: ""})
        assert (response.status_code, faults_of(response.text)) == (422, [missing])
    assert client.post("/sign-in", data=data).status_code == 303


def test_passwords_are_guessed_slowly_by_a_peer_and_for_an_address(
    world: World, client: TestClient
) -> None:
    csrf = with_password(world, client)
    data = {"csrf": csrf, "email": "maya@brightwater.dev", "password": "a wrong password"}
    for number in range(10):
        peer = {"x-tidegate-peer": f"198.51.100.{number}"}
        assert client.post("/sign-in", data=data, headers=peer).status_code == 422
    right = data | {"password": PASSWORD}
    peer = {"x-tidegate-peer": "198.51.100.99"}
    slowed = client.post("/sign-in", data=right, headers=peer)
    assert slowed.status_code == 429
    assert int(slowed.headers["retry-after"]) > 0
    for number in range(10):
        other = data | {"email": f"{number}@brightwater.dev"}
        assert client.post("/sign-in", data=other).status_code == 422
    assert client.post("/sign-in", data=data | {"email": "x@brightwater.dev"}).status_code == 429


def test_a_login_holds_several_organizations_and_switches(world: World, owner: TestClient) -> None:
    other = world.services.organizations.bootstrap("Otherwater <b>", "maya@brightwater.dev")
    link = f"/sign-in/{other.sign_in_token}"
    owner.post(link, data={"csrf": csrf_of(owner, link)})
    page = owner.get("/account").text
    assert "yours in Otherwater &lt;b&gt;" in page
    data = {"csrf": csrf_of(owner, "/account"), "organization": world.organization_id}
    response = owner.post("/switch", data=data)
    assert (response.status_code, response.headers["location"]) == (303, "/")
    assert "yours in Brightwater" in owner.get("/account").text
    foreign = world.services.organizations.bootstrap("Thirdwater", "eve@thirdwater.dev")
    for wanted in (foreign.organization_id, "", "x" * 5000):
        assert owner.post("/switch", data=data | {"organization": wanted}).status_code == 404
    assert "yours in Brightwater" in owner.get("/account").text


def test_a_link_says_who_is_signed_in_already(world: World, owner: TestClient) -> None:
    assert "This browser is signed in as" not in owner.get(link_of(world)).text
    other = world.services.organizations.bootstrap("Otherwater", "maya@brightwater.dev")
    page = owner.get(f"/sign-in/{other.sign_in_token}").text
    assert "Signing in adds Otherwater to it" in page
    member = world.services.members.add(world.organization_id, "aiko@brightwater.dev")
    token = world.services.logins.make_sign_in_token(world.organization_id, member.member_id)
    page = owner.get(f"/sign-in/{token}").text
    assert "takes the place of whoever is signed in to Brightwater here" in page


def test_one_organization_needs_no_switch(owner: TestClient) -> None:
    assert "/switch" not in owner.get("/account").text
