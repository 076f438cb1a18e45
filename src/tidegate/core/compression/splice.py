"""JSON by its bytes: where values stand, and how some are replaced while all others stay.

The parser says how long each value is, and what stands between values is walked over, from the
first byte to the last. Nothing is searched for: a text that occurs twice cannot be mistaken for
another. Where the walk and the parser do not agree to the byte there is doubt, and doubt means
that nothing is replaced.
"""

import re
from collections.abc import Iterable
from typing import Final, TypeVar

import msgspec

T = TypeVar("T")
Span = tuple[int, int]
"""Where a value begins and ends."""

_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ELEMENTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT: Final = msgspec.json.Decoder(str)
_BLANK: Final = rb"[ \t\n\r]*"
_BEFORE_MEMBER: Final = re.compile(
    _BLANK + rb"[{,]" + _BLANK + rb'("[^"\\]*(?:\\.[^"\\]*)*")' + _BLANK + rb":" + _BLANK, re.S
)
_BEFORE_ELEMENT: Final = re.compile(_BLANK + rb"[\[,]" + _BLANK)
_END: Final = re.compile(_BLANK + rb"[\]}]" + _BLANK)
_HIGH: Final = rb"\\u[dD][89abAB][0-9a-fA-F]{2}"
_LOW: Final = rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_SURROGATES: Final = re.compile(
    rb"(?<!\\)((?:\\\\)*)(" + _HIGH + _LOW + rb"|" + _HIGH + rb"|" + _LOW + rb")"
)
_STAND_IN: Final = rb"\u003f"


class Doubt(Exception):
    """What stands where cannot be said for certain."""


def members(source: bytes) -> dict[str, Span]:
    """Where each value of an object stands. Doubt if a key is there twice."""
    found: dict[str, Span] = {}
    at = 0
    for key, value in _decode(_MEMBERS, source).items():
        before = _BEFORE_MEMBER.match(source, at)
        if before is None or text_of(before[1]) != key:
            raise Doubt("an object's keys are not as read")
        at = before.end() + len(value)
        found[key] = (before.end(), at)
        _compare(source, found[key], value)
    _finish(source, at, bool(found))
    return found


def elements(source: bytes) -> list[Span]:
    """Where each value of an array stands."""
    found: list[Span] = []
    at = 0
    for value in _decode(_ELEMENTS, source):
        before = _BEFORE_ELEMENT.match(source, at)
        if before is None:
            raise Doubt("an array's values are not as read")
        at = before.end() + len(value)
        found.append((before.end(), at))
        _compare(source, found[-1], value)
    _finish(source, at, bool(found))
    return found


def text_of(source: bytes) -> str:
    """The text that a JSON string is. Doubt if it is none, or holds half a surrogate pair."""
    try:
        return _TEXT.decode(source)
    except (ValueError, RecursionError) as fault:
        raise Doubt("a value is no text") from fault


def replace(source: bytes, changes: Iterable[tuple[Span, bytes]]) -> bytes:
    """Put other strings in the place of some, given in their order."""
    pieces: list[bytes] = []
    at = 0
    for (start, end), string in changes:
        if not at <= start < end - 1 or not source[start] == source[end - 1] == 0x22:
            raise Doubt("what is to be replaced is no string")
        pieces += (source[at:start], string)
        at = end
    pieces.append(source[at:])
    return b"".join(pieces)


def without_lone_surrogates(source: bytes) -> bytes:
    """The same JSON to the byte, but with question marks, escaped, for halves of surrogate pairs.

    The parser refuses those, agents that cut texts send them. Only for finding out what is where.
    """
    return _SURROGATES.sub(_stand_in, source)


def _stand_in(found: re.Match[bytes]) -> bytes:
    return found[0] if len(found[2]) > len(_STAND_IN) else found[1] + _STAND_IN


def _decode(decoder: "msgspec.json.Decoder[T]", source: bytes) -> T:
    try:
        return decoder.decode(source)
    except (ValueError, RecursionError) as fault:
        raise Doubt("not JSON as expected") from fault


def _compare(source: bytes, span: Span, value: msgspec.Raw) -> None:
    if source[span[0] : span[1]] != bytes(value):
        raise Doubt("a value stands elsewhere")


def _finish(source: bytes, at: int, has_values: bool) -> None:
    """Make sure that the walk arrived at the end."""
    if not has_values:
        return
    end = _END.match(source, at)
    if end is None or end.end() != len(source):
        raise Doubt("something is left over")
