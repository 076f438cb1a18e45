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

_FEWEST_LINES: Final = 3
_MATCH: Final = re.compile(r"([^\s:][^:]*):(\d+):")
_PLAIN: Final = re.compile(r"([^\s:][^:]*[./][^:]*):")
_CONTEXT: Final = re.compile(r"(\S.*?\.\w+)-\d+-|(\S.*?)-\d+-")
_AROUND: Final = re.compile(r"-\d+-")
_NUMBERED: Final = re.compile(r"\d+:")
_LONGEST_PATH: Final = 1000  # characters of a line that are looked at for one
_LOOKED_AT: Final = 200  # lines, after which a text that does not look like matches is left

_Record = tuple[str, str]  # path, "12:text" or ":text" or "-13-text"; "", line: not a match


def shorten(text: str) -> str | None:
    """Group matches by path; None where that is not shorter or cannot be read back."""
    lines = text.split("\n")
    if len(lines) < _FEWEST_LINES:
        return None
    if len(lines) > 2 * _LOOKED_AT and _read(lines[:_LOOKED_AT], least=0.25) is None:
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
    numbered, around, plain = _NUMBERED.match, _AROUND.match, _PLAIN.match
    for line in text.split("\n"):
        if numbered(line):
            lines.append(f"{match_path}:{line}")
        elif line[:1] == ":":
            lines.append(match_path + line)
        elif base and line.startswith(base) and around(line, len(base)):
            lines.append(context_path + line[len(base) :])
        elif (end := line[-1:]) == "/":
            folder = "" if line == "./" else line
        elif end == ":":
            match_path = folder + line[:-1]
            if _base(match_path) != base:
                context_path, base = match_path, _base(match_path)
        elif end == "-" and line != "--":
            context_path, base = line[:-1], _base(line[:-1])
        else:
            lines.append(folder + line if folder and plain(line) else line)
    return "\n".join(lines)


def _read(lines: list[str], least: float = 0.5) -> list[_Record] | None:
    """The lines apart into paths and what follows them; None if too few are matches."""
    records: list[_Record] = []
    path = prefix = around = before = "\n"  # which no line starts with
    allowed = (1 - least) * len(lines)
    for line in lines:
        if line.startswith(prefix):
            rest = line[len(prefix) :]
            named = rest[:1] == ":" or _NUMBERED.match(rest) is not None
            records.append((path, rest if named else f":{rest}"))
        elif line.startswith(before) and _AROUND.match(line, len(around)):
            records.append((around, line[len(around) :]))
        elif (colon := ":" in line) and (found := _MATCH.match(line, 0, _LONGEST_PATH)):
            path = found[1]
            prefix = f"{path}:"
            records.append((path, line[len(prefix) :]))
        elif _AROUND.search(line, 0, _LONGEST_PATH) and (found := _CONTEXT.match(line)):
            around = found[1] or found[2]
            before = f"{around}-"
            records.append((around, line[len(around) :]))
        elif colon and (found := _PLAIN.match(line, 0, _LONGEST_PATH)):
            path = found[1]
            prefix = f"{path}:"
            records.append((path, line[len(path) :]))
        else:
            allowed -= 1
            if allowed <= 0:
                return None
            records.append(("", line))
    return records


def _write(records: list[_Record]) -> str:
    lines: list[str] = []
    match_path = context_path = base = folder = ""
    folders = _folders(records)
    followers = [path for path, _ in records[1:]]
    followers.append("")
    for at, (path, rest) in enumerate(records):
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
            if whole[-1] not in ":-/" and followers[at] != path:
                lines.append(whole)
                continue
            match_path = path
            if _base(path) != base:
                context_path, base = path, _base(path)
            lines += (f"{name}:", rest)
    return "\n".join(lines)


def _folders(records: list[_Record]) -> dict[int, str]:
    """Of each match whose path differs from the one before it: the folder it is written under."""
    folders: dict[int, str] = {}
    path, open_at, folder = "", -1, ""
    for at, (own_path, rest) in enumerate(records):
        if own_path == path or not own_path or rest[0] == "-":
            continue
        path = own_path
        own = path[: path.rfind("/") + 1]
        if own and own == folder:
            folders[open_at] = folder  # two at least: it pays
            folders[at] = folder
        else:
            folders[at] = ""
        open_at, folder = at, own
    return folders


def _base(path: str) -> str:
    return path[path.rfind("/") + 1 :]
