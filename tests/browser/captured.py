"""A capture as debug mode makes it: a turn of Claude Code, and hostile things for its tests."""

import json
from typing import Any

from tests.browser.world import World, price_book

from tidegate.core.captures import REMOVED, Capture, Part
from tidegate.core.model import TokenCounts, Usage
from tidegate.core.pricing import price
from tidegate.services.enrolment import Enrolled
from tidegate.services.request_log import LogFilter

_SYSTEM = (
    "You are a coding agent in the terminal of a developer at Brightwater. Read before you write,"
    " keep changes small, and run the tests of what you touched."
)
_TOOLS = {
    "Bash": "Runs a command in the shell of the project and returns what it printed.",
    "Read": "Reads a file, or some lines of it.",
    "Edit": "Replaces a text in a file. The text must occur in it exactly once.",
    "Grep": "Finds a regular expression in the files of the project.",
}
_TEST = """============================= test session starts ==============================
collected 14 items

tests/test_tides.py .............F                                       [100%]

>       assert tide_at(noon).height_cm == 312
E       assert 311 == 312

tests/test_tides.py:88: AssertionError
========================= 1 failed, 13 passed in 0.42s ========================="""
_BEFORE = "    return int(low + (high - low) * share)"
_AFTER = "    return round(low + (high - low) * share)"


def _call(number: int, name: str, **arguments: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": arguments}


def _result(number: int, content: Any, *, is_error: bool = False) -> dict[str, Any]:
    result = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": content}
    return {"role": "user", "content": [result | ({"is_error": True} if is_error else {})]}


def _said(*content: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(content)}


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


REQUEST: dict[str, Any] = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 32_000,
    "stream": True,
    "system": [_text(_SYSTEM)],
    "tools": [
        {"name": name, "description": told, "input_schema": {"type": "object"}}
        for name, told in _TOOLS.items()
    ],
    "messages": [
        {
            "role": "user",
            "content": "The tide table is off by one centimetre at noon. Find out why.",
        },
        _said(
            {
                "type": "thinking",
                "thinking": "A difference of one smells of rounding. I run the tests first.",
                "signature": "c2lnbmVk",
            },
            _text("I run the tests to see the difference."),
            _call(1, "Bash", command="pytest tests/test_tides.py -q", description="Run the tests"),
        ),
        _result(1, [_text(_TEST)], is_error=True),
        _said(_call(2, "Read", file_path="src/tides.py", offset="38", limit="4")),
        _result(
            2, f"38  def interpolate(low, high, share):\n39      # in centimetres\n40  {_BEFORE}"
        ),
        {
            "role": "user",
            "content": [
                _text("This is what the harbour's board shows:"),
                {
                    "type": "image",
                    "source": {
                        "type": "base64",
                        "media_type": "image/png",
                        "data": "iVBORw0K" * 900,
                    },
                },
            ],
        },
    ],
    "metadata": {"user_id": "user_7d1f", "session": None, "retry": False},
}
_ANSWER: tuple[dict[str, Any], ...] = (
    {"type": "message_start", "message": {"role": "assistant", "content": []}},
    {"type": "content_block_start", "index": 0, "content_block": _text("")},
    *(
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": text},
        }
        for text in ("`int` cuts off ", "what `round` would ", "round up. ", "I change that line.")
    ),
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": _call(3, "Edit")},
    *(
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": text},
        }
        for text in (
            '{"file_path": "src/tides.py", "old_',
            f'string": {json.dumps(_BEFORE)}, ',
            f'"new_string": {json.dumps(_AFTER)}}}',
        )
    ),
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 92}},
    {"type": "message_stop"},
)
EVENTS = "".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in _ANSWER)
_HEADERS = [
    ("content-type", "application/json"),
    ("user-agent", "claude-cli/2.1.330 (external, cli)"),
    ("anthropic-version", "2023-06-01"),
    ("anthropic-beta", "interleaved-thinking-2025-05-14"),
    ("accept-encoding", "gzip, br"),
]


def turn(event_id: str, *, sent: dict[str, Any] | None = None) -> Capture:
    """A turn whose body was sent as it was received unless another is given."""
    body = json.dumps(REQUEST).encode()
    sent_body = body if sent is None else json.dumps(sent).encode()
    received = [("host", "tidegate.example"), *_HEADERS, ("authorization", REMOVED)]
    forwarded = [("host", "api.anthropic.com"), *_HEADERS, ("x-api-key", REMOVED)]
    answered = [
        ("content-type", "text/event-stream; charset=utf-8"),
        ("request-id", "req_011CTideTable"),
        ("set-cookie", REMOVED),
    ]
    return Capture(
        event_id,
        "POST",
        "/v1/messages?beta=true",
        Part(received, body),
        Part(forwarded, sent_body),
        200,
        Part(answered, EVENTS.encode()),
        840_000,
        5_540_000,
    )


def changed() -> dict[str, Any]:
    """The request with one tool result shortened, as another body that might be sent."""
    request: dict[str, Any] = json.loads(json.dumps(REQUEST))
    result = request["messages"][2]["content"][0]
    result["content"][0]["text"] = "1 failed, 13 passed\nE  assert 311 == 312"
    return request


EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\x00\x1b[31m\u202e\"'}} {{7*7}}"


def hostile(event_id: str) -> Capture:
    """Markup, control characters, right-to-left and long lines wherever a text can be."""
    part: dict[str, Any] = {"type": "text", "text": EVIL + "w" * 3_000}
    body = {
        EVIL: EVIL,
        "system": EVIL,
        "tools": [{"name": EVIL, "description": EVIL}],
        "messages": [
            {"role": EVIL, "content": [part, {"type": EVIL, "x": EVIL}]},
            {"role": "user", "content": "مرحبا بالعالم " * 30},
            _said({"type": "tool_use", "name": EVIL, "id": EVIL, "input": {EVIL: EVIL}}),
            _result(1, [{"type": "image", "source": {"media_type": EVIL, "data": EVIL}}]),
        ],
    }
    message = Part(
        [(EVIL, EVIL), ("x-long", "v" * 4_000)], json.dumps(body).encode(), 7, EVIL, EVIL
    )
    other = Part([(EVIL, "other")], json.dumps(body | {EVIL: [EVIL], "n": 1}).encode())
    error = json.dumps({"error": {"type": EVIL, "message": EVIL}})
    stream = f"event: {EVIL}\ndata: {error}\n\n".encode()
    answer = Part([("content-type", "text/event-stream")], stream)
    return Capture(event_id, EVIL, EVIL, message, other, 200, answer)


def captured_turn(world: World) -> str:
    """Record a request that was captured, the newest of all: its id."""
    only = LogFilter(outcomes=("ok",), agents=("claude_code",))
    log = world.services.request_log
    newest = log.page(world.organization_id, only, limit=1).rows[0].event_id
    before = log.detail(world.organization_id, newest).event
    enrolled = Enrolled(before.member_id, before.key_id, "", "")
    tokens = TokenCounts(input=412, cache_write_5m=1_880, cache_read=38_240, output=92)
    model, now_us = before.model_served, world.now_us
    usage = Usage(tokens=tokens)
    priced = price(price_book(), provider="anthropic", model=model, usage=usage, at_us=now_us)
    [event_id] = world.use(
        enrolled,
        tokens,
        priced.cost,
        model=model,
        captured=True,
        price_version=priced.price_version,
        session_id=before.session_id,
        repository=before.repository,
        branch=before.branch,
        request_bytes=9_624,
        response_bytes=1_848,
        upstream_request_id="req_011CTideTable",
        first_byte_us=840_000,
        duration_us=5_540_000,
        started_us=world.now_us - 20_000_000,
    )
    return keep_turn(world, turn(event_id))


def keep_turn(world: World, kept: Capture) -> str:
    """Store it for whoever's request it is; that is marked as captured in the demo's data."""
    detail = world.services.request_log.detail(world.organization_id, kept.event_id)
    world.keep(world.organization_id, detail.event.key_id, detail.event.member_id, kept)
    return kept.event_id


def event_of(world: World, number: int = 0) -> str:
    """One of the newest answered requests of Claude Code."""
    only = LogFilter(outcomes=("ok",), agents=("claude_code",))
    page = world.services.request_log.page(world.organization_id, only, limit=number + 1)
    return page.rows[number].event_id
