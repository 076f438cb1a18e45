"""Tool calls and the texts of their results in a request's bytes, in all three dialects.

    Messages          messages[]: tool_use | tool_result, whose content is a text or text blocks
    Responses         input[]: function_call, custom_tool_call | ..._output: a text or input_texts
    Chat Completions  messages[]: tool_calls[] | role tool, whose content is a text or text parts

What is none of these is of no interest and is not judged.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from tidegate.core.compression.splice import (
    Span,
    elements,
    members,
    text_of,
    without_lone_surrogates,
)
from tidegate.core.model import Dialect

CONVERSATION: Final = {
    Dialect.MESSAGES: "messages",
    Dialect.RESPONSES: "input",
    Dialect.CHAT: "messages",
}
"""The member of a request that holds its conversation."""

RESULT_MARK: Final = {
    Dialect.MESSAGES: b"tool_result",
    Dialect.RESPONSES: b"_call_output",
    Dialect.CHAT: b"tool_call_id",
}
"""What a body without tool results has nowhere, as a rule."""

_LONGEST_CALL: Final = 1 << 20  # bytes; of larger calls only the name is of interest
_OUTPUTS: Final = frozenset({"function_call_output", "custom_tool_call_output"})
_CALLS: Final = {"function_call": "arguments", "custom_tool_call": "input"}


class Call(msgspec.Struct, frozen=True):
    """A tool call of the model's. `arguments` are decoded, or the text that they are."""

    call_id: str
    tool: str
    arguments: object


class ResultText(msgspec.Struct, frozen=True):
    """One text of a tool result: where its JSON string stands in the message."""

    call_id: str
    is_error: bool
    is_first: bool  # of the texts of its result
    span: Span


Item = Call | ResultText


class Message(msgspec.Struct, frozen=True):
    """What one element of the conversation says of tools."""

    items: tuple[Item, ...] = ()
    by_model: bool = False


_NOTHING: Final = Message()
_BY_MODEL: Final = Message(by_model=True)


def place(body: bytes, fields: Mapping[str, msgspec.Raw] | None, dialect: Dialect) -> Span | None:
    """Where the conversation stands in a body; None if it has none, or it is no list.

    `fields` are the body's members as the parser found them, if it did.
    """
    name = CONVERSATION[dialect]
    if fields is not None and name not in fields:
        return None
    span = _place_among(body, fields, name) if fields is not None else None
    if span is None:
        plain = body if fields is not None else without_lone_surrogates(body)
        span = members(plain).get(name)
    return span if span is not None and body[span[0]] == 0x5B else None


def _place_among(body: bytes, fields: Mapping[str, msgspec.Raw], name: str) -> Span | None:
    """The same for a body without a byte to spare: no blanks, and so no second of any key."""
    at, found = 1, None
    for key, value in fields.items():
        start = at + len(key.encode("utf-8", "replace")) + 3
        at = start + len(value) + 1
        if key == name:
            found = (start, at - 1)
    return found if at == len(body) else None


def read_message(dialect: Dialect, source: bytes, shift: int = 0) -> Message:
    """Read one element of a conversation. Doubt if something in it cannot be told.

    Spans are of bytes that have the element after `shift` others.
    """
    fields = members(source) if source[:1] == b"{" else {}
    values = _Values(source, fields, shift)
    if dialect is Dialect.MESSAGES:
        return _of_messages(values)
    return _of_responses(values) if dialect is Dialect.RESPONSES else _of_chat(values)


class _Values:
    """An object's members, decoded when they are asked for."""

    def __init__(self, source: bytes, fields: dict[str, Span], shift: int = 0) -> None:
        self._source = source
        self._fields = fields
        self._shift = shift  # of the source in the message

    def text(self, name: str) -> str:
        """A member that is a text, or nothing."""
        return text_of(raw) if (raw := self.raw(name))[:1] == b'"' else ""

    def raw(self, name: str) -> bytes:
        span = self._fields.get(name)
        return self._source[span[0] : span[1]] if span is not None else b""

    def span(self, name: str) -> Span:
        """Where a member stands in the message."""
        start, end = self._fields[name]
        return start + self._shift, end + self._shift

    def within(self, name: str) -> "_Values":
        raw = self.raw(name)
        fields = members(raw) if raw[:1] == b"{" else {}
        return _Values(raw, fields, self.span(name)[0] if fields else 0)

    def objects(self, name: str) -> "Iterator[_Values]":
        """The objects of a member that is a list."""
        raw = self.raw(name)
        if raw[:1] != b"[":
            return
        shift = self.span(name)[0]
        for start, end in elements(raw):
            source = raw[start:end]
            if source[:1] == b"{":
                yield _Values(source, members(source), start + shift)

    def decoded(self, name: str) -> object:
        """A member as Python values, {} where it is absent, too large or cannot be decoded."""
        raw = self.raw(name)
        return _decoded(raw) if raw else {}


def _decoded(raw: bytes) -> object:
    if len(raw) > _LONGEST_CALL:
        return {}
    try:
        value: object = msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return {}
    return value


def _arguments(text: str) -> object:
    """A call's arguments that come as JSON in a text."""
    if text[:1] != "{" or len(text) > _LONGEST_CALL:
        return text
    value = _decoded(text.encode("utf-8", "replace"))
    return value or text


def _of_messages(message: _Values) -> Message:
    if message.text("role") == "assistant":
        calls = [
            Call(block.text("id"), block.text("name"), block.decoded("input"))
            for block in message.objects("content")
            if block.text("type") == "tool_use"
        ]
        return Message(tuple(calls), by_model=True) if calls else _BY_MODEL
    items: list[Item] = []
    for block in message.objects("content"):
        if block.text("type") == "tool_result":
            is_error = block.raw("is_error") == b"true"
            items += _texts(block, "content", block.text("tool_use_id"), "text", is_error=is_error)
    return Message(tuple(items)) if items else _NOTHING


def _of_responses(item: _Values) -> Message:
    kind = item.text("type")
    if kind in _CALLS:
        given = item.text(_CALLS[kind])
        arguments = _arguments(given) if kind == "function_call" else given
        return Message((Call(item.text("call_id"), item.text("name"), arguments),), by_model=True)
    if kind in _OUTPUTS:
        return Message(tuple(_texts(item, "output", item.text("call_id"), "input_text")))
    if kind == "reasoning" or kind.endswith("_call") or item.text("role") == "assistant":
        return _BY_MODEL
    return _NOTHING


def _of_chat(message: _Values) -> Message:
    role = message.text("role")
    if role == "assistant":
        return Message(tuple(_chat_calls(message)), by_model=True)
    if role == "tool":
        return Message(tuple(_texts(message, "content", message.text("tool_call_id"), "text")))
    return _NOTHING


def _chat_calls(message: _Values) -> Iterator[Call]:
    for call in message.objects("tool_calls"):
        function = call.within("function")
        yield Call(call.text("id"), function.text("name"), _arguments(function.text("arguments")))


def _texts(
    result: _Values, name: str, call_id: str, part_type: str, *, is_error: bool = False
) -> Iterator[ResultText]:
    """The texts of a result: its content, or those parts of it that are texts."""
    if result.raw(name)[:1] == b'"':
        yield ResultText(call_id, is_error, True, result.span(name))
        return
    is_first = True
    for part in result.objects(name):
        if part.text("type") == part_type and part.raw("text")[:1] == b'"':
            yield ResultText(call_id, is_error, is_first, part.span("text"))
            is_first = False
