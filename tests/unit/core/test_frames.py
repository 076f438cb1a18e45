"""Frames: whatever happens to a file, whole frames are read and nothing else passes for one."""

import pytest

from tidegate.core.frames import (
    MAGIC,
    MAX_PAYLOAD_BYTES,
    SEALED,
    frame,
    read_frames,
    scan_frames,
    sealed_frame_around,
)

A, B, C = b"alpha", b"", b"gamma" * 100
LONG_HEADER = frame(A)[:4] + (MAX_PAYLOAD_BYTES + 1).to_bytes(4, "little") + b"\0\0\0\0"


def flipped(content: bytes, index: int) -> bytes:
    return content[:index] + bytes([content[index] ^ 1]) + content[index + 1 :]


WHOLE = frame(A) + frame(B) + frame(C)
AROUND = sealed_frame_around(C) + C + frame(A)


@pytest.mark.parametrize(
    ("content", "payloads", "end", "damaged"),
    [
        (b"", [], 0, 0),
        (WHOLE, [A, B, C], len(WHOLE), 0),
        (WHOLE[:-1], [A, B], len(frame(A) + frame(B)), 0),
        (frame(A) + MAGIC, [A], len(frame(A)), 0),
        (frame(A) + MAGIC[:2], [A], len(frame(A)), 0),
        (flipped(WHOLE, 14), [B, C], len(WHOLE), 1),  # payload of A
        (flipped(WHOLE, 9), [B, C], len(WHOLE), 1),  # checksum of A
        (flipped(WHOLE, 5), [B, C], len(WHOLE), 1),  # length of A
        (flipped(WHOLE, 0), [B, C], len(WHOLE), 1),  # magic of A
        (frame(A)[:-2] + frame(C), [C], len(frame(A)) - 2 + len(frame(C)), 1),
        (b"garbage" + frame(A), [A], 7 + len(frame(A)), 1),
        (frame(A) + bytes(4096), [A], len(frame(A)) + 4096, 1),  # a power loss leaves zeros
        (frame(A) + bytes(4096) + MAGIC, [A], len(frame(A)) + 4096, 1),
        (AROUND, [C, A], len(AROUND), 0),
        (flipped(AROUND, 12), [A], len(AROUND), 1),  # at the beginning of what is sealed
        (flipped(AROUND, 12 + 499), [A], len(AROUND), 1),  # and at its end
        (flipped(AROUND, 5), [A], len(AROUND), 1),  # its length
        (AROUND[:300], [], 0, 0),
        (frame(A) + SEALED, [A], len(frame(A)), 0),
        (LONG_HEADER, [], len(LONG_HEADER), 1),
        (LONG_HEADER + frame(A), [A], len(LONG_HEADER) + len(frame(A)), 1),
    ],
)
def test_what_is_read(content: bytes, payloads: list[bytes], end: int, damaged: int) -> None:
    scan = scan_frames(content)
    assert (scan.payloads, scan.end, scan.damaged) == (payloads, end, damaged)
    assert read_frames(content) == (payloads, end)


def test_a_limit_stops_at_a_frame() -> None:
    scan = scan_frames(WHOLE, limit=2)
    assert (scan.payloads, scan.end) == ([A, B], len(frame(A) + frame(B)))
    assert scan_frames(WHOLE, scan.end).payloads == [C]


def test_a_payload_has_a_limit() -> None:
    assert read_frames(frame(bytes(MAX_PAYLOAD_BYTES)))[0] == [bytes(MAX_PAYLOAD_BYTES)]
    with pytest.raises(ValueError, match="at most"):
        frame(bytes(MAX_PAYLOAD_BYTES + 1))


def test_no_text_can_hold_the_magic() -> None:
    with pytest.raises(UnicodeDecodeError):
        MAGIC.decode()
