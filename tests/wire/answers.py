"""What an upstream can answer: the replies of each dialect, piece by piece, and their faults."""

import json
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.wire.bills import Bill

JSON = (("content-type", "application/json"),)
EVENTS = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))


@dataclass(frozen=True)
class Piece:
    """Bytes of a body that are written at once, and what has been reported when they are out."""

    content: bytes
    reports: Bill | None = None


class Gate:
    """Holds an answer at one place until the test opens it. An unopened gate is a stall."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opening: Future[None] = Future()

    def open(self) -> None:
        self.opening.set_result(None)


@dataclass(frozen=True)
class Answer:
    """One response. The defaults are those of a well-behaved upstream."""

    pieces: Sequence[Piece] = ()
    status: int = 200
    reason: str = "Status"
    headers: tuple[tuple[str, str], ...] = JSON
    framing: Literal["length", "chunked", "close"] = "length"
    interim: tuple[bytes, ...] = ()  # raw 1xx heads that go first
    cut_after: int | None = None  # pieces, then the connection ends
    cut_before_head: bool = False
    cut_by: Literal["fin", "rst"] = "fin"
    pause_s: float = 0.0  # before each piece
    hold_before: dict[int, Gate] = field(default_factory=dict)  # piece number → gate; -1: the head
    declared_length: int | None = None  # a content-length that is not the true one
    close: bool = False  # "connection: close", and do so
    raw: bytes | None = None  # instead of everything: these very bytes, then FIN

    @property
    def body(self) -> bytes:
        return b"".join(piece.content for piece in self.pieces)


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class ToolCall:
    name: str
    arguments: dict[str, Any]
    call_id: str
    namespace: str = ""  # of Codex's MCP tools


@dataclass(frozen=True)
class CodeCall:
    """A call in Codex's newer dialect: a program in place of JSON arguments."""

    program: str
    call_id: str


Content = Text | ToolCall | CodeCall


def dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def document(value: Any, bill: Bill | None = None, **changes: Any) -> Answer:
    """A JSON body, written in two pieces."""
    text = dump(value)
    half = len(text) // 2
    pieces = (Piece(text[:half]), Piece(text[half:], bill))
    return Answer(**{"pieces": pieces, "headers": JSON, **changes})


def error(status: int, message: str, kind: str = "api_error", **changes: Any) -> Answer:
    """An error body that both families of SDKs understand."""
    body = {
        "type": "error",
        "error": {"type": kind, "message": message, "param": None, "code": kind},
    }
    return document(body, status=status, **changes)


def _event(payload: dict[str, Any], reports: Bill | None = None) -> Piece:
    return Piece(b"event: %s\ndata: %s\n\n" % (payload["type"].encode(), dump(payload)), reports)


# --- Anthropic Messages ---


def messages_usage(bill: Bill, output: int | None = None) -> dict[str, Any]:
    return {
        "input_tokens": bill.input,
        "cache_creation_input_tokens": bill.cache_write_5m + bill.cache_write_1h,
        "cache_read_input_tokens": bill.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": bill.cache_write_5m,
            "ephemeral_1h_input_tokens": bill.cache_write_1h,
        },
        "output_tokens": bill.output if output is None else output,
        "service_tier": "standard",
    }


def _message(content: list[Content], bill: Bill, number: int) -> dict[str, Any]:
    return {
        "id": f"msg_{number:024d}",
        "type": "message",
        "role": "assistant",
        "model": bill.model,
        "content": [_block(one) for one in content],
        "stop_reason": _stop_reason(content),
        "stop_sequence": None,
        "usage": messages_usage(bill),
    }


def _block(content: Content) -> dict[str, Any]:
    if isinstance(content, Text):
        return {"type": "text", "text": content.text}
    assert isinstance(content, ToolCall)
    return {
        "type": "tool_use",
        "id": content.call_id,
        "name": content.name,
        "input": content.arguments,
    }


def _stop_reason(content: list[Content]) -> str:
    return "tool_use" if any(isinstance(one, ToolCall) for one in content) else "end_turn"


def messages_document(content: list[Content], bill: Bill, number: int) -> Answer:
    return document(_message(content, bill, number), bill)


def messages_stream(content: list[Content], bill: Bill, number: int) -> Answer:
    begun = Bill(**{**bill.__dict__, "output": 1})
    head = _message(content, bill, number) | {
        "content": [],
        "stop_reason": None,
        "usage": messages_usage(bill, output=1),
    }
    pieces = [_event({"type": "message_start", "message": head}, begun), _event({"type": "ping"})]
    for index, one in enumerate(content):
        pieces += _block_events(index, one)
    delta = {"stop_reason": _stop_reason(content), "stop_sequence": None}
    usage = messages_usage(bill)
    pieces.append(_event({"type": "message_delta", "delta": delta, "usage": usage}, bill))
    pieces.append(_event({"type": "message_stop"}))
    return Answer(pieces, headers=EVENTS, framing="chunked")


def _block_events(index: int, content: Content) -> list[Piece]:
    if isinstance(content, Text):
        start: dict[str, Any] = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": part} for part in _parts(content.text)]
    else:
        assert isinstance(content, ToolCall)
        start = _block(content) | {"input": {}}
        text = json.dumps(content.arguments)
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in _parts(text)]
    base = {"index": index}
    return [
        _event({"type": "content_block_start", **base, "content_block": start}),
        *(_event({"type": "content_block_delta", **base, "delta": delta}) for delta in deltas),
        _event({"type": "content_block_stop", **base}),
    ]


def _parts(text: str, size: int = 12) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)] or [""]


# --- OpenAI Responses ---


def _prompt_details(bill: Bill) -> dict[str, int]:
    written = {"cache_write_tokens": bill.cache_write_5m} if bill.cache_write_5m else {}
    return {"cached_tokens": bill.cache_read, **written}


def responses_usage(bill: Bill) -> dict[str, Any]:
    return {
        "input_tokens": bill.prompt,
        "input_tokens_details": _prompt_details(bill),
        "output_tokens": bill.output,
        "output_tokens_details": {"reasoning_tokens": bill.reasoning},
        "total_tokens": bill.prompt + bill.output,
    }


def _response(content: list[Content], bill: Bill, number: int) -> dict[str, Any]:
    return {
        "id": f"resp_{number:024d}",
        "object": "response",
        "created_at": 1_790_000_000,
        "status": "completed",
        "model": bill.model,
        "output": [_item(index, one, number) for index, one in enumerate(content)],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "service_tier": "default",
        "usage": responses_usage(bill),
    }


def _item(index: int, content: Content, number: int) -> dict[str, Any]:
    if isinstance(content, Text):
        part = {"type": "output_text", "text": content.text, "annotations": []}
        return {
            "type": "message",
            "id": f"msg_{number}_{index}",
            "status": "completed",
            "role": "assistant",
            "content": [part],
        }
    if isinstance(content, CodeCall):
        return {
            "type": "custom_tool_call",
            "id": f"ctc_{number}_{index}",
            "call_id": content.call_id,
            "namespace": "functions",
            "name": "exec",
            "input": content.program,
            "status": "completed",
        }
    return {
        "type": "function_call",
        "id": f"fc_{number}_{index}",
        "call_id": content.call_id,
        "name": content.name,
        **({"namespace": content.namespace} if content.namespace else {}),
        "arguments": json.dumps(content.arguments),
        "status": "completed",
    }


def responses_document(content: list[Content], bill: Bill, number: int) -> Answer:
    return document(_response(content, bill, number), bill)


def compaction(bill: Bill, number: int) -> Answer:
    """The answer of `/responses/compact`: an opaque item in place of the conversation."""
    item = {"type": "compaction", "id": f"cmp_{number}", "encrypted_content": "b3BhcXVl"}
    return document(
        {
            "id": f"resp_{number:024d}",
            "object": "response.compaction",
            "created_at": 1_790_000_000,
            "output": [item],
            "usage": responses_usage(bill),
        },
        bill,
    )


def responses_stream(content: list[Content], bill: Bill, number: int) -> Answer:
    done = _response(content, bill, number)
    begun = done | {"status": "in_progress", "output": [], "usage": None}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for index, one in enumerate(content):
        events += _item_events(index, one, number)
    pieces = [_event(event | {"sequence_number": at}) for at, event in enumerate(events)]
    last = {"type": "response.completed", "response": done, "sequence_number": len(events)}
    return Answer([*pieces, _event(last, bill)], headers=EVENTS, framing="chunked")


def _item_events(index: int, content: Content, number: int) -> list[dict[str, Any]]:
    item = _item(index, content, number)
    place = {"item_id": item["id"], "output_index": index}
    inner: list[dict[str, Any]] = []
    if isinstance(content, Text):
        begun = item | {"status": "in_progress", "content": []}
        part = item["content"][0]
        place |= {"content_index": 0}
        inner.append({"type": "response.content_part.added", **place, "part": part | {"text": ""}})
        kind = "response.output_text.delta"
        inner += [{"type": kind, **place, "delta": delta} for delta in _parts(content.text)]
        inner.append({"type": "response.output_text.done", **place, "text": content.text})
        inner.append({"type": "response.content_part.done", **place, "part": part})
    elif isinstance(content, CodeCall):
        begun = item | {"status": "in_progress", "input": ""}
        kind = "response.custom_tool_call_input.delta"
        inner += [{"type": kind, **place, "delta": delta} for delta in _parts(item["input"])]
        done = {"type": "response.custom_tool_call_input.done", "input": item["input"]}
        inner.append(done | place)
    else:
        begun = item | {"status": "in_progress", "arguments": ""}
        kind = "response.function_call_arguments.delta"
        inner += [{"type": kind, **place, "delta": delta} for delta in _parts(item["arguments"])]
        full = {"name": content.name, "arguments": item["arguments"]}
        inner.append({"type": "response.function_call_arguments.done", **place, **full})
    return [
        {"type": "response.output_item.added", "output_index": index, "item": begun},
        *inner,
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


# --- OpenAI Chat Completions ---


def chat_usage(bill: Bill) -> dict[str, Any]:
    return {
        "prompt_tokens": bill.prompt,
        "completion_tokens": bill.output,
        "total_tokens": bill.prompt + bill.output,
        "prompt_tokens_details": _prompt_details(bill),
        "completion_tokens_details": {"reasoning_tokens": bill.reasoning},
    }


def _chat_message(content: list[Content]) -> dict[str, Any]:
    texts = [one.text for one in content if isinstance(one, Text)]
    calls = [
        {
            "index": index,
            "id": one.call_id,
            "type": "function",
            "function": {"name": one.name, "arguments": json.dumps(one.arguments)},
        }
        for index, one in enumerate(one for one in content if isinstance(one, ToolCall))
    ]
    message: dict[str, Any] = {"role": "assistant", "content": "".join(texts) or None}
    return message | ({"tool_calls": calls} if calls else {})


def _finish_reason(content: list[Content]) -> str:
    return "tool_calls" if any(isinstance(one, ToolCall) for one in content) else "stop"


def chat_document(content: list[Content], bill: Bill, number: int) -> Answer:
    choice = {
        "index": 0,
        "message": _chat_message(content),
        "finish_reason": _finish_reason(content),
    }
    return document(
        _chat_base("chat.completion", bill, number)
        | {"choices": [choice], "usage": chat_usage(bill)},
        bill,
    )


def _chat_base(kind: str, bill: Bill, number: int) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{number}",
        "object": kind,
        "created": 1_790_000_000,
        "model": bill.model,
    }


def chat_stream(
    content: list[Content], bill: Bill, number: int, *, include_usage: bool = True
) -> Answer:
    base = _chat_base("chat.completion.chunk", bill, number)

    def chunk(delta: dict[str, Any], finish: str | None = None) -> Piece:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        usage = {"usage": None} if include_usage else {}
        return Piece(b"data: %s\n\n" % dump(base | {"choices": [choice]} | usage))

    pieces = [chunk({"role": "assistant", "content": ""})]
    for one in content:
        if isinstance(one, Text):
            pieces += [chunk({"content": part}) for part in _parts(one.text)]
    if calls := _chat_message(content).get("tool_calls"):
        pieces.append(chunk({"tool_calls": calls}))
    pieces.append(chunk({}, _finish_reason(content)))
    if include_usage:
        last = base | {"choices": [], "usage": chat_usage(bill)}
        pieces.append(Piece(b"data: %s\n\n" % dump(last), bill))
    pieces.append(Piece(b"data: [DONE]\n\n"))
    return Answer(pieces, headers=EVENTS, framing="chunked")
