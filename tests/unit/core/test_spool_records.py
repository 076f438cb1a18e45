"""Starts and events as frames: bounded, told apart, matched."""

from typing import Any

import msgspec
import pytest
from tests.unit.jobs.events import event

from tidegate.core.frames import read_frames
from tidegate.core.model import Cost, RequestStart, TokenCounts, UsageEvent
from tidegate.core.spool_records import (
    ROOM_BYTES,
    event_frame,
    is_start,
    read_event,
    read_start,
    start_frame,
    unfinished,
)

TEXTS = [f.name for f in msgspec.structs.fields(UsageEvent) if f.type is str]
NUMBERS = [f.name for f in msgspec.structs.fields(UsageEvent) if f.type is int]
HUGE: dict[str, Any] = {
    **dict.fromkeys(TEXTS, "🌊" * 5000),
    **dict.fromkeys(NUMBERS, (1 << 64) - 1),
    "tokens": TokenCounts(*[(1 << 64) - 1] * 6),
    "cost": Cost(*[(1 << 64) - 1] * 6),
}


def payload_of(content: bytes) -> bytes:
    [payload], end = read_frames(content)
    assert end == len(content)
    return payload


def test_starts_and_events_are_told_apart() -> None:
    start = RequestStart(event(1), 4000, 17, "table")
    assert is_start(payload_of(start_frame(start)))
    assert read_start(payload_of(start_frame(start))) == start
    assert not is_start(payload_of(event_frame(event(1))))
    assert read_event(payload_of(event_frame(event(1)))) == event(1)
    assert not is_start(b"")


@pytest.mark.parametrize(
    "fields",
    [
        HUGE,
        {**HUGE, "branch": "\ud83d" * 9000},
        {"request_bytes": 1 << 80, "tokens": TokenCounts(input=-(1 << 90))},
    ],
    ids=["long", "not UTF-8", "beyond 64 bits"],
)
def test_no_frame_is_longer_than_the_room_kept_for_it(fields: dict[str, Any]) -> None:
    absurd = event(1, **fields)
    assert len(event_frame(absurd)) <= ROOM_BYTES
    assert len(start_frame(RequestStart(absurd, 1 << 70, 1 << 70, "t" * 9000))) <= ROOM_BYTES
    assert read_event(payload_of(event_frame(absurd))).event_id[:10] == absurd.event_id[:10]


def test_what_was_begun_and_did_not_end() -> None:
    starts = [payload_of(start_frame(RequestStart(event(n)))) for n in range(4)]
    events = [payload_of(event_frame(event(n))) for n in (2, 0, 7)]
    junk = [b"\x94\xc1", b"\x80", b"", b"\x90"]
    found = unfinished([starts[0], events[0], *starts[1:], *junk, *events[1:]])
    assert [read_start(p).event.event_id for p in found] == ["req_000001", "req_000003"]
