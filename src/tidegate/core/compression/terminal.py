"""What a terminal would not show: colours, and progress that was overwritten.

Colours are dropped. Of a line that was written over after a carriage return, what stays visible is
kept, unless one of its states speaks of an error: then all of it stays.
"""

import re
from typing import Final

from tidegate.core.compression.alarm import ALARM

_COLOUR: Final = re.compile(
    r"\x1b\[[0-9;:]*m|\x1b\[[0-2]?K|\x1b\]8;[^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\(B"
)
_OTHER: Final = re.compile(r"\x1b")


def shorten(text: str) -> str | None:
    """The text as a screen shows it; None where that is all of it, or cannot be told."""
    if "\x1b" not in text and "\r" not in text:
        return None
    shown = "\n".join(map(_line, text.split("\n"))) if "\r" in text else _plain(text)
    return shown if len(shown) < len(text) else None


def _plain(text: str) -> str:
    plain = _COLOUR.sub("", text) if "\x1b" in text else text
    return plain


def _line(line: str) -> str:
    if "\r" not in line:
        return _plain(line)
    end = "\r" if line.endswith("\r") else ""
    states = [state for state in line.rstrip("\r").split("\r") if state]
    if len(states) < 2:
        return _plain(line)
    plain = [_plain(state) for state in states]
    if any("\x1b" in state or ALARM.search(state) for state in plain):
        return _plain(line)
    shown = ""
    for state, bare in zip(states, plain, strict=True):
        erases = "\x1b[K" in state or "\x1b[2K" in state or "\x1b[0K" in state
        shown = bare if erases else bare + shown[len(bare) :]
    return shown + end
