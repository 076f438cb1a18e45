"""One tool result in, the text that is sent in its place out: the same for the same input, always.

By shape first, by the tool's name only where shapes could be taken for each other. Each step either
gives a shorter text from which the original was rebuilt and found equal, or nothing.
"""

from typing import Any, Final

from tidegate.core.compression import gutter, listing, search, terminal
from tidegate.core.compression.tools import Kind, kind_of

_SMALLEST: Final = 200  # bytes; below there is nothing to gain
_LARGEST: Final = 2 << 20
_FEWEST_ERROR_BYTES: Final = 4096
_NUMBERED_READS: Final = ("→", "\t", "| ", ": ")


def shorten(tool: str, call: Any, text: str) -> str:
    """The lossless form of a tool result; the text itself where there is nothing to gain."""
    if not _SMALLEST <= len(text) <= _LARGEST:
        return text
    kind = kind_of(tool, call)
    shorter = _step(kind, text)
    if not shorter or len(shorter) >= len(text) or _step(kind, shorter) is not None:
        return text
    return shorter


def _step(kind: Kind, text: str) -> str | None:
    if kind is Kind.FILE:
        return None
    separators = _NUMBERED_READS if kind is Kind.READ else _NUMBERED_READS[:3]
    numbered = gutter.parse(text, separators)
    if numbered is not None:
        return gutter.shorten(numbered)
    if kind is Kind.READ:
        return None
    shown = terminal.shorten(text) if kind is Kind.SHELL else None
    text = shown or text
    if kind is Kind.SEARCH and (grouped := search.shorten(text)) is not None:
        return grouped
    if (grouped := listing.shorten(text, whole_alarms=kind not in (Kind.SEARCH, Kind.LIST))) is not None:
        return grouped
    return shown
