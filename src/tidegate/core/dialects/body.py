"""Read of a request's body what the gateway needs, and leave the conversation in it undecoded."""

import json
from collections.abc import Callable
from typing import Final

import msgspec

from tidegate.core.model import Dialect

_LONGEST_MODEL: Final = 256  # characters
_MOST_TOKENS: Final = 10**9
_TITLE_PROMPT: Final = "Generate a title for this conversation"
# Twice the same of these would be read one way here and another way upstream.
_ONCE_ONLY: Final = frozenset(
    {"model", "stream", "max_tokens", "max_output_tokens", "max_completion_tokens"}
)
_SHORTEST_DUPLICATE: Final = len(b',"model":0')
_MAX_TOKENS: Final = {
    Dialect.MESSAGES: ("max_tokens",),
    Dialect.RESPONSES: ("max_output_tokens",),
    Dialect.CHAT: ("max_completion_tokens", "max_tokens"),
}


class MalformedBody(ValueError):
    """The body cannot be forwarded; the message says what to mend."""


class RequestFacts(msgspec.Struct, frozen=True):
    """What the gateway has to know of a request beyond its headers."""

    model: str
    stream: bool
    max_tokens: int | None
    is_title: bool  # the client asks for the title of a session
    service_tier: str
    include_usage: bool  # Chat: the stream was asked to report usage


# Top-level fields by name: raw JSON, or values where only Python's reader could make sense of it.
_Fields = dict[str, object]
Members = dict[str, msgspec.Raw]
"""A body's members, each a view of its bytes."""


def read_request(dialect: Dialect, body: bytes) -> RequestFacts:
    """Return the facts of a request; raise `MalformedBody` if it is none."""
    return read_members(dialect, body)[0]


def read_members(dialect: Dialect, body: bytes) -> tuple[RequestFacts, Members | None]:
    """The same with the body's members, None where they could not be told byte by byte."""
    raw = _raw_members(body)
    facts = _facts(dialect, _top_level(body, raw))
    return facts, raw


def _facts(dialect: Dialect, fields: _Fields) -> RequestFacts:
    return RequestFacts(
        model=_model(fields),
        stream=_stream(fields),
        max_tokens=_max_tokens(fields, _MAX_TOKENS[dialect]),
        is_title=_is_title(dialect, fields),
        service_tier=_text(_value(fields, "service_tier")),
        include_usage=_within(_value(fields, "stream_options"), "include_usage") is True,
    )


_RAW_FIELDS: Final = msgspec.json.Decoder(Members)


def _raw_members(body: bytes) -> Members | None:
    try:
        return _RAW_FIELDS.decode(body)
    except RecursionError:
        raise MalformedBody("The request body is nested too deeply.") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _top_level(body: bytes, raw: Members | None) -> _Fields:
    if raw is None:
        pairs = _pairs(body, parse_int=int)
        _refuse_duplicates(pairs)
        return dict(pairs)
    if _has_room_for_a_duplicate(raw, body):
        # Only names are of interest here: numbers may be of any length.
        _refuse_duplicates(_pairs(body.decode("utf-8", "replace"), parse_int=float))
    return dict(raw)


def _has_room_for_a_duplicate(raw: Members, body: bytes) -> bool:
    """Of two equal keys the dictionary holds one: the other's bytes would be left over."""
    compact = 1 + sum(map(len, raw)) + sum(map(len, raw.values())) + 4 * len(raw)
    return len(body) - compact >= _SHORTEST_DUPLICATE


def _pairs(body: bytes | str, parse_int: Callable[[str], float]) -> list[tuple[str, object]]:
    """Return the outermost object's members as written, twice where they stand twice.

    Python's reader also takes what msgspec refuses: lone surrogates, NaN, UTF-16.
    """
    outermost: list[tuple[str, object]] = []

    def keep(pairs: list[tuple[str, object]]) -> dict[str, object]:
        nonlocal outermost  # the reader ends with the outermost object
        outermost = pairs
        return dict(pairs)

    try:
        whole = json.loads(body, object_pairs_hook=keep, parse_int=parse_int)
    except RecursionError:
        raise MalformedBody("The request body is nested too deeply.") from None
    except ValueError as error:
        raise MalformedBody(f"The request body is not valid JSON: {error}.") from None
    if not isinstance(whole, dict):
        raise MalformedBody("The request body must be a JSON object.")
    return outermost


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> None:
    seen = set()
    for name, _ in pairs:
        if name in _ONCE_ONLY and name in seen:
            raise MalformedBody(f'The request body has "{name}" more than once: send it once.')
        seen.add(name)


def _value(fields: _Fields, name: str) -> object:
    """Decode one field; None where it is absent or not decodable by itself."""
    value = fields.get(name)
    if not isinstance(value, msgspec.Raw):
        return value
    try:
        decoded: object = msgspec.json.decode(value)
    except (ValueError, RecursionError):
        return None
    return decoded


def _model(fields: _Fields) -> str:
    if "model" not in fields:
        raise MalformedBody('The request body has no "model": name the model to use.')
    model = _value(fields, "model")
    if not isinstance(model, str) or not model.strip():
        raise MalformedBody('"model" must be a string and not empty: name the model to use.')
    if len(model) > _LONGEST_MODEL:
        raise MalformedBody(f'"model" must have at most {_LONGEST_MODEL} characters.')
    if not model.isprintable():  # a lone surrogate is not either
        raise MalformedBody('"model" must have printable characters only.')
    return model


def _stream(fields: _Fields) -> bool:
    stream = _value(fields, "stream")
    if stream is None and _is_null(fields.get("stream")):
        return False
    if not isinstance(stream, bool):
        raise MalformedBody('"stream" must be true or false.')
    return stream


def _is_null(value: object) -> bool:
    return value is None or (isinstance(value, msgspec.Raw) and bytes(value) == b"null")


def _max_tokens(fields: _Fields, names: tuple[str, ...]) -> int | None:
    for name in names:
        value = _value(fields, name)
        if type(value) is int and 0 <= value <= _MOST_TOKENS:
            return value
    return None


def _text(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= 64 and value.isprintable() else ""


def _within(value: object, *path: str) -> object:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _is_title(dialect: Dialect, fields: _Fields) -> bool:
    """Tell Claude Code's and OpenCode's requests for a title, both without tools, by their form."""
    tools = fields.get("tools")
    if isinstance(tools, msgspec.Raw) and len(tools) > 8:  # more than [] or null can be
        return False
    if "tools" in fields and _value(fields, "tools"):
        return False
    if dialect is Dialect.MESSAGES and "tools" in fields and _asks_for_title_schema(fields):
        return True
    return _begins_with_title_prompt(
        fields.get("input" if dialect is Dialect.RESPONSES else "messages")
    )


def _asks_for_title_schema(fields: _Fields) -> bool:
    form = _within(_value(fields, "output_config"), "format")
    properties = _within(form, "schema", "properties")
    return (
        _within(form, "type") == "json_schema"
        and isinstance(properties, dict)
        and "title" in properties
    )


def _begins_with_title_prompt(messages: object) -> bool:
    if isinstance(messages, msgspec.Raw):
        if _TITLE_PROMPT.encode() not in bytes(messages):
            return False
        messages = _value({"messages": messages}, "messages")
    if not isinstance(messages, list):
        return False
    for message in messages:
        if _within(message, "role") == "user":
            return _first_text(_within(message, "content")).startswith(_TITLE_PROMPT)
    return False


def _first_text(content: object) -> str:
    if isinstance(content, list):
        content = _within(content[0], "text") if content else None
    return content if isinstance(content, str) else ""
