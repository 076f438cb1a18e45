"""Searches of a text that goes on like one before it only what is new.

An agent sends its whole conversation again with each request, a little longer every time.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from tidegate.core.redaction import Redactor, Span
from tidegate.core.secret_forms import FORMS, Form

_LONG_BYTES: Final = 32 << 10  # a shorter text is searched at once
_STEP_BYTES: Final = 32 << 10
_AGAIN_BYTES: Final = 4 << 10  # of what is known that is searched again: a secret may end anew
_TEXTS: Final = 8
_HELD_BYTES: Final = 8 << 20


class _Searched(NamedTuple):
    text: bytes
    known: tuple[bytes, ...]
    spans: list[Span]


class RepeatedTexts(Redactor):
    """Remembers the last long texts and where their secrets are. For one thread."""

    def __init__(self, forms: Sequence[Form] = FORMS) -> None:
        super().__init__(forms)
        self._searched: deque[_Searched] = deque()
        self._held = 0

    def spans(self, text: bytes, known: Sequence[bytes] = ()) -> list[Span]:
        if not _LONG_BYTES <= len(text) <= _HELD_BYTES // 2:
            return super().spans(text, known)
        before, same = self._longest(text, tuple(known))
        found: list[Span] = []
        begin = 0
        if before is not None:
            begin = max(0, same - _AGAIN_BYTES) if same < len(text) else same
            cut = [span.start for span in before.spans if span.start < begin < span.end]
            begin = min(cut, default=begin)
            found = [span for span in before.spans if span.end <= begin]
            self._forget(before)
        rest = super().spans(text[begin:], known) if begin < len(text) else []
        found += [Span(start + begin, end + begin, kind) for start, end, kind in rest]
        self._remember(_Searched(text, tuple(known), found))
        return found

    def _longest(self, text: bytes, known: tuple[bytes, ...]) -> tuple[_Searched | None, int]:
        """The text that this one begins like, and how far."""
        best, longest = None, 0
        for searched in self._searched:
            if searched.known == known and (same := _common(searched.text, text)) > longest:
                best, longest = searched, same
        return best, longest

    def _remember(self, searched: _Searched) -> None:
        self._searched.append(searched)
        self._held += len(searched.text)
        while len(self._searched) > _TEXTS or self._held > _HELD_BYTES:
            self._forget(self._searched[0])

    def _forget(self, searched: _Searched) -> None:
        self._searched.remove(searched)
        self._held -= len(searched.text)


def _common(one: bytes, other: bytes) -> int:
    """How many bytes both begin with, in whole steps."""
    if one == other:
        return len(one)
    at, end = 0, min(len(one), len(other))
    while at < end and one[at : at + _STEP_BYTES] == other[at : at + _STEP_BYTES]:
        at += _STEP_BYTES
    return min(at, end)
