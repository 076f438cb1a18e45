"""Lists of paths, one a line: neighbours of one folder under the folder's name.

src/app/             a folder: what follows, indented, is in it
 main.py             was src/app/main.py
 cli.py
"""

import re
from itertools import pairwise
from typing import Final

from tidegate.core.compression.alarm import speaks_of, words_in

_FEWEST_LINES: Final = 3
_PATH: Final = re.compile(r"([^\s:]*/)[^\s/:]+")
_FOLDER: Final = re.compile(r"[^\s:]*/")


def shorten(text: str, *, whole_alarms: bool) -> str | None:
    """Group neighbouring paths by folder; None where that is not shorter or cannot be read back.

    A path that speaks of errors stays in one piece if asked for: it may be more than a path.
    """
    lines = text.split("\n")
    if len(lines) < _FEWEST_LINES:
        return None
    path = _PATH.fullmatch
    folders = [found[1] if "/" in line and (found := path(line)) else "" for line in lines]
    if not any(a and a == b for a, b in pairwise(folders)):
        return None
    if whole_alarms and (words := words_in(text)):
        for at, line in enumerate(lines):
            if folders[at] and speaks_of(line, words):
                folders[at] = ""
    whole = "\n".join(_written(lines, folders))
    if len(whole) >= len(text) or expand(whole) != text:
        return None
    return whole


def _written(lines: list[str], folders: list[str]) -> list[str]:
    written: list[str] = []
    current = ""
    for line, folder, following in zip(lines, folders, [*folders[1:], ""], strict=True):
        if not folder:
            current = ""
            written.append(line)
        elif folder == current:
            written.append(f" {line[len(folder) :]}")
        elif following == folder:
            current = folder
            written += (folder, f" {line[len(folder) :]}")
        else:
            current = ""
            written.append(line)
    return written


def expand(text: str) -> str:
    """Write the folder before every path again."""
    lines: list[str] = []
    folder = ""
    for line in text.split("\n"):
        if folder and line[:1] == " ":
            lines.append(folder + line[1:])
        elif line[-1:] == "/" and _FOLDER.fullmatch(line):
            folder = line
        else:
            folder = ""
            lines.append(line)
    return "\n".join(lines)
