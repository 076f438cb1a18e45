"""Answers put together from their events, whole, cut and broken."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tidegate.console.capture_answer import read_events, read_response
from tidegate.core.captures import Part
from tidegate.core.model import Dialect

REQUESTS = Path(__file__).parents[2] / "golden" / "requests"
STREAM = [("Content-Type", "text/event-stream; charset=utf-8")]


def stream(*events: Any, named: bool = True) -> Part:
    lines = []
    for event in events:
        name = f"event: {event['type']}\n" if named and "type" in event else ""
        lines.append(f"{name}data: {msgspec.json.encode(event).decode()}\n\n")
    return Part(STREAM, "".join(lines).encode())


def told(dialect: Dialect, part: Part) -> tuple[list[tuple[str, str, list[str]]], str]:
    answer = read_response(dialect, part)
    blocks = [
        (
            block.kind,
            block.title,
            [f"{p.name}={p.text}" if p.name else p.text for p in block.pieces],
        )
        for message in answer.messages
        for block in message.blocks
    ]
    return blocks, answer.ended


def test_anthropic_messages() -> None:
    def delta(index: int, **what: str) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": index, "delta": what}

    part = stream(
        {"type": "message_start", "message": {"content": []}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking"}},
        delta(0, thinking="The "),
        delta(0, thinking="shell."),
        delta(0, signature="c2ln"),
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        delta(1, text="I "),
        delta(1, text="look."),
        {
            "type": "content_block_start",
            "index": 2,
            "content_block": {"type": "tool_use", "name": "Bash", "input": {}},
        },
        delta(2, partial_json='{"comm'),
        delta(2, partial_json='and": "tide"}'),
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
        {"type": "message_stop"},
    )
    assert told(Dialect.MESSAGES, part) == (
        [
            ("thinking", "", ["The shell."]),
            ("text", "", ["I look."]),
            ("call", "Bash", ["command=tide"]),
        ],
        "tool_use",
    )


def test_chat_completions() -> None:
    def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
        return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    def called(**function: str) -> list[Any]:
        return [{"index": 0, "function": function}]

    part = stream(
        chunk(role="assistant", content=""),
        chunk(reasoning_content="Hm."),
        chunk(content="I "),
        chunk(content="look."),
        chunk(tool_calls=called(name="bash", arguments="")),
        chunk(tool_calls=called(arguments='{"command":')),
        chunk(tool_calls=called(arguments='"tide"}')),
        chunk(finish="tool_calls"),
        {"choices": [], "usage": {"prompt_tokens": 3}},
    )
    part = msgspec.structs.replace(part, body=part.body + b"data: [DONE]\n\n")
    assert told(Dialect.CHAT, part) == (
        [("thinking", "", ["Hm."]), ("text", "", ["I look."]), ("call", "bash", ["command=tide"])],
        "tool_calls",
    )


ITEM = {"type": "function_call", "name": "shell", "arguments": '{"cmd":"tide"}'}
RESPONSES_EVENTS: list[dict[str, Any]] = [
    {"type": "response.created", "response": {"status": "in_progress", "output": []}},
    {
        "type": "response.output_item.added",
        "output_index": 0,
        "item": {"type": "message", "role": "assistant", "content": []},
    },
    {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "I "},
    {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "look."},
    {
        "type": "response.output_item.added",
        "output_index": 1,
        "item": {**ITEM, "arguments": "{}"},
    },
    {
        "type": "response.function_call_arguments.delta",
        "output_index": 1,
        "delta": '{"cmd":"tide"}',
    },
]


def test_openai_responses() -> None:
    cut = stream(*RESPONSES_EVENTS)
    blocks = [("text", "", ["I look."]), ("call", "shell", ["cmd=tide"])]
    assert told(Dialect.RESPONSES, cut) == (blocks, "in_progress")
    item = {"type": "response.output_item.done", "output_index": 1, "item": ITEM}
    assert told(Dialect.RESPONSES, stream(*RESPONSES_EVENTS, item))[0] == blocks
    whole = {"type": "response.completed", "response": {"status": "completed", "output": [ITEM]}}
    assert told(Dialect.RESPONSES, stream(*RESPONSES_EVENTS, whole)) == (blocks[1:], "completed")
    reasoning = [
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning"}},
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "Hm."},
    ]
    assert told(Dialect.RESPONSES, stream(*reasoning))[0] == [("thinking", "", ["Hm."])]


@pytest.mark.parametrize(
    ("name", "dialect"),
    [
        ("claude_code", Dialect.MESSAGES),
        ("codex", Dialect.RESPONSES),
        ("opencode", Dialect.CHAT),
    ],
)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_cut_stream_shows_what_came(name: str, dialect: Dialect, line_end: bytes) -> None:
    body = (REQUESTS / f"{name}.cut.sse").read_bytes().replace(b"\n", line_end)
    answer = read_response(dialect, Part(STREAM, body))
    [message] = answer.messages
    text = message.blocks[0].pieces[0].text
    assert text == (REQUESTS / "delivered.txt").read_text().rstrip("\n")
    assert message.blocks[1].kind == "call"
    assert answer.events[-1].number == len(answer.events) > 100


def test_errors_in_a_stream() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}}
    expected = [("error", "overloaded_error", ["Busy"])]
    for dialect in Dialect:
        assert told(dialect, stream(error))[0] == expected
    failed = {"type": "response.failed", "response": {"error": {"message": "Busy"}, "output": []}}
    assert told(Dialect.RESPONSES, stream(failed))[0] == [("error", "", ["Busy"])]


def test_events_by_name_number_and_data() -> None:
    body = b': hello\n\nevent: ping\ndata: {}\n\ndata: {"object":"chat.completion.chunk"}\n\nda'
    events = read_events(body)
    assert [(e.number, e.name, e.data) for e in events] == [
        (1, "", b": hello"),
        (2, "ping", b"{}"),
        (3, "chat.completion.chunk", b'{"object":"chat.completion.chunk"}'),
        (4, "", b"da"),
    ]
    assert read_events(b"") == read_events(b"\n\n") == []


@pytest.mark.parametrize("dialect", list(Dialect))
def test_no_stream_is_too_odd(dialect: Dialect) -> None:
    odd: list[Any] = [
        1, [], {"delta": 5, "index": {}}, {"choices": 3}, {"choices": [2, {"delta": 4}]},
        {"choices": [{"delta": {"tool_calls": [3, {"function": 2}, {"index": []}]}}]},
        {"response": 4, "item": 3, "output_index": []}, {"delta": "x", "type": "a"},
        {"content_block": {"text": 3}, "index": 0}, {"delta": {"text": "y"}, "index": 0},
    ]  # fmt: skip
    part = Part(STREAM, b"".join(b"data: " + msgspec.json.encode(each) + b"\n\n" for each in odd))
    assert len(read_response(dialect, part).events) == len(odd)


def test_an_answer_that_is_no_message() -> None:
    answer = read_response(Dialect.MESSAGES, Part([], b"<html>502</html>"))
    assert answer.messages == []
    assert "It is no JSON" in answer.fault
    assert read_response(Dialect.MESSAGES, Part([], b"{}")).fault == (
        "It holds no message that is known."
    )
