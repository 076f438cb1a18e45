"""What a terminal would not show: colours, and progress that was overwritten.

Colours are dropped. Of a line that was written over after a carriage return, what stays visible is
kept, unless one of its states speaks of an error: then all of it stays.
"""

import re
from typing import Final

from tidegate.core.compression.alarm import speaks_of, words_in

_COLOUR: Final = re.compile(
    r"\x1b(?:\[[0-9;:]{0,40}m|\[[0-2]?K|\]8;[^\x07\x1b\n]{0,2000}(?:\x07|\x1b\\)|\(B)"
)


def shorten(text: str) -> str | None:
    """The text as a screen shows it; None where that is all of it, or cannot be told."""
    escapes = "\x1b" in text
    if "\r" in text.replace("\r\n", "\n"):
        words = words_in(text)
        shown = "\n".join(
            [_overwritten(line, words) if "\r" in line else line for line in text.split("\n")]
        )
    elif escapes:
        shown = text
    else:
        return None
    if escapes:
        shown = _COLOUR.sub("", shown)
    return shown if len(shown) < len(text) else None


def _overwritten(line: str, words: tuple[str, ...]) -> str:
    states = [state for state in line.rstrip("\r").split("\r") if state]
    if len(states) < 2:
        return line
    plain = [_COLOUR.sub("", state) for state in states] if "\x1b" in line else states
    if speaks_of(line, words) or any("\x1b" in state for state in plain):
        return line
    shown = ""
    for state, bare in zip(states, plain, strict=True):
        erases = "\x1b[K" in state or "\x1b[2K" in state or "\x1b[0K" in state
        shown = bare if erases else bare + shown[len(bare) :]
    return shown + ("\r" if line.endswith("\r") else "")
