"""Who asks: keys, agents, sessions and sub-agents from headers."""

import json

import pytest

from tidegate.core.identity import find_key, holds_key, read_client, session_id
from tidegate.core.model import Agent


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({b"x-tidegate-key": b"tg_a", b"authorization": b"Bearer sk-ant-1"}, ("tg_a", True)),
        ({b"authorization": b"Bearer tg_a"}, ("tg_a", False)),
        ({b"authorization": b"bearer  tg_a"}, ("tg_a", False)),
        ({b"x-api-key": b"tg_a"}, ("tg_a", False)),
        ({b"authorization": b"Bearer sk-ant-1", b"x-api-key": b"tg_a"}, ("tg_a", False)),
        ({b"x-tidegate-key": b"nonsense", b"authorization": b"Bearer tg_a"}, ("tg_a", False)),
        ({b"authorization": b"Basic dGdfYQ=="}, ("", False)),
        ({b"authorization": b"tg_a"}, ("", False)),
        ({}, ("", False)),
    ],
)
def test_find_key(headers: dict[bytes, bytes], expected: tuple[str, bool]) -> None:
    assert find_key(headers) == expected


@pytest.mark.parametrize("value", [b"tg_x", b"Bearer tg_x", b"bearer   tg_x"])
def test_holds_key(value: bytes) -> None:
    assert holds_key(value)


@pytest.mark.parametrize("value", [b"", b"sk-ant-tg_x", b"Bearer sk-tg_", b"a tg_x"])
def test_holds_no_key(value: bytes) -> None:
    assert not holds_key(value)


@pytest.mark.parametrize(
    ("user_agent", "agent", "version"),
    [
        (b"claude-cli/2.1.330 (external, sdk-cli)", Agent.CLAUDE_CODE, "2.1.330"),
        (b"claude-code/2.1.197", Agent.CLAUDE_CODE, "2.1.197"),
        (b"codex_exec/0.169.0 (Debian 12)", Agent.CODEX, "0.169.0"),
        (b"codex_cli_rs/0.169.0", Agent.CODEX, "0.169.0"),
        (b"codex-tui/1.0", Agent.CODEX, "1.0"),
        (b"opencode/1.18.33 ai-sdk/provider-utils/4 runtime/bun/1.4", Agent.OPENCODE, "1.18.33"),
        (b"Anthropic/Python 2.12.0", None, ""),
        (b"", None, ""),
    ],
)
def test_agent_and_version(user_agent: bytes, agent: Agent | None, version: str) -> None:
    client = read_client({b"user-agent": user_agent})
    assert (client.agent, client.version) == (agent, version)


@pytest.mark.parametrize(
    ("headers", "session", "subagent", "parent_agent", "parent_session"),
    [
        ({b"x-claude-code-session-id": b"s1"}, "s1", "", "", ""),
        (
            {b"x-claude-code-session-id": b"s1", b"x-claude-code-agent-id": b"a1"},
            "s1",
            "a1",
            "",
            "",
        ),
        (
            {
                b"x-claude-code-session-id": b"s1",
                b"x-claude-code-agent-id": b"a2",
                b"x-claude-code-parent-agent-id": b"a1",
            },
            "s1",
            "a2",
            "a1",
            "",
        ),
        ({b"session-id": b"s1", b"thread-id": b"s1"}, "s1", "", "", ""),
        (
            {
                b"session-id": b"s1",
                b"thread-id": b"t2",
                b"x-codex-parent-thread-id": b"s1",
                b"x-openai-subagent": b"collab_spawn",
            },
            "s1",
            "t2",
            "s1",
            "",
        ),
        ({b"x-session-id": b"ses_2", b"x-parent-session-id": b"ses_1"}, "ses_2", "", "", "ses_1"),
        ({b"x-session-id": b"ses_2", b"session-id": b"other"}, "ses_2", "", "", ""),
    ],
)
def test_sessions_and_subagents(
    headers: dict[bytes, bytes],
    session: str,
    subagent: str,
    parent_agent: str,
    parent_session: str,
) -> None:
    client = read_client(headers)
    assert (client.session, client.subagent, client.parent_agent, client.parent_session) == (
        session,
        subagent,
        parent_agent,
        parent_session,
    )


def test_a_session_is_told_apart_by_organization_and_key() -> None:
    ids = {
        session_id("org_1", "key_1", "s"),
        session_id("org_1", "key_2", "s"),
        session_id("org_2", "key_1", "s"),
        session_id("org_1", "key_1", "t"),
    }
    assert len(ids) == 4
    assert session_id("org_1", "key_1", "s") == session_id("org_1", "key_1", "s")
    assert session_id("org_1", "key_1", "") == ""


def test_places_are_decoded_and_cleaned() -> None:
    client = read_client(
        {
            b"x-tidegate-repository": b"github.com/acme/app",
            b"x-tidegate-branch": b"f%C3%BCr%0Aalle",
            b"x-tidegate-commit": b"c" * 900,
        }
    )
    assert client.repository == "github.com/acme/app"
    assert client.branch == "füralle"
    assert len(client.commit) == 500


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (b"https://ada:ghp_secret@GitHub.com/acme/app.git", "github.com/acme/app"),
        (b"git%40github.com:acme/app.git", "github.com/acme/app"),
        (b"gitserver/team/app", "gitserver/team/app"),
        (b"/home/ada/app", ""),
        (b"github.com/acme/%00app", "github.com/acme/app"),
    ],
)
def test_no_user_of_a_remote_is_stored_whoever_sends_it(sent: bytes, stored: str) -> None:
    assert read_client({b"x-tidegate-repository": sent}).repository == stored


WORKSPACE = {
    "associated_remote_urls": {"fork": "https://x/y/z", "origin": "git@github.com:acme/app.git"},
    "latest_git_commit_hash": "1D562639E88EE1246ACBD20487E078CE303B13B0",
    "has_changes": False,
}
COMMIT = "1d562639e88ee1246acbd20487e078ce303b13b0"


@pytest.mark.parametrize(
    ("metadata", "launched", "values"),
    [
        ({"workspaces": {"/a": WORKSPACE}}, {}, ["github.com/acme/app", COMMIT]),
        ({"workspaces": {"/x": {}, "/a": WORKSPACE}}, {}, ["github.com/acme/app", COMMIT]),
        ({"workspaces": {"/a": WORKSPACE}}, {b"x-tidegate-repository": b"h.test/b"}, [COMMIT]),
        (
            {"workspaces": {"/a": WORKSPACE}},
            {b"x-tidegate-repository": b"h.test/b", b"x-tidegate-commit": COMMIT.encode()},
            [],
        ),
        ({"workspaces": {"/a": {"associated_remote_urls": {"origin": "/srv/x"}}}}, {}, []),
        ({"workspaces": {"/a": {"associated_remote_urls": {"origin": 1}}}}, {}, []),
        ({"workspaces": None}, {}, []),
        ({"workspaces": []}, {}, []),
        ("x", {}, []),
    ],
)
def test_what_codex_says_of_its_folders(
    metadata: object, launched: dict[bytes, bytes], values: list[str]
) -> None:
    header = {b"x-codex-turn-metadata": json.dumps(metadata).encode()}
    links = read_client(launched | header).links
    assert [link.value for link in links] == values
    assert all(link.method == "turn_metadata" for link in links)


@pytest.mark.parametrize("value", [b"", b"{", b"[" * 40_000, b"\xff", b'{"workspaces":' * 9_000])
def test_metadata_that_is_none(value: bytes) -> None:
    assert read_client({b"x-codex-turn-metadata": value}).links == ()


def test_absurd_ids_are_left_out() -> None:
    client = read_client({b"session-id": b"x" * 201, b"x-tidegate-launch": b"a\x01b"})
    assert (client.session, client.launch_id) == ("", "")
