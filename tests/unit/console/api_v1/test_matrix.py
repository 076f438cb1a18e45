"""Who may do what: every operation, in every role, with things of one's own and of others."""

import pytest
from starlette.testclient import TestClient
from tests.browser.world import World
from tests.unit.console.api_v1.programs import Programs
from tests.unit.console.api_v1.things import Things

from tidegate.console.access import Need
from tidegate.console.api_v1.api import TABLE
from tidegate.console.api_v1.endpoint import ApiRoute
from tidegate.console.api_v1.operation import Operation
from tidegate.services.audit import COMMAND_LINE

pytestmark = pytest.mark.slow

every_operation = pytest.mark.parametrize("operation", TABLE, ids=lambda o: o.name)
OWN_KEY = [o for o in TABLE if "key_id" in o.parameters]


def send(program: TestClient, operation: Operation, things: Things) -> tuple[int, str]:
    """Status and kind of the answer."""
    answer = program.request(operation.method, things.path(operation), json=things.body(operation))
    kind = answer.json()["type"] if answer.status_code >= 400 else ""
    return answer.status_code, kind.rpartition("#")[2]


def test_every_route_is_in_the_table(world: World) -> None:
    routes = {r.operation.name for r in world.app.routes if isinstance(r, ApiRoute)}
    assert routes == {operation.name for operation in TABLE} | {"get_openapi"}


@pytest.fixture(scope="module")
def stage(stage: Programs) -> Programs:
    """One world for all cases, each with things of its own."""
    organizations = stage.world.services.organizations
    organizations.update(stage.world.organization_id, self_enrolment=True)
    other = organizations.bootstrap("Otherwater", "eve@otherwater.dev")
    stage.ids["other organization"] = other.organization_id
    return stage


@every_operation
def test_without_a_token(stage: Programs, operation: Operation) -> None:
    things = Things(stage.world, stage.world.organization_id)
    expected = (200, "") if operation.need is Need.ANYONE else (401, "unauthenticated")
    assert send(stage.client(), operation, things) == expected


@every_operation
@pytest.mark.parametrize("role", ["member", "admin", "owner"])
def test_by_role(stage: Programs, operation: Operation, role: str) -> None:
    things = Things(stage.world, stage.world.organization_id, role)
    program = stage.client(stage.token(things.member_id))
    allowed = operation.need.met_by(role)
    expected = (operation.status, "") if allowed else (403, "forbidden")
    assert send(program, operation, things) == expected


@every_operation
def test_a_reading_token_changes_nothing(stage: Programs, operation: Operation) -> None:
    things = Things(stage.world, stage.world.organization_id, "owner")
    program = stage.client(stage.token(things.member_id, "read"))
    expected = (200, "") if operation.method == "GET" else (403, "read-only-token")
    assert send(program, operation, things) == expected


@pytest.mark.parametrize("operation", [o for o in TABLE if o.parameters], ids=lambda o: o.name)
def test_things_of_another_organization_are_not_there(
    stage: Programs, operation: Operation
) -> None:
    mine = Things(stage.world, stage.world.organization_id, "owner")
    theirs = Things(stage.world, stage.ids["other organization"], "owner")
    program = stage.client(stage.token(mine.member_id))
    assert send(program, operation, theirs) == (404, "not-found")


@pytest.mark.parametrize("operation", OWN_KEY, ids=lambda o: o.name)
def test_a_member_leaves_the_keys_of_others_alone(stage: Programs, operation: Operation) -> None:
    mine, theirs = (Things(stage.world, stage.world.organization_id) for _ in range(2))
    program = stage.client(stage.token(mine.member_id))
    assert send(program, operation, theirs) == (403, "forbidden")


def test_lists_hold_nothing_of_another_organization(programs: Programs) -> None:
    world, program = programs.world, programs.of("owner")
    other = world.services.organizations.bootstrap("Otherwater", "eve@otherwater.dev")
    theirs = Things(world, other.organization_id)
    ids = [found for name, found in theirs.ids().items() if name != "kind"]
    for operation in TABLE:
        if operation.method == "GET" and not operation.parameters:
            answer = program.get(operation.path)
            for found in (*ids, other.organization_id, theirs.member_id):
                assert found not in answer.text


def test_a_member_enrols_only_themselves_and_only_if_allowed(programs: Programs) -> None:
    world, program = programs.world, programs.of("member")
    mine = {"member_id": programs.ids["member"], "agent": "codex"}
    assert program.post("/keys", json=mine).status_code == 403
    world.services.organizations.update(world.organization_id, self_enrolment=True)
    other = {"member_id": world.owner_id, "agent": "codex"}
    assert program.post("/keys", json=other).status_code == 403
    assert program.post("/keys", json=mine).status_code == 201


@pytest.mark.parametrize("policy", ["disabled", "credential_mode", "allowed_models"])
def test_a_member_does_not_lift_the_policy_of_the_own_key(programs: Programs, policy: str) -> None:
    program = programs.of("member")
    key = programs.world.enroll("member@brightwater.dev").key_id
    value = {"disabled": False, "credential_mode": "own", "allowed_models": []}[policy]
    answer = program.patch(f"/keys/{key}", json={policy: value, "debug": True})
    assert answer.status_code == 403
    assert program.get(f"/keys/{key}").json()["debug"] is False


def test_an_admin_changes_no_owner_and_makes_none(programs: Programs) -> None:
    admin, owner_id = programs.of("admin"), programs.world.owner_id
    for change in ({"role": "member"}, {"name": "Nobody"}):
        assert admin.patch(f"/members/{owner_id}", json=change).status_code == 403
    assert admin.delete(f"/members/{owner_id}").status_code == 403
    mine = f"/members/{programs.ids['admin']}"
    assert admin.patch(mine, json={"name": "x", "role": "owner"}).status_code == 403
    assert admin.get(mine).json()["name"] == ""
    asked = {"email": "boss@brightwater.dev", "role": "owner"}
    assert admin.post("/invitations", json=asked).status_code == 403


def test_the_last_owner_stays(api: TestClient, programs: Programs) -> None:
    mine = f"/members/{programs.world.owner_id}"
    assert api.delete(mine).status_code == 409
    assert api.patch(mine, json={"role": "admin"}).status_code == 409


def test_a_token_ends_with_its_member_its_revocation_and_its_time(programs: Programs) -> None:
    world = programs.world
    member = programs.of("member")
    world.services.members.remove(
        world.organization_id,
        programs.ids["member"],
        by_role="owner",
        actor=COMMAND_LINE,
    )
    assert member.get("/me").status_code == 401
    owner = programs.of("owner")
    made = owner.post("/me/access-tokens", json={"name": "short", "days": 1}).json()
    short = programs.client(made["secret"])
    assert short.get("/me").json()["scope"] == "read"
    world.now_us += 86_400_000_000
    assert short.get("/me").status_code == 401
    token = owner.get("/me/access-tokens").json()["items"][0]
    owner.delete(f"/me/access-tokens/{token['id']}")
    assert owner.get("/me").status_code == 401


def test_a_login_and_an_agents_key_are_no_access_token(programs: Programs) -> None:
    world = programs.world
    visitor = programs.client()
    visitor.cookies.set("tidegate_login", world.login())
    assert visitor.get("/me").status_code == 401
    key = world.enroll("elena@brightwater.dev").key
    assert programs.client(key).get("/me").status_code == 401
