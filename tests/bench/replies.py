"""What the mock upstream answers, and what a ledger must say of it."""

import json
from typing import Any, Final

MODEL_SERVED: Final = "claude-sonnet-4-5-20250929"  # a model that price lists know
CLOCK: Final = b"@@%d@@"  # in each paced event: CLOCK_MONOTONIC in ns when it was written
_FILLING: Final = "The quick brown fox edits src/app/main.py and runs the tests. "
_IDENTITY: Final = {"id": "msg_01bench", "type": "message", "role": "assistant"}


def usage(events: int) -> dict[str, int]:
    """Tokens of a reply, named as `tidegate admin usage` names them."""
    if not events:
        return {"input_tokens": 250, "output_tokens": 200}
    return {
        "input_tokens": 37_000,
        "output_tokens": events,
        "cache_read_tokens": 35_000,
        "cache_write_5m_tokens": 900,
    }


def json_body() -> bytes:
    """A whole reply of about 1 KB."""
    counts = usage(0) | {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    return _compact(
        _IDENTITY
        | {
            "model": MODEL_SERVED,
            "content": [{"type": "text", "text": (_FILLING * 13)[:780]}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": counts,
        }
    )


def opening() -> list[bytes]:
    """The events before the first delta."""
    counts = usage(1)
    first = {
        "input_tokens": counts["input_tokens"],
        "cache_creation_input_tokens": counts["cache_write_5m_tokens"],
        "cache_read_input_tokens": counts["cache_read_tokens"],
        "output_tokens": 1,
    }
    message: dict[str, Any] = _IDENTITY | {
        "model": MODEL_SERVED,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": first,
    }
    block = {"index": 0, "content_block": {"type": "text", "text": ""}}
    return [
        _event("message_start", {"message": message}),
        _event("content_block_start", block),
        _event("ping", {}),
    ]


def delta(text: bytes = _FILLING.encode()) -> bytes:
    """One text delta, of about 200 bytes with the usual text."""
    return (
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"text_delta","text":"%b"}}\n\n' % text
    )


def closing(events: int) -> list[bytes]:
    """The events after the last delta; the last one is terminal."""
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    counts = {"output_tokens": usage(events)["output_tokens"]}
    return [
        _event("content_block_stop", {"index": 0}),
        _event("message_delta", {"delta": stop, "usage": counts}),
        _event("message_stop", {}),
    ]


def stream(events: int) -> list[bytes]:
    """All events of an answer that is not paced."""
    start, end = opening(), closing(events)
    return [*start, *[delta()] * (events - len(start) - len(end)), *end]


def _event(name: str, content: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), _compact({"type": name} | content))


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
