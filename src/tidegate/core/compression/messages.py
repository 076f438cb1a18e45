"""Conversations in Anthropic form: tool results are shortened, everything else stays."""

from typing import Any

from tidegate.core.compression import engine, gutter
from tidegate.core.compression.references import History
from tidegate.core.compression.tools import Kind, kind_of


def shorten(messages: list[Any], level: str = "lossless") -> list[Any]:
    """Shorten the tool results of a conversation, each by what came before it alone."""
    calls: dict[str, tuple[str, Any]] = {}
    history = History() if level != "lossless" else None
    out = []
    for message in messages:
        content = message.get("content")
        if isinstance(content, list):
            content = [_block(block, calls, history) for block in content]
            message = {**message, "content": content}
        out.append(message)
    return out


def _block(block: Any, calls: dict[str, tuple[str, Any]], history: History | None) -> Any:
    kind = block.get("type")
    if kind == "tool_use":
        calls[block["id"]] = (block["name"], block["input"])
    if kind != "tool_result":
        return block
    tool, call = calls.get(block["tool_use_id"], ("", None))
    result = history.next() if history is not None else 0
    content = block["content"]
    if isinstance(content, str):
        return {**block, "content": _text(tool, call, content, history, result)}
    return {
        **block,
        "content": [
            {**part, "text": _text(tool, call, part["text"], history, result)}
            if part.get("type") == "text"
            else part
            for part in content
        ],
    }


def _text(tool: str, call: Any, text: str, history: History | None, result: int) -> str:
    shorter = engine.shorten(tool, call, text)
    if history is None:
        return shorter
    named = None
    kind = kind_of(tool, call)
    path = (
        call.get("file_path") or call.get("path") or call.get("filePath")
        if isinstance(call, dict)
        else None
    )
    if kind is Kind.READ and path:
        numbered = gutter.parse(text, ("→", "\t", "| ", ": "))
        if numbered is not None:
            named = history.reread(result, str(path), numbered)
    elif isinstance(call, dict) and path:
        if isinstance(call.get("content"), str) and not text.startswith("<tool_use_error>"):
            history.wrote(result, str(path), call["content"])
        elif (echo := gutter.parse(text, ("→", "\t"))) is not None:
            history.reread(result, str(path), echo)
    if named is None:
        named = history.repeated(result, text)
        if named is None:
            history.shows(result, text)
    return named if named is not None and len(named) < len(shorter) else shorter
