"""Lines that the same request showed before, named instead of repeated: the level `references`.

Looks back into the same request only: clients send all of it every time, so whatever a reference
names is there, in full, above it. A reference is a marker, a line of its own:

    [tidegate: lines 40-180 as in the read 3 results above]
    [tidegate: lines 40-180 as lines 38-178 in the read 3 results above]
    [tidegate: lines 1-90 as written 5 results above]
    [tidegate: the same 57 lines as 2 results above]

Results are counted back from the one that holds the reference: the one before it is 1 above. "In
the read" means a result's numbered lines, "as written" the call that a result answers.
"""

from collections import defaultdict
from typing import Final, NamedTuple

from tidegate.core.compression import gutter
from tidegate.core.compression.gutter import Numbered
from tidegate.core.compression.markers import count_of, marker

_SHORTEST_RUN: Final = 6  # lines
_MOST_PLACES: Final = 4  # of one run of lines that is looked at
_MOST_READS: Final = 8  # of a file that are looked at for the lines around an edit
_AROUND_A_CHANGE: Final = 3  # lines that stay on either side of one


class Line(NamedTuple):
    """Where a line of a file was shown in full: in a result, or in the call that it answers."""

    result: int
    number: int
    written: bool = False


# A line as one number, so that lines that follow each other are numbers that do.
_NUMBERS: Final = 1 << 40


def _code(line: Line) -> int:
    return (line.result * 2 + line.written) * _NUMBERS + line.number


def _line(code: int) -> Line:
    result, written = divmod(code // _NUMBERS, 2)
    return Line(result, code % _NUMBERS, bool(written))


class Run(NamedTuple):
    """Lines that were shown in one piece, and where the first of them was."""

    begin: int
    end: int
    origin: Line


class _Shown:
    """All lines of one file that were shown so far. Taken in only when the file comes again."""

    def __init__(self) -> None:
        self._waiting: list[tuple[list[str] | str, Line]] = []
        self._reads: list[tuple[list[str], list[int]]] = []
        self._places: defaultdict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)

    def add(self, texts: list[str] | str, begin: Line) -> None:
        """Take lines, and where the first of them is shown; or a result that is still to parse."""
        self._waiting.append((texts, begin))

    def runs(self, texts: list[str]) -> list[Run]:
        """Runs of lines that were shown in one piece, without those next to a change."""
        self._take_waiting()
        return self._find(texts)

    def latest(self, parts: list[list[str]]) -> int:
        """The latest result that itself shows all of these pieces; 0 if there is none."""
        self._take_waiting()
        for texts, lines in reversed(self._reads[-_MOST_READS:]):
            results = {_result_of(part, texts, lines) for part in parts}
            if len(results) == 1 and (result := results.pop()):
                return result
        return 0

    def _take_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for earlier, begin in waiting:
            if not isinstance(earlier, str):
                self._take(earlier, begin)
            elif (numbered := gutter.parse(earlier)) is not None:
                self._take(numbered.texts, begin._replace(number=numbered.first))

    def _take(self, texts: list[str], begin: Line) -> None:
        code = _code(begin)
        shown = list(range(code, code + len(texts)))
        for run in self._find(texts):
            code = _code(run.origin)
            shown[run.begin : run.end] = range(code, code + run.end - run.begin)
        read = len(self._reads)
        self._reads.append((texts, shown))
        for at, key in enumerate(zip(*(texts[n:] for n in range(_SHORTEST_RUN)), strict=False)):
            self._places[key].append((read, at))

    def _find(self, texts: list[str]) -> list[Run]:
        runs: list[Run] = []
        at, count = 0, len(texts) if self._reads else 0
        while at + _SHORTEST_RUN <= count:
            places = self._places.get(tuple(texts[at : at + _SHORTEST_RUN]))
            if not places:
                at += 1
                continue
            run, size = self._longest(texts, at, places)
            if run.end - run.begin >= _SHORTEST_RUN:
                runs.append(run)
            at += size
        return runs

    def _longest(self, texts: list[str], at: int, places: list[tuple[int, int]]) -> tuple[Run, int]:
        """The longest run from a line on, without its lines next to a change, and its length."""
        best = (0, 0, 0)
        for read, there in reversed(places[-_MOST_PLACES:]):
            size = self._length(texts, at, read, there)
            if size > best[0]:
                best = (size, read, there)
        size, read, there = best
        earlier, lines = self._reads[read]
        begin, end, origin = at, at + size, _line(lines[there])
        if at > 0 and there > 0 and earlier[there - 1] != texts[at - 1]:
            begin += _AROUND_A_CHANGE
            origin = origin._replace(number=origin.number + _AROUND_A_CHANGE)
        after = earlier[there + size : there + size + 1]
        if end < len(texts) and after and after != texts[end : end + 1]:
            end -= _AROUND_A_CHANGE
        return Run(begin, end, origin), size

    def _length(self, texts: list[str], at: int, read: int, there: int) -> int:
        earlier, lines = self._reads[read]
        code, size = lines[there], 0
        most = min(len(texts) - at, len(earlier) - there)
        while size < most and texts[at + size] == earlier[there + size]:
            if lines[there + size] != code + size:
                break
            size += 1
        return size


def _result_of(part: list[str], texts: list[str], lines: list[int]) -> int:
    """The result that shows these lines in one piece, as far as a read of the file tells."""
    at, size = -1, len(part)
    for _ in range(_MOST_PLACES):
        try:
            at = texts.index(part[0], at + 1)
        except ValueError:
            return 0
        if texts[at : at + size] == part:
            first, last = _line(lines[at]), _line(lines[at + size - 1])
            is_one = first[0] == last[0] and first.written == last.written
            return first.result if is_one and not first.written else 0
    return 0


class History:
    """What the results of one conversation have shown so far, in their order."""

    def __init__(self) -> None:
        self._count = 0
        self._whole: dict[str, int] = {}  # a result's text → the result that shows it in full
        self._files: defaultdict[str, _Shown] = defaultdict(_Shown)  # by path

    def next(self) -> int:
        """Number the next result."""
        self._count += 1
        return self._count

    def repeated(self, result: int, text: str) -> str | None:
        """A reference to an earlier result with the same text; else it is the one to refer to."""
        earlier = self._whole.setdefault(text, result)
        if earlier == result:
            return None
        lines = count_of(text.count("\n") + 1, "line")
        return marker(f"the same {lines} as {_above(result - earlier)}")

    def wrote(self, result: int, path: str, content: str) -> None:
        """Remember what a call wrote to a file."""
        self._files[path].add(content.split("\n"), Line(result, 1, written=True))

    def showed(self, result: int, path: str, numbered: Numbered) -> None:
        """Remember lines of a file that a result shows."""
        self._files[path].add(numbered.texts, Line(result, numbered.first))

    def printed(self, result: int, path: str, text: str) -> None:
        """Remember a result that shows a file, to be parsed when the file comes again."""
        self._files[path].add(text, Line(result, 0))

    def latest(self, result: int, path: str, parts: list[list[str]]) -> int:
        """How many results above these pieces of a file were shown; 0 if they were not."""
        shown = self._files[path].latest(parts)
        return result - shown if 0 < shown < result else 0

    def shown(self, path: str, texts: list[str]) -> list[Run]:
        """Which lines of a file of the repository were shown; its path may be known in full."""
        end = f"/{path}"
        for known in reversed(self._files):
            if known == path or known.endswith(end):
                return self._files[known].runs(texts)
        return []

    def reread(self, result: int, path: str, numbered: Numbered) -> str | None:
        """Lines of a file, with the runs of them named that were shown before."""
        file = self._files[path]
        runs = file.runs(numbered.texts)
        file.add(numbered.texts, Line(result, numbered.first))
        return _written(result, numbered, runs) if runs else None


def _written(result: int, numbered: Numbered, runs: list[Run]) -> str | None:
    parts: list[str] = []
    at, count = 0, len(numbered.texts)
    for run in [*runs, Run(count, count, Line(0, 0))]:
        if run.begin > at:
            part = Numbered(
                "", numbered.first + at, numbered.texts[at : run.begin], "", numbered.separator
            )
            shorter = gutter.shorten(part)
            if shorter is None:
                return None
            parts.append(shorter)
        if run.end > run.begin:
            parts.append(_name(result, numbered.first + run.begin, run))
        at = run.end
    return f"{numbered.head}{chr(10).join(parts)}{numbered.tail}"


def _name(result: int, first: int, run: Run) -> str:
    place = place_of(run, result, first)
    return marker(f"lines {first}-{first + run.end - run.begin - 1} as {place}")


def place_of(run: Run, result: int, first: int | None = None) -> str:
    """Where a run was shown, as told from a result; without its lines if they are as here."""
    number = run.origin.number
    lines = "" if number == first else f"lines {number}-{number + run.end - run.begin - 1} "
    way = "written" if run.origin.written else "in the read"
    return f"{lines}{way} {_above(result - run.origin.result)}"


def _above(results: int) -> str:
    return f"{count_of(results, 'result')} above"
