"""Blocks that the agent itself put into a result: they go through to the letter."""

from typing import Final

_OPENING: Final = "<system-reminder>"
_CLOSING: Final = "</system-reminder>"


def blocks(text: str) -> list[str]:
    """All reminders in a text, in order."""
    found: list[str] = []
    begin = text.find(_OPENING)
    while begin >= 0:
        end = text.find(_CLOSING, begin)
        if end < 0:
            break
        found.append(text[begin : end + len(_CLOSING)])
        begin = text.find(_OPENING, end)
    return found


def keeps(shorter: str, text: str) -> bool:
    """Whether all reminders of a text are in a shorter one, to the letter and in order."""
    return _OPENING not in text or blocks(shorter) == blocks(text)
