"""Line numbers of file contents: on the first line, every twentieth, and the last before a tail.

Agents print files with a number before each line (`    12→text`, `12<TAB>text`, `00012| text`,
`12: text`). Numbers in between can be counted; the text of a line is what an edit has to match, so
no character of it is touched. A line of text that looks numbered itself keeps its own number, so
that what the others' numbers are stays certain.
"""

import re
from typing import Final

import msgspec

_STEP: Final = 20  # so no line is more than ten lines away from a number
_FEWEST_LINES: Final = 3
_SEPARATORS: Final = ("→", "\t", "| ", ": ")
_FIRST: Final = re.compile(r"^( *)(\d{1,9})(→|\t|\| |: )", re.M)
_MOST_BEFORE: Final = 8  # lines before the first numbered one


class _Form(msgspec.Struct, frozen=True):
    separator: str
    line: re.Pattern[str]  # a numbered line, as agents print it
    short: re.Pattern[str]  # a numbered line, as we print it


_FORMS: Final = {
    separator: _Form(
        separator,
        re.compile(rf"^ *0*(\d{{1,9}}){re.escape(separator)}(.*)$", re.M),
        re.compile(rf"^(\d{{1,9}}){re.escape(separator)}", re.M),
    )
    for separator in _SEPARATORS
}


class Numbered(msgspec.Struct, frozen=True):
    """Consecutive numbered lines with what stands before and after them."""

    head: str  # with its line end
    first: int
    texts: list[str]
    tail: str  # with the line end before it
    separator: str


def parse(text: str, separators: tuple[str, ...] = ("→", "\t", "| ")) -> Numbered | None:
    """Find numbered lines that follow each other without a gap; None where there are none such.

    They need not begin or end the text, but nothing else in it may look numbered in the same way.
    """
    begin = _FIRST.search(text)
    if begin is None or begin[3] not in separators:
        return None
    form = _FORMS[begin[3]]
    head = text[: begin.start()]
    found = form.line.findall(text, begin.start())
    first = int(found[0][0])
    count = len(found)
    if count < _FEWEST_LINES:
        return None
    numbers, texts = zip(*found, strict=True)
    if numbers != tuple(map(str, range(first, first + count))):
        return None
    last_line = f"{numbers[-1]}{form.separator}{texts[-1]}"
    end = _end_of(text, begin.start(), last_line, count)
    if end < 0 or form.line.search(text, end):
        return None  # other lines stand in between
    return Numbered(head, first, list(texts), text[end:], form.separator)


def shorten(numbered: Numbered) -> str | None:
    """Print with few numbers; None where reading that back does not give the same lines."""
    form = _FORMS[numbered.separator]
    texts, first, separator = numbered.texts, numbered.first, numbered.separator
    last = len(texts) - 1
    lines = texts.copy()
    marked = {0, *range(-first % _STEP, last + 1, _STEP)}
    if numbered.tail:
        marked.add(last)
    body = "\n".join(texts)
    if form.short.search(body) is not None:
        marked.update(i for i, text in enumerate(texts) if form.short.match(text))
    for i in marked:
        lines[i] = f"{first + i}{separator}{texts[i]}"
    shorter = "\n".join(lines)
    if expand(shorter, separator) != (first, texts):
        return None
    return f"{numbered.head}{shorter}{numbered.tail}"


def expand(block: str, separator: str) -> tuple[int, list[str]] | None:
    """Read a shortened block back: the first line's number, and the lines."""
    short = _FORMS[separator].short
    at, line, first = 0, 0, None
    for mark in short.finditer(block):
        line += block.count("\n", at, mark.start())
        at = mark.start()
        if first is None:
            if line:
                return None
            first = int(mark[1])
        elif int(mark[1]) != first + line:
            return None
    if first is None:
        return None
    return first, short.sub("", block).split("\n")


def _end_of(text: str, begin: int, last_line: str, lines: int) -> int:
    """Where the last of so many lines from `begin` on ends; -1 where that cannot be told."""
    if text.count("\n", begin) == lines - 1:
        return len(text)
    end = text.rfind(last_line) + len(last_line)
    return end if text.count("\n", begin, end) == lines - 1 and text[end] == "\n" else -1
