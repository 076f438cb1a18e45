"""Content-encodings: in any reads, several members, damage, and bombs."""

import gzip
import zlib
from collections.abc import Callable

import pytest
import zstandard

from tidegate.core.encodings import DecodedTooLarge, EncodingFault, StreamDecoder, decode_body

TEXT = b'{"usage":{"input_tokens":12,"output_tokens":9}}' * 3000


def bare_deflate(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(body) + compressor.flush()


ENCODED = {
    "gzip": ("gzip", gzip.compress(TEXT, mtime=0)),
    "x-gzip": ("x-gzip", gzip.compress(TEXT, mtime=0)),
    "gzip of two members": (
        "gzip",
        gzip.compress(TEXT[:99], mtime=0) + gzip.compress(TEXT[99:], mtime=0),
    ),
    "gzip filled up with zeros": ("gzip", gzip.compress(TEXT, mtime=0) + b"\0" * 9),
    "deflate": ("deflate", zlib.compress(TEXT)),
    "bare deflate": ("deflate", bare_deflate(TEXT)),
    "zstd": ("zstd", zstandard.compress(TEXT)),
    "zstd of two frames": ("zstd", zstandard.compress(TEXT[:99]) + zstandard.compress(TEXT[99:])),
    "two codings": ("gzip, zstd", zstandard.compress(gzip.compress(TEXT, mtime=0))),
    "spelled in capitals": ("GZIP", gzip.compress(TEXT, mtime=0)),
}
PLAIN = {"identity": ("identity", TEXT), "none": ("", TEXT)}


@pytest.mark.parametrize("name", [*ENCODED, *PLAIN])
def test_a_whole_body(name: str) -> None:
    encoding, body = {**ENCODED, **PLAIN}[name]
    assert decode_body(encoding, body, len(TEXT)) == TEXT


@pytest.mark.parametrize("piece_bytes", [1, 100])
@pytest.mark.parametrize("name", [*ENCODED, *PLAIN])
def test_a_body_in_pieces(name: str, piece_bytes: int) -> None:
    encoding, body = {**ENCODED, **PLAIN}[name]
    decoder = StreamDecoder(encoding, len(TEXT))
    pieces = [body[at : at + piece_bytes] for at in range(0, len(body), piece_bytes)]
    assert b"".join(decoder.feed(piece) for piece in pieces) == TEXT
    decoder.finish()


@pytest.mark.parametrize("name", [*ENCODED, *PLAIN])
def test_the_limit_is_for_what_comes_out(name: str) -> None:
    encoding, body = {**ENCODED, **PLAIN}[name]
    with pytest.raises(DecodedTooLarge, match="larger than"):
        decode_body(encoding, body, len(TEXT) - 1)


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstandard.compress)],
)
def test_a_bomb_is_stopped_early(encoding: str, compress: Callable[[bytes], bytes]) -> None:
    bomb = compress(b"\0" * (64 << 20))
    with pytest.raises(DecodedTooLarge):
        StreamDecoder(encoding, 1 << 20).feed(bomb)


@pytest.mark.parametrize("name", [n for n in ENCODED if n != "gzip filled up with zeros"])
def test_a_cut_body_is_a_fault(name: str) -> None:
    encoding, body = ENCODED[name]
    with pytest.raises(EncodingFault, match="too early"):
        decode_body(encoding, body[:-3], len(TEXT))


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", b"this is no gzip"),
        ("deflate", b"\x78\x9cthis is no deflate"),
        ("zstd", b"this is no zstd"),
        ("gzip", b""),
        ("zstd", b""),
        ("gzip", gzip.compress(TEXT, mtime=0) + b"and more"),
    ],
)
def test_what_is_not_as_it_says_is_a_fault(encoding: str, body: bytes) -> None:
    with pytest.raises(EncodingFault):
        decode_body(encoding, body, 1 << 20)


@pytest.mark.parametrize("encoding", ["br", "compress", "gzip, br", "gzip,gzip,gzip,gzip", "\x00"])
def test_an_unknown_coding_is_a_fault(encoding: str) -> None:
    with pytest.raises(EncodingFault, match="content-encoding"):
        StreamDecoder(encoding, 1 << 20)
