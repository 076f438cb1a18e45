"""One tool result in, the text that is sent in its place out: the same for the same input, always.

By shape first, by the tool's name only where shapes could be taken for each other. Each step either
gives a shorter text from which the original was rebuilt and found equal, or nothing.
"""

from typing import Final, NamedTuple

from tidegate.core.compression import (
    compact,
    envelope,
    gutter,
    listing,
    reminders,
    search,
    terminal,
)
from tidegate.core.compression.alarm import words_in
from tidegate.core.compression.gutter import Numbered
from tidegate.core.compression.markers import holds_markers
from tidegate.core.compression.tools import Kind

SMALLEST: Final = 200  # characters; below there is nothing to gain
LARGEST: Final = 2 << 20
_FEWEST_ERROR: Final = 4096  # characters; a shorter error is left alone
_SHELL_NUMBERS: Final = gutter.SEPARATORS[:3]  # `12: ` is what many commands print before a text


class Shortened(NamedTuple):
    """A result's text without loss, and its numbered lines if it is made of such."""

    text: str
    numbered: Numbered | None = None


def is_left_alone(text: str, *, is_error: bool) -> bool:
    """Whether a result is sent as it is at every level."""
    if not SMALLEST <= len(text) <= LARGEST or (is_error and len(text) < _FEWEST_ERROR):
        return True
    return holds_markers(text)


def shorten(kind: Kind, text: str) -> Shortened:
    """The lossless form of a result; the text itself where there is nothing to gain."""
    if kind is Kind.FILE:
        return Shortened(text)
    found = _step(kind, text)
    shorter = found.text
    if shorter is text or not _is_better(shorter, text) or _step(kind, shorter).text != shorter:
        return Shortened(text, found.numbered)
    return found


def _step(kind: Kind, text: str) -> Shortened:
    separators = gutter.SEPARATORS if kind is Kind.READ else _SHELL_NUMBERS
    numbered = gutter.parse(text, separators)
    if numbered is not None:
        return Shortened(gutter.shorten(numbered) or text, numbered)
    return Shortened(text if kind is Kind.READ else _lines(kind, text))


def _lines(kind: Kind, text: str) -> str:
    if kind is Kind.SHELL:
        text = terminal.shorten(text) or text
    head, output = envelope.split(text) if kind is not Kind.OTHER else ("", text)
    return head + _output(kind, output) if head else _output(kind, text)


def _output(kind: Kind, text: str) -> str:
    if kind is Kind.SEARCH and (grouped := search.shorten(text)) is not None:
        return grouped
    listed = kind in (Kind.SEARCH, Kind.LIST)
    if (grouped := listing.shorten(text, whole_alarms=not listed)) is not None:
        return grouped
    if kind in (Kind.OTHER, Kind.SHELL) and (minified := compact.shorten(text)) is not None:
        return text if words_in(text) else minified
    return text


def _is_better(shorter: str, text: str) -> bool:
    if not shorter or len(shorter) >= len(text):
        return False
    if not text.isascii() and _bytes(shorter) >= _bytes(text):
        return False
    return reminders.keeps(shorter, text)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
