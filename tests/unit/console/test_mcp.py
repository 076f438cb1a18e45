"""/mcp: who may call, what is answered, and that the tools are there."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient
from tests.browser.world import PUBLIC_URL, World

from tidegate.core.identity import session_id
from tidegate.core.model import Cost, TokenCounts
from tidegate.core.session_tools import TOOLS
from tidegate.services.audit import COMMAND_LINE
from tidegate.services.enrolment import Enrolled

pytestmark = pytest.mark.slow  # importing the SDK takes a second

WANTED = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
VERSIONS = ("2025-06-18", "2025-11-25")


@pytest.fixture
def key(world: World) -> Enrolled:
    return world.enroll("elena@brightwater.dev", "codex")


def post(
    client: TestClient, message: object, key: Enrolled | None = None, **headers: str
) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    bearer = {"authorization": f"Bearer {key.key}"} if key else {}
    return client.post("/mcp", json=message, headers={**WANTED, **bearer, **named})


def call(name: str, arguments: object, **meta: object) -> dict[str, Any]:
    params = {"name": name, "arguments": arguments, "_meta": {"progressToken": 1, **meta}}
    return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}


def said(answer: Response) -> tuple[str, bool]:
    assert answer.status_code == 200, answer.text
    result = answer.json()["result"]
    [content] = result["content"]
    assert content["type"] == "text"
    return content["text"], result["isError"]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_handshake(client: TestClient, key: Enrolled, version: str) -> None:
    params = {
        "protocolVersion": version,
        "capabilities": {"elicitation": {}},
        "clientInfo": {"name": "codex-mcp-client", "version": "0.169.0"},
    }
    message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
    answer = client.post(
        "/mcp", json=message, headers={"accept": WANTED["accept"], "x-tidegate-key": key.key}
    )
    assert answer.headers["content-type"] == "application/json"
    assert "mcp-session-id" not in answer.headers
    result = answer.json()["result"]
    assert result["protocolVersion"] == version
    assert result["serverInfo"]["name"] == "tidegate"
    assert set(result["capabilities"]) == {"tools"}
    assert len(result["instructions"]) < 700
    for method in ("notifications/initialized", "notifications/cancelled"):
        note = post(client, {"jsonrpc": "2.0", "method": method}, key)
        assert (note.status_code, note.content) == (202, b"")


def test_the_tools(client: TestClient, key: Enrolled) -> None:
    tools = post(client, LIST, key).json()["result"]["tools"]
    assert tuple(tool["name"] for tool in tools) == TOOLS
    for tool in tools:
        properties = tool["inputSchema"]["properties"]
        assert set(tool["inputSchema"]["required"]) < set(properties)
        assert "sessionId" not in tool["inputSchema"]["required"]
        assert {each["type"] for each in properties.values()} == {"string"}
        assert all(each["description"] for each in (tool, *properties.values()))
        assert tool["annotations"]["destructiveHint"] is False  # so that no agent asks


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "x-tidegate-key"])
def test_the_key_in_any_header(client: TestClient, key: Enrolled, header: str) -> None:
    value = f"Bearer {key.key}" if header == "authorization" else key.key
    assert client.post("/mcp", json=LIST, headers={**WANTED, header: value}).status_code == 200


def test_without_a_good_key(world: World, client: TestClient, key: Enrolled) -> None:
    disabled = world.enroll("b@brightwater.dev", "opencode")
    world.services.enrolment.set_key(
        world.organization_id, disabled.key_id, disabled=True, actor=COMMAND_LINE
    )
    client.cookies.set("tidegate_login", world.login())
    for headers in (
        {},
        {"authorization": "Bearer tg_made-up"},
        {"authorization": "Bearer sk-ant-own"},
        {"authorization": "Basic eA=="},
        {"x-tidegate-key": disabled.key},
    ):
        for message in (LIST, {"jsonrpc": "2.0", "method": "notifications/initialized"}):
            answer = client.post("/mcp", json=message, headers={**WANTED, **headers})
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["error"]["message"]
            assert "set-cookie" not in answer.headers


def test_other_methods(client: TestClient, key: Enrolled) -> None:
    headers = {**WANTED, "x-tidegate-key": key.key}
    for method in ("GET", "HEAD", "PUT", "PATCH", "OPTIONS"):
        answer = client.request(method, "/mcp", headers=headers)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "POST, DELETE"
    assert client.delete("/mcp", headers=headers).status_code == 204
    assert client.delete("/mcp").status_code == 204


def test_hosts_and_origins(client: TestClient, key: Enrolled) -> None:
    assert post(client, LIST, key, host="evil.example").status_code == 421
    for origin in ("https://evil.example", "null", f"{PUBLIC_URL}.evil.example"):
        answer = post(client, LIST, key, origin=origin)
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
    assert post(client, LIST, key, origin=PUBLIC_URL).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff", 400),
        (b"[" * 9_999, 400),
        (b"[]", 400),
        (json.dumps([LIST]).encode(), 400),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": 7}}', 200),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "no/such"}', 200),
        (b" " * 70_000, 413),
    ],
)
def test_bodies(client: TestClient, key: Enrolled, body: bytes, status: int) -> None:
    headers = {**WANTED, "x-tidegate-key": key.key, "content-type": "application/json"}
    answer = client.post("/mcp", content=body, headers=headers)
    assert answer.status_code == status
    assert answer.text
    assert status != 200 or answer.json()["error"]["code"] in {-32601, -32602}


def test_other_types_of_body(client: TestClient, key: Enrolled) -> None:
    answer = post(client, LIST, key, content_type="text/plain")
    assert 400 <= answer.status_code < 500
    assert post(client, LIST, key, accept="text/html").status_code == 406


def use(world: World, key: Enrolled, **more: Any) -> str:
    """A request of the session that the agent calls abc; our id of it."""
    session = session_id(world.organization_id, key.key_id, "abc")
    fields = {"session_id": session, "client_session": "abc", "agent": "codex", **more}
    world.use(key, TokenCounts(input=1), Cost(), **fields)
    return session


@pytest.mark.parametrize(
    "meta",
    [
        {"sessionId": "abc"},
        {"x-codex-turn-metadata": {"session_id": "abc"}},
        {"sessionId": 7, "x-codex-turn-metadata": {"session_id": "abc"}},
    ],
)
def test_a_call_of_codex(
    world: World, client: TestClient, key: Enrolled, meta: Mapping[str, object]
) -> None:
    session = use(world, key)
    drains = world.drains
    told = said(post(client, call("setSessionName", {"name": "Mend"}, **meta), key))
    assert told == ("The session is called “Mend” now.", False)
    assert world.drains > drains
    row = world.store.usage.sessions.one(world.organization_id, session)
    assert row is not None
    assert (row.name, row.name_method) == ("Mend", "mcp")


def test_a_call_within_a_launch(world: World, client: TestClient, key: Enrolled) -> None:
    session = use(world, key, launch_id="lch_1")
    message = call("addSessionPullRequest", {"pullRequest": "acme/app#12"})
    told = said(post(client, message, key, x_tidegate_launch="lch_1"))
    assert told == ("Noted: github.com/acme/app#12.", False)
    row = world.store.usage.sessions.one(world.organization_id, session)
    assert row is not None
    assert row.pull_requests == ("github.com/acme/app#12",)


@pytest.mark.parametrize(
    ("arguments", "meta"),
    [
        ({}, {}),
        (None, {}),
        ({"name": ["x"]}, {"sessionId": {"a": 1}}),
        ({"name": "\ud83d"}, {"claudecode/toolUseId": "\x00"}),
        ({"name": "x", "sessionId": "another"}, {"x-codex-turn-metadata": "x"}),
    ],
)
def test_what_a_model_gets_wrong_is_a_result(
    client: TestClient, key: Enrolled, arguments: object, meta: Mapping[str, object]
) -> None:
    content = json.dumps(call("setSessionName", arguments, **meta))
    headers = {**WANTED, "x-tidegate-key": key.key, "content-type": "application/json"}
    answer = client.post("/mcp", content=content, headers=headers)
    if answer.status_code == 400:  # half a character is no JSON to the SDK
        assert "\\ud83d" in content
        return
    text, is_error = said(answer)
    assert is_error
    assert text.endswith((".", "?"))


def test_an_organization_without_the_tools(world: World, client: TestClient, key: Enrolled) -> None:
    world.services.organizations.update(world.organization_id, session_tools=False)
    answer = post(client, LIST, key)
    assert answer.status_code == 403
    assert "switched" in answer.json()["error"]["message"]
    headers = {"authorization": f"Bearer {key.key}"}
    assert client.get("/api/launch", headers=headers).json()["session_tools"] is False


def test_a_runaway_key_is_slowed_down(world: World, key: Enrolled) -> None:
    world.options = replace(world.options, tool_calls=2)
    client = TestClient(world.app, base_url=PUBLIC_URL)
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert [post(client, note, key).status_code for _ in range(2)] == [202] * 2
    answer = post(client, note, key)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) == 1
    assert post(client, note, world.enroll("b@brightwater.dev")).status_code == 202
    world.now_us += 1_000_000
    assert post(client, note, key).status_code == 202
