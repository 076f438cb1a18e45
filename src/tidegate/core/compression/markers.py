"""The one form of what is written in place of lines that are not sent: one line, in the gap.

    [tidegate: what and how many, and what shows them]

A result that holds such a line is left alone, whoever wrote it: ours are not made shorter again,
and nothing can be mistaken for ours.
"""

import re
from typing import Final

_OPENING: Final = "[tidegate: "
MARKER: Final = re.compile(r"^\[tidegate: [^\n]+\]$", re.M)


def marker(words: str) -> str:
    """A line in place of what is not sent."""
    return f"{_OPENING}{words}]"


def holds_markers(text: str) -> bool:
    """Whether a text holds anything that could be taken for a marker."""
    return _OPENING in text


def count_of(number: int, noun: str) -> str:
    """`1 line`, `2 lines`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
