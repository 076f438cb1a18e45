"""Usage of the OpenAI Responses API.

Only the terminal events carry counts, in the response object; its input tokens hold the cached and
the cache-written ones. Items of web searches also pass by on their own, and count from there where
the terminal event leaves out the output.
"""

from typing import Any, Final

import msgspec

from tidegate.core.dialects.reading import Reported, count, decode, text, within
from tidegate.core.dialects.stream import stream_rules
from tidegate.core.model import TokenCounts, Usage

RULES: Final = stream_rules(
    terminal=b'"response"',
    deltas=(
        b"response.output_text.delta",
        b"response.function_call_arguments.delta",
        b"response.custom_tool_call_input.delta",
        b"response.reasoning_summary_text.delta",
        b"response.reasoning_text.delta",
        b"response.refusal.delta",
        b"response.mcp_call_arguments.delta",
        b"response.code_interpreter_call_code.delta",
    ),
    passed_over=(b"keepalive", b"ping"),
)
_TERMINAL: Final = frozenset(
    {"response.completed", "response.failed", "response.incomplete", "response.cancelled"}
)
_OF_INTEREST: Final = _TERMINAL | {"response.created", "response.output_item.done", "error"}
_WEB_SEARCH: Final = b"web_search_call"


class _Response(msgspec.Struct):
    id: Any = None
    model: Any = None
    status: Any = None
    service_tier: Any = None
    usage: Any = None
    error: Any = None
    output: msgspec.Raw = msgspec.Raw()


class _Event(msgspec.Struct):
    type: Any = None
    response: _Response | None = None
    item: msgspec.Raw = msgspec.Raw()


class _Delta(msgspec.Struct):
    delta: str | None = None


_EVENT: Final = msgspec.json.Decoder(_Event)
_RESPONSE: Final = msgspec.json.Decoder(_Response)
_DELTA: Final = msgspec.json.Decoder(_Delta)


class ResponsesTally:
    """Counts of one answer of the Responses API."""

    def __init__(self) -> None:
        self.done = False
        self.failed = False
        self._served = ""
        self._upstream_id = ""
        self._service_tier = ""
        self._usage: dict[str, Any] = {}
        self._searches = 0
        self._content_bytes = 0

    def observe(self, name: bytes, data: bytes) -> None:
        kind = name.decode("ascii", "replace")
        if kind and kind not in _OF_INTEREST and kind.startswith("response."):
            return
        if kind == "response.output_item.done" and _WEB_SEARCH not in data:
            return
        self._end_by(kind)  # even if the event cannot be read
        event = decode(_EVENT, data)
        kind = event.type if isinstance(event.type, str) else kind
        self._end_by(kind)
        if event.response is not None and kind in _OF_INTEREST:
            self._take(event.response, final=kind in _TERMINAL)
        elif kind == "response.output_item.done" and _WEB_SEARCH in data:
            self._searches += _is_search(_loosely(event.item))

    def observe_whole(self, body: bytes) -> None:
        response = decode(_RESPONSE, body)
        self.done = True
        self._take(response, final=True)
        self._content_bytes = len(response.output)

    def reported(self) -> Reported:
        known_input = count(self._usage, "input_tokens")
        known_output = count(self._usage, "output_tokens")
        usage = Usage(
            tokens=_tokens(self._usage),
            model_served=self._served,
            service_tier=self._service_tier,
            web_searches=self._searches,
            upstream_id=self._upstream_id,
        )
        return Reported(
            usage=usage,
            prompt_known=known_input is not None,
            output_known=known_output is not None,
            output_bytes=0 if known_output is not None else self._content_bytes,
        )

    def _end_by(self, kind: str) -> None:
        if kind in _TERMINAL or kind == "error":
            self.done = True
        if kind in {"error", "response.failed"}:
            self.failed = True

    def _take(self, response: _Response, *, final: bool) -> None:
        self._served = text(response.model) or self._served
        self._upstream_id = text(response.id) or self._upstream_id
        if not final:
            return  # what a first event says of tier and usage is asked for, not confirmed
        self._service_tier = text(response.service_tier)
        if response.status == "failed" or response.error is not None:
            self.failed = True
        if isinstance(response.usage, dict):
            self._usage = response.usage
        if _WEB_SEARCH in bytes(response.output):
            output = _loosely(response.output)
            items = output if isinstance(output, list) else []
            self._searches = max(self._searches, sum(map(_is_search, items)))


def _tokens(usage: dict[str, Any]) -> TokenCounts:
    prompt = count(usage, "input_tokens") or 0
    read = count(usage, "input_tokens_details", "cached_tokens") or 0
    written = count(usage, "input_tokens_details", "cache_write_tokens") or 0
    output = count(usage, "output_tokens") or 0
    reasoning = count(usage, "output_tokens_details", "reasoning_tokens") or 0
    return split_prompt(prompt, read, written, output=output, reasoning=reasoning)


def split_prompt(
    prompt: int, read: int, written: int, *, output: int, reasoning: int
) -> TokenCounts:
    """Part an inclusive prompt count into buckets. OpenAI's one cache life is the ordinary one.

    A prompt smaller than its cached part was not inclusive: such a service reports them side by
    side.
    """
    uncached = prompt - read - written
    return TokenCounts(
        input=uncached if uncached >= 0 else prompt,
        cache_read=read,
        cache_write_5m=written,
        output=output,
        reasoning=min(reasoning, output),
    )


def _loosely(raw: msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return None


def _is_search(item: Any) -> bool:
    """Opening a page or finding in one is no search that is charged for."""
    if within(item, "type") != "web_search_call":
        return False
    return within(item, "action", "type") in {None, "search"}


def payload_bytes(data: bytes) -> int:
    """Size of the text that one content event delivers."""
    delta = _DELTA.decode(data).delta
    return len(delta.encode("utf-8", "replace")) if delta else 0
