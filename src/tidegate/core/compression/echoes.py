"""What an edit prints of the file it changed, where the call itself shows it: the level `trims`."""

from collections.abc import Callable
from typing import Final, NamedTuple

from tidegate.core.compression.gutter import Numbered
from tidegate.core.compression.markers import count_of, marker

_FEWEST_LINES: Final = 3

# Tells how many results above these lines were shown in one piece; 0 if they were not.
Finder = Callable[[list[list[str]]], int]


class _Place(NamedTuple):
    """Which lines of an echo are the call's own, without those that it wrote in part."""

    begin: int
    end: int
    is_whole: bool  # the call holds every line that is not as before


def trim(written: str, echo: Numbered, shown_before: Finder) -> str | None:
    """Leave out the lines of an edit's echo that the call shows; None where it does not.

    The lines around them go with them if an earlier result has shown them.
    """
    if echo.tail.strip():
        return None
    place = _find(echo.texts, written.removesuffix("\n").split("\n"))
    if place is None:
        return None
    begin, end, count = place.begin, place.end, len(echo.texts)
    above = 0
    if place.is_whole and (begin > 0 or end < count):
        above = shown_before([part for part in (echo.texts[:begin], echo.texts[end:]) if part])
    if above:
        gap = marker(
            f"{count_of(count, 'line')} ({echo.first}-{echo.first + count - 1}) left out; the "
            f"call shows {count_of(end - begin, 'new line')}, the read {count_of(above, 'result')} "
            "above the others"
        )
        return f"{echo.head}{gap}{echo.tail}"
    gap = marker(
        f"{count_of(end - begin, 'line')} ({echo.first + begin}-{echo.first + end - 1}) left out; "
        "the call shows them"
    )
    kept = [*_numbered(echo, 0, begin), gap, *_numbered(echo, end, count)]
    return f"{echo.head}{chr(10).join(kept)}{echo.tail}"


def _find(texts: list[str], new: list[str]) -> _Place | None:
    """Where the written lines stand among the file's: in one place only."""
    size = len(new)
    if not any(new) or size > len(texts):
        return None
    if size == 1:
        found = [at for at, text in enumerate(texts) if new[0] in text]
    else:
        inner = new[1:-1]
        found = [
            at
            for at in range(len(texts) - size + 1)
            if texts[at].endswith(new[0])
            and texts[at + size - 1].startswith(new[-1])
            and texts[at + 1 : at + size - 1] == inner
        ]
    if len(found) != 1:
        return None
    begin, end = found[0], found[0] + size
    # The text may begin and end inside a line: then that line is not all the call's.
    inside_first = texts[begin] != new[0] and texts[begin].strip() != new[0].strip()
    inside_last = texts[end - 1] != new[-1]
    if not inside_first and not inside_last:
        return _Place(begin, end, is_whole=True)
    begin, end = begin + inside_first, end - inside_last
    return _Place(begin, end, is_whole=False) if end - begin >= _FEWEST_LINES else None


def _numbered(echo: Numbered, begin: int, end: int) -> list[str]:
    texts = echo.texts[begin:end]
    if not texts:
        return []
    return [f"{echo.first + begin}{echo.separator}{texts[0]}", *texts[1:]]
