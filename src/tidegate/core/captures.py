"""What debug mode keeps of one request, and in which form. Nothing secret gets into it.

A capture is made of what was seen by `seal_off`: bodies are decoded, searched for secrets as a
whole and then cut to size; headers that carry credentials lose their values. What cannot be
decoded cannot be searched, so it is left out. `pack` and `unpack` are its stored form.
"""

import re
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec
import zstandard

from tidegate.core.encodings import EncodingFault, StreamDecoder
from tidegate.core.headers import Header
from tidegate.core.redaction import Redactor

REMOVED: Final = "[removed]"
PART_BYTES: Final = 4 << 20
MARGIN_BYTES: Final = 64 << 10
"""So much more than is kept is searched, lest a secret is cut in two and its half kept."""

_SLACK_BYTES: Final = 32 << 20  # what one step of a decoder may bring beyond the end
_STEP_BYTES: Final = 4 << 10
_CREDENTIALS: Final = re.compile(
    rb"(?:^|-)(?:authorization|auth|api-?key|cookie2?|secret|password|credentials?|signature"
    rb"|access-token|auth-token|security-token|session-token|id-token|refresh-token|token"
    rb"|tidegate-key)$"
)
_PLAIN_NAME: Final = re.compile(rb"[0-9A-Za-z_.-]{1,40}")
_PLAIN_VALUE: Final = re.compile(rb"[0-9A-Za-z_.,:/-]{0,24}")
_SECRET_NAME: Final = re.compile(rb"(?i)key|token|secret|sig|pass|auth|code|cred|session|jwt")
_AUTHORIZING: Final = frozenset(
    (b"authorization", b"proxy-authorization", b"x-api-key", b"x-tidegate-key")
)
_SHORTEST_CREDENTIAL: Final = 8
_HEADS: Final = 256
_HTTP_LINE: Final = re.compile(rb"([^:\r\n]+): ?([^\r\n]*)\r\n")
_PLAIN, _ZSTD = b"\0", b"\1"
_LARGEST_BYTES: Final = 64 << 20


class Part(msgspec.Struct, frozen=True):
    """One message: its headers as they were sent, its body decoded and without secrets."""

    headers: list[tuple[str, str]] = []
    body: bytes = b""
    truncated_bytes: int = 0  # of the body as it was sent or decoded that are not here
    encoding: str = ""  # that the body was sent with
    note: str = ""  # why the body is not whole, for people


class Capture(msgspec.Struct, frozen=True):
    """One request: as received from the client, as sent to the upstream, and the response."""

    event_id: str
    method: str
    path: str  # with the query, secrets removed
    received: Part
    sent: Part | None  # None: it never went out
    status: int
    response: Part
    first_byte_us: int = 0
    duration_us: int = 0

    @property
    def truncated(self) -> bool:
        """Whether anything of it is missing."""
        parts = (self.received, self.sent, self.response)
        return any(part is not None and part.truncated_bytes for part in parts)


class Seen(msgspec.Struct):
    """A message as it passed: its bytes, perhaps not all of them."""

    headers: Sequence[Header] = ()
    head: bytes = b""  # or its header lines, as they were written
    pieces: list[bytes] = []
    missing_bytes: int = 0  # that passed and are not in the pieces
    note: str = ""


class SeenRequest(msgspec.Struct):
    """All that was seen of a request, with every secret still in it. Never leaves the memory."""

    event_id: str
    method: bytes
    target: bytes
    received: Seen
    sent: Seen | None = None
    status: int = 0
    response: Seen = msgspec.field(default_factory=Seen)
    credential: bytes = b""  # the value of the header that we set
    first_byte_us: int = 0
    duration_us: int = 0


def seal_off(seen: SeenRequest, redactor: Redactor, *, part_bytes: int = PART_BYTES) -> Capture:
    """What may be kept of a request."""
    cutter = _Cutter(redactor, _credentials(seen, redactor), part_bytes)
    received, sent = cutter.part(seen.received), None
    if seen.sent is not None:
        same = seen.sent.pieces == seen.received.pieces
        sent = cutter.part(seen.sent, received if same else None)
    return Capture(
        event_id=seen.event_id,
        method=seen.method.decode("latin-1"),
        path=cutter.target(seen.target),
        received=received,
        sent=sent,
        status=seen.status,
        response=cutter.part(seen.response),
        first_byte_us=seen.first_byte_us,
        duration_us=seen.duration_us,
    )


def _credentials(seen: SeenRequest, redactor: Redactor) -> list[bytes]:
    """The secrets that the request travelled with, unless they are found by their form."""
    values = [value for name, _, value in seen.received.headers if name in _AUTHORIZING]
    words = {value.split()[-1] for value in (*values, seen.credential) if value.strip()}
    return [w for w in words if len(w) >= _SHORTEST_CREDENTIAL and not _has_form(redactor, w)]


def pack(capture: Capture) -> bytes:
    """The stored form. A body that was sent as it was received is in it once."""
    received, sent, response = capture.received, capture.sent, capture.response
    is_same = sent is not None and sent.body == received.body
    bodies = [received.body, b"" if is_same or sent is None else sent.body, response.body]
    rest = msgspec.structs.replace(
        capture,
        received=_bodyless(received),
        sent=_bodyless(sent) if sent is not None else None,
        response=_bodyless(response),
    )
    outline = _encoder.encode(_Outline(rest, [len(body) for body in bodies], is_same))
    return b"".join((_PLAIN, _SIZE.pack(len(outline)), outline, *bodies))


def compressed(packed: bytes) -> bytes:
    """The same in less space."""
    if packed[:1] == _ZSTD:
        return packed
    return _ZSTD + zstandard.ZstdCompressor(level=3).compress(packed[1:])


def unpack(packed: bytes) -> Capture:
    """Raises ValueError for what is no capture."""
    content = packed[1:]
    if packed[:1] == _ZSTD:
        try:
            content = zstandard.ZstdDecompressor().decompress(
                content, max_output_size=_LARGEST_BYTES
            )
        except zstandard.ZstdError as fault:
            raise ValueError(str(fault)) from None
    if len(content) < _SIZE.size:
        raise ValueError("it is too short for a capture")
    at = _SIZE.size + _SIZE.unpack_from(content)[0]
    outline = _decoder.decode(content[_SIZE.size : at])
    bodies = []
    for length in outline.lengths:
        bodies.append(content[at : at + length])
        at += length
    received, sent, response = bodies
    capture = outline.capture
    return msgspec.structs.replace(
        capture,
        received=_with_body(capture.received, received),
        sent=_with_body(capture.sent, received if outline.is_same else sent)
        if capture.sent is not None
        else None,
        response=_with_body(capture.response, response),
    )


class _Outline(msgspec.Struct, frozen=True, array_like=True):
    """A capture without its bodies, which stand behind it: received, sent, response."""

    capture: Capture
    lengths: list[int]
    is_same: bool  # what was sent is what was received


_SIZE: Final = struct.Struct("<I")
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Outline)


def _bodyless(part: Part) -> Part:
    return _with_body(part, b"")


def _with_body(part: Part, body: bytes) -> Part:
    return msgspec.structs.replace(part, body=body)


def _is_stream(headers: dict[bytes, bytes]) -> bool:
    return headers.get(b"content-type", b"")[:17].lower() == b"text/event-stream"


class _Cutter:
    """Decodes, redacts and cuts."""

    def __init__(self, redactor: Redactor, known: Sequence[bytes], part_bytes: int) -> None:
        self._redactor = redactor
        self._known = known
        self._part_bytes = part_bytes

    def part(self, seen: Seen, same: Part | None = None) -> Part:
        """`same` is a part whose body this one shares."""
        fields = [(name, value) for _, name, value in seen.headers] or _HTTP_LINE.findall(seen.head)
        first = {name.lower(): value for name, value in reversed(fields)}
        encoding = self._text(first.get(b"content-encoding", b""))[:100]
        headers = self._headers(fields)
        if same is not None and same.encoding == encoding:
            return msgspec.structs.replace(same, headers=headers)
        body, missing, fault = self._decoded(seen, encoding)
        is_cut = bool(missing) and not fault
        body, cut = self._clean(body, is_cut=is_cut, is_events=_is_stream(first))
        note = "; ".join(filter(None, (seen.note, fault)))
        return Part(headers, body, missing + cut, encoding, note)

    def target(self, target: bytes) -> str:
        """A request's path and query. Of the query only plain values stay."""
        path, mark, query = target.partition(b"?")
        fields = [self._field(field) for field in query.split(b"&")] if mark else []
        shown = path + mark + b"&".join(fields)
        return _shown_target(self._redactor, shown, tuple(self._known))

    def _field(self, field: bytes) -> bytes:
        name, mark, value = field.partition(b"=")
        shown = name if _PLAIN_NAME.fullmatch(name) else REMOVED.encode()
        if not mark:
            return shown
        plain = _PLAIN_VALUE.fullmatch(value) and not _SECRET_NAME.search(unquote_to_bytes(name))
        return shown + b"=" + (value if plain else REMOVED.encode())

    def _headers(self, fields: Sequence[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
        open_fields = [
            (name, REMOVED.encode() if _is_credential(name) else value) for name, value in fields
        ]
        return list(_shown_headers(self._redactor, tuple(open_fields), tuple(self._known)))

    def _text(self, value: bytes) -> str:
        if value:
            value = self._redactor.redact(value, self._known)
        return value.decode("utf-8", "replace")

    def _decoded(self, seen: Seen, encoding: str) -> tuple[bytes, int, str]:
        """The body, how many bytes of it are missing, and why if that is no matter of size."""
        body = seen.pieces[0] if len(seen.pieces) == 1 else b"".join(seen.pieces)
        if encoding.lower() in {"", "identity"} or not body:
            return body, seen.missing_bytes, ""
        most = self._part_bytes + MARGIN_BYTES
        parts: list[bytes] = []
        size = at = 0
        try:
            decoder = StreamDecoder(encoding, most + _SLACK_BYTES)
            while at < len(body) and size <= most:
                parts.append(decoder.feed(body[at : at + _STEP_BYTES]))
                size += len(parts[-1])
                at += _STEP_BYTES
        except EncodingFault as fault:
            rest = len(body) - at + seen.missing_bytes
            return b"".join(parts), max(1, rest), f"not kept as it cannot be decoded: {fault}"
        return b"".join(parts), max(0, len(body) - at) + seen.missing_bytes, ""

    def _clean(self, body: bytes, *, is_cut: bool, is_events: bool) -> tuple[bytes, int]:
        """The body without secrets, and how many bytes were cut off for its size.

        From a body whose end is missing a margin is cut, which may hold half of a secret.
        """
        most = self._part_bytes + MARGIN_BYTES
        given = body[:most] if len(body) > most else body
        redact = self._redactor.redact_events if is_events else self._redactor.redact
        clean = redact(given, self._known)
        if is_cut or len(given) < len(body):
            clean = clean[: max(0, len(clean) - MARGIN_BYTES)]
        kept = clean[: self._part_bytes]
        if not is_cut and len(given) == len(body):
            return kept, len(clean) - len(kept)
        return kept, max(1, len(body) - len(kept))


@lru_cache(_HEADS)
def _is_credential(name: bytes) -> bool:
    """Whether a header of that name holds one."""
    return _CREDENTIALS.search(name.lower()) is not None


@lru_cache(_HEADS)
def _shown_headers(
    redactor: Redactor, fields: tuple[tuple[bytes, bytes], ...], known: tuple[bytes, ...]
) -> list[tuple[str, str]]:
    """Headers as they are kept. An agent's are the same again and again."""
    if redactor.spans(b"\n".join([b": ".join(field) for field in fields]), known):
        fields = tuple(
            (redactor.redact(n, known), REMOVED.encode() if redactor.spans(v, known) else v)
            for n, v in fields
        )
    return [(n.decode("utf-8", "replace"), v.decode("utf-8", "replace")) for n, v in fields]


@lru_cache(_HEADS)
def _shown_target(redactor: Redactor, target: bytes, known: tuple[bytes, ...]) -> str:
    """Most requests go to a few places."""
    return redactor.redact(target, known).decode("utf-8", "replace")


@lru_cache(_HEADS)
def _has_form(redactor: Redactor, word: bytes) -> bool:
    return redactor.is_secret(word)
