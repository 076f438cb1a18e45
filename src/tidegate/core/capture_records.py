"""How captures stand in the workers' files until the drain has stored them: sealed, in frames."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from tidegate.core.frames import MAX_PAYLOAD_BYTES, frame

FILES: Final = "captures-*.frames"
FREE_BYTES: Final = 64 << 20
"""So much of a disk is left to requests and their usage: no capture is written to it."""

_PIECE_BYTES: Final = MAX_PAYLOAD_BYTES - 4096


class SealedCapture(msgspec.Struct, frozen=True, kw_only=True):
    """An encrypted capture, and whose it is."""

    event_id: str
    organization_id: str
    key_id: str
    member_id: str
    at_us: int
    truncated: bool
    ciphertext: bytes


class _Piece(msgspec.Struct, frozen=True, array_like=True):
    event_id: str
    number: int
    is_last: bool
    content: bytes  # of a SealedCapture, encoded


_encoder: Final = msgspec.msgpack.Encoder()
_pieces: Final = msgspec.msgpack.Decoder(_Piece)
_captures: Final = msgspec.msgpack.Decoder(SealedCapture)


def capture_frames(capture: SealedCapture) -> list[bytes]:
    """The frames of a capture, to be written one behind the other."""
    content = _encoder.encode(capture)
    starts = range(0, len(content), _PIECE_BYTES)
    return [
        frame(
            _encoder.encode(
                _Piece(
                    capture.event_id,
                    number,
                    number == len(starts) - 1,
                    content[at : at + _PIECE_BYTES],
                )
            )
        )
        for number, at in enumerate(starts)
    ]


class Assembly:
    """Puts captures together again. What is not whole is left out."""

    def __init__(self) -> None:
        self._event_id = ""
        self._contents: list[bytes] = []

    def add(self, payload: bytes) -> SealedCapture | None:
        """Take the next frame's payload; the capture that it completes. DecodeError if bad."""
        piece = _pieces.decode(payload)
        if piece.number == 0:
            self._event_id, self._contents = piece.event_id, []
        elif piece.event_id != self._event_id or piece.number != len(self._contents):
            self._contents = []
            return None
        self._contents.append(piece.content)
        if not piece.is_last:
            return None
        contents, self._contents = self._contents, []
        return _captures.decode(b"".join(contents))


def read_captures(payloads: Iterable[bytes]) -> Iterator[SealedCapture]:
    """The whole captures among frames."""
    assembly = Assembly()
    for payload in payloads:
        if (capture := assembly.add(payload)) is not None:
            yield capture
