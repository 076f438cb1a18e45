"""Usage of the Anthropic Messages API.

`message_start` carries the prompt's counts and a first output count, `message_delta` the final
ones; all are cumulative, and a later event may repeat or replace earlier counts. Cache writes are
reported as a sum and, in `message_start` only, also split by how long they live.
"""

from typing import Any, Final

import msgspec

from tidegate.core.dialects.reading import Reported, count, decode, text, within
from tidegate.core.dialects.stream import stream_rules
from tidegate.core.model import TokenCounts, Usage

RULES: Final = stream_rules(
    terminal=b"message_stop",
    deltas=(b"content_block_delta",),
    passed_over=(b"content_block_start", b"content_block_stop", b"ping"),
)
# Work of the same request that the sums beside them leave out.
_EXTRA_ITERATIONS: Final = frozenset({"compaction", "advisor_message"})


class _Message(msgspec.Struct):
    id: Any = None
    model: Any = None
    usage: Any = None
    content: msgspec.Raw = msgspec.Raw()


class _Event(msgspec.Struct):
    type: Any = None
    message: _Message | None = None
    usage: Any = None
    error: Any = None


class _Body(_Message):
    type: Any = None
    error: Any = None


class _Delta(msgspec.Struct):
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None


class _Block(msgspec.Struct):
    name: str | None = None


class _Content(msgspec.Struct):
    delta: _Delta | None = None
    content_block: _Block | None = None


_EVENT: Final = msgspec.json.Decoder(_Event)
_BODY: Final = msgspec.json.Decoder(_Body)
_CONTENT: Final = msgspec.json.Decoder(_Content)


class MessagesTally:
    """Counts of one answer of the Messages API."""

    def __init__(self) -> None:
        self.done = False
        self.failed = False
        self._counts = _Counts()
        self._served = ""
        self._upstream_id = ""
        self._content_bytes = 0

    def observe(self, name: bytes, data: bytes) -> None:
        if name in {b"message_stop", b"error"}:  # whatever they carry
            self.done = True
            self.failed = name == b"error"
            return
        event = decode(_EVENT, data)
        kind = event.type if isinstance(event.type, str) else name.decode("ascii", "replace")
        if kind == "message_start" and event.message is not None:
            self._identify(event.message)
            self._counts.take(event.message.usage, final=False)
        elif kind == "message_delta":
            self._counts.take(event.usage, final=True)
        elif kind == "message_stop":
            self.done = True
        elif kind == "error":
            self.done = self.failed = True

    def observe_whole(self, body: bytes) -> None:
        message = decode(_BODY, body)
        self.done = True
        self.failed = message.type == "error" or message.error is not None
        self._identify(message)
        self._counts.take(message.usage, final=True)
        self._content_bytes = len(message.content)

    def reported(self) -> Reported:
        usage = self._counts.usage()
        usage = msgspec.structs.replace(
            usage, model_served=self._served, upstream_id=self._upstream_id
        )
        return Reported(
            usage=usage,
            prompt_known=self._counts.prompt_known,
            output_known=self._counts.output_known,
            output_bytes=0 if self._counts.output_known else self._content_bytes,
        )

    def _identify(self, message: _Message) -> None:
        self._served = text(message.model)
        self._upstream_id = text(message.id)


class _Counts:
    """Cumulative counts, merged from one usage object after the other."""

    def __init__(self) -> None:
        self._input: int | None = None
        self._read: int | None = None
        self._written: int | None = None  # both lives together
        self._written_1h = 0
        self._output: int | None = None
        self._final_output: int | None = None
        self._reasoning = 0
        self._extra = TokenCounts()
        self._searches = 0
        self._is_final = False
        self._service_tier = ""
        self._speed = ""
        self._region = ""

    def take(self, usage: Any, *, final: bool) -> None:
        if not isinstance(usage, dict):
            return
        self._take_prompt(usage)
        self._take_output(usage, final=final)
        if (searches := count(usage, "server_tool_use", "web_search_requests")) is not None:
            self._searches = searches
        if isinstance(iterations := usage.get("iterations"), list):
            self._extra = _extra_tokens(iterations)
        self._take_modifiers(usage)

    @property
    def prompt_known(self) -> bool:
        """Zeros in the first event alone are a place-holder: no prompt has no tokens."""
        reported = (self._input, self._read, self._written)
        return any(reported) or (self._is_final and reported != (None, None, None))

    @property
    def output_known(self) -> bool:
        """The first event's count is of the answer's beginning only."""
        return self._final_output is not None

    def usage(self) -> Usage:
        written, extra = self._written or 0, self._extra
        output = self._output if self._final_output is None else self._final_output
        tokens = TokenCounts(
            input=(self._input or 0) + extra.input,
            cache_write_5m=written - self._written_1h + extra.cache_write_5m,
            cache_write_1h=self._written_1h + extra.cache_write_1h,
            cache_read=(self._read or 0) + extra.cache_read,
            output=(output or 0) + extra.output,
            reasoning=min(self._reasoning, output or 0),
        )
        return Usage(
            tokens=tokens,
            service_tier=self._service_tier,
            speed=self._speed,
            region=self._region,
            web_searches=self._searches,
        )

    def _take_prompt(self, usage: dict[str, Any]) -> None:
        """The last count of each bucket holds, but zeros alone do not undo what was reported."""
        new_input = count(usage, "input_tokens")
        new_read = count(usage, "cache_read_input_tokens")
        written, written_1h = _written(usage, self._written_1h)
        if any((self._input, self._read, self._written)) and not any(
            (new_input, new_read, written)
        ):
            return
        if new_input is not None:
            self._input = new_input
        if new_read is not None:
            self._read = new_read
        if written is not None:
            self._written, self._written_1h = written, written_1h

    def _take_output(self, usage: dict[str, Any], *, final: bool) -> None:
        output = count(usage, "output_tokens")
        if output is not None:
            self._is_final |= final
            if not final:
                self._output = output
            elif output or not self._final_output:
                self._final_output = output
        elif final and count(usage, "input_tokens") is not None:
            self._is_final = True
        if reasoning := count(usage, "output_tokens_details", "thinking_tokens"):
            self._reasoning = reasoning

    def _take_modifiers(self, usage: dict[str, Any]) -> None:
        self._service_tier = text(usage.get("service_tier")) or self._service_tier
        if usage.get("speed") == "fast":
            self._speed = "fast"
        if (region := text(usage.get("inference_geo"))) and region != "not_available":
            self._region = region


def _written(usage: Any, known_1h: int = 0) -> tuple[int | None, int]:
    """Return the cache writes of one usage object: all, and those that live an hour.

    Where an event repeats the sum without the split, what is known of the split stays.
    """
    total = count(usage, "cache_creation_input_tokens")
    short = count(usage, "cache_creation", "ephemeral_5m_input_tokens")
    long = count(usage, "cache_creation", "ephemeral_1h_input_tokens")
    if short is not None or long is not None:
        return max(total or 0, (short or 0) + (long or 0)), long or 0
    return total, min(known_1h, total or 0)


def _extra_tokens(iterations: list[Any]) -> TokenCounts:
    """Sum up the iterations that the top-level counts leave out, such as a compaction's."""
    found = [i for i in iterations[:1000] if within(i, "type") in _EXTRA_ITERATIONS]
    writes = [_written(i) for i in found]
    return TokenCounts(
        input=sum(count(i, "input_tokens") or 0 for i in found),
        cache_write_5m=sum((total or 0) - long for total, long in writes),
        cache_write_1h=sum(long for _, long in writes),
        cache_read=sum(count(i, "cache_read_input_tokens") or 0 for i in found),
        output=sum(count(i, "output_tokens") or 0 for i in found),
    )


def payload_bytes(data: bytes) -> int:
    """Size of the text that one content event delivers."""
    content = _CONTENT.decode(data)
    if (delta := content.delta) is not None:
        pieces = (delta.text, delta.partial_json, delta.thinking)
        return sum(len(piece.encode("utf-8", "replace")) for piece in pieces if piece)
    block = content.content_block
    return len(block.name.encode("utf-8", "replace")) if block and block.name else 0
