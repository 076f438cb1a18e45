"""What compression saved of one request, in tokens by class of tool: for the report only."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from tidegate.core.compression.requests_transcript import Entry, Shown
from tidegate.core.compression.splice import Doubt, text_of
from tidegate.core.model import ToolSaving

CountTokens = Callable[[Sequence[str]], Sequence[int] | None]
"""The tokens of each text; None where they cannot be counted now."""

_BYTES_A_TOKEN: Final = 3.6  # of tool results, where they cannot be counted
_AT_ONCE_BYTES: Final = 1 << 20
_LONGEST_BYTES: Final = 2 << 20  # a longer text is never shortened; its size says enough


class Sums(msgspec.Struct, frozen=True):
    """Tokens of a request's tool results, and how many fewer went out than came."""

    tools: tuple[ToolSaving, ...] = ()
    saved_new: int = 0  # of results that the model sees for the first time
    saved_again: int = 0


class Compression(msgspec.Struct):
    """What was done with a request: the pin of its session, and what became of its results."""

    level: str
    version: int = 0
    faults: int = 0
    entries: tuple[Entry, ...] = ()
    is_counted: bool = True
    settle: Callable[[], None] | None = None  # waits until it is, not for long

    def count(self, count_tokens: CountTokens) -> None:
        """Count the texts that were not counted yet. Takes long: not for a loop."""
        _count(self.entries, count_tokens)
        self.is_counted = True

    def sums(self) -> Sums:
        """Add up what was counted."""
        return _add_up(self.entries) if self.entries else _NOTHING


_NOTHING: Final = Sums()


def is_counted(entries: Sequence[Entry]) -> bool:
    """Whether the tokens of all results are known."""
    return all(shown.tokens_before >= 0 for entry in entries for shown in entry.shown)


def _count(entries: Sequence[Entry], count_tokens: CountTokens) -> None:
    batch: list[tuple[Entry, Shown]] = []
    size = 0
    for entry in entries:
        for shown in entry.shown:
            if shown.tokens_before < 0:
                batch.append((entry, shown))
                size += shown.text.span[1] - shown.text.span[0]
        if size >= _AT_ONCE_BYTES:
            _count_batch(batch, count_tokens)
            batch, size = [], 0
    _count_batch(batch, count_tokens)


def _count_batch(batch: Sequence[tuple[Entry, Shown]], count_tokens: CountTokens) -> None:
    texts: list[str] = []
    for entry, shown in batch:
        came = entry.original[shown.text.span[0] : shown.text.span[1]]
        texts += (_countable(came), _countable(shown.sent) if shown.sent is not None else "")
    if not texts:
        return
    counts = count_tokens(texts)
    for at, (_, shown) in enumerate(batch):
        if counts is None or not texts[2 * at]:
            before, after = _estimate(shown)
        else:
            before, after = counts[2 * at : 2 * at + 2]
        shown.tokens_after = before if shown.sent is None else after
        shown.tokens_before = before  # last: from now on it is counted


def _countable(string: bytes) -> str:
    """A JSON string's text; nothing where it has none or is too long."""
    if len(string) > _LONGEST_BYTES:
        return ""
    try:
        return text_of(string)
    except Doubt:
        return ""


def _estimate(shown: Shown) -> tuple[int, int]:
    size = shown.text.span[1] - shown.text.span[0]
    sent = size if shown.sent is None else len(shown.sent)
    return round(size / _BYTES_A_TOKEN), round(sent / _BYTES_A_TOKEN)


def _add_up(entries: Sequence[Entry]) -> Sums:
    by_class: dict[str, list[int]] = {}
    saved = [0, 0]
    is_new = True
    for entry in reversed(entries):
        if entry.message.by_model:
            is_new = False  # the model has answered what stands before
        for shown in entry.shown:
            before, after = shown.tokens_before, shown.tokens_after
            if before < 0:
                before, after = _estimate(shown)
            sums = by_class.setdefault(shown.tool_class or "other", [0, 0, 0])
            sums[0] += shown.text.is_first
            sums[1] += before
            sums[2] += after
            saved[is_new] += before - after
    tools = tuple(ToolSaving(name, *sums) for name, sums in sorted(by_class.items()))
    return Sums(tools, saved_new=saved[True], saved_again=saved[False])
