"""How captures stand in the workers' files until the drain has stored them: sealed, in frames."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from tidegate.core.frames import MAX_PAYLOAD_BYTES, frame, sealed_frame_around

FILES: Final = "captures-*.frames"
FREE_BYTES: Final = 64 << 20
"""So much of a disk is left to requests and their usage: no capture is written to it."""


class SealedCapture(msgspec.Struct, frozen=True, kw_only=True):
    """An encrypted capture, and whose it is."""

    event_id: str
    organization_id: str
    key_id: str
    member_id: str
    at_us: int
    truncated: bool
    ciphertext: bytes


class _Label(msgspec.Struct, frozen=True, array_like=True):
    """The first frame of a capture. Those behind it hold its ciphertext and nothing else."""

    capture: SealedCapture  # without the ciphertext
    size_bytes: int


_encoder: Final = msgspec.msgpack.Encoder()
_labels: Final = msgspec.msgpack.Decoder(_Label)


def capture_frames(capture: SealedCapture) -> list[bytes]:
    """What is to be written of a capture, one behind the other."""
    content = capture.ciphertext
    label = _Label(msgspec.structs.replace(capture, ciphertext=b""), len(content))
    written = [frame(_encoder.encode(label))]
    for at in range(0, len(content), MAX_PAYLOAD_BYTES):
        piece = content[at : at + MAX_PAYLOAD_BYTES]
        written += (sealed_frame_around(piece), piece)
    return written


class Assembly:
    """Puts captures together again. What is not whole is left out."""

    def __init__(self) -> None:
        self._label: _Label | None = None
        self._pieces: list[bytes] = []
        self._missing = 0

    def add(self, payload: bytes) -> SealedCapture | None:
        """Take the next frame's payload; the capture that it completes."""
        if self._label is None or len(payload) != min(self._missing, MAX_PAYLOAD_BYTES):
            self._begin(payload)
            return None
        self._pieces.append(payload)
        self._missing -= len(payload)
        if self._missing:
            return None
        label, self._label = self._label, None
        return msgspec.structs.replace(label.capture, ciphertext=b"".join(self._pieces))

    def _begin(self, payload: bytes) -> None:
        self._pieces = []
        try:
            self._label = _labels.decode(payload)
            self._missing = self._label.size_bytes
        except msgspec.DecodeError:  # the rest of a capture whose beginning was damaged
            self._label = None


def read_captures(payloads: Iterable[bytes]) -> Iterator[SealedCapture]:
    """The whole captures among frames."""
    assembly = Assembly()
    for payload in payloads:
        if (capture := assembly.add(payload)) is not None:
            yield capture
