"""Who may open what: every route of the console, as everyone who might try.

The cases are made from the routes themselves. A route that says no need, or names an id that
nothing here makes, fails; those of /api/v1 have a matrix of their own beside them.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from httpx2 import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.testclient import TestClient
from tests.browser.world import PUBLIC_URL, World, alert_things, budget_things, made_world, squad_of
from tests.unit.console.forms import HTMX, send

from tidegate.console.access import Need, PageRoute
from tidegate.console.api_v1.endpoint import ApiRoute
from tidegate.core.model import Cost, TokenCounts
from tidegate.services.audit import Actor
from tidegate.services.mail_form import MailForm
from tidegate.services.session_shares import Hidden

pytestmark = pytest.mark.slow

ROLES = ("member", "admin", "owner")

# Routes that are no pages: what each answers to someone without a login, by method.
OPEN = {
    ("POST", "/api/login"): 400,
    ("GET", "/api/launch"): 401,
    ("GET", "/api/launches/{launch_id}/usage"): 401,
    ("GET", "/api/oauth/usage"): 401,
    ("GET", "/api/budgets"): 401,
    ("POST", "/api/budgets/requests"): 401,
    ("POST", "/api/budgets/requests/{request_id}/withdraw"): 401,
    ("GET", "/install/"): 200,
    ("GET", "/install/install.sh"): 200,
    ("GET", "/install/install.ps1"): 200,
    ("GET", "/install/{filename}"): 404,
    ("GET", "/assets/{version}/{name:path}"): 404,
    ("POST", "/webhooks/github/{hook_id}"): 404,
}
# Links: their holder shows no login. A wrong one is not found.
TOKEN_PAGES = {
    "/sign-in/{token}", "/setup/{token}", "/join/{token}", "/reset/{token}", "/shared/{token}",
}  # fmt: skip
# Parts of a page, which no address bar leads to.
PARTS = {"/agents/{key_id}/waiting"}
# Pages that lead a member elsewhere.
LED_AWAY = {("/", "member"): "/my-usage", ("/settings", "admin"): "/settings/organization"}
LED_AWAY["/settings", "owner"] = "/settings/organization"
# Where GitHub brings the browser back to, and leads it to: what they say without its word.
GITHUB = {
    "/settings/github/connect": 303,  # it is connected already
    "/settings/github/created": 403,
    "/settings/github/install": 303,
    "/settings/github/installed": 404,
}


@dataclass(frozen=True)
class Case:
    method: str
    path: str
    need: Need

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"{(\w+)(?::\w+)?}", self.path)

    def address(self, ids: Mapping[str, str]) -> str:
        return re.sub(r"{(\w+)(?::\w+)?}", lambda name: ids[name[1]], self.path)


def pairs(route: BaseRoute) -> list[tuple[str, str]]:
    if isinstance(route, Mount):
        return [("*", route.path)]
    assert isinstance(route, Route)
    return [(method, route.path) for method in sorted((route.methods or set()) - {"HEAD"})]


def all_routes() -> list[BaseRoute]:
    folder = Path(tempfile.mkdtemp())
    try:
        with made_world(folder / "data") as world:
            return list(world.app.routes)
    finally:
        shutil.rmtree(folder)


ROUTES = all_routes()
PAGES = [
    Case(method, path, route.need)
    for route in ROUTES
    if isinstance(route, PageRoute)
    for method, path in pairs(route)
]
CLOSED = [case for case in PAGES if case.need is not Need.ANYONE]
WITH_IDS = [case for case in CLOSED if case.parameters]


class Stage:
    """One world for all cases: what is refused changes nothing, and what is shown neither."""

    def __init__(self, world: World) -> None:
        world.found()
        self.world = world
        self._app = world.app
        self.members = {"owner": world.owner_id} | {
            role: world.services.members.add(
                world.organization_id, f"{role}@brightwater.dev", role
            ).member_id
            for role in ("admin", "member")
        }
        other = world.services.organizations.bootstrap("Otherwater", "eve@otherwater.dev")
        self.theirs = self._things(other.organization_id, other.member_id)
        self.ours = {
            role: self._things(world.organization_id, member_id)
            for role, member_id in self.members.items()
        }
        self._logins = {role: world.login(member_id) for role, member_id in self.members.items()}
        mail = MailForm(host="localhost", security="none", sender="t@brightwater.dev")
        world.services.mail_settings.set(world.organization_id, mail)

    def client(self, role: str = "") -> TestClient:
        client = TestClient(
            self._app,
            base_url=PUBLIC_URL,
            follow_redirects=False,
            headers={"x-tidegate-peer": "203.0.113.7"},
        )
        if role:
            client.cookies.set("tidegate_login", self._logins[role])
        return client

    def _things(self, organization_id: str, member_id: str) -> dict[str, str]:
        """One of everything that a path may name, in this organization and of this member."""
        services, actor = self.world.services, Actor(member_id)
        token = services.logins.make_sign_in_token(organization_id, member_id)
        services.logins.redeem_sign_in(token)
        key = services.enrolment.enroll_member(organization_id, member_id, "codex", actor=actor)
        credential_id = services.credentials.add(
            organization_id,
            "openai",
            "https://api.openai.com",
            "sk-0123456789abcdef",
            name=key.key_id,
        )
        invited = services.invitations.invite(
            organization_id, f"{member_id}@new.dev", "member", by_role="owner", actor=Actor("cli")
        )
        [event_id] = self.world.use(
            key,
            TokenCounts(input=1),
            Cost(input=1),
            organization_id=organization_id,
            key_id="key_of_before",
            session_id=(session_id := f"ses_{member_id[-32:]}"),
        )
        services.session_changes.correct(organization_id, session_id, "branch", "main", actor=actor)
        shared = services.session_shares.make(
            organization_id, session_id, days=7, hidden=Hidden(), actor=actor
        )
        self.world.capture(organization_id, key, event_id)
        installation_id = self.world.connect_github(organization_id)
        made = services.access_tokens.create(organization_id, member_id, "t", "read", actor=actor)
        return {
            "member_id": member_id,
            "key_id": key.key_id,
            "credential_id": credential_id,
            "invitation_id": invited.invitation.invitation_id,
            "token_id": made.record.token_id,
            "login_id": services.logins.list(organization_id, member_id)[0].login_id,
            "event_id": event_id,
            "squad_id": squad_of(self.world, organization_id, member_id),
            **alert_things(self.world, organization_id, member_id),
            "session_id": session_id,
            "kind": "branch",
            "share_id": shared.record.share_id,
            "installation_id": installation_id,
            **budget_things(self.world, organization_id, member_id),
        }


@pytest.fixture(scope="module")
def stage(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    data_dir = tmp_path_factory.mktemp("matrix") / "data"
    shutil.copytree(migrated, data_dir)
    with made_world(data_dir, migrate=False) as world:
        yield Stage(world)


def ask(client: TestClient, case: Case, ids: Mapping[str, str]) -> Response:
    """A page, or its form with nothing in it but the token that our page gave."""
    address = case.address(ids)
    if case.method == "GET":
        return client.get(address, headers=HTMX if case.path in PARTS else {})
    return send(client, address)


def test_every_route_says_who_may_open_it() -> None:
    unknown = {
        pair
        for route in ROUTES
        if not isinstance(route, PageRoute | ApiRoute)
        for pair in pairs(route)
    }
    assert unknown == {*OPEN, ("*", "/api/v1")}  # what is not found there, as JSON
    assert {case.path for case in PAGES if "token" in case.parameters} == TOKEN_PAGES


def test_no_page_takes_other_methods() -> None:
    assert {case.method for case in PAGES} == {"GET", "POST"}


def test_every_id_of_a_path_is_tried(stage: Stage) -> None:
    named = {name for case in WITH_IDS for name in case.parameters}
    assert named == set(stage.theirs)


@pytest.mark.parametrize(("method", "path"), list(OPEN))
def test_what_is_open(stage: Stage, method: str, path: str) -> None:
    address = re.sub(r"{(\w+)(:\w+)?}", "x", path)
    for client in (stage.client(), stage.client("member")):  # a login changes nothing here
        response = client.request(method, address, json={} if method == "POST" else None)
        assert response.status_code == OPEN[method, path]


@pytest.mark.parametrize("case", CLOSED, ids=str)
def test_without_a_login(stage: Stage, case: Case) -> None:
    client = stage.client()
    for ids in (stage.ours["owner"], stage.theirs):
        address = case.address(ids)
        data = {"a": "form"} if case.method == "POST" else None
        response = client.request(case.method, address, data=data)
        back = f"?next={address}" if case.method == "GET" and address != "/" else ""
        assert response.status_code == 303
        assert response.headers["location"] == f"/sign-in{back}"
        assert "set-cookie" not in response.headers


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("case", CLOSED, ids=str)
def test_by_role(stage: Stage, case: Case, role: str) -> None:
    """What the role does not meet is refused; what it meets is shown, and takes forms of ours."""
    client, ids = stage.client(role), stage.ours[role]
    if not case.need.met_by(role):
        response = ask(client, case, ids)
        assert response.status_code == 403
        assert "Ask one of them." in response.text
        return
    if case.method == "POST":
        assert client.post(case.address(ids), data={"a": "form"}).status_code == 403
        return
    response = ask(client, case, ids)
    if (case.path, role) in LED_AWAY:
        assert response.headers["location"] == LED_AWAY[case.path, role]
    elif case.path == "/members/{member_id}/agents/new" and role == "member":
        assert response.status_code == 403  # while the organization allows no self-enrolment
    elif case.path in GITHUB:
        assert response.status_code == GITHUB[case.path]
    else:
        assert response.status_code == (204 if case.path in PARTS else 200)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("case", WITH_IDS, ids=str)
def test_what_another_organization_has_is_not_there(stage: Stage, case: Case, role: str) -> None:
    if not case.need.met_by(role):
        return
    client = stage.client(role)
    before = stage.world.services.members.list(stage.world.organization_id)
    for ids in (stage.theirs, dict.fromkeys(stage.theirs, "x"), dict.fromkeys(stage.theirs, "é🌊")):
        assert ask(client, case, ids).status_code == 404
    assert stage.world.services.members.list(stage.world.organization_id) == before


@pytest.mark.parametrize("case", [c for c in WITH_IDS if c.need is Need.MEMBER], ids=str)
def test_a_member_has_nothing_of_a_colleague(stage: Stage, case: Case) -> None:
    response = ask(stage.client("member"), case, stage.ours["owner"])
    assert response.status_code in {403, 404}


@pytest.mark.parametrize("path", ["", "/remove", "/link"])
def test_an_admin_leaves_owners_alone(stage: Stage, path: str) -> None:
    client, address = stage.client("admin"), f"/settings/members/{stage.world.owner_id}{path}"
    responses = [send(client, address, {"role": "member", "name": "x"})]
    if path != "/link":
        responses.append(client.get(address))
    assert {response.status_code for response in responses} == {403}
    owner = stage.world.services.members.get(stage.world.organization_id, stage.world.owner_id)
    assert (owner.role, owner.name, owner.removed_us) == ("owner", "", 0)


@pytest.mark.parametrize("case", [c for c in PAGES if c.need is Need.ANYONE], ids=str)
def test_pages_for_anyone(stage: Stage, case: Case) -> None:
    """Forms come from our own pages here too; a wrong link is not found."""
    client = stage.client()
    client.headers["x-tidegate-peer"] = f"2001:db8:{abs(hash(case)) % 65536:x}::1"
    response = client.request(case.method, case.address({"token": "x"}), data={"a": "form"})
    if case.method == "POST":
        assert response.status_code == 403
    else:
        assert response.status_code == (404 if case.parameters else 200)
