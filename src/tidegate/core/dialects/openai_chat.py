"""Usage of the OpenAI Chat Completions API and of the many services that imitate it.

Events have no names. Usage comes in the last chunk, whose `choices` are empty, if it was asked for;
some services send it in every chunk, cumulative. The prompt's count holds the cached tokens, which
go by several names.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from tidegate.core.dialects.openai_responses import split_prompt
from tidegate.core.dialects.reading import (
    Reported,
    Tally,
    count,
    decode,
    first_count,
    text,
    within,
)
from tidegate.core.dialects.stream import ERROR, EventStreamReader, StreamRules
from tidegate.core.model import TokenCounts, Usage
from tidegate.core.sse import fields

_DONE: Final = b"[DONE]"
RULES: Final = StreamRules(terminal=_DONE)
_USAGE: Final = b'"prompt_tokens"'
_FINISHED: Final = re.compile(rb'"finish_reason"\s*:\s*"')
_LATEST_BYTES: Final = 4096  # among so many at the end there may be a finish reason
_ERROR_BEGINNINGS: Final = tuple(ERROR[:length] for length in range(1, len(ERROR)))
_READ: Final = (
    ("prompt_tokens_details", "cached_tokens"),
    ("cache_read_input_tokens",),
    ("prompt_cache_hit_tokens",),
    ("cached_tokens",),
)
_WRITTEN: Final = (
    ("prompt_tokens_details", "cache_write_tokens"),
    ("prompt_tokens_details", "cache_creation_tokens"),
    ("cache_creation_input_tokens",),
)


class _Chunk(msgspec.Struct):
    id: Any = None
    model: Any = None
    service_tier: Any = None
    usage: Any = None
    error: Any = None
    choices: msgspec.Raw = msgspec.Raw()


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None


class _Content(msgspec.Struct):
    choices: list[_Choice] | None = None


_CHUNK: Final = msgspec.json.Decoder(_Chunk)
_CONTENT: Final = msgspec.json.Decoder(_Content)


class ChatTally:
    """Counts of one answer of the Chat Completions API."""

    def __init__(self) -> None:
        self.done = False
        self.failed = False
        self.ended = False  # the chunk that only brings the usage was seen
        self._served = ""
        self._upstream_id = ""
        self._service_tier = ""
        self._usage: dict[str, Any] = {}
        self._content_bytes = 0

    def observe(self, name: bytes, data: bytes) -> None:
        if data.strip() == _DONE:
            self.done = True
            return
        chunk = decode(_CHUNK, data)
        if chunk.error is not None or name == b"error":
            self.done = self.failed = True
        self._take(chunk)
        self.ended |= isinstance(chunk.usage, dict) and bytes(chunk.choices) == b"[]"

    def observe_whole(self, body: bytes) -> None:
        answer = decode(_CHUNK, body)
        self.done = True
        self.failed = answer.error is not None
        self._take(answer)
        self._content_bytes = len(answer.choices)

    def reported(self) -> Reported:
        prompt = count(self._usage, "prompt_tokens")
        output = count(self._usage, "completion_tokens")
        # Zeros in the middle of a stream are a place-holder.
        is_final = self.done or self.ended
        output_known = output is not None and (is_final or output > 0)
        usage = Usage(
            tokens=_tokens(self._usage),
            model_served=self._served,
            service_tier=self._service_tier,
            upstream_id=self._upstream_id,
        )
        return Reported(
            usage=usage,
            prompt_known=prompt is not None and (is_final or prompt > 0),
            output_known=output_known,
            output_bytes=0 if output_known else self._content_bytes,
        )

    def _take(self, chunk: _Chunk) -> None:
        self._served = text(chunk.model) or self._served
        self._upstream_id = text(chunk.id) or self._upstream_id
        self._service_tier = text(chunk.service_tier) or self._service_tier
        usage = chunk.usage
        if not isinstance(usage, dict) and _USAGE in bytes(chunk.choices):
            usage = _usage_of_choice(chunk.choices)
        # Cumulative: the last one holds, unless it takes everything back.
        if isinstance(usage, dict) and (_is_positive(usage) or not _is_positive(self._usage)):
            self._usage = usage


def _usage_of_choice(choices: msgspec.Raw) -> Any:
    """Where some services put it."""
    try:
        decoded = msgspec.json.decode(choices)
    except (ValueError, RecursionError):
        return None
    return within(decoded[0], "usage") if isinstance(decoded, list) and decoded else None


def _is_positive(usage: dict[str, Any]) -> bool:
    return bool(count(usage, "prompt_tokens") or count(usage, "completion_tokens"))


def _tokens(usage: dict[str, Any]) -> TokenCounts:
    return split_prompt(
        count(usage, "prompt_tokens") or 0,
        first_count(usage, *_READ) or 0,
        first_count(usage, *_WRITTEN) or 0,
        output=count(usage, "completion_tokens") or 0,
        reasoning=count(usage, "completion_tokens_details", "reasoning_tokens") or 0,
    )


class ChatEventReader(EventStreamReader):
    """For chunks without names, where only a search tells which of them carries usage."""

    def __init__(
        self, tally: Tally, rules: StreamRules, payload_bytes: Callable[[bytes], int]
    ) -> None:
        super().__init__(tally, rules, payload_bytes)
        self._identified = False
        self._latest = b""  # the last events, whether of interest or not

    def passes(self, chunk: bytes) -> bool:
        # Exactly one chunk of content: one data line, a blank line.
        if (
            self._identified
            and chunk.startswith(b"data: {")
            and chunk.find(b"\n") == len(chunk) - 2
            and chunk.endswith(b"\n\n")
            and self._runs.clean
            and b"\r" not in chunk
            and _USAGE not in chunk
            and ERROR not in chunk
            and not self.done
        ):
            self._content.keep(chunk)
            self._latest = (self._latest + chunk)[-_LATEST_BYTES:]
            return True
        return False

    def finish(self) -> None:
        """Some services end without [DONE]: a finish reason or the usage is an end as well."""
        super().finish()
        if not self.done and isinstance(self._tally, ChatTally):
            self.done = self._tally.ended or bool(_FINISHED.search(self._latest))

    def _scan(self, run: bytes) -> None:
        if not self._identified:
            self._identify(run)
        self._latest = (self._latest + run)[-_LATEST_BYTES:]
        super()._scan(run)

    def _identify(self, run: bytes) -> None:
        """The first chunk tells model and id; its content counts like any other's."""
        start = 0
        while not self._identified and (end := run.find(b"\n\n", start)) >= 0:
            if fields(run[start:end])[1]:
                self._identified = True
                self._observe(run[start:end])
            start = end + 2

    def _interesting(self, run: bytes) -> Sequence[bytes]:
        found: dict[int, bytes] = {}
        for needle in (_USAGE, ERROR, _DONE):
            at = run.find(needle)
            while at >= 0:
                start = run.rfind(b"\n\n", 0, at)
                start = start + 2 if start >= 0 else 0
                end = run.find(b"\n\n", at)
                found[start] = run[start:end]
                at = run.find(needle, end)
        return [found[start] for start in sorted(found)]

    def _is_content(self, head: bytes) -> bool:
        return False

    def _could_end(self, tail: bytes) -> bool:
        """An unfinished chunk can end the stream only by being an error."""
        return (
            not tail.startswith(b"data: {")
            or len(tail) > 250  # not all of it is at hand
            or ERROR in tail
            or tail.endswith(_ERROR_BEGINNINGS)
        )


def payload_bytes(data: bytes) -> int:
    """Size of the text that one chunk delivers, over all its choices."""
    size = 0
    for choice in _CONTENT.decode(data).choices or ():
        if (delta := choice.delta) is None:
            continue
        pieces = [delta.content, delta.reasoning_content or delta.reasoning, delta.refusal]
        for call in delta.tool_calls or ():
            if call.function is not None:
                pieces += [call.function.name, call.function.arguments]
        size += sum(len(piece.encode("utf-8", "replace")) for piece in pieces if piece)
    return size
