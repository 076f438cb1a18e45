"""Frames of a spool file: magic, length, checksum, payload.

A file is written to by one writer, frame after frame, and may end in a torn one; behind it a file
that was allocated ahead holds zeros. Damage in the middle (a bad disk, a truncated copy) costs the
damaged frames only, since reading resumes at the next valid one. The
magic holds bytes that occur in no UTF-8 text and payloads are msgpack, so nothing that a client
sends (a branch name, a model name) can pass for a frame when reading resumes inside a payload.
"""

import struct
import zlib
from typing import Final

import msgspec

_BEGIN: Final = b"\xff\xc1\xfe"
MAGIC: Final = _BEGIN + b"T"
SEALED: Final = _BEGIN + b"S"
"""Of frames with an encrypted payload."""
_MAGICS: Final = (MAGIC, SEALED)
_END_BYTES: Final = 64
MAX_PAYLOAD_BYTES: Final = 1 << 20
_HEADER: Final = struct.Struct("<4sII")
_CHECKED: Final = struct.Struct("<I")
MAX_FRAME_BYTES: Final = _HEADER.size + MAX_PAYLOAD_BYTES


class FrameScan(msgspec.Struct, frozen=True):
    """What one pass over a buffer found."""

    payloads: list[bytes]
    end: int  # where the next pass begins: what follows is torn, or not yet written
    damaged: int  # runs of bytes that were no frames and were skipped


def frame(payload: bytes) -> bytes:
    """The bytes that stand for `payload` in a spool file."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"payload of {len(payload)} bytes, at most {MAX_PAYLOAD_BYTES}")
    return _HEADER.pack(MAGIC, len(payload), _checksum(payload)) + payload


def sealed_frame_around(content: bytes) -> bytes:
    """What stands before an encrypted `content` to make it a frame: it need not be copied."""
    return _HEADER.pack(SEALED, len(content), _checksum_of_ends(content))


def read_frames(buffer: bytes, offset: int = 0) -> tuple[list[bytes], int]:
    """The whole frames of `buffer` from `offset` on, and where the next pass begins."""
    scan = scan_frames(buffer, offset)
    return scan.payloads, scan.end


def scan_frames(
    buffer: bytes, offset: int = 0, limit: int | None = None, *, allocated: bool = False
) -> FrameScan:
    """Like `read_frames`, at most `limit` of them; counts the damage that was skipped.

    In an `allocated` file the frames end before the file does: what is behind the last valid one
    is torn or not written yet, never damage.
    """
    payloads: list[bytes] = []
    damaged = 0
    position = offset
    while position < len(buffer) and (limit is None or len(payloads) < limit):
        if (payload := _payload_at(buffer, position)) is not None:
            payloads.append(payload)
            position += _HEADER.size + len(payload)
        elif (following := _next_frame(buffer, position + 1)) is not None:
            damaged += 1
            position = following
        elif allocated or _may_grow(buffer, position):
            break
        else:
            damaged += 1
            position = _tail(buffer, position + 1)
            break
    return FrameScan(payloads, position, damaged)


def _checksum(payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(_CHECKED.pack(len(payload))))


def _checksum_of_ends(payload: bytes) -> int:
    length = zlib.crc32(_CHECKED.pack(len(payload)))
    return zlib.crc32(payload[-_END_BYTES:], zlib.crc32(payload[:_END_BYTES], length))


def _payload_at(buffer: bytes, position: int) -> bytes | None:
    if len(buffer) - position < _HEADER.size:
        return None
    magic, length, checksum = _HEADER.unpack_from(buffer, position)
    start = position + _HEADER.size
    if magic not in _MAGICS or length > MAX_PAYLOAD_BYTES or start + length > len(buffer):
        return None
    payload = buffer[start : start + length]
    found = _checksum(payload) if magic == MAGIC else _checksum_of_ends(payload)
    return payload if found == checksum else None


def _next_frame(buffer: bytes, position: int) -> int | None:
    """Where the next valid frame begins."""
    while (position := buffer.find(_BEGIN, position)) >= 0:
        if _payload_at(buffer, position) is not None:
            return position
        position += 1
    return None


def _may_grow(buffer: bytes, position: int) -> bool:
    """Whether the bytes from `position` to the end can be the beginning of a frame."""
    rest = buffer[position : position + _HEADER.size]
    if not rest.startswith(_MAGICS) or len(rest) < _HEADER.size:
        begun = rest[: len(MAGIC)]
        return any(magic.startswith(begun) for magic in _MAGICS) and len(rest) < _HEADER.size
    _, length, _ = _HEADER.unpack(rest)
    return bool(length <= MAX_PAYLOAD_BYTES and position + _HEADER.size + length > len(buffer))


def _tail(buffer: bytes, position: int) -> int:
    """The first place from `position` on that may still become a frame, else the end."""
    while (position := buffer.find(_BEGIN[:1], position)) >= 0:
        if _may_grow(buffer, position):
            return position
        position += 1
    return len(buffer)
