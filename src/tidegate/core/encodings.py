"""Decode content-encodings on a copy, within a limit: what is decoded is read, never forwarded."""

import zlib
from collections.abc import Callable
from typing import Final, Protocol

import zstandard

_STEP_BYTES: Final = 256 << 10
# A zstd block of four bytes may stand for 128 KB, and its decoder cannot be told when to stop: so
# little is given to it at once that what comes out of one step stays within some megabytes.
_ZSTD_STEP_BYTES: Final = 256
_ZSTD_WINDOW_BYTES: Final = 8 << 20  # what RFC 9659 lets a sender use
_MOST_CODINGS: Final = 3


class EncodingFault(ValueError):
    """The bytes are not what their content-encoding says, or the coding is not known."""


class DecodedTooLarge(EncodingFault):
    """The decoded form passes the limit."""


class _Decoder(Protocol):
    def feed(self, chunk: bytes) -> bytes: ...
    def finish(self) -> None: ...


class StreamDecoder:
    """Decode a body as it comes. `limit_bytes` is for all that comes out, over its whole life."""

    def __init__(self, encoding: str, limit_bytes: int) -> None:
        codings = [name.strip() for name in encoding.lower().split(",")]
        codings = [name for name in codings if name not in {"", "identity"}]
        if len(codings) > _MOST_CODINGS:
            raise EncodingFault(f"content-encoding {encoding[:60]!r} names too many codings")
        budget = _Budget(limit_bytes)
        self._budget = budget
        self._chain = [_decoder(name, budget) for name in reversed(codings)]

    def feed(self, chunk: bytes) -> bytes:
        """Decode one read; raise `EncodingFault` (`DecodedTooLarge`) once and for all."""
        if not self._chain:
            self._budget.spend(len(chunk))
        for decoder in self._chain:
            chunk = decoder.feed(chunk)
        return chunk

    def finish(self) -> None:
        """Say that the body has ended; raise if it was cut."""
        for decoder in self._chain:
            decoder.finish()


def decode_body(encoding: str, body: bytes, limit: int) -> bytes:
    """Decode a whole body of at most `limit` bytes when decoded."""
    decoder = StreamDecoder(encoding, limit)
    decoded = decoder.feed(body)
    decoder.finish()
    return decoded


class _Budget:
    """Bytes that may still come out of each decoder of a chain."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._left = limit_bytes

    def spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise DecodedTooLarge(f"the decoded body is larger than {self.limit_bytes} bytes")


def _decoder(name: str, budget: _Budget) -> _Decoder:
    own = _Budget(budget.limit_bytes)
    if name in {"gzip", "x-gzip"}:
        return _Zlib(lambda _: zlib.decompressobj(wbits=31), own)
    if name == "deflate":
        return _Zlib(_deflate, own)
    if name == "zstd":
        return _Zstd(own)
    raise EncodingFault(f"content-encoding {name[:60]!r} is not one that can be read")


def _deflate(start: bytes) -> "zlib._Decompress":
    """With the zlib header that the standard asks for, or bare as some senders have it."""
    has_header = len(start) < 2 or (
        start[0] & 0x0F == 8 and int.from_bytes(start[:2], "big") % 31 == 0
    )
    return zlib.decompressobj(wbits=15 if has_header else -15)


class _Zlib:
    """gzip, of one or several members, and deflate."""

    def __init__(self, new: Callable[[bytes], "zlib._Decompress"], budget: _Budget) -> None:
        self._new = new
        self._budget = budget
        self._member: zlib._Decompress | None = None
        self._start = b""
        self._members = 0

    def feed(self, chunk: bytes) -> bytes:
        out: list[bytes] = []
        while chunk:
            if self._member is None:
                chunk = self._open(chunk)
            else:
                chunk = self._decode(self._member, chunk, out)
        return b"".join(out)

    def finish(self) -> None:
        if self._member is not None or self._start or not self._members:
            raise EncodingFault("the compressed body ends too early")

    def _decode(self, member: "zlib._Decompress", chunk: bytes, out: list[bytes]) -> bytes:
        """Decode up to the member's end; return what comes after it."""
        while not member.eof:
            try:
                piece = member.decompress(chunk, _STEP_BYTES)
            except zlib.error as error:
                raise EncodingFault(f"the compressed body is damaged: {error}") from None
            self._budget.spend(len(piece))
            out.append(piece)
            chunk = member.unconsumed_tail
            if not chunk and len(piece) < _STEP_BYTES:
                break
        if not member.eof:
            return b""
        self._member = None
        return member.unused_data

    def _open(self, chunk: bytes) -> bytes:
        """Begin a member; zeros that some senders fill up with after one are passed over."""
        start = self._start + chunk
        if self._members:
            start = start.lstrip(b"\0")
        if len(start) < 2:
            self._start = start
            return b""
        self._start = b""
        self._members += 1
        self._member = self._new(start)
        return start


class _Zstd:
    """zstd, of one or several frames."""

    def __init__(self, budget: _Budget) -> None:
        self._budget = budget
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._frames = 0

    def feed(self, chunk: bytes) -> bytes:
        out: list[bytes] = []
        for at in range(0, len(chunk), _ZSTD_STEP_BYTES):
            step = chunk[at : at + _ZSTD_STEP_BYTES]
            while step:
                step = self._decode(step, out)
        return b"".join(out)

    def finish(self) -> None:
        if self._frame is not None or not self._frames:
            raise EncodingFault("the compressed body ends too early")

    def _decode(self, step: bytes, out: list[bytes]) -> bytes:
        """Decode up to the frame's end; return what comes after it."""
        if self._frame is None:
            dctx = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
            self._frame = dctx.decompressobj()
            self._frames += 1
        try:
            piece = self._frame.decompress(step)
        except zstandard.ZstdError as error:
            raise EncodingFault(f"the compressed body is damaged: {error}") from None
        self._budget.spend(len(piece))
        out.append(piece)
        if not self._frame.eof:
            return b""
        rest = self._frame.unused_data
        self._frame = None
        return rest
