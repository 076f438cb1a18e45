"""Lines of a diff that the same request showed before: what was read, and what edits wrote.

    [tidegate: 24 lines with "+" before each, as lines 3-26 written 5 results above]

Only neighbours with the same sign are named together; headers and short hunks stay.
"""

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Final

from tidegate.core.compression.markers import count_of, marker
from tidegate.core.compression.references import Run, place_of

_SIGNS: Final = "+- "
_FEWEST_LINES: Final = 6
_HUNK: Final = "\n@@ "
_FILE: Final = "+++ b/"

# Tells which of the lines of a file (its path in the repository) were shown before.
Finder = Callable[[str, list[str]], list[Run]]


def shorten(text: str, result: int, find: Finder) -> str | None:
    """A diff with the lines named that were shown before; None if there are none."""
    if _HUNK not in text or _FILE not in text:
        return None
    shorter = "\n".join(_lines(text.split("\n"), result, find))
    return shorter if len(shorter) < len(text) else None


def _lines(lines: list[str], result: int, find: Finder) -> Iterator[str]:
    path = ""
    for sign, group in groupby(lines, lambda line: line[:1]):
        same = list(group)
        if sign == "d" and same[0].startswith("diff "):
            path = ""
        elif sign == "+" and same[0].startswith(_FILE):
            path = same[0][len(_FILE) :]
        elif path and len(same) >= _FEWEST_LINES and sign and sign in _SIGNS:
            yield from _named(sign, same, result, find(path, [line[1:] for line in same]))
            continue
        yield from same


def _named(sign: str, lines: list[str], result: int, runs: list[Run]) -> Iterator[str]:
    at = 0
    for run in runs:
        yield from lines[at : run.begin]
        how_many = count_of(run.end - run.begin, "line")
        yield marker(f'{how_many} with "{sign}" before each, as {place_of(run, result)}')
        at = run.end
    yield from lines[at:]
