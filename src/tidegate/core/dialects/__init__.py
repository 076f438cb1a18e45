"""The API dialects: what a request asks, what an answer consumed."""

from collections.abc import Callable
from typing import Final

from tidegate.core.dialects import anthropic_messages, openai_chat, openai_responses
from tidegate.core.dialects.body import (
    MalformedBody,
    Members,
    RequestFacts,
    read_members,
    read_request,
)
from tidegate.core.dialects.reading import Reported, UsageReader
from tidegate.core.dialects.stream import NamedEventReader
from tidegate.core.dialects.whole import BodyReader
from tidegate.core.model import Dialect

__all__ = [
    "MalformedBody",
    "Members",
    "Reported",
    "RequestFacts",
    "UsageReader",
    "read_members",
    "read_request",
    "usage_reader",
]


def _messages_stream() -> UsageReader:
    of = anthropic_messages
    return NamedEventReader(of.MessagesTally(), of.RULES, of.payload_bytes)


def _responses_stream() -> UsageReader:
    of = openai_responses
    return NamedEventReader(of.ResponsesTally(), of.RULES, of.payload_bytes)


def _chat_stream() -> UsageReader:
    of = openai_chat
    return openai_chat.ChatEventReader(of.ChatTally(), of.RULES, of.payload_bytes)


_STREAMS: Final[dict[Dialect, Callable[[], UsageReader]]] = {
    Dialect.MESSAGES: _messages_stream,
    Dialect.RESPONSES: _responses_stream,
    Dialect.CHAT: _chat_stream,
}


def usage_reader(dialect: Dialect, *, event_stream: bool) -> UsageReader:
    """Return a fresh reader for one answer, streamed or as one JSON body."""
    if event_stream:
        return _STREAMS[dialect]()
    if dialect is Dialect.MESSAGES:
        return BodyReader(anthropic_messages.MessagesTally(), _messages_stream)
    if dialect is Dialect.RESPONSES:
        return BodyReader(openai_responses.ResponsesTally(), _responses_stream)
    return BodyReader(openai_chat.ChatTally(), _chat_stream)
