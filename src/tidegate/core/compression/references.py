"""Lines that the same request showed before, named instead of repeated.

Looks back into the same request only: clients send all of it every time, so whatever a reference
names is there, in full, above it. A reference is one line of its own:

    [tidegate: lines 40-180 as in the read 3 results above]
    [tidegate: lines 40-180 as lines 38-178 in the read 3 results above]
    [tidegate: lines 1-90 as written 5 results above]
    [tidegate: the same 57 lines as 2 results above]
"""

import re
from typing import Final, NamedTuple

from tidegate.core.compression import gutter
from tidegate.core.compression.gutter import Numbered

_SHORTEST_RUN: Final = 6  # lines
_MOST_PLACES: Final = 4  # of one run of lines that is looked at
_AROUND_A_CHANGE: Final = 3  # lines that stay on either side of one
_SMALLEST_REPEAT: Final = 200  # characters
_OPENING: Final = "[tidegate: "
LINES: Final = re.compile(
    r"^\[tidegate: lines (\d+)-(\d+) as (?:lines (\d+)-(\d+) )?(in the read|written)"
    r" (\d+) results? above\]$",
    re.M,
)
WHOLE: Final = re.compile(r"\[tidegate: the same (\d+) lines? as (\d+) results? above\]")


class Line(NamedTuple):
    """Where a line of a file was shown in full: in a result, or in the call that it answers."""

    result: int
    number: int
    written: bool = False


class _Shown:
    """All lines of one file that its reads have shown so far."""

    def __init__(self) -> None:
        self._reads: list[tuple[list[str], list[Line]]] = []
        self._places: dict[tuple[str, ...], list[tuple[int, int]]] = {}  # newest last

    def add(self, texts: list[str], lines: list[Line]) -> None:
        """Take the lines of another read, and where each is shown in full."""
        read = len(self._reads)
        self._reads.append((texts, lines))
        for at in range(len(texts) - _SHORTEST_RUN + 1):
            places = self._places.setdefault(_key(texts, at), [])
            places.append((read, at))
            if len(places) > _MOST_PLACES:
                del places[0]

    def longest(self, texts: list[str], at: int) -> tuple[int, Line, bool, bool] | None:
        """The longest run of these lines from `at` on that was shown in one piece: its length,
        where it is, and whether another line stands there before and after it."""
        best: tuple[int, Line, bool, bool] | None = None
        for read, there in reversed(self._places.get(_key(texts, at), ())):
            size, line = self._length(texts, at, read, there)
            if best is None or size > best[0]:
                earlier = self._reads[read][0]
                before = there > 0 and at > 0 and earlier[there - 1] != texts[at - 1]
                after = earlier[there + size : there + size + 1]
                best = (size, line, before, after not in ([], texts[at + size : at + size + 1]))
        return best

    def _length(self, texts: list[str], at: int, read: int, there: int) -> tuple[int, Line]:
        earlier, lines = self._reads[read]
        origin, size = lines[there], 0
        most = min(len(texts) - at, len(earlier) - there)
        while size < most and texts[at + size] == earlier[there + size]:
            line = lines[there + size]
            if (line.result, line.number, line.written) != (
                origin.result,
                origin.number + size,
                origin.written,
            ):
                break
            size += 1
        return size, origin


class History:
    """What the results of one conversation have shown so far, in their order."""

    def __init__(self) -> None:
        self._count = 0
        self._whole: dict[str, int] = {}  # a result's text → the result that shows it in full
        self._files: dict[str, _Shown] = {}  # by path

    def next(self) -> int:
        """Number the next result."""
        self._count += 1
        return self._count

    def repeated(self, result: int, text: str) -> str | None:
        """A reference to an earlier result with the same text."""
        if len(text) < _SMALLEST_REPEAT:
            return None
        earlier = self._whole.get(text)
        if earlier is None:
            return None
        lines = text.count("\n") + 1
        return f"{_OPENING}the same {lines} {_plural(lines, 'line')} as {_above(result - earlier)}]"

    def shows(self, result: int, text: str) -> None:
        """Remember a result that is sent in full, or at least with all its lines."""
        if len(text) >= _SMALLEST_REPEAT:
            self._whole.setdefault(text, result)

    def wrote(self, result: int, path: str, content: str) -> None:
        """Remember what a call wrote to a file."""
        texts = content.split("\n")
        lines = [Line(result, number, written=True) for number in range(1, len(texts) + 1)]
        self._files.setdefault(path, _Shown()).add(texts, lines)

    def reread(self, result: int, path: str, numbered: Numbered) -> str | None:
        """A read of a file with the runs of lines named that an earlier one has shown."""
        file = self._files.setdefault(path, _Shown())
        runs = _runs(numbered.texts, file)
        shown = [Line(result, numbered.first + at) for at in range(len(numbered.texts))]
        for begin, end, origin in runs:
            for at in range(begin, end):
                shown[at] = Line(origin.result, origin.number + at - begin, origin.written)
        file.add(numbered.texts, shown)
        return _write(result, numbered, runs) if runs else None


_Run = tuple[int, int, Line]


def _runs(texts: list[str], file: _Shown) -> list[_Run]:
    """Runs of lines that were shown in one piece, without those next to a change."""
    runs: list[_Run] = []
    at, count = 0, len(texts)
    while at + _SHORTEST_RUN <= count:
        found = file.longest(texts, at)
        if found is None:
            at += 1
            continue
        size, origin, differs_before, differs_after = found
        skipped = _AROUND_A_CHANGE if at > 0 and differs_before else 0
        end = at + size
        if end < count and differs_after:
            end -= _AROUND_A_CHANGE
        if end - at - skipped >= _SHORTEST_RUN:
            begins = Line(origin.result, origin.number + skipped, origin.written)
            runs.append((at + skipped, end, begins))
        at += max(size, 1)
    return runs


def _key(texts: list[str], at: int) -> tuple[str, ...]:
    return tuple(texts[at : at + _SHORTEST_RUN])


def _write(result: int, numbered: Numbered, runs: list[_Run]) -> str | None:
    parts: list[str] = []
    at = 0
    for begin, end, origin in [*runs, (len(numbered.texts), len(numbered.texts), None)]:
        if begin > at:
            part = numbered._replace(
                head="",
                first=numbered.first + at,
                texts=numbered.texts[at:begin],
                tail="",
            )
            shorter = gutter.shorten(part)
            if shorter is None or _OPENING in shorter:
                return None
            parts.append(shorter)
        if origin is not None:
            parts.append(_name(result, numbered.first + begin, end - begin, origin))
        at = end
    return f"{numbered.head}{chr(10).join(parts)}{numbered.tail}"


def _name(result: int, first: int, count: int, origin: Line) -> str:
    there = f"lines {origin.number}-{origin.number + count - 1} " * (origin.number != first)
    way = "written" if origin.written else "in the read"
    above = _above(result - origin.result)
    return f"{_OPENING}lines {first}-{first + count - 1} as {there}{way} {above}]"


def _above(results: int) -> str:
    return f"{results} {_plural(results, 'result')} above"


def _plural(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"
