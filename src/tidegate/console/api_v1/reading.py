"""What a caller sends, taken strictly: unknown, doubled and mistyped fields are refused by name."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import ClientDisconnect, Request

from tidegate.console.api_v1.operation import JSON_TYPE
from tidegate.console.api_v1.problems import (
    PROBLEM_TYPE,
    Kind,
    ProblemRaised,
    at_field,
)

_MAX_PARAMETERS: Final = 50
_WHOLE: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_PLACE: Final = re.compile(r"(.*?)(?: - at `(?:key in )?\$(.*)`)?", re.DOTALL)
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_CHOICE: Final = re.compile(r"Invalid enum value (.*)", re.DOTALL)
_SHOWN_CHARS: Final = 100
_WORDS: Final = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "null": "null",
    "array": "a list",
    "object": "an object",
    "datetime": "a time",
    "date": "a date",
}

Struct = TypeVar("Struct", bound=msgspec.Struct)


def refuse_unacceptable(request: Request, media_type: str = JSON_TYPE) -> None:
    """406 for a caller that does not take what is sent."""
    accepted = ",".join(request.headers.getlist("accept"))
    ranges = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
    weights: dict[str, float] = {}
    for part in accepted.split(","):
        media, _, parameters = part.strip().lower().partition(";")
        if media.strip() in ranges:
            weights[media.strip()] = _weight(parameters)
    if not accepted.strip():
        return
    best = next((weights[each] for each in ranges if each in weights), 0.0)
    if not best:
        raise ProblemRaised(Kind.NOT_ACCEPTABLE, f"Answers are {media_type} and {PROBLEM_TYPE}.")


def _weight(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


async def body_bytes(request: Request, limit: int) -> bytes:
    """The whole body, or 413 as soon as it is known to be larger."""
    declared = request.headers.get("content-length", "")
    received = bytearray()
    too_large = declared.isascii() and declared.isdigit() and int(declared[:18]) > limit
    try:
        if not too_large:
            async for chunk in request.stream():
                received += chunk
                if len(received) > limit:
                    too_large = True
                    break
    except ClientDisconnect:
        raise ProblemRaised(Kind.MALFORMED, "The body ended too early.") from None
    if too_large:
        raise ProblemRaised(Kind.TOO_LARGE, f"A body has at most {limit} bytes.")
    return bytes(received)


def body(request: Request, raw: bytes, wanted: type[Struct]) -> Struct:
    """The body as the operation wants it."""
    if not raw and not msgspec.structs.fields(wanted):
        return wanted()
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if media != JSON_TYPE or encoding not in {"identity", ""}:
        raise ProblemRaised(Kind.MEDIA_TYPE, headers={"accept-post": JSON_TYPE})
    try:
        return msgspec.json.decode(raw, type=wanted)
    except msgspec.ValidationError as fault:
        raise _invalid(str(fault), wanted) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ProblemRaised(Kind.MALFORMED, "The body is not JSON.") from None


def query(request: Request, wanted: type[Struct]) -> Struct:
    """The parameters as the operation wants them."""
    try:
        pairs = parse_qsl(
            request.scope["query_string"].decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_PARAMETERS,
        )
    except ValueError:
        raise ProblemRaised(Kind.MALFORMED, "The query is not well-formed.") from None
    values: dict[str, object] = {}
    readers = _readers(wanted)
    for name, text in pairs:
        if name in values:
            raise at_field(_shown(name), "Given more than once.")
        if "\0" in text:
            raise at_field(_shown(name), "Holds a null character.")
        values[name] = readers[name](text) if name in readers else text
    try:
        return msgspec.convert(values, wanted)
    except msgspec.ValidationError as fault:
        raise _invalid(str(fault), wanted) from None


@cache
def _readers(wanted: type[msgspec.Struct]) -> dict[str, Callable[[str], object]]:
    return {f.encode_name: _read_as(f.type) for f in msgspec.structs.fields(wanted)}


def _read_as(kind: Any) -> Callable[[str], object]:
    """How a parameter of that type is written; what is written otherwise stays text."""
    plain = set(_plain_types(msgspec.inspect.type_info(kind)))
    if msgspec.inspect.IntType in plain:
        return lambda text: int(text) if _WHOLE.fullmatch(text) else text
    if msgspec.inspect.BoolType in plain:
        return lambda text: {"true": True, "false": False}.get(text, text)
    return lambda text: text


def _plain_types(kind: msgspec.inspect.Type) -> Iterator[type[msgspec.inspect.Type]]:
    match kind:
        case msgspec.inspect.Metadata(type=inner):
            yield from _plain_types(inner)
        case msgspec.inspect.UnionType(types=members):
            for member in members:
                yield from _plain_types(member)
        case _:
            yield type(kind)


def _invalid(fault: str, wanted: type[msgspec.Struct]) -> ProblemRaised:
    """msgspec's sentence in plain words, at the field that it is about."""
    found = _PLACE.fullmatch(fault)
    said, place = (found[1], (found[2] or "").lstrip(".")) if found else (fault, "")
    if missing := _MISSING.fullmatch(said):
        return at_field(_join(place, missing[1]), "This field is required.")
    if unknown := _UNKNOWN.fullmatch(said):
        return at_field(_join(place, _shown(unknown[1])), _no_such_field(wanted, place))
    if choice := _CHOICE.fullmatch(said):
        said = f"{_shown(choice[1])} is not one of: {', '.join(_choices(wanted, place))}"
    else:
        said = _plain(said)
    if not place:
        return ProblemRaised(Kind.INVALID, f"The body is wrong: {said}.")
    return at_field(place, f"{said}.")


def _no_such_field(wanted: type[msgspec.Struct], place: str) -> str:
    known = ", ".join(field.encode_name for field in msgspec.structs.fields(wanted))
    if place or not known:
        return "There is no such field."
    return f"There is no such field; there is {known}."


def _plain(said: str) -> str:
    """`int`, `str` and the like in words that need no Python."""

    def word(match: re.Match[str]) -> str:
        return " or ".join(_WORDS.get(name, name) for name in match[1].split(" | "))

    if said == "Invalid RFC3339 encoded date":
        return "Write a date like 2026-11-22"
    if "datetime" in said:
        return "Write a time like 2026-11-22T12:00:00Z"
    text = re.sub(r"`([^`]*)`", word, said)
    for sign, words in (("<=", "at most"), (">=", "at least")):
        text = text.replace(f"length {sign}", f"length {words}").replace(f" {sign}", f" of {words}")
    return text


def _choices(wanted: type[msgspec.Struct], place: str) -> list[str]:
    for field in msgspec.structs.fields(wanted):
        if field.encode_name == place:
            schema = msgspec.json.schema_components([field.type])
            return sorted(_enums(schema))
    return []


def _enums(schema: object) -> set[str]:
    """Every choice in a schema, wherever it stands."""
    if isinstance(schema, Mapping):
        own = {str(choice) for choice in schema.get("enum", ())}
        return own.union(*(_enums(part) for part in schema.values()))
    if isinstance(schema, list | tuple):
        return set().union(*(_enums(part) for part in schema))
    return set()


def _join(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _shown(text: str) -> str:
    """What a caller sent, fit to be sent back."""
    shown = "".join(c if c.isprintable() else "?" for c in text)
    return f"{shown[:_SHOWN_CHARS]}…" if len(shown) > _SHOWN_CHARS else shown
