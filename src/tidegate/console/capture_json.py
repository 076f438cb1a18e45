"""The JSON of a captured body: read as far as it goes, and opened one level at a time."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import msgspec

from tidegate.console.capture_text import Excerpt, excerpt, one_line

PER_LEVEL: Final = 100
_SCALAR_CHARS: Final = 300
_PREVIEW_CHARS: Final = 80
_DEEPEST: Final = 500
_TOKENS: Final = re.compile(r'"(?:[^"\\]+|\\.)*+"?|[{}\[\],:]|[^"{}\[\],:\s]+', re.DOTALL)
_HALF_ESCAPE: Final = re.compile(r"((?:^|[^\\])(?:\\\\)*)\\u[0-9A-Fa-f]{0,3}$")
_CLOSING: Final = {"{": "}", "[": "]"}


@dataclass(frozen=True, slots=True)
class Document:
    """What a body says as JSON; `fault` tells why it is none, `cut` that its end is missing."""

    value: Any = None
    fault: str = ""
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """A value in a tree: a line, or something to open."""

    name: str
    at: str  # pointer
    kind: str  # object, array, string, number, word
    value: Excerpt | None  # of a line
    size: int = 0  # of what is in it
    preview: str = ""


@dataclass(frozen=True, slots=True)
class Level:
    """What is in a value, a part of it where it is much."""

    nodes: list[Node]
    at: str
    total: int
    following: int  # the first that is not shown, 0: none


def read_document(body: bytes, *, cut: bool = False) -> Document:
    """Read a body. One that was cut is closed where it ends, so that what came can be seen."""
    text = body.decode("utf-8", "replace")
    if not text.strip():
        return Document(fault="There is no body.")
    try:
        return Document(_decode(body, text))
    except RecursionError:
        return Document(fault="It is nested too deep to be shown as a tree.")
    except ValueError as fault:
        if not cut:
            return Document(fault=f"It is no JSON: {one_line(str(fault), 120)}.")
    try:
        return Document(json.loads(_closed(text), strict=False), cut=True)
    except (ValueError, RecursionError):
        return Document(fault="It was cut, and what is here cannot be read as JSON.")


def _decode(body: bytes, text: str) -> Any:
    try:
        return msgspec.json.decode(body)
    except ValueError:
        return json.loads(text, strict=False)  # takes lone surrogates and control characters


def _closed(text: str) -> str:
    """A beginning of JSON, ended behind its last whole value."""
    stack: list[str] = []
    end, closing, in_key = 0, "", False
    for match in _TOKENS.finditer(text):
        found = match[0]
        if found in {",", ":"}:
            in_key = found == "," and bool(stack) and stack[-1] == "{"
            continue
        if found in _CLOSING:
            stack.append(found)
            closing, in_key = _CLOSING[found] + closing, found == "{"
        elif not stack:
            break
        elif found in {"}", "]"}:
            stack.pop()
            closing = closing[1:]
        elif in_key:
            continue
        elif not _is_whole(found, match.end(), text):
            return _cut_string(text, match) + closing if found[0] == '"' else text[:end] + closing
        end = match.end()
        if len(stack) > _DEEPEST:
            break
    return text[:end] + closing


def _is_whole(found: str, end: int, text: str) -> bool:
    if found[0] == '"':
        return len(found) > 1 and found[-1] == '"'
    return end < len(text)


def _cut_string(text: str, match: "re.Match[str]") -> str:
    """The text to the end, with the string that the cut went through as far as it came."""
    kept = _HALF_ESCAPE.sub(r"\1", match[0])
    return f'{text[: match.start()]}{kept}"'


def pointer(at: str, name: str | int) -> str:
    """The pointer (RFC 6901) of something in what `at` points to."""
    return f"{at}/{str(name).replace('~', '~0').replace('/', '~1')}"


def find(value: Any, at: str) -> Any:
    """What a pointer points to. Raises LookupError."""
    for part in at.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and len(name) < 10:
            value = value[int(name)]
        else:
            raise LookupError(at)
    return value


def level(value: Any, at: str, source: str, start: int = 0) -> Level:
    """What is in a value; of a scalar, itself."""
    end = start + PER_LEVEL
    if not isinstance(value, dict | list):
        return Level([_node("", value, at, source)], at, 1, 0)
    entries = islice(_entries(value), start, end)
    nodes = [_node(str(name), each, pointer(at, name), source) for name, each in entries]
    return Level(nodes, at, len(value), end if end < len(value) else 0)


def _entries(value: dict[str, Any] | list[Any]) -> Iterator[tuple[str | int, Any]]:
    yield from value.items() if isinstance(value, dict) else enumerate(value)


def _node(name: str, value: Any, at: str, source: str) -> Node:
    shown = one_line(name, _PREVIEW_CHARS)
    if isinstance(value, dict | list):
        kind = "object" if isinstance(value, dict) else "array"
        return Node(shown, at, kind, None, len(value), _preview(value))
    if isinstance(value, str):
        return Node(shown, at, "string", excerpt(value, f"{source}:{at}", most=_SCALAR_CHARS))
    kind = "word" if value is None or isinstance(value, bool) else "number"
    return Node(shown, at, kind, excerpt(plain(value), f"{source}:{at}", most=_SCALAR_CHARS))


def _preview(value: dict[str, Any] | list[Any]) -> str:
    """What tells one entry of a list from another."""
    if isinstance(value, list):
        return ""
    told = [
        f"{name}: {value[name]}"
        for name in ("role", "type", "name")
        if isinstance(value.get(name), str)
    ]
    return one_line(", ".join(told), _PREVIEW_CHARS)


def plain(value: Any) -> str:
    """A value as text: strings as they are, the rest as JSON."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, indent=2)
    except (RecursionError, ValueError):
        return "(nested too deep)"


def names_of(values: Sequence[Any], name: str) -> list[str]:
    """A text that each of the values has, where it has it."""
    found = (value.get(name) for value in values if isinstance(value, dict))
    return [each for each in found if isinstance(each, str)]
