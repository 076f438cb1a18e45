"""Requests of agents in all three dialects, with tool calls and results, turn by turn."""

import json
from typing import Any

import msgspec

from tidegate.core.compression.requests import place
from tidegate.core.compression.requests_transcript import Shortened, Transcript
from tidegate.core.dialects import read_members
from tidegate.core.model import Dialect

PATHS = {
    Dialect.MESSAGES: "/v1/messages",
    Dialect.RESPONSES: "/v1/responses",
    Dialect.CHAT: "/v1/chat/completions",
}


def numbered(lines: list[str], first: int = 1) -> str:
    """What Claude Code's older Read prints."""
    return "\n".join(f"{number:6}→{line}" for number, line in enumerate(lines, first))


def source(name: str, lines: int = 40) -> str:
    """The result of reading a file of that name."""
    return numbered([f"    value_{name}_{n} = compute({n})  # “tide”\t{n}" for n in range(lines)])


class Turn(msgspec.Struct, frozen=True):
    """A call with its result: a text, or several."""

    call_id: str
    tool: str
    call: dict[str, Any]
    result: str | list[str]


def reading(number: int, text: str | list[str] | None = None) -> Turn:
    """A read of a file of its own."""
    name = f"f{number}"
    call = {"file_path": f"/app/{name}.py"}
    return Turn(f"call_{number}", "Read", call, source(name) if text is None else text)


def conversation(dialect: Dialect, turns: list[Turn], *, marks: bool = True) -> list[Any]:
    """The messages; the last one has a cache mark, which moves from turn to turn."""
    messages: list[Any] = [{"role": "user", "content": "Hello"}]
    for turn in turns:
        messages += _OF[dialect](turn)
    if marks and turns and dialect is Dialect.MESSAGES:
        messages[-1]["content"][-1]["cache_control"] = {"type": "ephemeral"}
    return messages


def body(
    dialect: Dialect,
    turns: list[Turn],
    *,
    separators: tuple[str, str] = (",", ":"),
    ascii_only: bool = False,
    marks: bool = True,
) -> bytes:
    """The request as a client would write it."""
    name = "input" if dialect is Dialect.RESPONSES else "messages"
    request = {
        "model": "claude-sonnet-4-5" if dialect is Dialect.MESSAGES else "gpt-5.5",
        name: conversation(dialect, turns, marks=marks),
        "max_tokens": 9,
        "tools": [{"name": "Read", "description": source("f0")}],
    }
    text = json.dumps(request, separators=separators, ensure_ascii=ascii_only)
    return text.encode("utf-8", "surrogatepass")


def shorten(transcript: Transcript, dialect: Dialect, request: bytes) -> Shortened:
    """What the transcript makes of a request."""
    span = place(request, read_members(dialect, request)[1], dialect)
    assert span is not None
    return transcript.shorten(transcript.plan(request, span), lambda: False)


def sent(dialect: Dialect, request: bytes, level: str = "lossless") -> bytes:
    """A request as it goes out of a worker that never saw its conversation."""
    return shorten(Transcript(dialect, level, 1), dialect, request).body or request


def _of_messages(turn: Turn) -> list[Any]:
    call = {"type": "tool_use", "id": turn.call_id, "name": turn.tool, "input": turn.call}
    result = {
        "type": "tool_result",
        "tool_use_id": turn.call_id,
        "content": _parts(turn, "text"),
    }
    return [
        {"role": "assistant", "content": [{"type": "text", "text": "I look."}, call]},
        {"role": "user", "content": [result]},
    ]


def _of_responses(turn: Turn) -> list[Any]:
    call = {
        "type": "function_call",
        "call_id": turn.call_id,
        "name": turn.tool,
        "arguments": json.dumps(turn.call),
    }
    output = {
        "type": "function_call_output",
        "call_id": turn.call_id,
        "output": _parts(turn, "input_text"),
    }
    return [call, output]


def _of_chat(turn: Turn) -> list[Any]:
    function = {"name": turn.tool, "arguments": json.dumps(turn.call)}
    calls = [{"id": turn.call_id, "type": "function", "function": function}]
    return [
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": turn.call_id, "content": _parts(turn, "text")},
    ]


def _parts(turn: Turn, kind: str) -> Any:
    if isinstance(turn.result, str):
        return turn.result
    return [{"type": kind, "text": text} for text in turn.result]


_OF = {
    Dialect.MESSAGES: _of_messages,
    Dialect.RESPONSES: _of_responses,
    Dialect.CHAT: _of_chat,
}
