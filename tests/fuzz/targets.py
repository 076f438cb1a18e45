"""What must hold for any bytes. Each target raises if something does not.

The same functions are fuzzed (`make fuzz`) and replayed over the corpus by a plain test.
"""

import json
import zlib
from collections.abc import Callable
from typing import Any, Final

import zstandard
from tests.fuzz.client_side import BODY_LIMIT, read_as_server
from tests.fuzz.pieces import cut, take, take_pieces
from tests.fuzz.upstream_side import read_as_client
from tests.wire.http1 import split_responses

from tidegate.core.dialects import MalformedBody, UsageReader, read_request, usage_reader
from tidegate.core.encodings import EncodingFault, StreamDecoder
from tidegate.core.frames import MAGIC, frame, scan_frames
from tidegate.core.model import Dialect
from tidegate.core.sse import EventRuns, fields

DIALECTS: Final = tuple(Dialect)
CODINGS: Final = ("gzip", "deflate", "zstd", "gzip, zstd", "identity", "br")
DECODED_LIMIT: Final = 100_000


def request_framing(data: bytes) -> None:
    """However a request's bytes are cut, the same requests are read and the same answers given."""
    stream, pieces = take_pieces(data)
    whole, cut_up = read_as_server([stream]), read_as_server(pieces)
    assert whole.requests == cut_up.requests
    assert (whole.refused, whole.too_large) == (cut_up.refused, cut_up.too_large)
    assert whole.answers == cut_up.answers
    assert whole.closed == cut_up.closed
    answers = split_responses(whole.answers, [r.method.decode() for r in whole.requests])
    assert len(answers) == len(whole.requests) + len(whole.refused) + whole.too_large
    assert all(answer.complete for answer in answers)
    assert all(len(request.body) <= BODY_LIMIT for request in whole.requests)


def answer_framing(data: bytes) -> None:
    """However an upstream's bytes are cut, the same answer is delivered, and ended once."""
    stream, pieces = take_pieces(data)
    whole, _ = read_as_client([stream])
    cut_up, _ = read_as_client(pieces)
    assert whole == cut_up


def request_body(data: bytes) -> None:
    """What is read of a request's body is what any JSON reader reads there."""
    choice, body = take(data, len(DIALECTS))
    try:
        facts = read_request(DIALECTS[choice], body)
    except MalformedBody:
        return
    pairs = _members(body)
    if pairs is None:
        return
    named = [value for name, value in pairs if name == "model"]
    assert named == [facts.model]
    streamed = [value for name, value in pairs if name == "stream"]
    assert len(streamed) <= 1
    assert facts.stream == bool(streamed and streamed[0])


def _members(body: bytes) -> list[tuple[str, Any]] | None:
    """The outermost members as Python reads them, None where it cannot."""
    found: list[list[tuple[str, Any]]] = []

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found[:] = [pairs]
        return dict(pairs)

    encoding = json.detect_encoding(body)
    try:
        json.loads(body.decode(encoding, "replace"), object_pairs_hook=keep, parse_int=lambda _: 0)
    except (ValueError, RecursionError):
        return None
    return found[0]


def event_usage(data: bytes) -> None:
    """A streamed answer is metered alike however it is cut; its end never comes unannounced."""
    choice, data = take(data, len(DIALECTS))
    stream, pieces = take_pieces(data)
    whole = _fed(DIALECTS[choice], [stream], event_stream=True)
    cut_up = _fed(DIALECTS[choice], pieces, event_stream=True)
    assert _state(whole) == _state(cut_up)
    whole.finish()
    cut_up.finish()
    assert _state(whole) == _state(cut_up)


def body_usage(data: bytes) -> None:
    """An answer of one body is metered alike however it is cut."""
    choice, data = take(data, len(DIALECTS))
    stream, pieces = take_pieces(data)
    whole = _fed(DIALECTS[choice], [stream], event_stream=False)
    cut_up = _fed(DIALECTS[choice], pieces, event_stream=False)
    whole.finish()
    cut_up.finish()
    assert _state(whole) == _state(cut_up)


def _fed(dialect: Dialect, pieces: list[bytes], *, event_stream: bool) -> UsageReader:
    reader = usage_reader(dialect, event_stream=event_stream)
    for piece in pieces:
        announced, was_done = reader.may_end(piece), reader.done
        reader.feed(piece)
        assert announced or was_done or not reader.done, "an end that was not announced"
        assert reader.done or not was_done, "an end that was taken back"
    return reader


def _state(reader: UsageReader) -> tuple[object, ...]:
    """What must not depend on the reads. How much was delivered is known to a read's precision."""
    reported = reader.reported()
    tokens = reported.usage.tokens
    assert min(tokens.input, tokens.output, tokens.cache_read, tokens.reasoning) >= 0
    assert min(tokens.cache_write_5m, tokens.cache_write_1h, reported.output_bytes) >= 0
    return (
        reader.done,
        reader.failed,
        reader.fault is None,
        reported.usage,
        reported.prompt_known,
        reported.output_known,
    )


def event_runs(data: bytes) -> None:
    """However a stream is cut, the same events come out of it."""
    stream, pieces = take_pieces(data)
    assert _events([stream]) == _events(pieces)


def _events(pieces: list[bytes]) -> list[tuple[bytes, bytes]]:
    runs = EventRuns()
    text = b"".join(runs.push(piece) for piece in pieces) + runs.rest()
    return [found for event in text.split(b"\n\n") if (found := fields(event)) != (b"", b"")]


def content_coding(data: bytes) -> None:
    """An encoded body decodes alike however it is cut, never beyond the limit."""
    choice, data = take(data, len(CODINGS))
    encoded, pieces = take_pieces(data)
    whole, cut_up = _decoded(CODINGS[choice], [encoded]), _decoded(CODINGS[choice], pieces)
    assert whole == cut_up
    assert whole is None or len(whole) <= DECODED_LIMIT
    plain = encoded[: DECODED_LIMIT // 2]
    for name, packed in (
        ("gzip", zlib.compress(plain, wbits=31)),
        ("deflate", zlib.compress(plain, wbits=15)),
        ("zstd", zstandard.compress(plain)),
    ):
        assert _decoded(name, cut(packed, 4, choice)) == plain


def _decoded(coding: str, pieces: list[bytes]) -> bytes | None:
    try:
        decoder = StreamDecoder(coding, DECODED_LIMIT)
        out = b"".join(decoder.feed(piece) for piece in pieces)
        decoder.finish()
    except EncodingFault:
        return None
    return out


def spool_frames(data: bytes) -> None:
    """Whatever stands before it, a whole frame is found; what is torn waits."""
    noise, pieces = take_pieces(data)
    scan = scan_frames(noise)
    assert 0 <= scan.end <= len(noise)
    assert sum(map(len, scan.payloads)) <= len(noise)
    payload = b"".join(pieces[:1]).replace(MAGIC[:1], b"")  # no frame of its own inside
    framed = frame(payload)
    assert scan_frames(noise + framed).payloads[-1:] == [payload]
    torn = scan_frames(framed[:-1])
    assert (torn.payloads, torn.end, torn.damaged) == ([], 0, 0)


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    target.__name__: target
    for target in (
        request_framing,
        answer_framing,
        request_body,
        event_usage,
        body_usage,
        event_runs,
        content_coding,
        spool_frames,
    )
}
