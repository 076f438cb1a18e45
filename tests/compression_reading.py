"""Reads requests with compressed tool results as a careful reader would: by what is in them alone.

Numbers are counted on from the last one shown, references are looked up in the same request, and
folders and paths put before what stands under them. Written without the engine, to judge it.
"""

import re
from collections import Counter
from typing import Any, NamedTuple

_NAMED = re.compile(
    r'\[tidegate: (?:lines (?P<first>\d+)-(?P<last>\d+)|(?P<count>\d+) lines? with "(?P<sign>.)" '
    r"before each,) as (?:lines (?P<from>\d+)-(?P<to>\d+) )?(?P<way>in the read|written) "
    r"(?P<above>\d+) results? above\]"
)
_SAME = re.compile(r"\[tidegate: the same (\d+) lines? as (\d+) results? above\]")
_LEFT_OUT = re.compile(r"\[tidegate: .* left out; .*\]")
_NUMBER = re.compile(r" *0*(\d+)(→|\t|\| |: )(.*)", re.S)
_FOUND = "\0found\0"  # before lines that a reference names, with their numbers
_HARM = re.compile(
    r"(?i)\b(error|errors|fatal|panic(?:ked)?|exception|traceback|failed|failure|undefined"
    r"|cannot find|not found|denied|segfault|unresolved)\b"
)
_PASSED = re.compile(
    r"^\s*(--- PASS|=== (RUN|PAUSE|CONT|NAME)|ok\s|PASS\b|✓|✔|√)|\bPASSED\b|\.\.\. ?ok\b"
)
_COLOUR = re.compile(r"\x1b(?:\[[0-9;:?]*[A-Za-z]|\]8;[^\x07\x1b]*(?:\x07|\x1b\\)|\(B)")


class Result(NamedTuple):
    """A result with the call that it answers."""

    tool: str
    call: Any
    text: str


class Request:
    """Tool results of a conversation, in their order."""

    def __init__(self, messages: list[Any]) -> None:
        calls: dict[str, tuple[str, Any]] = {}
        self.results: list[Result] = []
        for message in messages:
            content = message.get("content")
            for block in content if isinstance(content, list) else []:
                if block.get("type") == "tool_use":
                    calls[block["id"]] = (block["name"], block["input"])
                elif block.get("type") == "tool_result":
                    tool, call = calls.get(block["tool_use_id"], ("", None))
                    content_of = block["content"]
                    text = (
                        content_of
                        if isinstance(content_of, str)
                        else "".join(part.get("text", "") for part in content_of)
                    )
                    self.results.append(Result(tool, call, text))


class Unreadable(Exception):
    """A reference to what is not there."""


def expanded(request: Request, at: int) -> list[str]:
    """A result's lines with every reference replaced by the lines that it names."""
    lines: list[str] = []
    text = request.results[at].text
    for line in text.split("\n"):
        if same := _SAME.fullmatch(line):
            found = expanded(request, at - int(same[2]))
            if len(found) != int(same[1]) and not any(map(_LEFT_OUT.fullmatch, found)):
                raise Unreadable(line)
            lines += found
        elif named := _NAMED.fullmatch(line):
            lines += _named(request, at, named)
        else:
            lines.append(line)
    return lines


def _named(request: Request, at: int, named: re.Match[str]) -> list[str]:
    first, last = named["from"] or named["first"], named["to"] or named["last"]
    begin, end, origin = int(first), int(last), at - int(named["above"])
    if named["way"] == "written":
        call = request.results[origin].call
        written = next(
            call[name]
            for name in ("new_string", "newString", "new_str", "content", "file_text")
            if isinstance(call.get(name), str)
        )
        texts = written.split("\n")[begin - 1 : end]
    else:
        shown = numbered(request.results[origin].text.split("\n"))
        texts = [shown[number] for number in range(begin, end + 1)]
    if named["sign"]:
        if len(texts) != int(named["count"]):
            raise Unreadable(named[0])
        return [named["sign"] + text for text in texts]
    numbers = range(int(named["first"]), int(named["last"]) + 1)
    return [f"{_FOUND}{number}\0{text}" for number, text in zip(numbers, texts, strict=True)]


def numbered(lines: list[str], *, counts_on: bool = True) -> dict[int, str]:
    """Lines by their numbers, those without one counted on from the last; references skip."""
    found: dict[int, str] = {}
    number, separator = 0, ""
    for line in lines:
        if named := _NAMED.fullmatch(line):
            number = int(named["last"] or 0)
            continue
        if line.startswith(_FOUND):
            shown, _, text = line.removeprefix(_FOUND).partition("\0")
            number = int(shown)
            found[number] = text
            continue
        match = _NUMBER.match(line)
        if match and separator in ("", match[2]):
            number, separator = int(match[1]), match[2]
            found[number] = match[3]
        elif separator and counts_on:
            number += 1
            found[number] = line
    return found


def faults_of(came: Request, went: Request, level: str) -> list[str]:
    """What a reader of the shorter request would miss of the one that came."""
    faults = []
    for at, (before, after) in enumerate(zip(came.results, went.results, strict=True)):
        if before.text == after.text:
            continue
        try:
            lines = expanded(went, at)
        except (Unreadable, KeyError, ValueError, IndexError) as fault:
            faults.append(f"result {at}: {fault!r}")
            continue
        if not any(_LEFT_OUT.fullmatch(line) for line in lines):
            faults += [f"result {at}: {fault}" for fault in _missing_lines(before.text, lines)]
        elif level != "trims":
            faults.append(f"result {at}: lines left out")
        if "; the call shows " not in after.text:
            faults += [f"result {at}: {fault}" for fault in _missing_errors(before.text, lines)]
    return faults


def _missing_lines(text: str, lines: list[str]) -> list[str]:
    original = text.split("\n")
    wanted = numbered(original, counts_on=False) if _is_numbered(original) else {}
    if len(wanted) >= 3:
        have = numbered(lines)
        return [f"line {n}" for n, line in wanted.items() if n in have and have[n] != line][:1] + [
            f"no line {n}" for n in wanted if n not in have
        ][:1]
    have_lines = Counter(_plain("\n".join(lines)).split())
    words = Counter(word for word in _plain(text).split() if "/" not in word and ":" not in word)
    lost = words - have_lines
    if text.startswith("Chunk ID: "):
        return []
    return [f"lost {next(iter(lost))!r}"] if lost and not _may_join(text) else []


def _is_numbered(lines: list[str]) -> bool:
    numbers = [int(match[1]) for line in lines if (match := _NUMBER.match(line))]
    begin = sum(1 for line in lines[:12] if _NUMBER.match(line))
    return begin >= 3 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _may_join(text: str) -> bool:
    """Whether words of a text may have been joined with what they stood beside."""
    return "\r" in text or text.strip()[:1] in ("{", "[")


def _plain(text: str) -> str:
    return _COLOUR.sub("", text)


def _missing_errors(text: str, lines: list[str]) -> list[str]:
    have = " ".join(" ".join(lines).replace("\0", " ").split())
    for line in _plain(text).replace("\0", " ").replace("\r", "\n").split("\n"):
        number = _NUMBER.match(line)
        plain = " ".join((number[3] if number else line).split())
        if not plain or len(plain) > 2000 or not _HARM.search(plain) or _PASSED.search(plain):
            continue
        bare = re.sub(r"^\S*?[:-]\d+[:-]", "", plain)
        if plain not in have and bare.strip() not in have and "/" not in plain:
            return [f"error line {plain[:80]!r}"]
    return []
