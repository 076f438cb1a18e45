"""What was sent beside what was received: where they differ, and how many tokens each makes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

import msgspec

from tidegate.console.capture_json import plain, pointer, read_document
from tidegate.console.capture_text import one_line, visible
from tidegate.core.captures import Part
from tidegate.core.estimate import prompt_tokens, text_bytes
from tidegate.core.model import Dialect

MOST: Final = 50
_AROUND_CHARS: Final = 80
_MARKED_CHARS: Final = 1_200
_DEEPEST: Final = 60
_AT_CHARS: Final = 300


@dataclass(frozen=True, slots=True)
class Marked:
    """One side of a difference: what differs, and what stands around it."""

    before: str
    changed: str
    after: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where the two differ. None: one side has nothing there."""

    at: str
    received: Marked | None
    sent: Marked | None


@dataclass(frozen=True, slots=True)
class Weight:
    """How large a body is; tokens are an estimate."""

    body_bytes: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Comparison:
    identical: bool  # byte for byte
    same_value: bool  # as JSON
    differences: list[Difference]
    has_more: bool
    headers: list[Difference]
    received: Weight
    sent: Weight
    cut: bool  # only what was kept of them could be compared


def compare(dialect: Dialect, received: Part, sent: Part, model: str = "") -> Comparison:
    """Compare the bodies, as JSON where both are, and the headers."""
    identical = received.body == sent.body and received.truncated_bytes == sent.truncated_bytes
    found = [] if identical else list(islice(_differences(received, sent), MOST + 1))
    return Comparison(
        identical=identical,
        same_value=not found,
        differences=[replace(each, at=one_line(each.at, _AT_CHARS)) for each in found[:MOST]],
        has_more=len(found) > MOST,
        headers=list(_header_differences(received, sent)),
        received=weight(dialect, received, model),
        sent=weight(dialect, sent, model),
        cut=bool(received.truncated_bytes or sent.truncated_bytes),
    )


def weight(dialect: Dialect, part: Part, model: str = "") -> Weight:
    size = len(part.body) + part.truncated_bytes
    counted = text_bytes(part.body) + part.truncated_bytes
    return Weight(size, prompt_tokens(dialect, counted, model))


def _differences(received: Part, sent: Part) -> Iterator[Difference]:
    left = read_document(received.body, cut=bool(received.truncated_bytes))
    right = read_document(sent.body, cut=bool(sent.truncated_bytes))
    if left.fault or right.fault:
        texts = (part.body.decode("utf-8", "replace") for part in (received, sent))
        yield _difference("", *texts)
        return
    yield from _between(left.value, right.value, "", 0)


def _between(left: Any, right: Any, at: str, depth: int) -> Iterator[Difference]:
    if _same(left, right):
        return
    if depth < _DEEPEST and isinstance(left, dict) and isinstance(right, dict):
        for name in left | right:
            place = pointer(at, name)
            if name not in right:
                yield Difference(place, _whole(left[name]), None)
            elif name not in left:
                yield Difference(place, None, _whole(right[name]))
            else:
                yield from _between(left[name], right[name], place, depth + 1)
    elif depth < _DEEPEST and isinstance(left, list) and isinstance(right, list):
        yield from _between_lists(left, right, at, depth)
    else:
        yield _difference(at, plain(left), plain(right))


def _between_lists(left: list[Any], right: list[Any], at: str, depth: int) -> Iterator[Difference]:
    """Entry by entry; of what was put in or taken out, that part alone."""
    first = _common(left, right)
    last = _common(left[first:][::-1], right[first:][::-1])
    changed = left[first : len(left) - last], right[first : len(right) - last]
    for number in range(max(map(len, changed))):
        place = pointer(at, first + number)
        if number >= len(changed[1]):
            yield Difference(place, _whole(changed[0][number]), None)
        elif number >= len(changed[0]):
            yield Difference(place, None, _whole(changed[1][number]))
        else:
            yield from _between(changed[0][number], changed[1][number], place, depth + 1)


def _same(left: Any, right: Any) -> bool:
    """Equal, and of one type all through: for JSON `1` is not `true`."""
    try:
        if type(left) is not type(right) or left != right:
            return False
        return not isinstance(left, dict | list) or _sorted(left) == _sorted(right)
    except RecursionError:
        return False


def _sorted(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value, order="sorted")
    except UnicodeError:  # half a character
        return json.dumps(value, sort_keys=True).encode()


def _common(left: list[Any], right: list[Any]) -> int:
    """How many entries both begin with."""
    pairs = zip(left, right, strict=False)
    return next(
        (i for i, (a, b) in enumerate(pairs) if not _same(a, b)), min(len(left), len(right))
    )


def _common_text(left: str, right: str) -> int:
    """How many characters both begin with; by halving, as texts may have millions."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _difference(at: str, left: str, right: str) -> Difference:
    """Two texts, with what they begin and end with alike left out."""
    first = _common_text(left, right)
    last = _common_text(left[first:][::-1], right[first:][::-1])
    return Difference(at, _marked(left, first, last), _marked(right, first, last))


def _marked(text: str, first: int, last: int) -> Marked:
    changed, after = text[first : len(text) - last], text[len(text) - last :]
    shown = changed[:_MARKED_CHARS]
    before = text[max(0, first - _AROUND_CHARS) : first]
    return Marked(
        visible(before if first <= _AROUND_CHARS else f"…{before}"),
        visible(shown if shown == changed else f"{shown}…"),
        "" if shown != changed else _beginning(after),
    )


def _beginning(text: str) -> str:
    return visible(text if len(text) <= _AROUND_CHARS else f"{text[:_AROUND_CHARS]}…")


def _whole(value: Any) -> Marked:
    text = plain(value)
    return Marked(
        "", visible(text if len(text) <= _MARKED_CHARS else f"{text[:_MARKED_CHARS]}…"), ""
    )


def _header_differences(received: Part, sent: Part) -> Iterator[Difference]:
    """By name, whatever its case."""
    left, right = _by_name(received), _by_name(sent)
    for name in left | right:
        before, after = left.get(name), right.get(name)
        if before != after:
            yield Difference(
                visible(name),
                None if before is None else _whole(before),
                None if after is None else _whole(after),
            )


def _by_name(part: Part) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in part.headers:
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return found
