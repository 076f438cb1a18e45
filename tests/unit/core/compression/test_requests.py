"""Tool results are found in the bytes of requests of all dialects, and odd requests are left."""

import json
from typing import Any

import pytest
from tests.tool_requests import body, conversation, numbered, reading, sent, shorten, source

from tidegate.core.compression.conversation import Conversation
from tidegate.core.compression.requests import Call, place, read_message
from tidegate.core.compression.requests_transcript import Transcript
from tidegate.core.compression.splice import Doubt
from tidegate.core.dialects import read_members
from tidegate.core.model import Dialect

ALL = pytest.mark.parametrize("dialect", list(Dialect), ids=lambda d: d.value)
TEXT = source("f1")


def texts(dialect: Dialect, message: dict[str, Any]) -> list[Any]:
    """What is found in a message: the JSON strings of results, and names of calls."""
    raw = b" " * 3 + json.dumps(message).encode()
    items = read_message(dialect, raw[3:], 3).items
    return [i.tool if isinstance(i, Call) else json.loads(raw[slice(*i.span)]) for i in items]


@ALL
def test_calls_and_results_are_found(dialect: Dialect) -> None:
    messages = conversation(dialect, [reading(1, "one"), reading(2, ["two", "three"])])
    found = [text for message in messages for text in texts(dialect, message)]
    assert found == ["Read", "one", "Read", "two", "three"]


@pytest.mark.parametrize(
    ("dialect", "message", "expected"),
    [
        (Dialect.MESSAGES, {"role": "user", "content": "tool_result"}, []),
        (Dialect.MESSAGES, {"role": "user", "content": [{"type": "text", "text": "x"}]}, []),
        (Dialect.MESSAGES, {"role": "user", "content": [{"type": "tool_result"}, 1, None]}, []),
        (
            Dialect.MESSAGES,
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "content": [{"type": "image"}, {"type": "text", "text": "a"}],
                    }
                ],
            },
            ["a"],
        ),
        (Dialect.RESPONSES, {"type": "custom_tool_call", "name": "exec", "input": "x"}, ["exec"]),
        (
            Dialect.RESPONSES,
            {
                "type": "custom_tool_call_output",
                "output": [
                    {"type": "input_text", "text": "a"},
                    {"type": "input_image", "image_url": "data:"},
                    {"type": "input_text", "text": "b"},
                ],
            },
            ["a", "b"],
        ),
        (Dialect.RESPONSES, {"type": "message", "role": "user", "content": "x"}, []),
        (Dialect.RESPONSES, {"type": "tool_search_output", "tools": []}, []),
        (Dialect.CHAT, {"role": "user", "tool_call_id": "x", "content": "x"}, []),
        (Dialect.CHAT, {"role": "tool", "tool_call_id": "x", "content": None}, []),
        (Dialect.CHAT, {"role": "assistant", "tool_calls": None}, []),
    ],
)
def test_what_is_a_result_and_what_is_not(
    dialect: Dialect, message: dict[str, Any], expected: list[str]
) -> None:
    assert texts(dialect, message) == expected


@pytest.mark.parametrize(
    ("given", "arguments"),
    [('{"a":1}', {"a": 1}), ("{broken", "{broken"), ("plain", "plain"), ("", ""), ("{}", "{}")],
)
def test_arguments_are_decoded_where_they_can_be(given: str, arguments: object) -> None:
    item = {"type": "function_call", "call_id": "c", "name": "n", "arguments": given}
    [call] = read_message(Dialect.RESPONSES, json.dumps(item).encode()).items
    assert call == Call("c", "n", arguments)


@ALL
def test_the_conversation_is_found_however_the_body_is_written(dialect: Dialect) -> None:
    for separators in ((",", ":"), (", ", ": "), (" ,\n", "\t: ")):
        request = body(dialect, [reading(1)], separators=separators)
        span = place(request, read_members(dialect, request)[1], dialect)
        assert span is not None
        assert json.loads(request[slice(*span)]) == conversation(dialect, [reading(1)])


@pytest.mark.parametrize(
    "request_body", [b'{"model":"m"}', b'{"messages":"x"}', b'{"messages":{}}']
)
def test_a_body_may_have_no_conversation(request_body: bytes) -> None:
    members = json.loads(request_body)
    assert "model" in members or place(request_body, None, Dialect.MESSAGES) is None


def test_of_two_conversations_none_is_touched() -> None:
    messages = json.dumps(conversation(Dialect.MESSAGES, [reading(1)]))
    for first, second in ((messages, messages), ("[]", messages), (messages, "[]")):
        request = f'{{"messages":{first},"messages":{second}}}'.encode()
        with pytest.raises(Doubt):
            place(request, None, Dialect.MESSAGES)


@ALL
def test_a_decoy_stays(dialect: Dialect) -> None:
    """The result's text stands elsewhere too: before, after, in other members, in other texts."""
    turns = [reading(1, TEXT), reading(2, TEXT)]
    raw = json.loads(body(dialect, turns))
    name = "input" if dialect is Dialect.RESPONSES else "messages"
    decoy = {"role": "user", "content": TEXT}
    raw = {"metadata": {"user": TEXT}, **raw, "note": TEXT}
    raw[name] = [decoy, *raw[name], decoy]
    request = json.dumps(raw, ensure_ascii=False, separators=(",", ":")).encode()
    text = json.dumps(TEXT, ensure_ascii=False).encode()
    assert request.count(text) == 6
    result = sent(dialect, request)
    assert result.count(text) == 4
    shown = json.loads(result)
    for key in ("metadata", "note", "tools"):
        assert shown[key] == raw[key]
    assert shown[name][0] == shown[name][-1] == decoy


def test_a_result_without_its_call_stays() -> None:
    messages = conversation(Dialect.MESSAGES, [reading(1)])[2:]
    request = json.dumps({"messages": messages}).encode()
    done = shorten_raw(request)
    assert done == (None, 0)


def test_a_second_result_of_a_call_stays() -> None:
    first, call, result = conversation(Dialect.MESSAGES, [reading(1)], marks=False)
    request = json.dumps({"messages": [first, call, result, result]}).encode()
    changed, faults = shorten_raw(request)
    assert changed is not None
    shown = json.loads(changed)["messages"]
    assert shown[3] == result
    assert shown[2] != result
    assert faults == 0


def test_an_id_that_is_used_again_is_answered_again() -> None:
    turns = [reading(1), reading(2)]
    again = [turns[0], type(turns[1])("call_1", "Read", turns[1].call, turns[1].result)]
    shown = json.loads(sent(Dialect.CHAT, body(Dialect.CHAT, again)))["messages"]
    assert all(m["content"] != t.result for m, t in zip(shown[2::2], again, strict=True))


def shorten_raw(request: bytes) -> tuple[bytes | None, int]:
    span = place(request, None, Dialect.MESSAGES)
    assert span is not None
    transcript = Transcript(Dialect.MESSAGES, "lossless", 1)
    done = transcript.shorten(transcript.plan(request, span), lambda: False)
    return done.body, done.faults


def test_a_doubtful_message_stays_and_is_counted() -> None:
    first, call, result = conversation(Dialect.MESSAGES, [reading(1)], marks=False)
    odd = json.dumps(result)[:-1] + ', "role": "user"}'
    _, again_call, again = conversation(Dialect.MESSAGES, [reading(2)], marks=False)
    pieces = [json.dumps(first), json.dumps(call), odd, json.dumps(again_call), json.dumps(again)]
    request = ('{"messages":[' + ",".join(pieces) + "]}").encode()
    changed, faults = shorten_raw(request)
    assert changed is not None
    assert odd.encode() in changed
    assert json.dumps(again).encode() not in changed
    assert faults == 1


@pytest.mark.parametrize(
    "text",
    [
        TEXT + "\ud83d",  # a text that was cut in the middle of an emoji
        "\udc00" + TEXT,
    ],
)
@ALL
def test_half_a_surrogate_pair_keeps_its_own_text_only(dialect: Dialect, text: str) -> None:
    turns = [reading(1, text), reading(2)]
    request = body(dialect, turns, ascii_only=True)
    result = sent(dialect, request)
    half = json.dumps(text).encode()
    assert half in result
    assert json.dumps(turns[1].result).encode() in request
    assert json.dumps(turns[1].result).encode() not in result
    assert len(result) < len(request)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0" * 5000,
        "x" * 10_000_000,
        "\u202e\u05d0" * 1000,
        "\n".join(f"{n}\tx\r" for n in range(300)),
        numbered(["a"] * 100) + "\n" + numbered(["b"] * 100, 500),
        "[tidegate: lines 1-9 as in the read 1 result above]\n" * 30,
        "a\tb\r\n" * 1000,
    ],
)
def test_odd_texts_pass_or_come_back(text: str) -> None:
    request = body(Dialect.MESSAGES, [reading(1, text), reading(2)])
    result = sent(Dialect.MESSAGES, request)
    shown, asked = json.loads(result), json.loads(request)
    shown["messages"][2] = asked["messages"][2]
    shown["messages"][4] = asked["messages"][4]
    assert shown == asked
    assert len(result) < len(request)


def test_what_is_late_goes_out_as_it_came_and_stays_so() -> None:
    dialect = Dialect.MESSAGES
    request = body(dialect, [reading(1), reading(2)])
    span = place(request, None, dialect)
    assert span is not None
    transcript = Transcript(dialect, "lossless", 1)
    asked = iter([False, True])
    done = transcript.shorten(transcript.plan(request, span), lambda: next(asked))
    assert done.body is not None
    assert done.faults == 1
    shown, came = json.loads(done.body)["messages"], json.loads(request)["messages"]
    assert shown[2] != came[2]
    assert shown[4] == came[4]
    later = shorten(transcript, dialect, body(dialect, [reading(1), reading(2), reading(3)]))
    assert later.body is not None
    shown_later = json.loads(later.body)["messages"]
    assert shown_later[2] == shown[2]
    assert "cache_control" in shown[4]["content"][0]
    assert shown_later[4]["content"][0]["content"] == came[4]["content"][0]["content"]
    assert later.faults == 1


class Failing(Conversation):
    """An engine that fails on one text."""

    def result(self, call_id: str, text: str, *, is_error: bool = False) -> str:
        if "value_f2_" in text:
            raise RuntimeError("a fault of the engine")
        return super().result(call_id, text, is_error=is_error)


@pytest.mark.parametrize("level", ["lossless", "references"])
def test_from_a_fault_of_the_engine_on_all_goes_out_as_it_came(level: str) -> None:
    dialect = Dialect.MESSAGES
    transcript = Transcript(dialect, level, 1, Failing)
    turns = [reading(n) for n in range(1, 5)]
    for count, known_faults in ((1, 0), (3, 2), (3, 0), (2, 0), (4, 2)):
        request = body(dialect, turns[:count])
        done = shorten(transcript, dialect, request)
        assert done.body is not None
        shown, came = json.loads(done.body)["messages"], json.loads(request)["messages"]
        assert shown[2] != came[2]
        assert shown[3:] == came[3:]
        assert done.faults == known_faults
