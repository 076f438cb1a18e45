"""Framing of event streams: line ends, boundaries across reads, bounded memory."""

import pytest

from tidegate.core.sse import EventRuns, fields


def runs(*chunks: bytes, limit_bytes: int = 1000) -> list[bytes]:
    events = EventRuns(limit_bytes)
    return [events.push(chunk) for chunk in chunks]


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([b"data: a\n\n"], [b"data: a\n\n"]),
        ([b"data: a\n\ndata: b\n\ndata"], [b"data: a\n\ndata: b\n\n"]),
        ([b"data: a", b"\n", b"\n"], [b"", b"", b"data: a\n\n"]),
        ([b"data: a\n", b"\ndata: b\n\n"], [b"", b"data: a\n\ndata: b\n\n"]),
        ([b"data: a\n\n\n", b"\ndata: b\n\n"], [b"data: a\n\n\n", b"\ndata: b\n\n"]),
        ([b"data: a\r\n\r\n"], [b"data: a\n\n"]),
        ([b"data: a\r\n\r", b"\ndata: b\r", b"\n\r\n"], [b"data: a\n\n", b"", b"data: b\n\n"]),
        ([b"data: a\r\r"], [b"data: a\n\n"]),
        ([b"data: a\r", b"\r", b"data: b\n\r\n"], [b"", b"data: a\n\n", b"data: b\n\n"]),
        ([b"", b"\n\n", b""], [b"", b"\n\n", b""]),
    ],
)
def test_runs_end_with_a_blank_line(chunks: list[bytes], expected: list[bytes]) -> None:
    assert runs(*chunks) == expected


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (b"event: ping\ndata: {}", (b"ping", b"{}")),
        (b"data:{}\nevent:ping", (b"ping", b"{}")),
        (b"data: a\ndata:  b\n: comment\nid: 4\nretry: 9\ndata", (b"", b"a\n b")),
        (b"\xef\xbb\xbfdata: a", (b"", b"a")),
        (b": only a comment", (b"", b"")),
        (b"\ndata: a\n", (b"", b"a")),
    ],
)
def test_fields(event: bytes, expected: tuple[bytes, bytes]) -> None:
    assert fields(event) == expected


def test_an_event_beyond_the_limit_leaves_only_how_it_began() -> None:
    events = EventRuns(limit_bytes=1000)
    assert events.push(b"event: big\ndata: ") == b""
    for _ in range(50):
        assert events.push(b"x" * 100) == b""
    assert events.oversized is not None
    assert events.oversized.startswith(b"event: big\ndata: xx")
    run = events.push(b"y\n\ndata: next\n\n")
    big, _, rest = run.partition(b"\n\n")
    assert fields(big)[0] == b"big"
    assert len(big) < 300
    assert rest == b"data: next\n\n"


def test_the_end_of_an_event_beyond_the_limit_may_be_cut_too() -> None:
    events = EventRuns(limit_bytes=10)
    assert events.push(b"data: " + b"x" * 20) == b""
    assert events.push(b"x\n") == b""
    assert events.push(b"\n").endswith(b"xx\n\n")
    assert events.push(b"data: next\n\n") == b"data: next\n\n"


def test_what_has_no_end_can_be_taken_out() -> None:
    events = EventRuns()
    events.push(b"data: a\n\ndata: ")
    events.push(b"[DONE]")
    assert events.rest() == b"data: [DONE]"
    assert events.rest() == b""
