"""Conversations in Anthropic form: texts of tool results are made shorter, the rest stays."""

from typing import Any

from tidegate.core.compression.conversation import Conversation


def shorten(messages: list[Any], level: str) -> list[Any]:
    """Make a list of the same messages with shorter tool results."""
    conversation = Conversation(level)
    return [_message(message, conversation) for message in messages]


def _message(message: Any, conversation: Conversation) -> Any:
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, list):
        return message
    return {**message, "content": [_block(block, conversation) for block in content]}


def _block(block: Any, conversation: Conversation) -> Any:
    kind = block.get("type") if isinstance(block, dict) else None
    if kind == "tool_use":
        conversation.called(str(block.get("id")), str(block.get("name")), block.get("input"))
    if kind != "tool_result":
        return block
    call_id, is_error = str(block.get("tool_use_id")), block.get("is_error") is True
    content = block.get("content")
    if isinstance(content, str):
        return {**block, "content": conversation.result(call_id, content, is_error=is_error)}
    if not isinstance(content, list):
        return block
    return {
        **block,
        "content": [
            {**part, "text": conversation.result(call_id, part["text"], is_error=is_error)}
            if isinstance(part, dict)
            and part.get("type") == "text"
            and isinstance(part.get("text"), str)
            else part
            for part in content
        ],
    }
