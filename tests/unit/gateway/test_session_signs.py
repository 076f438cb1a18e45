"""What tool calls show arrives with the usage event of the request that brings their results."""

import json
from pathlib import Path
from typing import Any

import pytest
import zstandard
from tests.tool_requests import PATHS, Turn, body, reading
from tests.unit.gateway.test_capture import keeper
from tests.unit.gateway.test_compressor import ANSWER, Pins
from tests.unit.gateway.world import World, answering, in_loop, play, post

from tidegate.core.model import Dialect, SessionCall, UsageEvent
from tidegate.core.session_tools import digest

pytestmark = pytest.mark.slow

SESSION = "x-claude-code-session-id: 0198c5a2"
NAMED = {"name": "fix-login"}
TURNS = [
    reading(1),
    Turn(
        "call_2", "Bash", {"command": "git switch -c feat/x"}, "Switched to a new branch 'feat/x'"
    ),
    Turn("call_3", "bash", {"command": "git commit -m x"}, "[feat/x 1a2b3c4] x\n 1 file changed"),
    Turn("call_4", "mcp__tidegate__setSessionName", NAMED, "ok"),
    Turn("call_5", "bash", {"command": "gh pr create"}, "https://github.com/acme/app/pull/12\n"),
    Turn("call_6", "bash", {"command": "ls"}, "a b"),
]
SHOWN: list[list[str]] = [
    [],
    ["feat/x"],
    ["feat/x", "1a2b3c4"],
    [],
    ["github.com/acme/app", "github.com/acme/app#12"],
    [],
]


async def ask(world: World, dialect: Dialect, content: bytes, *lines: str) -> None:
    answer = await world.ask(post(PATHS[dialect], content, SESSION, *lines))
    assert answer.startswith(b"HTTP/1.1 200"), answer


def values(event: UsageEvent) -> list[str]:
    return [link.value for link in event.links]


def options(kind: str, place: Path) -> dict[str, Any]:
    if kind == "compressed":
        return {"pins": Pins()}
    return {"captures": keeper(place)} if kind == "captured" else {}


@pytest.mark.parametrize("kind", ["plain", "compressed", "captured", "encoded"])
@pytest.mark.parametrize("dialect", list(Dialect), ids=lambda d: d.value)
def test_each_link_comes_once_with_its_request(dialect: Dialect, kind: str, tmp_path: Path) -> None:
    @in_loop
    async def run() -> None:
        async with play(answering(*[ANSWER] * len(TURNS)), **options(kind, tmp_path)) as (world, _):
            for count in range(1, len(TURNS) + 1):
                content = body(dialect, TURNS[:count])
                if kind == "encoded":
                    content = zstandard.compress(content)
                    await ask(world, dialect, content, "content-encoding: zstd")
                else:
                    await ask(world, dialect, content)
            await world.quiet()
        assert [values(event) for event in world.events] == SHOWN
        named = [(SessionCall("call_4", "setSessionName", digest(NAMED)),)]
        assert [event.calls for event in world.events if event.calls] == named
        assert world.count("session_sign_faults") == 0

    run()


@in_loop
async def test_no_session_no_links_and_none_of_a_title() -> None:
    content = body(Dialect.MESSAGES, TURNS[:3])
    title = json.loads(content)
    title["tools"] = []
    title["output_config"] = {
        "format": {"type": "json_schema", "schema": {"properties": {"title": {}}}}
    }
    async with play(answering(ANSWER, ANSWER, ANSWER)) as (world, _):
        await world.ask(post("/v1/messages", content))
        await ask(world, Dialect.MESSAGES, json.dumps(title).encode())
        await ask(world, Dialect.MESSAGES, content)
        await world.quiet()
    assert [len(event.links) for event in world.events] == [0, 0, 2]
    assert world.events[1].is_title


@in_loop
async def test_what_cannot_be_read_is_counted_and_goes_out() -> None:
    twice = body(Dialect.MESSAGES, TURNS[:3]).replace(
        b'"type":"tool_use"', b'"type":"tool_use","type":"tool_use"'
    )
    async with play(answering(ANSWER)) as (world, _):
        await ask(world, Dialect.MESSAGES, twice)
        await world.quiet()
    assert world.events[0].links == ()
    assert world.count("session_sign_faults") == 1


@in_loop
async def test_codex_says_repository_and_commit_with_each_turn() -> None:
    workspace = {
        "associated_remote_urls": {"origin": "https://ada:secret@github.com/acme/app.git"},
        "latest_git_commit_hash": "1d562639e88ee1246acbd20487e078ce303b13b0",
    }
    metadata = json.dumps({"turn_id": "t", "workspaces": {"/src": workspace}})
    content = body(Dialect.RESPONSES, TURNS[:3])
    async with play(answering(ANSWER)) as (world, _):
        await ask(world, Dialect.RESPONSES, content, f"x-codex-turn-metadata: {metadata}")
        await world.quiet()
    commit = workspace["latest_git_commit_hash"]
    assert values(world.events[0]) == ["github.com/acme/app", commit, "feat/x", "1a2b3c4"]
    assert [link.method for link in world.events[0].links] == ["turn_metadata"] * 2 + ["tool"] * 2
