"""The calls to the server: where the key goes, and where it does not."""

import socket
from datetime import UTC, datetime

import pytest
from tests.unit.cli.world import KEY, FakeServer, error_reply, fake_server, login_reply

from tidegate.cli.server_api import ServerApi, ServerError

pytestmark = pytest.mark.slow


def test_launch_facts(server: FakeServer) -> None:
    server.answer_launch(providers={"anthropic": True, "openai": False}, allow_own=False)
    facts = ServerApi(server.base_url).launch(KEY, timeout_s=5)
    assert facts.providers == {"anthropic"}
    assert not facts.allow_own
    assert facts.models[0].cost["input"] == 3.0
    assert server.asked[0][2]["authorization"] == f"Bearer {KEY}"


def test_until_when_bodies_are_captured(server: FakeServer) -> None:
    ask = ServerApi(server.base_url).launch
    assert ask(KEY, timeout_s=5).debug_until is None  # an older server
    assert ask(KEY, timeout_s=5).session_tools is False
    server.answer_launch(debug_until=None)
    assert ask(KEY, timeout_s=5).debug_until is None
    server.answer_launch(debug_until="2026-11-22T14:02:00Z")
    assert ask(KEY, timeout_s=5).debug_until == datetime(2026, 11, 22, 14, 2, tzinfo=UTC)
    for strange in ("soon", "2026-11-22T14:02:00", 7, "\x1b[31m"):
        server.answer_launch(debug_until=strange)
        with pytest.raises(ServerError, match="does not answer like a Tidegate server"):
            ask(KEY, timeout_s=5)


@pytest.mark.parametrize("hostile", ["\x1b]0;x\x07", "a\r\nx-evil: 1", "\x9b31m", "\0"])
def test_no_control_character_of_a_server_gets_through(server: FakeServer, hostile: str) -> None:
    """Names go to terminals, keys into headers, models into configs."""
    server.answer("/api/login", login_reply(email=hostile))
    with pytest.raises(ServerError, match="does not answer like a Tidegate server"):
        ServerApi(server.base_url).exchange("CODE", timeout_s=5)
    server.answer("/api/login", error_reply(f"refused {hostile}"), 400)
    with pytest.raises(ServerError) as caught:
        ServerApi(server.base_url).exchange("CODE", timeout_s=5)
    assert hostile not in str(caught.value)


def test_a_base_url_with_a_path(server: FakeServer) -> None:
    server.answer("/team/api/launches/lch_1/usage", {})
    with pytest.raises(ServerError):
        ServerApi(f"{server.base_url}/team").launch_usage(KEY, "lch_1", timeout_s=5)
    assert server.paths == ["/team/api/launches/lch_1/usage"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(server: FakeServer, status: int) -> None:
    with fake_server() as elsewhere:
        server.answer("/api/launch", {}, status, location=f"{elsewhere.base_url}/api/launch")
        with pytest.raises(ServerError, match="answers with a redirect"):
            ServerApi(server.base_url).launch(KEY, timeout_s=5)
        assert elsewhere.asked == []


def test_loopback_is_asked_directly(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert ServerApi(server.base_url).launch(KEY, timeout_s=5).agent == "claude_code"


def test_another_machine_is_asked_through_the_proxy(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.base_url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(ServerError):
        ServerApi("http://gw.example").launch(KEY, timeout_s=5)
    assert server.paths == ["http://gw.example/api/launch"]


def test_a_silent_server_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(ServerError, match="no answer in time"):
            ServerApi(f"http://127.0.0.1:{port}").launch(KEY, timeout_s=0.05)


def test_the_key_is_in_no_message(server: FakeServer) -> None:
    server.answer("/api/launch", b"\xff", 200)
    with pytest.raises(ServerError) as raised:
        ServerApi(server.base_url).launch(KEY, timeout_s=5)
    assert KEY not in str(raised.value)
