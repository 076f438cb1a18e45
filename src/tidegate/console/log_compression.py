"""What compression did to a request's tool results, and how its saving was reckoned."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tidegate.console import formats
from tidegate.core.model import Billing, UsageEvent
from tidegate.core.savings import added_up
from tidegate.services.request_log import LogDetail, SavingPart

BUCKETS: Final[Mapping[str, str]] = {
    "input": "Input",
    "cache_write_5m": "Cache write 5 min",
    "cache_write_1h": "Cache write 1 h",
    "cache_read": "Cache read",
    "output": "Output",
}
LEVELS: Final[Mapping[str, str]] = {
    "lossless": "Lossless",
    "references": "References",
    "trims": "Trims",
}
TOOL_CLASSES: Final[Mapping[str, str]] = {
    "read": "Reading files",
    "search": "Searching",
    "list": "Listing",
    "shell": "Commands",
    "edit": "Editing",
    "other": "Other tools",
}
_UNCOMPRESSED: Final[Mapping[str, str]] = {
    "off": "Tool results were sent as they came: compression was off for this session.",
    "holdout": "Tool results were sent as they came: this session was left out by chance, so that"
    " compressed sessions can be compared with such.",
}


@dataclass(frozen=True, slots=True)
class ClassLine:
    """The tool results of one class, before and after."""

    title: str
    results: str
    before: str
    after: str
    saved: str


@dataclass(frozen=True, slots=True)
class SavingLine:
    title: str
    units: str
    rate: str
    cost: str


@dataclass(frozen=True, slots=True)
class CompressionView:
    told: str  # in a sentence: what was saved, or why nothing was
    good: bool
    classes: list[ClassLine]
    total: ClassLine | None
    lines: list[SavingLine]
    saved: str  # money
    notes: list[str]


def compression_view(detail: LogDetail) -> CompressionView | None:
    """None where nobody looked at tool results."""
    event = detail.event
    if not (event.compression or event.tool_savings):
        return None
    tokens = event.saved_tokens_new + event.saved_tokens_again
    before, after = added_up(event.tool_savings)
    results = sum(each.results for each in event.tool_savings)
    return CompressionView(
        told=_UNCOMPRESSED.get(event.compression) or _told(event, tokens, results),
        good=tokens > 0,
        classes=[
            _class(
                TOOL_CLASSES.get(each.tool_class, each.tool_class),
                (each.results, each.tokens_before, each.tokens_after),
            )
            for each in event.tool_savings
        ],
        total=_class("Total", (results, before, after)) if len(event.tool_savings) > 1 else None,
        lines=[
            _line(part, is_new=not i and event.saved_tokens_new > 0)
            for i, part in enumerate(detail.saving)
        ],
        saved=cost_text(event.saved_nano),
        notes=list(_notes(detail)),
    )


def cost_text(nusd: int) -> str:
    """Exact, with at least six decimals, so that the lines stand below each other."""
    whole, _, decimals = formats.exact_money(nusd).partition(".")
    return f"{whole}.{decimals.ljust(6, '0')}"


def _told(event: UsageEvent, tokens: int, results: int) -> str:
    of = f"{formats.plural(results, 'tool result')}"
    if not tokens:
        return f"Nothing was to be saved in {of}." if results else "There were no tool results."
    money = ""
    if event.saved_nano:
        money = f" Saved {formats.fine_money(event.saved_nano)}"
        money += " at list price." if event.billing == Billing.SUBSCRIPTION else "."
    return f"{formats.plural(tokens, 'token')} not sent of {of}.{money}"


def _class(title: str, counts: tuple[int, int, int]) -> ClassLine:
    results, before, after = counts
    share = formats.percent(before - after, before) if before > after else formats.DASH
    return ClassLine(
        title, formats.count(results), formats.count(before), formats.count(after), share
    )


def _line(part: SavingPart, *, is_new: bool) -> SavingLine:
    kind = "New" if is_new else "Again"
    return SavingLine(
        title=f"{kind} \N{MIDDLE DOT} {BUCKETS[part.bucket].lower()}",
        units=formats.count(part.tokens),
        rate=formats.exact_money(part.rate),
        cost=cost_text(part.nano),
    )


def _notes(detail: LogDetail) -> Iterator[str]:
    event = detail.event
    if event.compression_version:
        level = LEVELS.get(event.compression, event.compression)
        yield f"Level {level.lower()}, engine version {event.compression_version}."
    if event.compression_faults:
        results = formats.plural(event.compression_faults, "result")
        yield f"{results} went out as they came, for doubt or lack of time."
    if event.saved_nano:
        yield f"{formats.count(event.saved_nano)} nano-USD, exact."
    saved = event.saved_tokens_new or event.saved_tokens_again
    if saved and event.price_unknown:
        yield "The model has no known price: what was saved is counted in tokens only."
    elif event.saved_nano and not detail.saving:
        yield "The rates that it was reckoned with are not here any more."
    if event.tool_savings:
        yield "Tokens of tool results are counted by us, with one tokenizer for all models."
