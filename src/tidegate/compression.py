"""Tool results of coding agents made shorter; what agents edit by, and every error, stays.

Three levels, each doing all that the one before it does: `lossless` changes how lines are written,
`references` names lines that the same conversation showed before, `trims` leaves out what can be
had again. docs/compression.md says what each does and does not do.
"""

from typing import Any

from tidegate.core.compression import messages as _messages
from tidegate.core.compression.conversation import LEVELS, Conversation
from tidegate.core.compression.versions import ENGINE_VERSION, VERSIONS

__all__ = [
    "ENGINE_VERSION",
    "LEVELS",
    "VERSIONS",
    "Conversation",
    "compress_messages",
    "compress_result",
]


def compress_result(
    tool: str, input: object, output: str, *, agent: str | None = None, level: str = "lossless"
) -> str:
    """The text to send in place of one tool result, or the same text.

    `input` is the tool call's arguments. The result is looked at by itself: nothing was shown
    before it, so `references` does no more than `lossless`. `agent` changes nothing today: the
    text's shape tells more than the agent's name. An unknown level is a ValueError.
    """
    conversation = Conversation(level)
    conversation.called("", tool, input)
    return conversation.result("", output)


def compress_messages(messages: list[Any], *, level: str = "lossless") -> list[Any]:
    """The same messages (Anthropic form) with shorter tool results; nothing else is changed.

    The list given stays as it is. An unknown level is a ValueError.
    """
    return _messages.shorten(messages, level)
