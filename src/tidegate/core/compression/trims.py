"""Lines of a command's output that tell nothing new, left out and counted: the level `trims`.

Passing tests (only beside a summary), progress of installing and building, and runs of lines that
differ in numbers alone. What speaks of an error stays, and so does every line of another kind. Each
gap holds a marker; `| cat` behind the command, which is never trimmed, shows all of it.
"""

import re
from collections.abc import Iterator
from typing import Final

from tidegate.core.compression.alarm import speaks_of, words_in
from tidegate.core.compression.markers import count_of, marker

_TESTS, _PROGRESS, _SIMILAR = "of passing tests", "of progress", "like those around"
_FEWEST: Final = {_TESTS: 2, _PROGRESS: 4, _SIMILAR: 5}  # lines that make a gap
_LEAST: Final = 200  # characters that a gap must leave out
_LONGEST_LINE: Final = 1000  # of those that may be left out whole
_FEWEST_LETTERS: Final = 12  # in a line that may count as similar: fewer are a table of numbers

# A line that says a test passed, and nothing else: its name may hold any word.
_PASSED: Final = re.compile(
    r"\s*--- PASS: \S+ \([\d.]+s\)$|=== (?:RUN|PAUSE|CONT) +\S+$"
    r"|ok  \t\S+\t(?:\(cached\)|[\d.]+s)(?:\tcoverage: [\d.]+% of statements.*)?"
    r"(?: \[no tests to run\])?$|testing: warning: no tests to run$|PASS$"
    r"|\s*[✓✔√] \S.*$|test \S+ (?:- .+ )?\.\.\. ok$|test_\w+ \([\w.]+\)(?: \.\.\. ?ok)$"
    r"|\S+::\S.* PASSED(?: +\[ *\d+%\])?$|\S[^\n]* > [^\n]+ PASSED$"
)
_ANNOUNCED: Final = ("=== RUN", "=== CONT", "=== PAUSE", "=== NAME")
_ANNOUNCEMENT: Final = re.compile(r"=== (?:RUN|CONT|NAME) +(\S+)$")
_PASSING_TEST: Final = re.compile(r" *--- PASS: (\S+) \(")
_FEWEST_PASSING: Final = 3  # of which the output is left out: one alone is run to see it
# A line about tests in which an alarming word would mean one.
_IDLE: Final = re.compile(
    r"\?   \t\S+\t\[no test files\]$|\t\S+\t\tcoverage: 0\.0% of statements$"
    r"|\S+\.(?:py|rb) \.+(?: +\[ *\d+%\])?$|PASS \S+\.[jt]sx?(?: \([\d.]+ m?s\))?$"
)
_SUMMARY: Final = re.compile(
    r"\n(?:(?:ok|FAIL)\s+\S|PASS\n|FAIL\n|={3,} [^\n]*\d+ (?:passed|failed)|\d+ (?:passed|failed)"
    r"|Tests?:? +\d|test result: |Ran \d+ tests?|Tests run: |BUILD |# pass | {0,8}\d+ passing)"
)
_PROGRESSED: Final = re.compile(
    r"\s*(?:Compiling|Downloaded|Downloading|Fresh|Checking|Updating|Adding|Locking|Unpacking"
    r"|Setting up|Preparing to unpack|Selecting previously|Collecting|Using cached|Fetching"
    r"|Requirement already satisfied|Installing collected|Building wheel|Created wheel"
    r"|Get:\d+|Hit:\d+|Ign:\d+|go: downloading|go: finding|\[INFO\] Download(?:ing|ed) from"
    r"|npm http|Progress: resolved|remote: (?:Counting|Compressing)|Receiving objects"
    r"|Resolving deltas|[0-9a-f]{12}: (?:Pull|Wait|Down|Verif|Extract))\b.*$"
)
_VARYING: Final = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-f]{7,40}\b|\d+")
_LETTERS: Final = re.compile(r"[^\W\d_]")


def trim(text: str) -> str | None:
    """Leave out what a count can stand for; None where nothing is."""
    lines = text.split("\n")
    kinds = _kinds(text, lines)
    if not any(kinds):
        return None
    shorter = "\n".join(_written(lines, kinds))
    return shorter if len(shorter) < len(text) else None


def _kinds(text: str, lines: list[str]) -> list[str]:
    """Of each line why it may be left out; empty if it may not."""
    words = words_in(text)
    if _SUMMARY.search(f"\n{text}"):
        kinds = [_TESTS if is_passing else "" for is_passing in _tests(lines, words)]
    else:
        kinds = [""] * len(lines)
    progressed = _PROGRESSED.match
    before = length = 0
    for at, line in enumerate(lines):
        before, length = length, len(line)
        if kinds[at] or not 0 < length < _LONGEST_LINE:
            continue
        if progressed(line):
            kind = _PROGRESS
        elif -4 < length - before < 4 and _is_similar(lines, at):
            kind = _SIMILAR
        else:
            continue
        if not speaks_of(line, words):
            kinds[at] = kind
    return kinds


def _is_similar(lines: list[str], at: int) -> bool:
    """Whether a line differs from the one before and the one after in numbers alone."""
    near = lines[at - 1 : at + 2]
    if (
        at == 0
        or len(near) < 3
        or (len({line[:2] for line in near}) > 1 and not near[1][0].isdigit())
    ):
        return False
    if len({_VARYING.sub("#", line) for line in near}) > 1:
        return False
    return len(_LETTERS.findall(lines[at])) >= _FEWEST_LETTERS


def _tests(lines: list[str], words: tuple[str, ...]) -> list[bool]:
    """Which lines tell of passing tests; not the announcement of one that printed what stays."""
    passed, idle = _PASSED.match, _IDLE.match
    found = [
        len(line) < _LONGEST_LINE
        and (passed(line) is not None or (idle(line) is not None and not speaks_of(line, words)))
        for line in lines
    ]
    _add_printed(lines, words, found)
    for at, line in enumerate(lines[:-1]):
        if found[at] and not found[at + 1] and lines[at + 1] and line.startswith(_ANNOUNCED):
            found[at] = False
    # One line that sums up stays, be it the last package's own.
    for at in range(len(lines) - 1, -1, -1):
        if lines[at].startswith("ok"):
            found[at] = False
            break
    return found


def _add_printed(lines: list[str], words: tuple[str, ...], found: list[bool]) -> None:
    """Add what tests of Go printed that passed beside others."""
    names = {match[1] for line in lines if (match := _PASSING_TEST.match(line))}
    if len(names) < _FEWEST_PASSING:
        return
    is_passing = False
    for at, line in enumerate(lines):
        if line.startswith(("=== ", "--- ", "    --- ", "PASS", "FAIL", "ok")):
            announced = _ANNOUNCEMENT.match(line)
            is_passing = announced is not None and announced[1] in names
            if is_passing and line.startswith("=== NAME"):
                found[at] = True
        elif is_passing and len(line) < _LONGEST_LINE and not speaks_of(line, words):
            found[at] = True


def _written(lines: list[str], kinds: list[str]) -> Iterator[str]:
    at, count = 0, len(lines)
    while at < count:
        kind, end = kinds[at], at + 1
        while end < count and kinds[end] == kind:
            end += 1
        gap = lines[at:end]
        if kind and len(gap) >= _FEWEST[kind] and sum(map(len, gap)) >= _LEAST:
            how_many = count_of(len(gap), "line")
            yield marker(
                f'{how_many} {kind} left out; the command with "| cat" behind it shows all'
            )
        else:
            yield from gap
        at = end
