"""The conversation of a captured request, in each of the three dialects."""

from typing import Any

import pytest

from tidegate.console.capture_messages import Block, Message, Piece, read_answer, read_conversation
from tidegate.core.model import Dialect

PNG = "iVBORw0KGgo" * 4
SCHEMA = {"type": "object"}

CLAUDE = {
    "model": "claude-opus-4-8",
    "system": [{"type": "text", "text": "You are careful."}],
    "tools": [{"name": "Bash", "description": "Runs a command.", "input_schema": SCHEMA}],
    "messages": [
        {"role": "user", "content": "Read the tide."},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "The shell knows.", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "ZW5j"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "tide"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "is_error": True,
                    "content": [
                        {"type": "text", "text": "no such command"},
                        {"type": "image", "source": {"media_type": "image/png", "data": PNG}},
                    ],
                }
            ],
        },
        {"role": "user", "content": [{"type": "document", "source": {"url": "https://x.test/a"}}]},
    ],
}
CHAT = {
    "model": "gpt-5",
    "tools": [{"type": "function", "function": {"name": "bash", "description": "Runs."}}],
    "messages": [
        {"role": "system", "content": "You are careful."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Read this."},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "The shell knows.",
            "tool_calls": [
                {"id": "call_1", "function": {"name": "bash", "arguments": '{"command":"tide"}'}},
                {"id": "call_2", "function": {"name": "bash", "arguments": "not json"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "high"},
    ],
}
RESPONSES = {
    "model": "gpt-5.5",
    "instructions": "You are careful.",
    "tools": [{"type": "web_search"}],
    "input": [
        {"role": "developer", "content": [{"type": "input_text", "text": "Be short."}]},
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Read the tide."},
                {"type": "input_image", "image_url": "https://x.test/tide.png"},
            ],
        },
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "The shell knows."}]},
        {
            "type": "function_call",
            "call_id": "c1",
            "name": "shell",
            "arguments": '{"cmd":["tide"]}',
        },
        {"type": "function_call_output", "call_id": "c1", "output": "high"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "apply_patch", "input": "*** Begin"},
        {"type": "reasoning", "encrypted_content": "gAAA"},
        {"type": "local_shell_call", "action": {"command": "ls"}},
        {"type": "item_reference", "id": "rs_1"},
    ],
}


def told(messages: list[Message]) -> list[Any]:
    """Role and blocks as short lines."""
    return [(each.role, [_line(block) for block in each.blocks]) for each in messages]


def _line(block: Block) -> str:
    pieces = [f"{p.name}={p.text}" if p.name else p.text for p in block.pieces]
    failed = "!" if block.failed else ""
    return f"{block.kind}{failed} {block.title}: {' | '.join(pieces)}".replace(" :", ":")


def test_anthropic_messages() -> None:
    assert told(read_conversation(Dialect.MESSAGES, CLAUDE)) == [
        ("system", ["tools 1: Bash=Runs a command."]),
        ("system", ["text: You are careful."]),
        ("user", ["text: Read the tide."]),
        (
            "assistant",
            [
                "thinking: The shell knows.",
                "thinking signed, its text was not sent: ",
                "text: I look.",
                "call Bash: command=tide",
            ],
        ),
        (
            "tool",
            ["result! Bash: no such command | [image/png, 44 characters of base64]"],
        ),
        ("user", ["file https://x.test/a: "]),
    ]


def test_chat_completions() -> None:
    assert told(read_conversation(Dialect.CHAT, CHAT)) == [
        ("system", ["tools 1: bash=Runs."]),
        ("system", ["text: You are careful."]),
        ("user", ["text: Read this.", "image image/png, 44 characters of base64: "]),
        (
            "assistant",
            ["thinking: The shell knows.", "call bash: command=tide", "call bash: not json"],
        ),
        ("tool", ["result bash: high"]),
    ]


def test_openai_responses() -> None:
    assert told(read_conversation(Dialect.RESPONSES, RESPONSES)) == [
        ("system", ["tools 1: web_search="]),
        ("system", ["text: You are careful."]),
        ("developer", ["text: Be short."]),
        ("user", ["text: Read the tide.", "image https://x.test/tide.png: "]),
        (
            "assistant",
            ["thinking: The shell knows.", 'call shell: cmd=[\n  "tide"\n]'],
        ),
        ("tool", ["result shell: high"]),
        (
            "assistant",
            [
                "call apply_patch: *** Begin",
                "thinking encrypted: ",
                "call local_shell_call: command=ls",
            ],
        ),
        ("", ['other item_reference: {\n  "type": "item_reference",\n  "id": "rs_1"\n}']),
    ]
    assert told(read_conversation(Dialect.RESPONSES, {"input": "Hello"})) == [
        ("user", ["text: Hello"])
    ]


WHOLE = [
    (
        Dialect.MESSAGES,
        {"content": [{"type": "text", "text": "High."}], "stop_reason": "end_turn"},
        [("assistant", ["text: High."])],
    ),
    (
        Dialect.CHAT,
        {"choices": [{"message": {"content": "High."}}]},
        [("assistant", ["text: High."])],
    ),
    (
        Dialect.RESPONSES,
        {"output": [{"type": "message", "role": "assistant", "content": "High."}]},
        [("assistant", ["text: High."])],
    ),
    (
        Dialect.CHAT,
        {"error": {"type": "rate_limit", "message": "Slow down."}},
        [("assistant", ["error! rate_limit: Slow down."])],
    ),
    (Dialect.MESSAGES, {"error": "no"}, [("assistant", ["error!: no"])]),
]


@pytest.mark.parametrize(("dialect", "value", "expected"), WHOLE)
def test_answers_that_came_whole(dialect: Dialect, value: Any, expected: Any) -> None:
    assert told(read_answer(dialect, value)) == expected


ODD: list[Any] = [
    None, 1, "x", [], {}, {"messages": 3}, {"messages": [3, None, {}, {"content": 5}]},
    {"messages": [{"role": 7, "content": [None, 4, {"type": []}, {"type": "text", "text": 1}]}]},
    {"messages": [{"role": "tool", "content": {"a": 1}}], "tools": [1, {"function": 2}, {}]},
    {"messages": [{"role": "assistant", "tool_calls": [1, {"function": 1}, {"function": {}}]}]},
    {"input": [1, {"type": 4}, {"type": "reasoning", "summary": 2}, {"type": "x_call"}]},
    {"system": {"a": 1}, "instructions": 4, "output": {}, "content": {"b": 2}, "choices": [1, {}]},
    {"messages": [{"content": [{"type": "image"}, {"type": "file", "file": 3}]}]},
    {"messages": [{"content": [{"type": "tool_result", "content": [[]], "tool_use_id": {}}]}]},
]  # fmt: skip


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize("value", ODD)
def test_nothing_is_too_odd(dialect: Dialect, value: Any) -> None:
    assert isinstance(read_conversation(dialect, value), list)
    assert isinstance(read_answer(dialect, value), list)


def test_what_is_unknown_is_shown_as_it_is() -> None:
    body = {"messages": [{"role": "user", "content": [{"type": "hologram", "depth": 3}]}]}
    [message] = read_conversation(Dialect.MESSAGES, body)
    text = '{\n  "type": "hologram",\n  "depth": 3\n}'
    assert message.blocks == [Block("other", [Piece(text, is_code=True)], "hologram")]
