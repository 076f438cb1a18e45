"""Whatever a conversation holds: only tool results change, always alike, once and for all."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tool_requests import Turn, body, reading, sent, shorten, source

from tidegate.core.compression.requests_transcript import Transcript
from tidegate.core.model import Dialect

pytestmark = pytest.mark.slow

LEVELS = ("lossless", "references", "trims")
PLAIN = st.text(st.characters(codec="utf-8"), max_size=60)
FILES = st.builds(source, st.sampled_from(["a", "b"]), st.integers(0, 60))
TEXTS = st.one_of(
    PLAIN,
    FILES,
    st.builds(lambda text, more: text + more, FILES, PLAIN),
    st.builds("\n".join, st.lists(st.sampled_from(["src/a.py", "src/b.py:3:x", "FAILED", ""]))),
)
RESULTS = st.one_of(TEXTS, st.lists(TEXTS, max_size=3))
CALLS = st.one_of(
    st.just(("Read", {"file_path": "/app/a.py"})),
    st.just(("Grep", {"pattern": "x", "output_mode": "content"})),
    st.just(("Bash", {"command": "git status", "text": source("a")})),
    st.tuples(PLAIN, st.dictionaries(PLAIN, PLAIN, max_size=2)),
)


@st.composite
def turn_lists(draw: st.DrawFn) -> list[Turn]:
    made = draw(st.lists(st.tuples(CALLS, RESULTS), min_size=1, max_size=6))
    ids = draw(st.lists(st.integers(0, 3), min_size=len(made), max_size=len(made)))
    return [
        Turn(f"c{number if draw(st.booleans()) else again}", *call, result)
        for number, (again, (call, result)) in enumerate(zip(ids, made, strict=True))
    ]


WRITTEN = st.fixed_dictionaries(
    {
        "separators": st.sampled_from([(",", ":"), (", ", ": "), ("\n,", "\t:\r")]),
        "ascii_only": st.booleans(),
    }
)


def skeleton(value: Any, dialect: Dialect) -> Any:
    """A decoded request without the texts of its tool results."""
    name = "input" if dialect is Dialect.RESPONSES else "messages"
    for message in value[name]:
        if dialect is Dialect.MESSAGES:
            for block in message["content"] if isinstance(message["content"], list) else ():
                if block["type"] == "tool_result":
                    block["content"] = blank(block["content"])
        elif dialect is Dialect.RESPONSES and "output" in message:
            message["output"] = blank(message["output"])
        elif dialect is Dialect.CHAT and message.get("role") == "tool":
            message["content"] = blank(message["content"])
    return value


def blank(content: Any) -> Any:
    return "" if isinstance(content, str) else [{**part, "text": ""} for part in content]


@pytest.mark.parametrize("dialect", list(Dialect), ids=lambda d: d.value)
@settings(max_examples=60, deadline=None)
@given(turns=turn_lists(), level=st.sampled_from(LEVELS), written=WRITTEN)
def test_nothing_but_texts_of_results_changes(
    dialect: Dialect, turns: list[Turn], level: str, written: dict[str, Any]
) -> None:
    request = body(dialect, turns, **written)
    result = sent(dialect, request, level)
    assert len(result) <= len(request)
    assert skeleton(json.loads(result), dialect) == skeleton(json.loads(request), dialect)
    assert sent(dialect, request, level) == result
    at_name = request.index(b'"input"' if dialect is Dialect.RESPONSES else b'"messages"')
    assert result[:at_name] == request[:at_name]
    end = request.rindex(b'"max_tokens"')
    assert result.endswith(request[end:])


@pytest.mark.parametrize("dialect", list(Dialect), ids=lambda d: d.value)
@settings(max_examples=40, deadline=None)
@given(turns=turn_lists(), level=st.sampled_from(LEVELS), written=WRITTEN)
def test_what_was_sent_is_sent_again_with_or_without_memory(
    dialect: Dialect, turns: list[Turn], level: str, written: dict[str, Any]
) -> None:
    transcript = Transcript(dialect, level, 1)
    before = b""
    for count in range(len(turns) + 1):
        request = body(dialect, turns[:count], marks=False, **written)
        remembered = shorten(transcript, dialect, request).body or request
        assert remembered == sent(dialect, request, level)
        messages, _ = _conversation(remembered)
        assert messages.startswith(before)
        before = messages[: messages.rindex(b"]")].rstrip()


def _conversation(request: bytes) -> tuple[bytes, bytes]:
    """A request up to the end of its conversation, and the rest."""
    end = request.rindex(b'"max_tokens"')
    return request[:end], request[end:]


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=8),
    data=st.data(),
)
def test_turns_taken_back_and_marks_that_move(
    level: str, steps: list[tuple[int, bool]], data: st.DataObject
) -> None:
    """A worker that remembers sends what one that does not would send, wherever a request cuts."""
    dialect = Dialect.MESSAGES
    turns = [reading(number, source(f"f{number % 3}")) for number in range(9)]
    transcript = Transcript(dialect, level, 1)
    for count, marks in steps:
        if data.draw(st.booleans()):
            turns[count] = reading(count, data.draw(FILES))
        request = body(dialect, turns[: count + 1], marks=marks)
        done = shorten(transcript, dialect, request)
        assert (done.body or request) == sent(dialect, request, level)
        assert done.faults == 0


def test_results_get_shorter_at_all() -> None:
    for dialect in Dialect:
        request = body(dialect, [reading(1), reading(2, [source("a"), source("b")])])
        assert len(sent(dialect, request)) < len(request) - 200
