"""What programs send, right and wrong: parsing, media types, sizes, methods, versions."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.unit.console.api_v1.programs import Programs

from tidegate.console.app import create_app
from tidegate.core.model import OrganizationRecord
from tidegate.store.ports import StoreUnavailable

pytestmark = pytest.mark.slow

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def programs(stage: Programs) -> Programs:
    """One organization for all of these."""
    return stage


def problem(answer: Any, status: int, kind: str) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["status"] == status
    assert found["type"] == f"/api/v1/problems#{kind}"
    assert found["title"]
    assert found["detail"]
    return found


@pytest.mark.parametrize(
    ("body", "field", "detail"),
    [
        ({"nam": "x"}, "nam", "There is no such field; there is name, time_zone,"),
        ({"name": 1}, "name", "Expected text, got a whole number."),
        ({"name": None}, "name", "Expected text, got null."),
        ({"name": ""}, "name", "Expected text of length at least 1."),
        ({"name": "x" * 101}, "name", "Expected text of length at most 100."),
        ({"name": " "}, "name", "A name is needed."),
        ({"name": "a\u0000b"}, "name", "The name holds control characters."),
        ({"week_start": 0}, "week_start", "Expected a whole number of at least 1."),
        ({"week_start": 8}, "week_start", "Expected a whole number of at most 7."),
        ({"week_start": 1.5}, "week_start", "Expected a whole number, got a number."),
        ({"week_start": "1"}, "week_start", "Expected a whole number, got text."),
        ({"week_start": True}, "week_start", "Expected a whole number, got true or false."),
        ({"self_enrolment": 1}, "self_enrolment", "Expected true or false, got a whole number."),
        ({"time_zone": "Mars/Olympus"}, "time_zone", "“Mars/Olympus” is no time zone;"),
        ({"time_zone": "../../etc/passwd"}, "time_zone", "“../../etc/passwd” is no time zone;"),
        ({"allowed_models": "*"}, "allowed_models", "Expected a list, got text."),
        ({"allowed_models": ["a", 1]}, "allowed_models[1]", "Expected text, got a whole number."),
        ({"allowed_models": ["*"] * 101}, "allowed_models", "Expected a list of length at most"),
    ],
)
def test_a_wrong_field_is_named(
    api: TestClient, body: dict[str, Any], field: str, detail: str
) -> None:
    before = api.get("/organization").json()
    found = problem(api.patch("/organization", json={"week_start": 3, **body}), 422, "invalid")
    assert [error["field"] for error in found["errors"]] == [field]
    assert found["errors"][0]["detail"].startswith(detail)
    assert api.get("/organization").json() == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "member_id"),
        ({"member_id": "mem_1"}, "agent"),
        ({"member_id": "mem_1", "agent": "codex"}, "member_id"),
        ({"member_id": "mem 1", "agent": "codex"}, "member_id"),
        ({"member_id": "mem_1", "agent": "cursor"}, "agent"),
    ],
)
def test_what_a_body_refers_to_is_a_field_as_well(
    api: TestClient, body: dict[str, Any], field: str
) -> None:
    found = problem(api.post("/keys", json=body), 422, "invalid")
    assert [error["field"] for error in found["errors"]] == [field]


def test_choices_are_told(api: TestClient) -> None:
    body = {"member_id": "mem_1", "agent": "cursor"}
    found = problem(api.post("/keys", json=body), 422, "invalid")
    assert found["detail"] == "agent: 'cursor' is not one of: claude_code, codex, opencode."


@pytest.mark.parametrize(
    "name", ["Bright 🌊 water", "شركة", "<script>alert(1)</script>", "İstanbul"]
)
def test_names_of_every_kind_come_back_as_they_are(api: TestClient, name: str) -> None:
    assert api.patch("/organization", json={"name": name}).json()["name"] == name
    assert api.patch("/me", json={"name": name}).json()["name"] == name


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nul",
        b"\xff",
        b'{"name": "\xff"}',
        b'{"name": "\\ud800"}',
        b"{} {}",
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_is_no_json(api: TestClient, body: bytes) -> None:
    problem(api.patch("/organization", content=body, headers=JSON), 400, "malformed")


@pytest.mark.parametrize("body", [b"[]", b"null", b'"name"', b"1", b"[" * 60_000, b"1" * 60_000])
def test_what_is_no_object(api: TestClient, body: bytes) -> None:
    problem(api.patch("/organization", content=body, headers=JSON), 422, "invalid")


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "text/json"},
        {"content-type": ""},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
def test_other_media_types(api: TestClient, headers: dict[str, str]) -> None:
    answer = api.patch("/organization", content=b"{}", headers=headers)
    problem(answer, 415, "unsupported-media-type")
    assert answer.headers["accept-post"] == "application/json"


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_spellings_of_json(api: TestClient, content_type: str) -> None:
    headers = {"content-type": content_type}
    assert api.patch("/organization", content=b"{}", headers=headers).status_code == 200


def test_a_body_has_a_limit(api: TestClient) -> None:
    def in_pieces() -> Iterator[bytes]:  # no length is told
        yield from (b" " * 1000 for _ in range(100))

    for content in (b"{" + b" " * 65_536 + b"}", in_pieces()):
        answer = api.patch("/organization", content=content, headers=JSON)
        problem(answer, 413, "too-large")


@pytest.mark.parametrize("body", [b'{"a": 1}', b"[]"])
def test_an_operation_without_a_body_takes_none(api: TestClient, body: bytes) -> None:
    answer = api.delete("/members/mem_1")
    problem(answer, 404, "not-found")
    answer = api.request("DELETE", "/members/mem_1", content=body, headers=JSON)
    problem(answer, 422, "invalid")
    answer = api.request("DELETE", "/members/mem_1", content=b"{}", headers=JSON)
    problem(answer, 404, "not-found")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=-1", "limit"),
        ("limit=+1", "limit"),
        ("limit=1.0", "limit"),
        ("limit=1e1", "limit"),
        ("limit=٣", "limit"),
        ("limit=", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("limit=1&limit=2", "limit"),
        ("limits=1", "limits"),
        ("removed=1", "removed"),
        ("removed=True", "removed"),
        ("cursor=x", "cursor"),
        ("cursor=%00", "cursor"),
        ("cursor=" + "x" * 501, "cursor"),
        ("=1", ""),
    ],
)
def test_a_wrong_parameter_is_named(api: TestClient, query: str, field: str) -> None:
    found = problem(api.get(f"/members?{query}"), 422, "invalid")
    assert [error["field"] for error in found["errors"]] == [field]


@pytest.mark.parametrize("query", ["limit=%ff", "&".join(f"a{n}=1" for n in range(60))])
def test_a_query_that_cannot_be_read(api: TestClient, query: str) -> None:
    problem(api.get(f"/members?{query}"), 400, "malformed")


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/json", 200),
        ("*/*", 200),
        ("application/*;q=0.1", 200),
        ("text/html, application/json;q=0.5", 200),
        ("", 200),
        ("text/html", 406),
        ("application/json;q=0", 406),
        ("application/json;q=0, */*", 406),
        ("application/json;q=x", 406),
        ("application/problem+json", 406),
    ],
)
def test_what_is_accepted(api: TestClient, accept: str, status: int) -> None:
    answer = api.get("/me", headers={"accept": accept})
    assert answer.status_code == status
    if status == 406:
        problem(answer, 406, "not-acceptable")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/me", "GET, HEAD, OPTIONS, PATCH"),
        ("DELETE", "/members", "GET, HEAD, OPTIONS"),
        ("GET", "/keys/key_1/rotate", "OPTIONS, POST"),
        ("BREW", "/keys/key_1", "DELETE, GET, HEAD, OPTIONS, PATCH"),
    ],
)
def test_another_method(programs: Programs, method: str, path: str, allow: str) -> None:
    answer = programs.client().request(method, path)
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == allow
    options = programs.client().options(path)
    assert (options.status_code, options.headers["allow"]) == (204, allow)


@pytest.mark.parametrize(
    "path", ["", "/nothing", "/members/", "/members/a/b", "/keys/a%2Fb", "//me"]
)
def test_another_address(api: TestClient, path: str) -> None:
    problem(api.get(path), 404, "not-found")


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Bearer tgp_", "Bearer x", "Basic dGdwOg==", "tgp_x", "Bearer tgp_é"],
)
def test_no_valid_token(programs: Programs, authorization: str) -> None:
    headers = {b"authorization": authorization.encode("latin-1")}
    answer = programs.client().get("/me", headers=headers)
    problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_reading_token_is_told_so(programs: Programs) -> None:
    answer = programs.of("owner", "read").patch("/me", json={})
    problem(answer, 403, "read-only-token")
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


def test_head_answers_like_get_without_the_body(api: TestClient) -> None:
    get, head = api.get("/me"), api.head("/me")
    assert head.status_code == 200
    assert head.content == b""
    for name in ("content-length", "content-type", "etag"):
        assert head.headers[name] == get.headers[name]
    assert api.head("/members/mem_1").status_code == 404


def test_what_did_not_change_is_not_sent_again(api: TestClient) -> None:
    etag = api.get("/organization").headers["etag"]
    for known in (etag, etag.removeprefix("W/"), f'"x", {etag}', "*"):
        answer = api.get("/organization", headers={"if-none-match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == etag
    api.patch("/organization", json={"week_start": 7})
    answer = api.get("/organization", headers={"if-none-match": etag})
    assert answer.json()["week_start"] == 7
    assert answer.headers["cache-control"] == "private, no-cache"


def test_every_kind_of_problem_is_described(programs: Programs) -> None:
    kinds = programs.client().get("/problems").json()["items"]
    assert "/api/v1/problems#invalid" in {kind["type"] for kind in kinds}
    assert all(kind["remedy"] for kind in kinds)


class _Away:
    """A service whose database is away, or that is broken."""

    def __init__(self, fault: Exception) -> None:
        self._fault = fault

    def get(self, organization_id: str) -> OrganizationRecord:
        raise self._fault


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [(StoreUnavailable("busy"), 503, "unavailable"), (RuntimeError("secret"), 500, "failed")],
)
def test_faults_tell_nothing(programs: Programs, fault: Exception, status: int, kind: str) -> None:
    away: Any = _Away(fault)
    services = replace(programs.world.services, organizations=away)
    programs = replace(programs, app=create_app(services, programs.world.options))
    answer = programs.of("owner").get("/organization")
    problem(answer, status, kind)
    assert "secret" not in answer.text
    assert ("retry-after" in answer.headers) == (status == 503)
