"""The Sessions pages on a real store: the list, one session, corrections, share links, files."""

import csv
import html
import json
import re

import pytest
from starlette.testclient import TestClient
from tests.browser.world import World
from tests.unit.console.forms import send

from tidegate.core.model import Cost, Link, TokenCounts
from tidegate.services.audit import Actor
from tidegate.services.enrolment import Enrolled

pytestmark = pytest.mark.slow

USD = 1_000_000_000
MINUTE_US = 60_000_000
APP = "github.com/acme/app"
HOSTILE = "<script>alert(1)</script>\u202e{{7*7}}"


def session_id(number: int) -> str:
    return f"ses_{number:032x}"


def use(world: World, enrolled: Enrolled, number: int, minutes_ago: int = 0, **more: object) -> str:
    fields: dict[str, object] = {
        "started_us": world.now_us - minutes_ago * MINUTE_US,
        "duration_us": 1_000_000,
        "session_id": session_id(number),
        "client_session": f"client-{number}",
    }
    used = TokenCounts(input=1_000, cache_read=3_000, output=100)
    world.use(enrolled, used, Cost(input=USD * number), **fields | more)  # type: ignore[arg-type]
    return session_id(number)


def titles(page: str) -> list[str]:
    found = re.findall(r'class="tg-session-name[^>]*><bdi>(.*?)</bdi>', page)
    return [html.unescape(each) for each in found]


def listed(page: str) -> list[str]:
    return [str(int(each, 16)) for each in re.findall(r'<tr id="ses_(\w+)"', page)]


def signed_in(world: World, client: TestClient, email: str) -> str:
    """Sign a member in; the member's id."""
    member_id = world.services.members.by_email(world.organization_id, email).member_id
    client.cookies.set("tidegate_login", world.login(member_id))
    return member_id


@pytest.fixture
def key(world: World) -> Enrolled:
    return world.enroll("aiko@brightwater.dev")


def test_the_list_is_sorted_filtered_and_paged(
    world: World, owner: TestClient, key: Enrolled
) -> None:
    for number in range(1, 61):
        outcome = "upstream_error" if number == 7 else "ok"
        branch = "hot" if number % 2 else "cold"
        use(world, key, number, number, branch=branch, repository=APP, outcome=outcome)
    first = owner.get("/sessions").text
    assert listed(first) == [str(n) for n in range(1, 51)]
    assert titles(first)[0] == "Session of 11:59 · hot"
    [following] = re.findall(r'href="([^"]+)" data-part rel="next"', first)
    second = owner.get(html.unescape(following)).text
    assert listed(second) == [str(n) for n in range(51, 61)]
    [back] = re.findall(r'href="([^"]+)" data-part rel="prev"', second)
    assert listed(owner.get(html.unescape(back)).text) == listed(first)
    assert listed(owner.get("/sessions?sort=cost&cost=58").text) == ["60", "59", "58"]
    assert listed(owner.get("/sessions?errors=yes").text) == ["7"]
    assert set(listed(owner.get("/sessions?branch=cold").text)) == {str(n) for n in range(2, 61, 2)}
    assert listed(owner.get("/sessions?range=exact&start=2020-01-01&end=2020-02-01").text) == []
    assert listed(owner.get("/sessions?find=client-12").text) == ["12"]
    assert listed(owner.get("/sessions?find=client-12&repository=-").text) == []
    change = world.services.session_changes.rename
    change(world.organization_id, session_id(9), "100% Of_It", actor=Actor(world.owner_id))
    for wanted in ("100%25", "of_it", session_id(9)):
        assert listed(owner.get(f"/sessions?find={wanted}").text) == ["9"]
    assert listed(owner.get("/sessions?find=%25zz%25").text) == []


def test_what_is_wrong_with_the_address_is_told(owner: TestClient) -> None:
    response = owner.get("/sessions?agent=emacs&cost=much")
    assert response.status_code == 422
    assert "is not a value of “agent”" in html.unescape(response.text)
    assert owner.get("/sessions?at=nowhere").status_code == 422
    assert "No sessions in this range" in owner.get("/sessions").text
    assert owner.get("/sessions/choices?of=secrets").status_code == 422


def test_one_session_shows_what_it_did(world: World, owner: TestClient, key: Enrolled) -> None:
    one = use(world, key, 1, 46, repository=APP, branch="ledger", client_version="2.1")
    use(world, key, 1, 20, outcome="upstream_error", status=529, repository=APP)
    use(world, key, 1, 0, subagent_id="explore", repository=APP)
    page = owner.get(f"/sessions/{one}").text
    assert "$3.00" in page
    assert "46 min" in page
    assert "1 failed" in page
    assert "sub-agent 1" in page
    assert "ledger" in page
    assert f"/logs?range=all&amp;session={one}" in page
    assert page.count('class="tg-bar') == 3


def test_names_are_texts_wherever_they_stand(
    world: World, owner: TestClient, key: Enrolled
) -> None:
    one = use(world, key, 1, branch=HOSTILE[:25], repository=f"{APP}")
    assert send(owner, f"/sessions/{one}/name", {"name": HOSTILE}).status_code == 303
    for path in ("/sessions", f"/sessions/{one}", f"/sessions/{one}/share/preview"):
        page = owner.get(path).text
        assert html.escape(HOSTILE, quote=False).split("\u202e")[0] in page
        assert "<script>alert" not in page
        assert "49" not in re.findall(r"<h1>(.*?)</h1>", page, re.S)[0]
    empty = send(owner, f"/sessions/{one}/name", {"name": "  "})
    assert empty.status_code == 422
    assert "A name is needed." in empty.text


def test_twenty_thousand_requests_are_drawn_in_bounds(
    world: World, owner: TestClient, key: Enrolled
) -> None:
    one = session_id(1)
    for minute in range(20):
        use(world, key, 1, minute, times=1_000, subagent_id=f"s{minute}" if minute else "")
    response = owner.get(f"/sessions/{one}")
    assert "20,000" in response.text
    assert response.text.count('class="tg-bar') <= 2_000
    assert len(response.content) < 1_000_000


def test_members_have_their_own_sessions_only(
    world: World, client: TestClient, key: Enrolled
) -> None:
    other = world.enroll("noah@brightwater.dev")
    mine, theirs = use(world, key, 1), use(world, other, 2)
    signed_in(world, client, "aiko@brightwater.dev")
    assert listed(client.get("/sessions").text) == ["1"]
    assert client.get(f"/sessions/{mine}").status_code == 200
    for path in ("", "/name", "/links/branch", "/share", "/share/preview", "/export.csv"):
        assert client.get(f"/sessions/{theirs}{path}").status_code == 404
    assert send(client, f"/sessions/{theirs}/name", {"name": "x"}).status_code == 404
    told = client.get(f"/sessions?member={other.member_id}")
    assert told.status_code == 422
    rows = client.get("/sessions/export.jsonl").text.splitlines()
    assert [json.loads(row)["session_id"] for row in rows] == [mine]


def test_a_correction_wins_and_is_taken_back(
    world: World, owner: TestClient, key: Enrolled
) -> None:
    one = use(world, key, 1, repository=APP, branch="main")
    address = f"/sessions/{one}/links/repository"
    assert send(owner, address, {"value": "not one"}).status_code == 422
    assert send(owner, address, {"value": ""}).status_code == 422
    remote = "https://user:secret@gitlab.com/g/other.git"
    assert send(owner, address, {"value": remote}).status_code == 303
    page = owner.get(f"/sessions/{one}").text
    assert "gitlab.com/g/other" in page
    assert "secret" not in page
    assert "set by maya@brightwater.dev" in page
    assert listed(owner.get("/sessions?repository=gitlab.com/g/other").text) == ["1"]
    assert owner.get(f"/logs?range=all&repository={APP}").text.count("data-row") == 0
    assert send(owner, f"{address}/withdraw").status_code == 303
    assert listed(owner.get(f"/sessions?repository={APP}").text) == ["1"]
    assert send(owner, address, {"none": "yes"}).status_code == 303
    assert "No repository" in owner.get(f"/sessions/{one}").text
    assert owner.get(f"/sessions/{one}/links/commit").status_code == 404
    told = owner.get("/settings/audit?what=session").text
    assert "Corrected the repository of session" in told


def share(owner: TestClient, one: str, **fields: str) -> str:
    """The path of a new link."""
    page = send(owner, f"/sessions/{one}/share", {"days": "7", **fields})
    assert page.status_code == 200
    found: set[str] = set(re.findall(r"/shared/\w{43}", page.text))
    assert len(found) == 1
    return found.pop()


def test_a_link_shows_what_its_preview_shows(
    world: World, owner: TestClient, key: Enrolled
) -> None:
    one = use(world, key, 1, repository=APP, branch="ledger-batching")
    send(owner, f"/sessions/{one}/name", {"name": "Rewrite the ledger"})
    hidden = {"hide_names": "yes", "hide_costs": "yes", "hide_repositories": "yes"}
    stranger = TestClient(world.app, base_url=str(owner.base_url), follow_redirects=False)
    stranger.headers["x-tidegate-peer"] = "198.51.100.1"
    opened = share(owner, one)
    closed = share(owner, one, **hidden)
    shown, kept = stranger.get(opened), stranger.get(closed)
    for response in (shown, kept):
        assert response.status_code == 200
        assert response.headers["x-robots-tag"] == "noindex, nofollow"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert response.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in response.headers["content-security-policy"]
        for secret in (one, "client-1", key.key_id, world.organization_id, "req_", "Brightwater"):
            assert secret not in response.text
        assert not re.findall(r'href="/(?!assets|#)', response.text)
    told = ("Rewrite the ledger", "aiko@brightwater.dev", "$1.00", "acme", "ledger-batching")
    assert all(text in shown.text for text in told)
    assert not any(text in kept.text for text in (*told, "$"))
    preview = owner.get(f"/sessions/{one}/share/preview", params=hidden).text
    body = preview.partition('class="tg-session-split"')[2]
    assert not any(text in body for text in told)


def test_a_link_ends(world: World, owner: TestClient, key: Enrolled) -> None:
    one = use(world, key, 1)
    paths = [share(owner, one, days=days) for days in ("1", "7")]
    stranger = TestClient(world.app, base_url=str(owner.base_url), follow_redirects=False)
    assert [stranger.get(path).status_code for path in paths] == [200, 200]
    assert "Shared by 2 links" in owner.get(f"/sessions/{one}").text
    records = world.services.session_shares.of(world.organization_id, one)
    assert [record.views for record in records] == [1, 1]
    revoke = f"/sessions/{one}/shares/{records[0].share_id}/revoke"
    assert send(owner, revoke).status_code == 303
    gone = stranger.get(paths[1])
    world.now_us += 86_400_000_000
    ended, unknown = stranger.get(paths[0]), stranger.get("/shared/" + "x" * 43)
    assert {r.status_code for r in (gone, ended, unknown)} == {404}
    assert gone.text == ended.text == unknown.text
    assert send(owner, f"/sessions/{one}/share", {"days": "365"}).status_code == 422
    told = owner.get("/settings/audit?what=session").text
    assert "Revoked a share link" in told
    assert "Shared session" in told


def test_guessing_and_hammering_are_slowed(world: World, owner: TestClient, key: Enrolled) -> None:
    good = share(owner, use(world, key, 1))
    guesser = TestClient(world.app, base_url=str(owner.base_url), follow_redirects=False)
    guesser.headers["x-tidegate-peer"] = "198.51.100.2"
    statuses = [guesser.get(f"/shared/{n}").status_code for n in range(30)]
    assert statuses[0] == 404
    assert statuses[-1] == 429
    assert guesser.get(good).status_code == 429
    guesser.headers["x-tidegate-peer"] = "198.51.100.3"
    assert {guesser.get(good).status_code for _ in range(70)} == {200, 429}


def test_sessions_as_files(world: World, owner: TestClient, key: Enrolled) -> None:
    one = use(world, key, 1, repository=APP)
    use(world, key, 2, 5)
    world.services.session_changes.rename(
        world.organization_id, one, "=cmd()", actor=Actor(world.owner_id)
    )
    text = owner.get("/sessions/export.csv").text
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["session_id"] for row in rows] == [one, session_id(2)]
    assert (rows[0]["name"], rows[0]["cost_usd"], rows[0]["tokens"]) == (
        "'=cmd()",
        "1.000000",
        "4100",
    )
    [first, _] = [
        json.loads(line) for line in owner.get("/sessions/export.jsonl").text.splitlines()
    ]
    assert (first["name"], first["cost_nusd"], first["models"]) == (
        "=cmd()", USD, ["claude-sonnet-4-5"],
    )  # fmt: skip
    requests = owner.get(f"/sessions/{one}/export.jsonl").text.splitlines()
    assert [json.loads(line)["session_id"] for line in requests] == [one]
    assert owner.get("/sessions/export.csv?agent=emacs").status_code == 422


def test_a_sub_agents_session_leads_to_the_whole(
    world: World, owner: TestClient, key: Enrolled
) -> None:
    root = use(world, key, 1, 5)
    child = use(world, key, 2, 3, parent_session_id=root, outcome="timed_out")
    response = owner.get(f"/sessions/{child}")
    assert (response.status_code, response.headers["location"]) == (303, f"/sessions/{root}")
    page = owner.get(f"/sessions/{root}").text
    assert "timed out" in page
    assert listed(owner.get("/sessions").text) == ["1"]
    files = owner.get(f"/sessions/{root}/export.jsonl").text.splitlines()
    assert {json.loads(line)["session_id"] for line in files} == {root, child}
    assert owner.get(f"/logs?range=all&session={root}").text.count('data-row="') == 2


def test_links_of_events_are_shown(world: World, owner: TestClient, key: Enrolled) -> None:
    links = (
        Link("pull_request", f"{APP}#12", "tool", source="gh pr create"),
        Link("commit", "9c41e07aa0", "tool", certain=False, source="git commit"),
    )
    one = use(world, key, 1, repository=APP, branch="main", links=links)
    page = owner.get(f"/sessions/{one}").text
    for text in ("#12", "gh pr create", "9c41e07", "inferred", f"https://{APP}/pull/12"):
        assert text in page
    assert listed(owner.get(f"/sessions?pull_request=12&repository={APP}").text) == ["1"]
