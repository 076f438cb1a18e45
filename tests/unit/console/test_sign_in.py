"""Coming and going: set-up link, sign-in links, sign-out."""

import re

import pytest
from starlette.testclient import TestClient
from tests.browser.world import PUBLIC_URL, World

from tidegate.console.app import ConsoleOptions, create_app

CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')


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
    assert "Usage" in client.get("/").text
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
    assert "Usage" in client.get("/").text


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
        right = csrf_of(client, "/")
    target = {"sign-in": link, "sign-out": "/sign-out", "setup": "/setup/x"}[path]
    data = {"missing": {"a": "form"}, "other": {"csrf": "00" * 32}, "right": {"csrf": right}}[token]
    assert client.post(target, data=data, headers=headers).status_code == 403
    if path == "sign-out":
        assert "Usage" in client.get("/").text
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
    response = owner.post("/sign-out", data={"csrf": csrf_of(owner, "/")})
    assert (response.status_code, response.headers["location"]) == (303, "/")
    assert 'tidegate_login=""' in response.headers["set-cookie"]
    assert world.services.logins.viewer(secret) is None
    owner.cookies.set("tidegate_login", secret)
    assert "Sign in" in owner.get("/").text


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
    assert "no organization yet" in client.get("/").text
    data = {"csrf": csrf_of(client, link), "organization": "  Brightwater ", "email": "M@b.dev"}
    response = client.post(link, data=data)
    assert (response.status_code, response.headers["location"]) == (303, "/")
    page = client.get("/").text
    assert "Welcome to Tidegate" in page
    assert "Brightwater" in page
    assert "m@b.dev" in page
    assert client.get(link).status_code == 404


@pytest.mark.parametrize(
    ("organization", "email", "field"),
    [
        ("", "maya@brightwater.dev", "organization"),
        ("x" * 101, "maya@brightwater.dev", "organization"),
        ("a\x00b", "maya@brightwater.dev", "organization"),
        ("Brightwater", "", "email"),
        ("Brightwater", "<script>alert(1)</script>", "email"),
    ],
)
def test_setup_shows_the_fault_at_the_field_and_keeps_the_values(
    empty_world: World, client: TestClient, organization: str, email: str, field: str
) -> None:
    link = f"/setup/{empty_world.services.logins.make_setup_token()}"
    data = {"csrf": csrf_of(client, link), "organization": organization, "email": email}
    response = client.post(link, data=data)
    assert response.status_code == 422
    assert re.findall(r'aria-describedby="(\w+)-fault"', response.text) == [field]
    assert "<script>alert" not in response.text
    kept = "Brightwater" if field == "email" else "maya@brightwater.dev"
    assert f'value="{kept}"' in response.text
    assert not empty_world.services.organizations.exists()
    assert client.get(link).status_code == 200  # and the link still holds


def test_there_is_no_setup_where_an_organization_is(world: World, client: TestClient) -> None:
    link = f"/setup/{world.services.logins.make_setup_token()}"
    assert client.get(link).status_code == 404


def test_signing_in_needs_no_password_field(world: World, client: TestClient) -> None:
    page = client.get("/").text
    assert "tidegate admin sign-in-link" in page
    assert "password" not in page.lower()
    assert "Brightwater" not in page
    assert PUBLIC_URL not in page
