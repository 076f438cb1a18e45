"""What an edit prints of the file it changed, where the call itself shows it: the level `trims`."""

from typing import Any

from tidegate.core.compression.gutter import Numbered
from tidegate.core.compression.markers import count_of, marker

_FEWEST_LINES = 4


def trim(call: Any, echo: Numbered) -> str | None:
    """Leave out the lines of an edit's echo that are the call's own; None where they are not."""
    written = _written(call)
    if written is None or echo.tail.strip():
        return None
    new = written.removesuffix("\n").split("\n")
    begin = _find(echo.texts, new)
    if begin is None:
        return None
    end = begin + len(new)
    # The text may begin and end inside a line: then that line stays.
    begin += echo.texts[begin] != new[0]
    end -= echo.texts[end - 1] != new[-1]
    gap = marker(
        f"{count_of(end - begin, 'line')} ({echo.first + begin}-{echo.first + end - 1}) left out; "
        "the call shows them as its new text"
    )
    kept = [*_numbered(echo, 0, begin), gap, *_numbered(echo, end, len(echo.texts))]
    return f"{echo.head}{chr(10).join(kept)}{echo.tail}"


def _written(call: Any) -> str | None:
    """The text that a call puts into a file."""
    if not isinstance(call, dict):
        return None
    for name in ("new_string", "newString", "new_str", "content"):
        value = call.get(name)
        if isinstance(value, str):
            return value
    return None


def _find(texts: list[str], new: list[str]) -> int | None:
    """Where the written lines stand among the file's: whole lines, in one place only."""
    if len(new) < _FEWEST_LINES or len(new) > len(texts):
        return None
    inner, size = new[1:-1], len(new)
    found = [
        at
        for at in range(len(texts) - size + 1)
        if texts[at + 1] == inner[0]
        and texts[at + 1 : at + size - 1] == inner
        and texts[at].endswith(new[0])
        and texts[at + size - 1].startswith(new[-1])
    ]
    return found[0] if len(found) == 1 else None


def _numbered(echo: Numbered, begin: int, end: int) -> list[str]:
    texts = echo.texts[begin:end]
    if not texts:
        return []
    return [f"{echo.first + begin}{echo.separator}{texts[0]}", *texts[1:]]
