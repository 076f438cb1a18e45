"""Matches of a search (`path:12:text`, `path-13-text`, `path:text`): each path once.

src/app.py:          the path of what follows
12:text              was src/app.py:12:text
:text                was src/app.py:text, a match without a number
app.py-13-text       was src/app.py-13-text, a line around a match: only its folder goes
/abs/src/app.py-     the path of such lines, where the searcher prints another one for them
lib/                 the folder of the matches that follow; ./ ends it
a.py:1:text          was lib/a.py:1:text
"""

import re
from typing import Final

import msgspec

_FEWEST_LINES: Final = 3
_MATCH: Final = re.compile(r"([^\s:][^:\n]*):(\d+):")
_PLAIN: Final = re.compile(r"([^\s:][^:\n]*[./][^:\n]*):")
_CONTEXT: Final = re.compile(r"(\S.*?\.\w+)-\d+-|(\S.*?)-\d+-")
_AROUND: Final = re.compile(r"-\d+-")
_ENTRY: Final = re.compile(r"\d+:|:")


class _Record(msgspec.Struct):
    path: str  # empty: not a match, `rest` is the whole line
    rest: str  # "12:text", ":text" or "-13-text"


def shorten(text: str) -> str | None:
    """Group matches by path; None where that is not shorter or cannot be read back."""
    lines = text.split("\n")
    if len(lines) < _FEWEST_LINES:
        return None
    records = _read(lines)
    if records is None:
        return None
    shorter = _write(records)
    if len(shorter) >= len(text) or expand(shorter) != text:
        return None
    return shorter


def expand(text: str) -> str:
    """Write the path before every match again."""
    lines: list[str] = []
    match_path = context_path = base = folder = ""
    for line in text.split("\n"):
        if _ENTRY.match(line):
            lines.append(match_path + line if line[0] == ":" else f"{match_path}:{line}")
        elif base and line.startswith(base) and _AROUND.match(line, len(base)):
            lines.append(context_path + line[len(base) :])
        elif line.endswith("/"):
            folder = "" if line == "./" else line
        elif line.endswith(":") and len(line) > 1:
            match_path = folder + line[:-1]
            if _base(match_path) != base:
                context_path, base = match_path, _base(match_path)
        elif line.endswith("-") and line != "--":
            context_path, base = line[:-1], _base(line[:-1])
        else:
            lines.append(folder + line if folder and _PLAIN.match(line) else line)
    return "\n".join(lines)


def _read(lines: list[str]) -> list[_Record] | None:
    records: list[_Record] = []
    path = around = ""
    matches = 0
    for line in lines:
        record = None
        if path and line.startswith(path) and line[len(path) : len(path) + 1] == ":":
            rest = line[len(path) :]
            record = _Record(path, rest[1:] if _ENTRY.match(rest, 1) else rest)
        elif around and line.startswith(around) and _AROUND.match(line, len(around)):
            record = _Record(around, line[len(around) :])
        elif found := _MATCH.match(line):
            path = found[1]
            record = _Record(path, line[len(path) + 1 :])
        elif line != "--" and (found := _CONTEXT.match(line)):
            around = found[1] or found[2]
            record = _Record(around, line[len(around) :])
        elif found := _PLAIN.match(line):
            path = found[1]
            record = _Record(path, line[len(path) :])
        matches += record is not None
        records.append(record or _Record("", line))
    return records if matches * 2 > len(lines) else None


def _write(records: list[_Record]) -> str:
    lines: list[str] = []
    match_path = context_path = base = folder = ""
    folders = _folders(records)
    last = len(records) - 1
    for at, record in enumerate(records):
        path, rest = record.path, record.rest
        if not path:
            lines.append(rest)
        elif rest[0] == "-":
            if path != context_path:
                context_path, base = path, _base(path)
                lines.append(f"{path}-")
            lines.append(base + rest)
        elif path == match_path:
            lines.append(rest)
        else:
            wanted = folders.get(at, folder if path.startswith(folder) else "")
            if wanted != folder:
                folder = wanted
                lines.append(folder or "./")
            name = path[len(folder) :]
            whole = name + rest if rest[0] == ":" else f"{name}:{rest}"
            if whole[-1] not in ":-/" and (at == last or records[at + 1].path != path):
                lines.append(whole)
                continue
            match_path = path
            if _base(path) != base:
                context_path, base = path, _base(path)
            lines += [f"{name}:", rest]
    return "\n".join(lines)


def _folders(records: list[_Record]) -> dict[int, str]:
    """Of each match whose path differs from the one before it: the folder it is written under."""
    folders: dict[int, str] = {}
    path, open_at, folder = "", -1, ""
    for at, record in enumerate(records):
        if not record.path or record.rest[0] == "-" or record.path == path:
            continue
        path = record.path
        own = path[: len(path) - len(_base(path))]
        if own and own == folder:
            folders[open_at] = folder  # two at least: it pays
            folders[at] = folder
        else:
            folders[at] = ""
        open_at, folder = at, own
    return folders


def _base(path: str) -> str:
    return path[path.rfind("/") + 1 :]
