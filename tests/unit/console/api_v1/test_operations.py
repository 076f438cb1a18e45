"""What the operations do, beyond who may."""

from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.browser.world import DAY_US, PUBLIC_URL
from tests.unit.console.api_v1.programs import Programs

from tidegate.core.model import Billing, Cost, Link, TokenCounts
from tidegate.store.forge import Facts, PullRequest, RepositoryFact

pytestmark = pytest.mark.slow


def test_who_asks(programs: Programs) -> None:
    found = programs.of("admin", "read").get("/me").json()
    assert found == {
        "id": programs.ids["admin"],
        "email": "admin@brightwater.dev",
        "name": "",
        "role": "admin",
        "organization_id": programs.world.organization_id,
        "organization_name": "Brightwater",
        "scope": "read",
    }


def test_an_invitation_until_it_is_withdrawn(api: TestClient) -> None:
    made = api.post("/invitations", json={"email": "Elena@Example.com", "role": "admin"})
    invited = made.json()
    assert made.headers["location"] == f"/api/v1/invitations/{invited['id']}"
    assert invited["email"] == "elena@example.com"
    assert invited["mail"] is None
    assert invited["link"].startswith(f"{PUBLIC_URL}/join/{invited['id']}.")
    address = f"/invitations/{invited['id']}"
    assert api.post(f"{address}/link").json() == {"link": invited["link"]}
    assert "link" not in api.get(address).json()
    again = api.post(f"{address}/resend").json()
    assert again["link"] != invited["link"]
    assert api.post("/invitations", json={"email": "elena@example.com"}).status_code == 409
    assert api.delete(address).status_code == 204
    assert api.get(address).status_code == 404
    assert api.delete(address).status_code == 409
    assert api.get("/invitations").json()["items"] == []


def test_what_became_of_a_mail_is_told(api: TestClient) -> None:
    server = {"host": "127.0.0.1", "port": 9, "security": "none", "sender": "t@b.dev"}
    assert api.put("/mail-settings", json=server).status_code == 200
    invited = api.post("/invitations", json={"email": "elena@example.com"}).json()
    assert invited["mail"] == "failed"
    assert invited["mail_fault"]
    assert invited["link"]


def test_a_key_from_enrolment_to_its_end(programs: Programs) -> None:
    world, api = programs.world, programs.of("owner")
    body = {"member_id": world.owner_id, "agent": "codex"}
    made = api.post("/keys", json=body)
    key = made.json()
    address = f"/keys/{key['id']}"
    assert made.headers["location"] == f"/api/v1{address}"
    assert world.services.enrolment.exchange(key["login_code"]).key == key["secret"]
    assert api.post("/keys", json=body).json()["errors"][0]["field"] == "agent"
    shown = api.get(address).json()
    assert shown == {name: key[name] for name in key.keys() - {"secret", "login_code"}}
    changes: dict[str, Any] = {
        "compression": False,
        "debug": True,
        "disabled": True,
        "credential_mode": "own",
        "allowed_models": ["gpt-*"],
    }
    changed = shown | changes | {"debug_until": "2026-11-22T13:00:00Z"}
    assert api.patch(address, json=changes).json() == changed
    assert api.patch(address, json={}).json() == changed
    assert api.post(f"{address}/reveal").json() == {"secret": key["secret"]}
    rotated = api.post(f"{address}/rotate", json={"overlap_s": 60}).json()["secret"]
    assert world.services.enrolment.authenticate(key["secret"]) is not None
    assert api.post(f"{address}/reveal").json() == {"secret": rotated}
    code = api.post(f"{address}/login-code").json()["code"]
    assert world.services.enrolment.exchange(code).key == rotated
    assert api.delete(address).status_code == 204
    assert api.get(address).status_code == 404
    assert world.services.enrolment.authenticate(rotated) is None


def test_debug_mode_has_a_time_and_ends(programs: Programs) -> None:
    world, api = programs.world, programs.of("owner")
    address = f"/keys/{world.enroll('maya@brightwater.dev').key_id}"
    assert api.get(address).json()["debug_until"] is None
    answer = api.post(f"{address}/debug", json={"hours": 168})
    assert answer.json()["debug_until"] == "2026-11-29T12:00:00Z"
    assert api.patch(address, json={"debug": True}).json() == answer.json()  # stays on
    for hours in (0, 169, "1", None):
        refused = api.post(f"{address}/debug", json={"hours": hours})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == "hours"
    ended = api.patch(address, json={"debug": False}).json()
    assert (ended["debug"], ended["debug_until"]) == (False, None)
    api.post(f"{address}/debug", json={"hours": 1})
    world.now_us += 3_600_000_000
    assert api.get(address).json()["debug"] is False


def test_a_key_chooses_a_credential_of_its_own_organization(programs: Programs) -> None:
    world, api = programs.world, programs.of("owner")
    address = f"/keys/{world.enroll('maya@brightwater.dev').key_id}"
    credential = {
        "provider": "anthropic",
        "base_url": "https://api.anthropic.com",
        "api_key": "sk-ant-0123456789abcdef",
    }
    mine = api.post("/credentials", json=credential).json()
    chosen = {"credential_ids": {"anthropic": mine["id"]}}
    assert api.patch(address, json=chosen).json()["credential_ids"] == {"anthropic": mine["id"]}
    for wrong in ({"openai": mine["id"]}, {"anthropic": "crd_1"}):
        answer = api.patch(address, json={"credential_ids": wrong, "debug": True})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "credential_ids"
    assert api.get(address).json()["debug"] is False
    assert api.patch(address, json={"credential_ids": {}}).json()["credential_ids"] == {}


def test_members_see_their_own_keys_only(programs: Programs) -> None:
    member, owner = programs.of("member"), programs.of("owner")
    mine = programs.world.enroll("member@brightwater.dev").key_id
    other = programs.world.enroll("elena@brightwater.dev")
    assert [key["id"] for key in member.get("/keys").json()["items"]] == [mine]
    assert [key["id"] for key in owner.get("/keys").json()["items"]] == [mine, other.key_id]
    of_one = owner.get("/keys", params={"member_id": other.member_id}).json()["items"]
    assert [key["id"] for key in of_one] == [other.key_id]


def test_a_credential_is_never_shown_again(api: TestClient) -> None:
    secret = "sk-ant-0123456789abcdef"
    body = {"provider": "anthropic", "base_url": "https://api.anthropic.com/", "api_key": secret}
    made = api.post("/credentials", json=body)
    credential = made.json()
    assert secret not in made.text
    assert (credential["name"], credential["hint"]) == ("anthropic", "cdef")
    assert credential["is_default"]
    address = f"/credentials/{credential['id']}"
    second = api.post("/credentials", json=body | {"name": "second"}).json()
    assert not second["is_default"]
    assert api.post(f"/credentials/{second['id']}/default").json()["is_default"]
    assert not api.get(address).json()["is_default"]
    other = {"base_url": "http://127.0.0.1:9", "api_key": "sk-ant-other-0123456789"}
    assert api.put(address, json=other).json()["hint"] == "6789"
    tested = api.post(f"{address}/test").json()
    assert (tested["ok"], tested["status"]) == (False, 0)
    assert tested["detail"]
    assert api.delete(address).status_code == 204
    assert api.get(address).status_code == 404


def test_the_mail_server_without_its_password(api: TestClient) -> None:
    assert api.get("/mail-settings").status_code == 404
    body = {"host": "127.0.0.1", "user_name": "u", "password": "secret pass", "sender": "t@b.dev"}
    answer = api.put("/mail-settings", json=body)
    assert "secret pass" not in answer.text
    assert answer.json()["has_password"]
    kept = {name: value for name, value in body.items() if name != "password"}
    assert api.put("/mail-settings", json=kept).json()["has_password"]
    moved = api.put("/mail-settings", json=kept | {"host": "mail.example.com"})
    assert moved.json()["errors"][0]["field"] == "password"
    assert api.delete("/mail-settings").status_code == 204
    assert api.post("/mail-settings/test", json={"to": "a@b.dev"}).status_code == 404


def test_a_removed_member_is_listed_apart(programs: Programs) -> None:
    api = programs.of("owner")
    programs.of("member")
    address = f"/members/{programs.ids['member']}"
    assert api.delete(address).status_code == 204
    assert [m["role"] for m in api.get("/members").json()["items"]] == ["owner"]
    removed = api.get("/members?removed=true").json()["items"]
    assert [m["id"] for m in removed] == [programs.ids["member"]]
    assert removed[0]["removed_at"] == "2026-11-22T12:00:00Z"
    assert api.delete(address).status_code == 404


def test_one_browser_less(programs: Programs) -> None:
    world, api = programs.world, programs.of("owner")
    secret = world.login()
    login = api.get("/me/logins").json()["items"][0]
    assert world.services.logins.viewer(secret) is not None
    assert api.delete(f"/me/logins/{login['id']}").status_code == 204
    assert world.services.logins.viewer(secret) is None


@pytest.fixture
def used(programs: Programs) -> Programs:
    """Two members who used something today, and a third who did not."""
    world = programs.world
    elena, otto = world.enroll("elena@brightwater.dev"), world.enroll("otto@brightwater.dev")
    world.use(elena, TokenCounts(input=100, output=20), Cost(input=5, output=7), times=2)
    world.use(otto, TokenCounts(input=1), Cost(input=1), agent="codex", model="gpt-5-codex")
    world.use(otto, TokenCounts(input=3), Cost(input=900), billing=Billing.SUBSCRIPTION, days_ago=9)
    programs.ids |= {"elena": elena.member_id, "otto": otto.member_id}
    return programs


def test_the_overview_of_a_week(used: Programs) -> None:
    report = used.of("owner").get("/reports/overview?range=7d").json()
    assert report["period"] == {
        "range": "7d",
        "start": "2026-11-16T00:00:00Z",
        "end": "2026-11-23T00:00:00Z",
        "previous_start": "2026-11-09T00:00:00Z",
        "previous_end": "2026-11-16T00:00:00Z",
        "bucket": "day",
        "time_zone": "UTC",
    }
    saved = {"saved_tokens": 0, "saved_nusd": 0, "saved_subscription_nusd": 0}
    whole = {"cost_nusd": 25, "subscription_nusd": 0, "tokens": 241, "requests": 3, **saved}
    assert report["totals"] == whole
    before = {"cost_nusd": 0, "subscription_nusd": 900, "tokens": 3, "requests": 1, **saved}
    assert report["before"] == before
    assert len(report["series"]) == 7
    assert report["series"][-1] == {"start": "2026-11-22T00:00:00Z", **whole}


def test_members_by_what_they_used(used: Programs) -> None:
    api = used.of("owner")
    report = api.get("/reports/members?range=7d&sort=tokens").json()
    ranks = [(use["member"]["email"].partition("@")[0], use["rank"]) for use in report["items"]]
    assert ranks == [("elena", 1), ("otto", 2), ("maya", 0)]
    assert report["items"][0]["series"] == [0] * 6 + [240]
    assert report["items"][2]["last_used_at"] is None
    assert (report["total"], report["active_now"], report["next_cursor"]) == (3, 2, None)
    pages, cursor = [], ""
    while cursor is not None:
        query = f"range=7d&sort=tokens&limit=2&cursor={cursor}"
        page = api.get(f"/reports/members?{query}").json()
        pages += page["items"]
        cursor = page["next_cursor"]
    assert pages == report["items"]
    found = api.get("/reports/members?find=OTTO").json()["items"]
    assert [use["member"]["id"] for use in found] == [used.ids["otto"]]


@pytest.mark.parametrize("name", ["repositories", "pull-requests"])
def test_what_belongs_to_no_repository_is_told(used: Programs, name: str) -> None:
    report = used.of("owner").get(f"/reports/{name}?range=7d").json()
    assert (report["items"], report["total"], report["next_cursor"]) == ([], 0, None)
    assert report["unattributed"]["figures"]["requests"] == 3


def test_pull_requests_and_what_merged_ones_cost(used: Programs) -> None:
    world = used.world
    key, app = world.enroll("ines@brightwater.dev"), "github.com/acme/app"
    pulls = [
        PullRequest(
            repository_id=1, repository=app, number=number, title=f"Change {number}",
            author="ada", state="merged", merged_us=world.now_us - number, additions=7,
        )
        for number in (1, 2, 3)
    ]  # fmt: skip
    known = [RepositoryFact(repository_id=1, name=app, at_us=1)]
    facts = Facts(repositories=known, pull_requests=pulls)
    world.store.usage.forge.take(world.organization_id, facts)
    for number, cost in ((1, 100), (2, 400), (9, 5)):
        links = (Link("pull_request", f"{app}#{number}", "tool"),)
        world.use(
            key, TokenCounts(input=10), Cost(input=cost), session_id=f"ses_{number}",
            repository=app, links=links,
        )  # fmt: skip
    api = used.of("owner")
    report = api.get("/reports/pull-requests?range=7d").json()
    told = [(row["pull_request"], (row["forge"] or {}).get("title")) for row in report["items"]]
    assert told == [("2", "Change 2"), ("1", "Change 1"), ("9", None)]
    merged = api.get("/reports/merged-pull-requests?range=7d").json()
    assert [(row["pull_request"], row["figures"]["cost_nusd"]) for row in merged["items"]] == [
        ("1", 100), ("2", 400), ("3", 0),
    ]  # fmt: skip
    assert (merged["merged"], merged["with_sessions"], merged["cost_nusd"]) == (3, 2, 500)
    assert (merged["mean_cost_nusd"], merged["median_cost_nusd"]) == (250, 250)
    assert [row["sessions"] for row in merged["items"]] == [1, 1, 0]
    page = api.get("/reports/merged-pull-requests?range=7d&limit=2").json()
    rest = api.get(f"/reports/merged-pull-requests?range=7d&cursor={page['next_cursor']}").json()
    assert page["items"] + rest["items"] == merged["items"]


def test_my_own_usage(used: Programs) -> None:
    program = used.client(used.token(used.ids["otto"]))
    report = program.get("/me/usage?range=custom&first=2026-11-12&last=2026-11-22").json()
    assert report["totals"]["requests"] == 2
    assert [(m["agent"], m["model"], m["figures"]["cost_nusd"]) for m in report["models"]] == [
        ("codex", "gpt-5-codex", 1),
        ("claude_code", "claude-sonnet-4-5", 0),
    ]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("range=1y", "range"),
        ("range=custom", "first"),
        ("range=custom&first=2026-11-01", "last"),
        ("range=custom&first=2026-11-02&last=2026-11-01", "last"),
        ("range=custom&first=2026-11-01&last=2026-12-01", "last"),
        ("range=custom&first=2006-11-01&last=2026-11-01", "first"),
        ("range=custom&first=0001-01-01&last=2026-11-01", "first"),
        ("range=custom&first=2026-11-31&last=2026-12-01", "first"),
        ("range=7d&first=2026-11-01", "first"),
        ("sort=savings", "sort"),
        ("limit=201", "limit"),
    ],
)
def test_ranges_that_are_none(api: TestClient, query: str, field: str) -> None:
    answer = api.get(f"/reports/members?{query}")
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_a_report_is_sent_again_when_something_changed(used: Programs) -> None:
    api, world = used.of("owner"), used.world
    etag = api.get("/reports/overview?range=7d").headers["etag"]
    known = {"if-none-match": etag}
    assert api.get("/reports/overview?range=7d", headers=known).status_code == 304
    assert api.get("/reports/overview?range=30d", headers=known).status_code == 200
    world.use(world.enroll("new@brightwater.dev"), TokenCounts(input=1), Cost(input=1))
    again = api.get("/reports/overview?range=7d", headers=known)
    assert again.json()["totals"]["requests"] == 4
    world.now_us += DAY_US
    known = {"if-none-match": again.headers["etag"]}
    assert api.get("/reports/overview?range=7d", headers=known).status_code == 200


def test_a_report_knows_whose_it_is_and_that_time_goes_by(used: Programs) -> None:
    elena, otto = (used.client(used.token(used.ids[name])) for name in ("elena", "otto"))
    known = {"if-none-match": elena.get("/me/usage").headers["etag"]}
    assert elena.get("/me/usage", headers=known).status_code == 304
    assert otto.get("/me/usage", headers=known).json()["totals"]["requests"] == 2
    owner = used.of("owner")
    report = owner.get("/reports/members")
    used.world.now_us += 3_700_000_000
    later = owner.get("/reports/members", headers={"if-none-match": report.headers["etag"]})
    assert (report.json()["active_now"], later.json()["active_now"]) == (2, 0)


def test_when_a_key_was_last_used(used: Programs) -> None:
    keys = used.of("owner").get("/keys").json()["items"]
    assert {key["last_used_at"] for key in keys} == {"2026-11-22T12:00:00Z"}
