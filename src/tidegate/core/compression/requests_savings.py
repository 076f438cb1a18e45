"""What compression saved of one request, in tokens by class of tool: for the report only."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from tidegate.core.compression.requests_transcript import Entry, Shown, Sums
from tidegate.core.compression.splice import Doubt, text_of
from tidegate.core.model import ToolSaving

CountTokens = Callable[[Sequence[str]], Sequence[int] | None]
"""The tokens of each text; None where they cannot be counted now."""

_BYTES_A_TOKEN: Final = 3.6  # of tool results, where they cannot be counted
_AT_ONCE_BYTES: Final = 1 << 20
_LONGEST_BYTES: Final = 2 << 20  # a longer text is never shortened; its size says enough


class Saved(msgspec.Struct, frozen=True):
    """What compression saved of one request."""

    tools: tuple[ToolSaving, ...] = ()
    new: int = 0  # tokens of results that the model sees for the first time
    again: int = 0


class Compression(msgspec.Struct):
    """What was done with a request: the pin of its session, and what became of its results."""

    level: str
    version: int = 0
    faults: int = 0
    entries: tuple[Entry, ...] = ()  # until they are counted
    settle: Callable[[], None] | None = None  # waits until they are, not for long
    known: Saved | None = None

    @property
    def is_counted(self) -> bool:
        return self.known is not None or not self.entries

    def count(self, count_tokens: CountTokens) -> None:
        """Count the texts that were not counted yet. Takes long: not for a loop."""
        _count(self.entries, count_tokens)
        self.conclude()

    def conclude(self) -> None:
        """All are counted: keep the sums only. An answer may last for minutes."""
        self.known = _saved(self.entries)
        self.entries = ()

    def saved(self) -> Saved:
        """What is known of it, by sizes where it was not counted in time."""
        entries = self.entries  # before: a thread may be about to conclude
        return self.known if self.known is not None else _saved(entries)


_NOTHING: Final = Sums()


def is_counted(entries: Sequence[Entry]) -> bool:
    """Whether the tokens of all results are known."""
    for entry in reversed(entries):
        if entry.so_far is not None:
            return True
        if any(shown.tokens_before < 0 for shown in entry.shown):
            return False
    return True


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


def _saved(entries: Sequence[Entry]) -> Saved:
    sums = _add_up(entries)
    answered = len(entries)
    while answered and not entries[answered - 1].message.by_model:
        answered -= 1
    again = _add_up(entries[:answered]).saved
    return Saved(sums.tools, sums.saved - again, again)


def _add_up(entries: Sequence[Entry]) -> Sums:
    """Go on from the last message up to which it was done before."""
    begin = len(entries)
    while begin and entries[begin - 1].so_far is None:
        begin -= 1
    sums = (entries[begin - 1].so_far if begin else None) or _NOTHING
    is_exact = True
    for entry in entries[begin:]:
        if entry.shown:
            is_exact = is_exact and all(shown.tokens_before >= 0 for shown in entry.shown)
            sums = _plus(sums, entry.shown)
        if is_exact:
            entry.so_far = sums
    return sums


def _plus(sums: Sums, more: Sequence[Shown]) -> Sums:
    by_class = {each.tool_class: list(msgspec.structs.astuple(each)[1:]) for each in sums.tools}
    saved = sums.saved
    for shown in more:
        before, after = shown.tokens_before, shown.tokens_after
        if before < 0:
            before, after = _estimate(shown)
        numbers = by_class.setdefault(shown.tool_class or "other", [0, 0, 0])
        for at, number in enumerate((int(shown.text.is_first), before, after)):
            numbers[at] += number
        saved += before - after
    tools = tuple(ToolSaving(name, *numbers) for name, numbers in sorted(by_class.items()))
    return Sums(tools, saved)
