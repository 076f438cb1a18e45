"""New tool calls at the end of a conversation, in the shapes in which agents send them."""

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.compression.splice import Doubt
from tidegate.core.dialects.body import read_members
from tidegate.core.model import Dialect, SessionCall
from tidegate.core.session_tools import digest
from tidegate.core.tool_traffic import NOTHING, Seen, look

COMMIT = "git commit -m x"
COMMITTED = "[main 1a2b3c4] x\n 1 file changed\n"
FOUND = "branch main, commit 1a2b3c4"
NAMED = (SessionCall("call_1", "setSessionName", digest({"name": "fix-login"})),)
ARGUMENTS = {"name": "fix-login"}


def claude(tool: str, given: object, output: object, **more: object) -> list[dict[str, Any]]:
    use = {"type": "tool_use", "id": "call_1", "name": tool, "input": given}
    result = {"tool_use_id": "call_1", "type": "tool_result", "content": output, **more}
    return [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]


def chat(tool: str, given: object, output: object) -> list[dict[str, Any]]:
    function = {"name": tool, "arguments": json.dumps(given)}
    call = {"id": "call_1", "type": "function", "function": function}
    return [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": output},
    ]


def codex(tool: str, given: object, output: object) -> list[dict[str, Any]]:
    call = {"type": "function_call", "id": "fc_1", "name": tool, "arguments": json.dumps(given)}
    return [
        {**call, "call_id": "call_1"},
        {"type": "function_call_output", "id": "fco_1", "call_id": "call_1", "output": output},
    ]


def code(script: str, *texts: str) -> list[dict[str, Any]]:
    call = {"type": "custom_tool_call", "call_id": "call_1", "name": "exec", "input": script}
    output = [{"type": "input_text", "text": text} for text in texts]
    return [call, {"type": "custom_tool_call_output", "call_id": "call_1", "output": output}]


EXITED = "Chunk ID: 45da93\nWall time: 0.0 seconds\nProcess exited with code {}\nOutput:\n{}"
DONE = "Script completed\nWall time 0.1 seconds\nOutput:\n"
CODE = 'const r = await tools.exec_command({cmd: "git commit -m \\"it\'s\\""}); text(r.output);'
SHELL = {"command": COMMIT}
PARTS = [{"type": "text", "text": COMMITTED}]

SHAPES = {
    "claude code": (Dialect.MESSAGES, claude("Bash", SHELL, COMMITTED, is_error=False)),
    "claude code, parts": (Dialect.MESSAGES, claude("Bash", SHELL, PARTS)),
    "opencode, messages": (Dialect.MESSAGES, claude("bash", SHELL, COMMITTED)),
    "opencode, chat": (Dialect.CHAT, chat("bash", SHELL, COMMITTED)),
    "chat, parts": (Dialect.CHAT, chat("bash", SHELL, PARTS)),
    "opencode, responses": (Dialect.RESPONSES, codex("bash", SHELL, COMMITTED)),
    "codex": (
        Dialect.RESPONSES,
        codex("exec_command", {"cmd": COMMIT}, EXITED.format(0, COMMITTED)),
    ),
    "codex, a list": (
        Dialect.RESPONSES,
        codex("shell", {"command": ["bash", "-lc", COMMIT]}, COMMITTED),
    ),
    "codex, code": (Dialect.RESPONSES, code(CODE, DONE, COMMITTED)),
    "codex, code in backquotes": (
        Dialect.RESPONSES,
        code("await tools.exec_command({timeout: 1, 'cmd': `git commit\n-m x`})", DONE, COMMITTED),
    ),
}
FAILED = {
    "claude code": (Dialect.MESSAGES, claude("Bash", SHELL, COMMITTED, is_error=True)),
    "codex": (
        Dialect.RESPONSES,
        codex("exec_command", {"cmd": COMMIT}, EXITED.format(1, COMMITTED)),
    ),
    "codex, code": (Dialect.RESPONSES, code(CODE, "Script failed\n", COMMITTED)),
}
NOT_OURS = {
    "another tool": (Dialect.MESSAGES, claude("mcp__db__query", SHELL, COMMITTED)),
    "a written file": (Dialect.MESSAGES, claude("Write", {"content": COMMIT}, COMMITTED)),
    "another result": (
        Dialect.CHAT,
        [
            *chat("bash", SHELL, COMMITTED)[:1],
            {"role": "tool", "tool_call_id": "x", "content": "x"},
        ],
    ),
}
CALLS = {
    "claude code": (Dialect.MESSAGES, claude("mcp__tidegate__setSessionName", ARGUMENTS, "ok")),
    "codex": (Dialect.RESPONSES, codex("setSessionName", ARGUMENTS, "ok")),
    "opencode": (Dialect.CHAT, chat("tidegate_setSessionName", ARGUMENTS, "ok")),
}
BEFORE: dict[Dialect, list[dict[str, Any]]] = {
    Dialect.MESSAGES: [
        {"role": "user", "content": "do it"},
        *claude("Bash", {"command": "git commit"}, "[old 9999999] x\n"),
    ],
    Dialect.CHAT: [
        {"role": "user", "content": "do it"},
        *chat("bash", {"command": "git commit"}, "[old 9999999] x\n"),
    ],
    Dialect.RESPONSES: [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "do"}]},
        *codex("bash", {"command": "git commit"}, "[old 9999999] x\n"),
    ],
}
AFTER: dict[Dialect, list[dict[str, Any]]] = {
    Dialect.MESSAGES: [
        {"role": "assistant", "content": "Done."},
        {"role": "user", "content": "ok"},
    ],
    Dialect.CHAT: [{"role": "assistant", "content": "Done."}, {"role": "user", "content": "ok"}],
    Dialect.RESPONSES: [
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "D"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "ok"}]},
    ],
}


def body_of(dialect: Dialect, conversation: object, *, compact: bool = True) -> bytes:
    name = "input" if dialect is Dialect.RESPONSES else "messages"
    whole = {"model": "m", name: conversation, "tools": [{"name": "assistant"}], "stream": True}
    return json.dumps(whole, separators=(",", ":") if compact else None).encode()


def seen(dialect: Dialect, conversation: object, *, compact: bool = True) -> Seen:
    body = body_of(dialect, conversation, compact=compact)
    return look(body, read_members(dialect, body)[1], dialect)


def shown(found: Seen) -> str:
    return ", ".join(f"{link.kind} {link.value}" for link in found.links)


@pytest.mark.parametrize("compact", [True, False])
@pytest.mark.parametrize(("dialect", "turn"), SHAPES.values(), ids=SHAPES)
def test_shapes(dialect: Dialect, turn: list[dict[str, Any]], compact: bool) -> None:
    assert shown(seen(dialect, [*BEFORE[dialect], *turn], compact=compact)) == FOUND
    backwards = [dict(reversed(message.items())) for message in turn]
    assert shown(seen(dialect, [*BEFORE[dialect], *backwards], compact=compact)) == FOUND


@pytest.mark.parametrize(("dialect", "turn"), SHAPES.values(), ids=SHAPES)
def test_only_what_is_new_is_read(dialect: Dialect, turn: list[dict[str, Any]]) -> None:
    assert seen(dialect, [*BEFORE[dialect], *turn, *AFTER[dialect]]) == NOTHING
    assert seen(dialect, [*BEFORE[dialect], *turn[:1]]) == NOTHING
    quiet = {
        Dialect.MESSAGES: claude("Bash", {"command": "ls"}, COMMITTED),
        Dialect.CHAT: chat("bash", {"command": "ls"}, COMMITTED),
        Dialect.RESPONSES: codex("exec_command", {"cmd": "ls"}, COMMITTED),
    }
    assert seen(dialect, [*turn, *quiet[dialect]]) == NOTHING


@pytest.mark.parametrize(("dialect", "turn"), FAILED.values(), ids=FAILED)
def test_failed_commands(dialect: Dialect, turn: list[dict[str, Any]]) -> None:
    assert seen(dialect, turn) == NOTHING


@pytest.mark.parametrize(("dialect", "turn"), NOT_OURS.values(), ids=NOT_OURS)
def test_what_is_no_command(dialect: Dialect, turn: list[dict[str, Any]]) -> None:
    assert seen(dialect, turn) == NOTHING


@pytest.mark.parametrize(("dialect", "turn"), CALLS.values(), ids=CALLS)
def test_calls_of_our_tools(dialect: Dialect, turn: list[dict[str, Any]]) -> None:
    assert seen(dialect, [*BEFORE[dialect], *turn]).calls == NAMED


def test_calls_side_by_side() -> None:
    first, second = claude("Bash", SHELL, COMMITTED), claude("Bash", SHELL, "[x 2222222] y\n")
    second[0]["content"][0]["id"] = second[1]["content"][0]["tool_use_id"] = "call_2"
    both = [
        {"role": message["role"], "content": message["content"] + other["content"]}
        for message, other in zip(first, second, strict=True)
    ]
    assert shown(seen(Dialect.MESSAGES, both)) == f"{FOUND}, branch x, commit 2222222"
    one, two = code(CODE, DONE, COMMITTED), codex("bash", SHELL, "[x 2222222] y\n")
    two[0]["call_id"] = two[1]["call_id"] = "call_2"
    calls = [*BEFORE[Dialect.RESPONSES], {"type": "reasoning", "id": "r"}, one[0], two[0]]
    found = seen(Dialect.RESPONSES, [*calls, one[1], two[1]])
    assert shown(found) == f"{FOUND}, branch x, commit 2222222"


def test_a_command_that_was_told_to_be_quiet() -> None:
    quiet = {"cmd": "git switch -qc feat/x"}
    found = seen(Dialect.RESPONSES, codex("exec_command", quiet, EXITED.format(0, "")))
    assert [(link.value, link.certain) for link in found.links] == [("feat/x", False)]
    said = claude("Bash", {"command": quiet["cmd"]}, "(Bash completed with no output)")
    assert shown(seen(Dialect.MESSAGES, said)) == "branch feat/x"


def test_half_a_surrogate_somewhere_does_not_matter() -> None:
    turn = [{"role": "user", "content": "\ud83d"}, *claude("Bash", SHELL, COMMITTED + "\udc00")]
    assert shown(seen(Dialect.MESSAGES, turn)) == FOUND


def test_large_ends() -> None:
    turn = claude("Bash", {"command": COMMIT, "description": "x" * 100_000}, COMMITTED)
    assert shown(seen(Dialect.MESSAGES, [*BEFORE[Dialect.MESSAGES], *turn])) == FOUND
    turn = claude("Bash", SHELL, COMMITTED)
    turn[1]["content"].append({"type": "text", "text": "x" * (2 << 20)})
    assert seen(Dialect.MESSAGES, turn) == NOTHING, "too far from the end"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["assistant", COMMIT, "tool_use"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["role", "type", "content", "name", "input", "tool_use_id", "output", "id"]
            ),
            inner,
        )
    ),
    max_leaves=20,
)


@given(st.sampled_from(sorted(Dialect)), _JSON)
def test_odd_conversations(dialect: Dialect, conversation: object) -> None:
    with_needle = [conversation, *SHAPES["claude code"][1], conversation]
    for odd in (conversation, with_needle):
        with suppress(Doubt, msgspec.DecodeError):  # which the gateway counts
            seen(dialect, odd)


@given(st.sampled_from(sorted(SHAPES)), st.data())
def test_broken_bodies_raise_nothing_unexpected(shape: str, data: st.DataObject) -> None:
    dialect, turn = SHAPES[shape]
    body = bytearray(body_of(dialect, turn))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        _, fields = read_members(dialect, bytes(body))
    except ValueError:
        return
    with suppress(Doubt, msgspec.DecodeError):
        look(bytes(body), fields, dialect)
