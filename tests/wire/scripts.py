"""What the scripted upstream does with a request: converse, or fail in a chosen way."""

import gzip
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Literal

from tests.wire.answers import (
    Answer,
    CodeCall,
    Content,
    Piece,
    Text,
    ToolCall,
    chat_document,
    chat_stream,
    compaction,
    document,
    error,
    messages_document,
    messages_stream,
    responses_document,
    responses_stream,
)
from tests.wire.bills import Bill
from tests.wire.book import Exchange

Script = Callable[[Exchange], Answer]
Contents = Callable[[Exchange], list[Content]]
Maker = Callable[[list[Content], Bill, int], Answer]

# The command's output holds a word that the command itself does not.
COMMAND = "echo tide-$((6*7))-gate"
COMMAND_OUTPUT = "tide-42-gate"
FINAL_TEXT = "The tide is at forty-two: naïve, 潮, 🌊. Done."
TITLE_TEXT = '{"title": "Reading the tide"}'


def converse(exchange: Exchange) -> Answer:
    """Ask for a shell command, and end when its output has come. Answers all known paths."""
    return converse_with(exchange, next_content)


def converse_with(exchange: Exchange, contents: Contents) -> Answer:
    """Answer all known paths, those of models with what `contents` says."""
    path, number = exchange.path, exchange.number
    if exchange.request.method == "HEAD":
        return Answer()
    if path.endswith("/messages/count_tokens"):
        return document({"input_tokens": 1_000 + number})
    if path.endswith("/models"):
        return models(exchange)
    if path.endswith("/responses/compact"):
        return compaction(Bill.for_openai(_model(exchange), number), number)
    if path.endswith("/messages"):
        bill = Bill.for_messages(_model(exchange), number)
        return _reply(exchange, (messages_stream, messages_document), contents, bill)
    if path.endswith("/responses"):
        bill = Bill.for_openai(_model(exchange), number)
        return _reply(exchange, (responses_stream, responses_document), contents, bill)
    if path.endswith("/chat/completions"):
        return _chat(exchange, contents)
    return error(404, f"no such path: {path}", "not_found_error")


def _model(exchange: Exchange) -> str:
    return str(exchange.payload.get("model", ""))


def _reply(
    exchange: Exchange, makers: tuple[Maker, Maker], contents: Contents, bill: Bill
) -> Answer:
    make = makers[0] if exchange.payload.get("stream") else makers[1]
    return make(contents(exchange), bill, exchange.number)


def _chat(exchange: Exchange, contents: Contents) -> Answer:
    payload, number = exchange.payload, exchange.number
    bill = Bill.for_openai(_model(exchange), number)
    if not payload.get("stream"):
        return chat_document(contents(exchange), bill, number)
    options = payload.get("stream_options") or {}
    included = bool(options.get("include_usage"))
    return chat_stream(contents(exchange), bill, number, include_usage=included)


def models(exchange: Exchange) -> Answer:
    if exchange.request.header("anthropic-version"):
        listed = [{"type": "model", "id": "claude-opus-4-8", "display_name": "Opus"}]
        return document({"data": listed, "has_more": False, "first_id": None, "last_id": None})
    if "client_version" in exchange.request.target:
        return document({"models": []})
    return document({"object": "list", "data": [{"id": "gpt-5", "object": "model"}]})


def next_content(exchange: Exchange) -> list[Content]:
    """The next step of the conversation, as the request's content shows how far it is."""
    if not exchange.is_main:
        return [Text(TITLE_TEXT)]
    if _has_tool_result(exchange.payload):
        return [Text(FINAL_TEXT)]
    call = _shell_call(exchange.payload, exchange.number)
    return [Text("Let me look. "), call] if call else [Text(FINAL_TEXT)]


def _has_tool_result(payload: dict[str, Any]) -> bool:
    for item in payload.get("input") or []:
        if isinstance(item, dict) and str(item.get("type", "")).endswith("_call_output"):
            return True
    for message in payload.get("messages") or []:
        content = message.get("content")
        blocks = content if isinstance(content, list) else []
        if message.get("role") == "tool" or any(b.get("type") == "tool_result" for b in blocks):
            return True
    return False


def _shell_call(payload: dict[str, Any], number: int) -> ToolCall | CodeCall | None:
    if "input" in payload and not payload.get("tools"):  # the tools are in the input
        program = f"const r = await tools.exec_command({{cmd: {COMMAND!r}}}); text(r.output);"
        return CodeCall(program, f"call_{number:024d}")
    names = {_tool_name(tool) for tool in payload.get("tools") or []}
    described = {"command": COMMAND, "description": "Read the tide"}
    if "Bash" in names:
        return ToolCall("Bash", described, f"toolu_{number:024d}")
    if "exec_command" in names:
        return ToolCall("exec_command", {"cmd": COMMAND}, f"call_{number:024d}")
    if "bash" in names:
        return ToolCall("bash", described, f"call_{number:024d}")
    return None


def _tool_name(tool: dict[str, Any]) -> str:
    return str(tool.get("name") or tool.get("function", {}).get("name", ""))


class Faulty:
    """Spoil the main conversation's first answers, then converse; the rest is left alone.

    Each fault is an answer, or a function that spoils the answer that would have been given.
    """

    def __init__(self, *faults: Answer | Callable[[Answer], Answer], always: bool = False) -> None:
        self._faults = list(faults)
        self._always = always

    def __call__(self, exchange: Exchange) -> Answer:
        if not exchange.is_main or not self._faults:
            return converse(exchange)
        fault = self._faults[0] if self._always else self._faults.pop(0)
        return fault if isinstance(fault, Answer) else fault(converse(exchange))


def cut(after: int, by: Literal["fin", "rst"] = "fin") -> Callable[[Answer], Answer]:
    """End the connection after so many pieces of the body."""
    return lambda answer: replace(answer, cut_after=after, cut_by=by)


def in_turn(answers: Iterable[Answer]) -> Script:
    """Give one answer after the other, whatever is asked."""
    remaining = iter(answers)
    return lambda exchange: next(remaining)


def gzipped(answer: Answer) -> Answer:
    """The same answer, compressed although nobody asked for it."""
    bill = next((piece.reports for piece in reversed(answer.pieces) if piece.reports), None)
    packed = gzip.compress(answer.body, mtime=0)
    third = len(packed) // 3
    parts = (packed[:third], packed[third : 2 * third], packed[2 * third :])
    pieces = [*(Piece(part) for part in parts[:-1]), Piece(parts[-1], bill)]
    return replace(answer, pieces=pieces, headers=(*answer.headers, ("content-encoding", "gzip")))
