"""Usage readers on streams cut anywhere and on garbage."""

import json
from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core import estimate
from tidegate.core.dialects import Reported, UsageReader, usage_reader
from tidegate.core.model import Dialect, Usage

GOLDEN: Final = Path(__file__).parent.parent / "golden" / "replies"
STREAMS: Final = {
    dialect: [file.read_bytes() for file in sorted(GOLDEN.glob(f"{name}_*.sse"))]
    for name, dialect in (
        ("messages", Dialect.MESSAGES),
        ("responses", Dialect.RESPONSES),
        ("chat", Dialect.CHAT),
    )
}
DIALECTS: Final = st.sampled_from(list(Dialect))
LINE_ENDS: Final = st.sampled_from([b"\n", b"\r\n", b"\r"])


def fed(dialect: Dialect, chunks: Sequence[bytes], *, event_stream: bool = True) -> UsageReader:
    reader = usage_reader(dialect, event_stream=event_stream)
    for chunk in chunks:
        reader.feed(chunk)
    return reader


@st.composite
def cut_streams(draw: st.DrawFn) -> tuple[Dialect, bytes, list[bytes]]:
    """A golden stream in any line ending, cut into any reads, some of a single byte."""
    dialect = draw(DIALECTS)
    stream = draw(st.sampled_from(STREAMS[dialect])).replace(b"\r\n", b"\n")
    stream = stream.replace(b"\n", draw(LINE_ENDS))
    return dialect, stream, cut(stream, draw(st.lists(st.integers(0, len(stream)), max_size=30)))


def cut(stream: bytes, at: list[int]) -> list[bytes]:
    return [stream[a:b] for a, b in pairwise([0, *sorted(at), len(stream)])]


@given(cut_streams())
def test_chunk_boundaries_do_not_matter(case: tuple[Dialect, bytes, list[bytes]]) -> None:
    dialect, stream, chunks = case
    assert b"".join(chunks) == stream
    whole, pieces = fed(dialect, [stream]), fed(dialect, chunks)
    assert pieces.reported() == whole.reported()
    assert (pieces.done, pieces.failed, pieces.fault) == (whole.done, whole.failed, whole.fault)


@given(cut_streams())
def test_no_terminal_event_comes_unannounced(case: tuple[Dialect, bytes, list[bytes]]) -> None:
    dialect, _, chunks = case
    reader = usage_reader(dialect, event_stream=True)
    for chunk in chunks:
        announced, was_done = reader.may_end(chunk), reader.done
        reader.feed(chunk)
        assert announced or was_done or not reader.done


@given(DIALECTS, st.data())
def test_no_mixture_of_events_ends_unannounced(dialect: Dialect, data: st.DataObject) -> None:
    """Not even one in an order, and with line ends, that no provider sends."""
    events = [e for stream in STREAMS[dialect] for e in stream.replace(b"\r", b"").split(b"\n\n")]
    fragments = st.sampled_from(
        [*events, b"\n", b"\r", b": c", b"data: ", b"event: error", b"\n\n"]
    )
    ends = st.sampled_from([b"\n\n", b"\n", b"\r\n\r\n", b"\r\r", b"\n\n\n", b""])
    parts = data.draw(st.lists(st.tuples(fragments, ends), max_size=8))
    stream = b"".join(fragment + end for fragment, end in parts)
    borders = [*accumulate(len(part) for pair in parts for part in pair), 0]
    anywhere = st.integers(0, len(stream)) | st.sampled_from(borders)
    chunks = cut(stream, data.draw(st.lists(anywhere, max_size=12)))
    reader = usage_reader(dialect, event_stream=True)
    for chunk in chunks:
        announced, was_done = reader.may_end(chunk), reader.done
        reader.feed(chunk)
        assert announced or was_done or not reader.done
    whole = fed(dialect, [stream])
    assert reader.done == whole.done
    assert reader.reported().usage == whole.reported().usage


@given(cut_streams())
def test_asking_whether_it_may_end_changes_nothing(
    case: tuple[Dialect, bytes, list[bytes]],
) -> None:
    dialect, stream, chunks = case
    asked, not_asked = usage_reader(dialect, event_stream=True), fed(dialect, chunks)
    for chunk in chunks:
        asked.may_end(stream)
        asked.feed(chunk)
    assert asked.reported() == not_asked.reported()


@given(DIALECTS, st.booleans(), st.lists(st.binary(max_size=200), max_size=6), st.booleans())
def test_garbage_never_raises(
    dialect: Dialect, event_stream: bool, noise: list[bytes], finish: bool
) -> None:
    reader = fed(dialect, noise, event_stream=event_stream)
    if finish:
        reader.finish()
    assert_sane(reader)


KEYS: Final = st.sampled_from(
    [
        "type",
        "message",
        "usage",
        "error",
        "response",
        "item",
        "output",
        "choices",
        "delta",
        "id",
        "model",
        "service_tier",
        "input_tokens",
        "output_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "cache_creation",
        "ephemeral_5m_input_tokens",
        "ephemeral_1h_input_tokens",
        "server_tool_use",
        "web_search_requests",
        "iterations",
        "input_tokens_details",
        "cached_tokens",
        "cache_write_tokens",
        "output_tokens_details",
        "reasoning_tokens",
        "thinking_tokens",
        "prompt_tokens",
        "completion_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
        "prompt_cache_hit_tokens",
    ]
)
JSON: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["message_start", "message_delta", "response.completed", "error"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)
NAMES: Final = st.sampled_from(
    [
        "",
        "message_start",
        "message_delta",
        "message_stop",
        "error",
        "ping",
        "response.created",
        "response.completed",
        "response.failed",
        "response.output_item.done",
    ]
)


@given(DIALECTS, st.lists(st.tuples(NAMES, JSON), max_size=5))
def test_json_of_any_shape_never_raises(dialect: Dialect, events: list[tuple[str, Any]]) -> None:
    reader = usage_reader(dialect, event_stream=True)
    for name, value in events:
        line = f"event: {name}\n" if name else ""
        reader.feed(f"{line}data: {json.dumps(value)}\n\n".encode())
    reader.finish()
    assert_sane(reader)


@given(DIALECTS, st.dictionaries(KEYS, JSON, max_size=6))
def test_a_body_of_any_shape_never_raises(dialect: Dialect, value: Any) -> None:
    body = json.dumps(value).encode()
    reader = fed(dialect, [body], event_stream=False)
    reader.finish()
    assert_sane(reader)


def assert_sane(reader: UsageReader) -> None:
    """No count is negative, reported or completed by an estimate, and none exceeds a float."""
    reported = reader.reported()
    assert isinstance(reported, Reported)
    assert_not_negative(reported.usage)
    assert reported.output_bytes >= 0
    for dialect in Dialect:
        assert_not_negative(
            estimate.complete(
                reported,
                dialect=dialect,
                prompt_bytes=1000,
                previous_prompt_tokens=100,
                request_model="claude",
            )
        )


def assert_not_negative(usage: Usage) -> None:
    counts = msgspec.structs.asdict(usage.tokens)
    assert all(type(n) is int and 0 <= n < 1 << 53 for n in counts.values()), counts
    assert usage.tokens.reasoning <= usage.tokens.output
    assert usage.web_searches >= 0
    msgspec.json.encode(usage)


@pytest.mark.parametrize("dialect", Dialect)
def test_every_dialect_has_streams_to_cut(dialect: Dialect) -> None:
    assert len(STREAMS[dialect]) > 5
