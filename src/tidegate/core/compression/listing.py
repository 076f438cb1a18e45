"""Lists of paths, one a line: neighbours of one folder under the folder's name.

src/app/             a folder: what follows, indented, is in it
 main.py             was src/app/main.py
 cli.py
"""

import re
from itertools import pairwise
from typing import Final

from tidegate.core.compression.alarm import ALARM

_FEWEST_LINES: Final = 3
_PATH: Final = re.compile(r"(?:[^\s/:]*/)+[^\s/:]+")


def shorten(text: str) -> str | None:
    """Group neighbouring paths by folder; None where that is not shorter or cannot be read back."""
    lines = text.split("\n")
    if len(lines) < _FEWEST_LINES:
        return None
    folders = [_folder(line) if "/" in line else "" for line in lines]
    if not _has_neighbours(folders):
        return None
    folders = [
        "" if folder and ALARM.search(line) else folder
        for folder, line in zip(folders, lines, strict=True)
    ]
    shorter: list[str] = []
    current = ""
    for at, (line, folder) in enumerate(zip(lines, folders, strict=True)):
        if folder and folder == current:
            shorter.append(f" {line[len(folder) :]}")
        elif folder and at + 1 < len(lines) and folders[at + 1] == folder:
            current = folder
            shorter += [folder, f" {line[len(folder) :]}"]
        else:
            current = ""
            shorter.append(line)
    whole = "\n".join(shorter)
    if len(whole) >= len(text) or expand(whole) != text:
        return None
    return whole


def _has_neighbours(folders: list[str]) -> bool:
    return any(a and a == b for a, b in pairwise(folders))


def expand(text: str) -> str:
    """Write the folder before every path again."""
    lines: list[str] = []
    folder = ""
    for line in text.split("\n"):
        if folder and line.startswith(" "):
            lines.append(folder + line[1:])
        elif line.endswith("/") and _folder(f"{line}x") == line:
            folder = line
        else:
            folder = ""
            lines.append(line)
    return "\n".join(lines)


def _folder(line: str) -> str:
    """The folder of a line that is a path and nothing else, with its slash."""
    return line[: line.rindex("/") + 1] if _PATH.fullmatch(line) else ""
