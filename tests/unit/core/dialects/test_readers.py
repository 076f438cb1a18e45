"""Usage readers at their edges: ends, errors, faults, limits, wrong content types."""

import json
import tracemalloc
from typing import Any

import pytest

from tidegate.core.dialects import UsageReader, usage_reader
from tidegate.core.model import Dialect, TokenCounts

MESSAGES, RESPONSES, CHAT = Dialect.MESSAGES, Dialect.RESPONSES, Dialect.CHAT


def reader(dialect: Dialect, *chunks: bytes, event_stream: bool = True) -> UsageReader:
    made = usage_reader(dialect, event_stream=event_stream)
    for chunk in chunks:
        made.feed(chunk)
    return made


def body(dialect: Dialect, *chunks: bytes) -> UsageReader:
    made = reader(dialect, *chunks, event_stream=False)
    made.finish()
    return made


def event(name: str, **fields: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n".encode()


def text(words: str) -> bytes:
    return event("content_block_delta", index=0, delta={"type": "text_delta", "text": words})


def words(content: str, finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish_reason}
    return b"data: " + json.dumps({"id": "c", "choices": [choice]}).encode() + b"\n\n"


START = event("message_start", message={"id": "m", "usage": {"input_tokens": 9}})
STOP = event("message_stop")
ERROR = event("error", error={"type": "overloaded_error"})


@pytest.mark.parametrize(
    ("dialect", "terminal", "failed"),
    [
        (MESSAGES, STOP, False),
        (MESSAGES, b'data: {"type":"message_stop"}\n\n', False),
        (MESSAGES, b'data:{"type": "message_stop"}\r\n\r\n', False),
        (MESSAGES, b"event: message_stop\ndata:\n\n", False),
        (MESSAGES, ERROR, True),
        (RESPONSES, event("response.completed", response={}), False),
        (RESPONSES, event("response.incomplete", response={}), False),
        (RESPONSES, event("response.cancelled", response={}), False),
        (RESPONSES, event("response.failed", response={}), True),
        (RESPONSES, b'data: {"type":"response.completed","response":{}}\n\n', False),
        (RESPONSES, event("error", code="x"), True),
        (CHAT, b"data: [DONE]\n\n", False),
        (CHAT, b"data:[DONE]\n\n", False),
        (CHAT, b'data: {"error":{"message":"x"}}\n\n', True),
        (CHAT, b'event: error\ndata: {"error":{"message":"x"}}\n\n', True),
    ],
)
def test_terminal_events(dialect: Dialect, terminal: bytes, failed: bool) -> None:
    end = 4 if terminal.endswith(b"\r\n\r\n") else 2
    observer = reader(dialect, terminal[:-end], terminal[-end:-1])
    assert not observer.done or end == 4  # CRLF ends an event with its second CR
    assert observer.may_end(b"\n") or observer.done
    observer.feed(b"\n")
    assert observer.done
    assert observer.failed is failed


@pytest.mark.parametrize(
    ("dialect", "terminal"),
    [
        (MESSAGES, STOP),
        (MESSAGES, b'data: {"type":"message_stop"}\n\n'),
        (MESSAGES, event("error", error={"type": "api_error"})),
        (RESPONSES, event("response.completed", response={})),
        (RESPONSES, event("error", code="x")),
        (CHAT, b"data: [DONE]\n\n"),
        (CHAT, b'data: {"error":{"type":"server_error"}}\n\n'),
        (CHAT, b'data: {"id":"' + b"x" * 60 + b'","error":{"type":"server_error"}}\n\n'),
    ],
)
def test_an_end_in_three_reads_is_announced_wherever_it_is_cut(
    dialect: Dialect, terminal: bytes
) -> None:
    for first in range(len(terminal) - 4):
        for second in {first, first + 1, first + 4, len(terminal) - 1}:
            observer = reader(dialect, words("first") if dialect is CHAT else START)
            observer.feed(terminal[:first])
            observer.feed(terminal[first:second])
            assert observer.may_end(terminal[second:]), (first, second)
            observer.feed(terminal[second:])
            assert observer.done, (first, second)


def test_an_error_that_begins_with_much_else_is_announced() -> None:
    terminal = b'data: {"id":"' + b"x" * 300 + b'","error":{"type":"server_error"}}\n\n'
    for at in range(len(terminal)):
        observer = reader(CHAT, words("first"), terminal[:at])
        assert observer.may_end(terminal[at:]), at


@pytest.mark.parametrize("dialect", [MESSAGES, RESPONSES])
def test_an_error_without_the_word_fails_the_stream_but_does_not_end_it(dialect: Dialect) -> None:
    nameless = b'event: error\ndata: {"message":"overloaded"}\n\n'
    observer = reader(dialect, START)
    assert not observer.may_end(nameless)
    observer.feed(nameless)
    assert observer.failed
    assert not observer.done


@pytest.mark.parametrize("blank", [b"", b"\n", b"\n\n", b"\r\n"])
def test_blank_lines_before_an_event_change_nothing(blank: bytes) -> None:
    two_names = text("Hi").rstrip(b"\n") + b"\n" + STOP
    assert not reader(MESSAGES, blank + two_names).done
    assert not reader(MESSAGES, blank, two_names).done
    alone = b"event: content_block_delta\n\n"
    assert reader(MESSAGES, START, blank + alone).fault is None
    assert reader(MESSAGES, START, blank + STOP).done


def test_a_content_event_after_half_an_event_belongs_to_it() -> None:
    half = b'data: {"type":"message_delta","usage":{"output_tokens":5}}\n'
    joined = reader(MESSAGES, START, half, b"event: content_block_delta\n: x\n\n", STOP)
    assert joined.done
    assert joined.reported().usage.tokens == TokenCounts(input=9, output=5)


def test_a_blank_line_of_returns_within_a_read_is_seen() -> None:
    two = text("Hi").rstrip(b"\n") + b'\r\rdata: {"type":"message_stop"}\n\n'
    assert reader(MESSAGES, START, two).done
    chat = words("Hi").rstrip(b"\n") + b"\r\rdata: [DONE]\n\n"
    assert reader(CHAT, words("first"), chat).done


@pytest.mark.parametrize(
    ("dialect", "chunk"),
    [
        (MESSAGES, text("the word error, a message and a stop")),
        (MESSAGES, text('{"type":"error"} and "error":')),
        (MESSAGES, event("content_block_stop", index=0)),
        (MESSAGES, event("ping")),
        (RESPONSES, event("response.output_text.delta", delta="response.completed, error")),
        (CHAT, words('a "DONE" and {"error":1}')),
    ],
)
def test_content_does_not_look_like_an_end(dialect: Dialect, chunk: bytes) -> None:
    observer = reader(dialect, words("first") if dialect is CHAT else START)
    assert not observer.may_end(chunk)
    observer.feed(chunk)
    assert not observer.may_end(chunk)
    assert not observer.done
    assert observer.fault is None


@pytest.mark.parametrize("cut", range(1, len(text("Hello"))))
def test_an_unfinished_content_event_is_not_taken_for_an_end(cut: int) -> None:
    name_bytes = len(b"event: content_block_delta\n")
    observer = reader(MESSAGES, START, text("Hello")[:cut])
    assert observer.may_end(text("Hello")[cut:]) is (cut < name_bytes)


def test_what_comes_after_the_end_is_not_counted() -> None:
    late = event("message_delta", usage={"output_tokens": 99})
    assert reader(MESSAGES, START, STOP, late).reported().usage.tokens.output == 0
    assert reader(MESSAGES, START + STOP + late).reported().usage.tokens.output == 0
    late = b'data: {"usage":{"prompt_tokens":5,"completion_tokens":99}}\n\n'
    chat = reader(CHAT, words("Hi") + b"data: [DONE]\n\n" + late)
    assert chat.reported().usage.tokens.output == 0


@pytest.mark.parametrize("rest", [b"data: [DONE]", b"data: [DONE]\n", b"data: [DONE]\r\n"])
def test_an_end_without_its_blank_line_counts_when_the_body_ends(rest: bytes) -> None:
    observer = reader(CHAT, words("Hi"), rest)
    assert not observer.done
    observer.finish()
    assert observer.done


@pytest.mark.parametrize(
    ("chunks", "done"),
    [
        ([words("Hi"), words("", "stop")], True),
        ([words("Hi"), words("", "stop") + b": bye\n\n"], True),
        ([words("Hi")], False),
        ([words('"finish_reason":"stop"')], False),
        ([], False),
    ],
)
def test_a_chat_stream_may_end_with_its_finish_reason(chunks: list[bytes], done: bool) -> None:
    observer = reader(CHAT, *chunks)
    observer.finish()
    assert observer.done is done


def test_a_cut_event_at_the_end_is_a_fault_and_keeps_the_counts() -> None:
    observer = reader(MESSAGES, START, b'event: message_delta\ndata: {"type":"mess')
    observer.finish()
    assert observer.fault
    assert not observer.done
    assert observer.reported().usage.tokens == TokenCounts(input=9)


def test_an_unreadable_event_is_a_fault_and_reading_goes_on() -> None:
    observer = reader(MESSAGES, START, b'event: message_delta\ndata: {"usage": oops}\n\n', STOP)
    assert observer.fault
    assert "JSONDecodeError" in observer.fault
    assert observer.done
    assert observer.reported().usage.tokens == TokenCounts(input=9)


@pytest.mark.parametrize(
    "usage",
    [
        b'{"output_tokens":3,"x":"\\ud83d"}',
        b'{"output_tokens":3,"x":NaN}',
        b'{"output_tokens":3,"input_tokens":' + b"9" * 6000 + b"}",
        b'{"output_tokens":3,"x":"\xff"}',
    ],
)
def test_what_only_pythons_reader_takes_is_read_all_the_same(usage: bytes) -> None:
    event = b'event: message_delta\ndata: {"type":"message_delta","usage":' + usage + b"}\n\n"
    observer = reader(MESSAGES, START, event)
    assert observer.fault is None
    assert observer.reported().usage.tokens == TokenCounts(input=9, output=3)


def test_data_over_several_lines_is_joined() -> None:
    event = b'data: {"type":"message_delta",\ndata: "usage":\ndata: {"output_tokens":3}}\n\n'
    assert reader(MESSAGES, START, event).reported().usage.tokens.output == 3


def test_deeply_nested_json_is_a_fault_at_most() -> None:
    deep = b'event: message_delta\ndata: {"usage":{"x":' + b"[" * 100_000 + b"\n\n"
    observer = reader(MESSAGES, START, deep, STOP)
    assert observer.done
    assert observer.fault


def test_an_event_of_many_megabytes_is_not_held_but_its_end_is_seen() -> None:
    huge = b'event: response.completed\ndata: {"type":"response.completed","response":{"output":"'
    observer = reader(RESPONSES, event("response.created", response={"id": "r"}), huge)
    for _ in range(9):
        observer.feed(b"x" * (1 << 20))
    assert observer.fault
    assert observer.may_end(b'"}}\n\n')
    observer.feed(b'"}}\n\n')
    assert observer.done
    assert observer.reported().usage.upstream_id == "r"


def test_content_of_many_megabytes_is_no_fault() -> None:
    observer = reader(MESSAGES, START, b"event: content_block_start\ndata: ")
    for _ in range(9):
        observer.feed(b"x" * (1 << 20))
    observer.feed(b"\n\n" + STOP)
    assert observer.done
    assert observer.fault is None


def test_a_long_answer_is_measured_without_being_held() -> None:
    observer = reader(MESSAGES, START)
    for _ in range(5000):
        observer.feed(text("four words of it, ") + text("and five more of it. "))
    reported = observer.reported()
    assert reported.output_bytes == pytest.approx(5000 * 39, rel=0.02)
    assert reported.output_deltas == pytest.approx(10_000, rel=0.02)


@pytest.mark.parametrize("dialect", Dialect)
def test_memory_is_bounded(dialect: Dialect) -> None:
    observer = reader(dialect, words("first") if dialect is CHAT else START)
    piece = {MESSAGES: text("x" * 900), CHAT: words("x" * 900)}.get(
        dialect, event("response.output_text.delta", delta="x" * 900)
    )
    tracemalloc.start()
    try:
        for _ in range(5000):
            observer.feed(bytes(bytearray(piece)))  # a read of its own each time
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held_bytes < 200_000


def test_what_is_delivered_is_measured_in_every_form() -> None:
    start = {"type": "tool_use", "name": "Bash", "input": {}}
    pieces = [
        event("content_block_start", index=0, content_block=start),
        event("content_block_delta", index=0, delta={"partial_json": '{"a":"é"}'}),
        event("content_block_delta", index=1, delta={"thinking": "Hm"}),
        event("content_block_delta", index=1, delta={"signature": "c2ln"}),
        b'data: {"type": "content_block_delta", "delta": {"text": "ab"}}\n\n',
        b"event: content_block_delta\ndata: nonsense\n\n",
    ]
    assert reader(MESSAGES, START, *pieces).reported().output_bytes == 4 + 10 + 2 + 2
    calls = [{"index": 0, "function": {"name": "ls", "arguments": "{}"}}]
    delta = {"content": "ab", "reasoning_content": "Hm", "tool_calls": calls}
    chunk = b"data: " + json.dumps({"choices": [{"delta": delta}, {"delta": None}]}).encode()
    assert reader(CHAT, chunk + b"\n\n").reported().output_bytes == 2 + 2 + 4
    named = [event("response.output_text.delta", delta="ab", obfuscation="xyz")]
    assert reader(RESPONSES, *named).reported().output_bytes == 2


def test_a_regular_end_needs_no_measure() -> None:
    final = event("message_delta", usage={"output_tokens": 1})
    reported = reader(MESSAGES, START, text("Hello"), final, STOP).reported()
    assert (reported.output_bytes, reported.output_deltas) == (0, 0)


# Bodies


def test_a_body_is_read_when_it_has_ended() -> None:
    whole = b'{"id":"m","content":[],"usage":{"input_tokens":4,"output_tokens":2}}'
    observer = reader(MESSAGES, whole[:30], event_stream=False)
    assert observer.may_end(whole[30:])
    assert not observer.may_end(whole[:30])
    observer.feed(whole[30:])
    assert not observer.done
    observer.finish()
    assert observer.done
    assert observer.reported().usage.tokens == TokenCounts(input=4, output=2)


def test_a_cut_body_tells_how_much_was_delivered() -> None:
    observer = reader(MESSAGES, b'{"id":"m","content":"' + b"x" * 979, event_stream=False)
    reported = observer.reported()
    assert (reported.prompt_known, reported.output_known) == (False, False)
    assert reported.output_bytes == 1000
    observer.finish()
    assert not observer.done
    assert observer.fault


@pytest.mark.parametrize(
    ("dialect", "content"),
    [
        (MESSAGES, {"content": [{"type": "text", "text": "Hello"}]}),
        (RESPONSES, {"output": [{"type": "message", "text": "Hello"}]}),
        (CHAT, {"choices": [{"message": {"content": "Hello"}}]}),
    ],
)
def test_a_body_without_usage_tells_the_size_of_its_content(
    dialect: Dialect, content: dict[str, Any]
) -> None:
    reported = body(dialect, json.dumps({"id": "x", **content}).encode()).reported()
    assert not reported.output_known
    assert reported.output_bytes == len(json.dumps(*content.values()))


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("content", [b"", b"<html>Bad Gateway</html>", b"[]", b'"x"', b"null"])
def test_what_is_no_answer_is_a_fault(dialect: Dialect, content: bytes) -> None:
    observer = body(dialect, content)
    assert observer.fault
    assert not observer.done


def test_a_body_beyond_the_limit_is_not_held() -> None:
    observer = reader(MESSAGES, event_stream=False)
    for _ in range(33):
        observer.feed(b" " * (1 << 20))
    observer.finish()
    assert observer.fault == "the body was too large to be read"


def test_events_under_the_name_of_json_are_read() -> None:
    observer = body(MESSAGES, START + STOP)
    assert observer.done
    assert observer.reported().usage.tokens == TokenCounts(input=9)


def test_json_under_the_name_of_an_event_stream_is_read() -> None:
    observer = reader(MESSAGES, b'{"type":"error","error":{"message":"x"}}')
    observer.finish()
    assert observer.done
    assert observer.failed
