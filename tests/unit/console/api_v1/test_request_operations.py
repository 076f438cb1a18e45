"""Requests, their captures and their files, for programs."""

import csv
import io
import json

import pytest
from tests.browser.world import World
from tests.unit.console.api_v1.programs import Programs

from tidegate.core.model import Cost, TokenCounts, ToolSaving
from tidegate.services.log_table import COLUMNS

pytestmark = pytest.mark.slow

TOKENS, COST = TokenCounts(input=3, output=4), Cost(input=5, output=6)


def audited(world: World) -> list[str]:
    return [e.action for e in world.services.audit_log.page(world.organization_id).entries]


def test_requests_come_in_pages_newest_first(programs: Programs) -> None:
    world, api = programs.world, programs.of("owner")
    key = world.enroll("ben@brightwater.dev")
    for days_ago in (2, 1, 0):
        world.use(key, TOKENS, COST, days_ago=days_ago, times=3)
    found, cursor = [], ""
    for _ in range(9):
        page = api.get("/requests", params={"limit": 4, "cursor": cursor}).json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len({each["id"] for each in found}) == len(found) == 9
    times = [each["started_at"] for each in found]
    assert times == sorted(times, reverse=True)
    assert found[0]["tokens"] == 7
    assert found[0]["cost_nusd"] == 11
    assert found[0]["token_counts"]["cache_read"] == 0


def test_a_filter_chooses_and_its_cursor_is_its_own(programs: Programs) -> None:
    world, api = programs.world, programs.of("owner")
    key = world.enroll("ben@brightwater.dev")
    world.use(key, TOKENS, COST, model="a", estimated=True, times=3)
    world.use(key, TOKENS, COST, model="b", repository="r", times=2, status=429)
    for query, count in (
        ({"model": "a"}, 3),
        ({"estimated": "false"}, 2),
        ({"repository": "-"}, 3),
        ({"status": "4xx"}, 2),
        ({"key_id": key.key_id, "agent": "claude_code", "outcome": "ok"}, 5),
        ({"start": "2026-11-23T00:00:00Z"}, 0),
        ({"end": "2026-11-23T00:00:00Z", "billing": "api"}, 5),
        ({"member_id": "mem_none"}, 0),
        ({"ids": "nothing"}, 0),
    ):
        assert len(api.get("/requests", params=query).json()["items"]) == count, query
    cursor = api.get("/requests", params={"model": "a", "limit": 1}).json()["next_cursor"]
    assert api.get("/requests", params={"model": "a", "cursor": cursor}).status_code == 200
    assert api.get("/requests", params={"model": "b", "cursor": cursor}).status_code == 422


@pytest.mark.parametrize(
    "query",
    [
        {"status": "600"},
        {"captured": "perhaps"},
        {"agent": "vim"},
        {"start": "yesterday"},
        {"start": "2026-11-22T12:00:00Z", "end": "2026-11-22T12:00:00Z"},
        {"nonsense": "1"},
        {"cursor": "x"},
    ],
)
def test_nonsense_is_refused(programs: Programs, query: dict[str, str]) -> None:
    api = programs.of("owner")
    paths = ["/requests", "/requests/export.csv", "/requests/export.jsonl"]
    for path in paths:
        assert api.get(path, params=query).status_code == 422, path


def test_a_request_in_full_adds_up(programs: Programs) -> None:
    world, api = programs.world, programs.of("owner")
    key = world.enroll("ben@brightwater.dev")
    [event_id] = world.use(key, TOKENS, COST, commit="abc", web_searches=0)
    found = api.get(f"/requests/{event_id}").json()
    assert (found["id"], found["commit"], found["dialect"]) == (
        event_id,
        "abc",
        "anthropic_messages",
    )
    assert sum(line["cost_nusd"] for line in found["price"]) == found["cost_nusd"] == 11
    assert found["capture_kept"] is False
    assert api.get(f"/requests/{event_id}/capture").status_code == 404
    assert api.get("/requests/req_none").status_code == 404


def test_members_read_their_own(programs: Programs) -> None:
    world, member = programs.world, programs.of("member")
    mine, theirs = world.enroll("member@brightwater.dev"), world.enroll("eve@brightwater.dev")
    [own], [other] = world.use(mine, TOKENS, COST), world.use(theirs, TOKENS, COST)
    for event_id, key in ((own, mine), (other, theirs)):
        world.capture(world.organization_id, key, event_id)
    assert [each["id"] for each in member.get("/requests").json()["items"]] == [own]
    query = {"member_id": theirs.member_id}
    assert member.get("/requests", params=query).json()["items"] == []
    assert member.get(f"/requests/{other}").status_code == 404
    assert member.get(f"/requests/{other}/capture").status_code == 404
    assert member.delete(f"/requests/{other}/capture").status_code == 404
    assert member.get(f"/requests/{own}/capture").status_code == 200
    for suffix in ("csv", "jsonl"):
        text = member.get(f"/requests/export.{suffix}").text
        assert own in text
        assert other not in text


def test_a_capture_is_read_and_deleted_and_both_are_written_down(programs: Programs) -> None:
    world, api = programs.world, programs.of("owner")
    key = world.enroll("ben@brightwater.dev")
    [event_id] = world.use(key, TOKENS, COST, captured=True)
    world.capture(world.organization_id, key, event_id, "fable")
    assert api.get(f"/requests/{event_id}").json()["capture_kept"] is True
    found = api.get(f"/requests/{event_id}/capture").json()
    assert (found["method"], found["status"]) == ("POST", 200)
    assert json.loads(found["received"]["body"]) == {"model": "fable"}
    assert found["sent"]["headers"] == [{"name": "content-type", "value": "application/json"}]
    assert audited(world)[0] == "capture.read"
    assert api.delete(f"/requests/{event_id}/capture").status_code == 204
    assert audited(world)[0] == "capture.delete"
    assert api.get(f"/requests/{event_id}/capture").status_code == 404
    assert api.get(f"/requests/{event_id}").status_code == 200


def test_files_hold_what_the_list_does(programs: Programs) -> None:
    world, api = programs.world, programs.of("owner")
    key = world.enroll("ben@brightwater.dev")
    world.use(key, TOKENS, COST, model="a", times=3)
    world.use(key, TOKENS, COST, model="b")
    listed = [each["id"] for each in api.get("/requests?model=a").json()["items"]]
    answer = api.get("/requests/export.csv?model=a", headers={"accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="tidegate-requests.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [row["request_id"] for row in rows] == listed
    assert list(rows[0]) == list(COLUMNS)
    lines = api.get("/requests/export.jsonl?model=a")
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line)["request_id"] for line in lines.text.splitlines()] == listed
    for path in ("/requests/export.csv", "/requests/export.jsonl"):
        refused = api.get(path, headers={"accept": "application/json"})
        assert refused.status_code == 406
        assert api.head(path).status_code in {200, 405}


def test_the_retention_of_the_organization(programs: Programs) -> None:
    api, member = programs.of("owner"), programs.of("member")
    assert {k: v for k, v in member.get("/organization").json().items() if "days" in k} == {
        "ledger_days": 0,
        "capture_days": 3,
    }
    changed = api.patch("/organization", json={"ledger_days": 90, "capture_days": 7}).json()
    assert (changed["ledger_days"], changed["capture_days"]) == (90, 7)
    for wrong in (
        {"ledger_days": 6},
        {"ledger_days": -1},
        {"ledger_days": 3651},
        {"capture_days": 0},
    ):
        answer = api.patch("/organization", json={"name": "Other", **wrong})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] in wrong
    now = api.get("/organization").json()
    assert (now["name"], now["ledger_days"]) == ("Brightwater", 90)
    assert member.patch("/organization", json={"capture_days": 9}).status_code == 403


def test_how_an_organization_compresses(programs: Programs) -> None:
    api, member = programs.of("owner"), programs.of("member")
    programs.world.enroll("ben@brightwater.dev")
    names = ("compression_level", "compression_default", "compression_locked", "holdout_permille")
    now = member.get("/organization").json()
    assert [now[name] for name in names] == ["lossless", True, False, 0]
    wanted = dict(zip(names, ("references", False, True, 25), strict=True))
    changed = api.patch("/organization", json=wanted).json()
    assert {name: changed[name] for name in names} == wanted
    keys = api.get("/keys").json()["items"]
    assert keys
    assert {(key["compression"], key["compression_locked"]) for key in keys} == {(False, True)}
    refused = api.patch(f"/keys/{keys[0]['id']}", json={"compression": True})
    assert refused.status_code == 409
    for name, wrong in (("compression_level", "off"), ("holdout_permille", 501)):
        answer = api.patch("/organization", json={name: wrong})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == name
    assert member.patch("/organization", json=wanted).status_code == 403


def test_a_request_says_what_compression_saved(programs: Programs) -> None:
    world, api = programs.world, programs.of("owner")
    [event_id] = world.use(
        world.enroll("ben@brightwater.dev"),
        TOKENS,
        COST,
        compression="trims",
        compression_version=1,
        compression_faults=2,
        tool_savings=(ToolSaving("read", 2, 500, 400),),
        saved_tokens_new=40,
        saved_tokens_again=60,
        saved_nano=77,
    )
    [listed] = api.get("/requests").json()["items"]
    told = {"compression": "trims", "saved_tokens_new": 40, "saved_tokens_again": 60}
    assert {name: listed[name] for name in told} == told
    assert listed["saved_nusd"] == 77
    detail = api.get(f"/requests/{event_id}").json()
    assert detail["tool_savings"] == [
        {"tool_class": "read", "results": 2, "tokens_before": 500, "tokens_after": 400}
    ]
    assert (detail["compression_version"], detail["compression_faults"]) == (1, 2)
    assert detail["saving"] == []  # by rates that nobody knows
    report = api.get("/reports/overview?range=7d").json()
    assert (report["totals"]["saved_tokens"], report["totals"]["saved_nusd"]) == (100, 77)
