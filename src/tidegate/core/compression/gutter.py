"""Line numbers of file contents: on the first line, every twentieth, and the last before a tail.

Agents print files with a number before each line (`    12→text`, `12<TAB>text`, `00012| text`,
`12: text`). Numbers in between can be counted; the text of a line is what an edit has to match, so
no character of it is touched. A line of text that looks numbered itself keeps its own number, so
that what the others' numbers are stays certain.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

_STEP: Final = 20  # so no line is more than ten lines away from a number
_FEWEST_LINES: Final = 3
SEPARATORS: Final = ("→", "\t", "| ", ": ")
_NUMBER: Final = r"( *)(\d{1,9})(→|\t|\| |: )"
_AT_START: Final = re.compile(_NUMBER)
_AT_LINE: Final = re.compile(rf"\n{_NUMBER}")
_LONGEST_HEAD: Final = 1000  # characters
_LARGEST: Final = 1_000_000_000  # a line's number
_BLOCK: Final = 1000
_MARKS: Final = {s: re.compile(rf"\n(\d{{1,9}}){re.escape(s)}") for s in SEPARATORS}
_LOOKALIKES: Final = {s: re.compile(rf"\n *\d{{1,9}}{re.escape(s)}") for s in SEPARATORS}


class Numbered(NamedTuple):
    """Consecutive numbered lines with what stands before and after them."""

    head: str  # with its line end
    first: int
    texts: list[str]
    tail: str  # with the line end before it
    separator: str


class _Form(NamedTuple):
    width: int
    pad: str
    separator: str


def parse(text: str, separators: tuple[str, ...] = SEPARATORS) -> Numbered | None:
    """Find numbered lines that follow each other without a gap; None where there are none such.

    They need not begin or end the text, but nothing after them may look numbered in the same way.
    """
    begin = _AT_START.match(text) or _AT_LINE.search(text, 0, _LONGEST_HEAD)
    if begin is None or begin[3] not in separators:
        return None
    blanks, digits, separator = begin[1], begin[2], begin[3]
    zeros = digits[0] == "0" and len(digits) > 1
    if zeros and blanks:
        return None
    form = _Form(len(blanks) + len(digits), "0" if zeros else " ", separator)
    first, start = int(digits), begin.start(1)
    lines = text[start:].split("\n")
    count = _count(lines, form, first)
    if count < _FEWEST_LINES:
        return None
    tail = ""
    if count < len(lines):
        tail = "\n" + "\n".join(lines[count:])
        del lines[count:]
        if _LOOKALIKES[separator].search(tail) is not None:
            return None  # other lines stand in between
    texts = _texts(lines, form, first)
    return None if texts is None else Numbered(text[:start], first, texts, tail, separator)


def shorten(numbered: Numbered) -> str | None:
    """Print with few numbers; None where reading that back does not give the same lines."""
    texts, first, separator = numbered.texts, numbered.first, numbered.separator
    body = "\n" + "\n".join(texts)
    lines = texts.copy()
    marked = [0, *range(-first % _STEP, len(texts), _STEP)]
    if numbered.tail:
        marked.append(len(texts) - 1)
    if separator in body and _LOOKALIKES[separator].search(body) is not None:
        alike = _LOOKALIKES[separator].match
        marked += [at for at, text in enumerate(texts) if alike(f"\n{text}")]
    for at in marked:
        lines[at] = f"{first + at}{separator}{texts[at]}"
    shorter = "\n".join(lines)
    if expand(shorter, separator) != (first, body[1:]):
        return None
    return f"{numbered.head}{shorter}{numbered.tail}"


def expand(block: str, separator: str) -> tuple[int, str] | None:
    """Read a shortened block back: the first line's number, and the lines without numbers."""
    before, *marked = _MARKS[separator].split(f"\n{block}")
    if before or not marked:
        return None
    numbers, parts = marked[::2], marked[1::2]
    first = line = int(numbers[0])
    for number, part in zip(numbers, parts, strict=True):
        if int(number) != line:
            return None
        line += part.count("\n") + 1
    return first, "\n".join(parts)


def _count(lines: list[str], form: _Form, first: int) -> int:
    """How many lines from the first on may be numbered: only the last of them is looked at."""
    low, high = 1, min(len(lines), _LARGEST - first)
    if lines[high - 1].startswith(_prefix(form, first + high - 1)):
        return high
    if high <= _FEWEST_LINES - 1 or not lines[1].startswith(_prefix(form, first + 1)):
        return 1
    while high - low > 1:
        middle = (low + high) // 2
        if lines[middle - 1].startswith(_prefix(form, first + middle - 1)):
            low = middle
        else:
            high = middle
    return low


def _texts(lines: list[str], form: _Form, first: int) -> list[str] | None:
    """The lines without their numbers; None where one has another number or none."""
    expected = _prefixes(form, first, len(lines))
    texts: list[str] = []
    at = 0
    while at < len(lines):
        size = len(expected[at])  # which changes after 9, 99, 999 and so on
        end = len(lines)
        if len(expected[-1]) > size:
            end = 10 ** (size - len(form.separator)) - first
        part = lines[at:end]
        if [line[:size] for line in part] != expected[at:end]:
            return None
        texts += [line[size:] for line in part]
        at = end
    return texts


def _prefix(form: _Form, number: int) -> str:
    return str(number).rjust(form.width, form.pad) + form.separator


def _prefixes(form: _Form, first: int, count: int) -> list[str]:
    block, skipped = divmod(first, _BLOCK)
    prefixes = _block(form, block)[skipped : skipped + count]
    while len(prefixes) < count:
        block += 1
        prefixes += _block(form, block)[: count - len(prefixes)]
    return prefixes


@lru_cache(maxsize=64)
def _block(form: _Form, block: int) -> list[str]:
    """A thousand prefixes; they are the same for every file."""
    return [_prefix(form, number) for number in range(block * _BLOCK, (block + 1) * _BLOCK)]
