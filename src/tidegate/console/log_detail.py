"""One request of the log: all that was recorded, and how its cost was reckoned."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from tidegate.console import formats
from tidegate.console.agent_marks import AgentMark, agent_mark
from tidegate.console.formats import DASH
from tidegate.console.log_compression import BUCKETS, CompressionView, compression_view, cost_text
from tidegate.console.log_query import ALL_TIME, PATH, LogQuery
from tidegate.console.log_rows import Ending, RowTime, ending, row_time
from tidegate.console.session_query import PATH as SESSIONS
from tidegate.core.calendar import local_time
from tidegate.core.model import Billing, Provider, UsageEvent
from tidegate.core.remotes import repository_name
from tidegate.services.request_log import EXTRAS, CostLine, LogDetail

_PROVIDERS: Final = {Provider.ANTHROPIC: "Anthropic", Provider.OPENAI: "OpenAI"}
_TITLES: Final[Mapping[str, str]] = {**BUCKETS, EXTRAS: "Web searches"}


@dataclass(frozen=True, slots=True)
class Fact:
    """A line: what it is, its value, where that leads, and whether it is worth a copy button."""

    title: str
    value: str
    href: str = ""
    note: str = ""
    copy: bool = False


@dataclass(frozen=True, slots=True)
class PriceLine:
    title: str
    units: str
    rate: str
    cost: str
    by_search: bool


@dataclass(frozen=True, slots=True)
class DetailView:
    event_id: str
    member: str
    member_href: str
    agent: AgentMark
    time: RowTime
    ending: Ending
    facts: list[Fact]
    lines: list[PriceLine]
    tokens: str
    cost: str
    notes: list[str]  # what is to be known of the cost
    captured: bool
    capture_href: str  # empty: it is not there any more
    ids: list[Fact]
    fields: list[tuple[str, str]]  # the whole event
    json: str
    compression: CompressionView | None


def detail_view(detail: LogDetail, *, now_us: int, zone_name: str) -> DetailView:
    event = detail.event
    today = local_time(now_us, ZoneInfo(zone_name)).date()
    return DetailView(
        event_id=event.event_id,
        member=detail.member or event.member_id,
        member_href=rows_of(member=(event.member_id,)),
        agent=agent_mark(event.agent),
        time=row_time(event.started_us, zone_name, today),
        ending=ending(event.status, event.outcome, event.error_code),
        facts=list(_facts(event)),
        lines=[_line(line) for line in detail.lines],
        tokens=formats.count(event.tokens.total),
        cost=cost_text(detail.cost_nusd),
        notes=list(_notes(detail)),
        captured=event.captured,
        capture_href=f"{PATH}/{event.event_id}/capture" if detail.capture_kept else "",
        ids=list(_ids(event)),
        fields=list(_fields(event)),
        json=msgspec.json.format(msgspec.json.encode(_plain(event)), indent=2).decode(),
        compression=compression_view(detail),
    )


def rows_of(**chosen: object) -> str:
    """The address of all requests with these values, of any time."""
    return LogQuery(range=ALL_TIME).url(**chosen)


def _facts(event: UsageEvent) -> Iterator[Fact]:
    provider = _PROVIDERS.get(Provider(event.provider), event.provider) if event.provider else ""
    model = event.model_served or event.model_asked
    if model:
        asked = event.model_asked if event.model_asked not in {"", model} else ""
        note = f"asked for {asked}, at {provider}" if asked else provider
        yield Fact("Model", model, rows_of(model=(model,)), note)
    if event.repository:
        name = repository_name(event.repository)
        shown = f"{name.owner}/{name.name}" if name.owner else name.name
        yield Fact("Repository", shown, rows_of(repository=event.repository), event.branch)
    yield Fact(
        "First byte", _duration(event.first_byte_us), note=f"total {_duration(event.duration_us)}"
    )
    yield Fact("Sent", _bytes(event.request_bytes), note=f"received {_bytes(event.response_bytes)}")
    if event.billing == Billing.SUBSCRIPTION:
        yield Fact("Paid by", "A subscription", note="valued at list price, not billed")
    if event.is_title:
        yield Fact("Purpose", "Title of the session")


def _ids(event: UsageEvent) -> Iterator[Fact]:
    for title, value, href in (
        ("Request id", event.event_id, ""),
        ("Upstream request id", event.upstream_request_id, ""),
        ("Upstream answer id", event.upstream_id, ""),
        ("Session", event.session_id, f"{SESSIONS}/{event.session_id}"),
        ("Launch", event.launch_id, LogQuery().url(ids=event.launch_id)),
        ("Key", event.key_id, rows_of(key=event.key_id)),
    ):
        if value:
            yield Fact(title, value, href, copy=True)


def _line(line: CostLine) -> PriceLine:
    by_search = line.bucket == EXTRAS
    return PriceLine(
        title=_TITLES[line.bucket],
        units=formats.count(line.units),
        rate=DASH if line.rate_nusd is None else formats.exact_money(line.rate_nusd),
        cost=cost_text(line.cost_nusd),
        by_search=by_search,
    )


def _notes(detail: LogDetail) -> Iterator[str]:
    event = detail.event
    yield f"{formats.count(detail.cost_nusd)} nano-USD, exact."
    if event.price_unknown:
        yield "The model has no known price: what it cost is not in any sum."
    elif event.price_version:
        yield f"Rates of price version {event.price_version}."
    if not detail.rates_known and detail.lines and not event.price_unknown:
        yield "That version is not here any more, so the rates cannot be shown."
    yield "Tokens estimated in part." if event.estimated else "Tokens as the provider counted them."
    if event.tokens.reasoning:
        yield f"{formats.count(event.tokens.reasoning)} of the output tokens were reasoning."
    modifiers = [m for m in (event.service_tier, event.speed, event.region) if m]
    if modifiers:
        yield f"Priced for {', '.join(modifiers)}."


def _fields(event: UsageEvent) -> Iterator[tuple[str, str]]:
    """Every field by its name, those of tokens and cost apart."""
    for name, value in _plain(event).items():
        if name == "tool_savings":
            for each in event.tool_savings:
                tokens = f"{each.tokens_before} to {each.tokens_after} tokens"
                yield f"{name}.{each.tool_class}", f"{each.results} results, {tokens}"
        elif isinstance(value, dict):
            yield from ((f"{name}.{each}", _text(one)) for each, one in value.items())
        else:
            yield name, _text(value)


def _plain(event: UsageEvent) -> dict[str, object]:
    """The event with its defaults too."""
    plain = {name: getattr(event, name) for name in event.__struct_fields__}
    for name in ("tokens", "cost"):
        plain[name] = msgspec.structs.asdict(plain[name])
    return plain


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return DASH if value == "" else str(value)


def _duration(us: int) -> str:
    return formats.duration(us) if us else DASH


def _bytes(count: int) -> str:
    if count < 10_000:
        return f"{count:,} bytes"
    kilobytes = count / 1000
    return f"{kilobytes:,.1f} KB" if kilobytes < 1000 else f"{kilobytes / 1000:,.1f} MB"
