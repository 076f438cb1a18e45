"""Who may do what: every route, as a stranger, a member, an owner and another organization's."""

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient
from tests.browser.world import World

# Statuses of an anonymous visitor, a member, an owner. Forms are sent without a token: 403.
MATRIX = {
    ("GET", "/"): (200, 200, 200),  # anonymous: the sign-in page
    ("GET", "/api/usage"): (401, 200, 200),
    ("GET", "/sign-in/{token}"): (404, 404, 404),
    ("POST", "/sign-in/{token}"): (403, 403, 403),
    ("POST", "/sign-out"): (403, 403, 403),
    ("GET", "/setup/{token}"): (404, 404, 404),
    ("POST", "/setup/{token}"): (403, 403, 403),
    ("POST", "/api/login"): (400, 400, 400),
    ("GET", "/api/launch"): (401, 401, 401),  # a login is no key
    ("GET", "/api/launches/{launch_id}/usage"): (401, 401, 401),
    ("GET", "/install/"): (200, 200, 200),
    ("GET", "/install/install.sh"): (200, 200, 200),
    ("GET", "/install/install.ps1"): (200, 200, 200),
    ("GET", "/install/{filename}"): (404, 404, 404),
    ("GET", "/assets/{version}/{name:path}"): (404, 404, 404),
}
ROLES = ["anonymous", "member", "owner"]


def test_every_route_stands_in_the_matrix(world: World) -> None:
    routes = {
        (method, route.path)
        for route in world.app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert routes == set(MATRIX)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("method", "path"), list(MATRIX))
def test_matrix(world: World, client: TestClient, method: str, path: str, role: str) -> None:
    if role != "anonymous":
        member = world.services.members.add(world.organization_id, f"{role}@b.dev", role)
        client.cookies.set("tidegate_login", world.login(member.member_id))
    address = path.replace("{", "").replace("}", "").replace(":path", "")
    data = {"a": "form"} if method == "POST" else None
    response = client.request(method, address, data=data)
    assert response.status_code == MATRIX[method, path][ROLES.index(role)]


def test_another_organization_sees_nothing_of_ours(world: World, client: TestClient) -> None:
    ours = world.enroll("aiko@brightwater.dev")
    other = world.services.organizations.bootstrap("Otherwater", "eve@otherwater.dev")
    key = world.services.enrolment.enroll(other.organization_id, "eve@otherwater.dev", "codex")
    bearer = {"authorization": f"Bearer {key.key}"}
    launch = client.get("/api/launch", headers=bearer).json()
    assert launch["organization"]["name"] == "Otherwater"
    assert ours.key_id not in str(launch)
    login = world.services.logins.redeem_sign_in(other.sign_in_token)
    client.cookies.set("tidegate_login", login)
    assert "Brightwater" not in client.get("/").text


@pytest.mark.parametrize("cookie", ["x", "", "é", "x" * 5000])
def test_a_made_up_login_is_none(world: World, client: TestClient, cookie: str) -> None:
    response = client.get("/api/usage", headers={b"cookie": f"tidegate_login={cookie}".encode()})
    assert response.status_code == 401
    assert response.json() == {"error": {"code": "not_signed_in", "message": "Sign in first."}}
