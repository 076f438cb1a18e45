"""The log: every request with what it used and cost, found by any filter."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from tidegate.core.figures import Figures
from tidegate.core.model import ToolSaving, Usage, UsageEvent
from tidegate.core.periods import Period
from tidegate.core.price_book import Rates
from tidegate.core.pricing import PriceBook, applied, token_cost
from tidegate.core.savings import SavingPart, parts
from tidegate.services.errors import InvalidField, NotFound
from tidegate.store.log import (
    NO_REPOSITORY,
    STATUS_CLASSES,
    Kept,
    Latency,
    LogFilter,
    LogRow,
    Place,
    Volume,
)
from tidegate.store.ports import Store

__all__ = [
    "NO_REPOSITORY", "STATUS_CLASSES", "CostLine", "Kept", "Latency", "LogBucket", "LogDetail",
    "LogFilter", "LogHistogram", "LogPage", "LogRow", "RequestLog", "SavingPart", "SessionSaving",
    "Volume",
]  # fmt: skip

MOST_NEW: Final = 1000
EXTRAS: Final = "extras"  # of CostLine.bucket: web searches
NOBODY: Final = "-"  # no member's id
_NEWER: Final = "n"
_OLDER: Final = "o"
_CURSOR: Final = re.compile(r"([no])(\d{1,18})\.(\S{1,128})")
_NO_EVENT: Final = "There is no such request, or it is older than what is kept."


class LogPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows, the newest first. A cursor is for `page`, empty where nothing more is there."""

    rows: list[LogRow]
    newer: str
    older: str
    top: str  # the place of the newest row that matches: for `count_new`
    members: Mapping[str, str]  # names of the rows' members, of removed ones too
    kept: Kept


class LogBucket(msgspec.Struct, frozen=True):
    start_us: int
    end_us: int  # exclusive
    volume: Volume
    latency: Latency | None  # None: no requests


class LogHistogram(msgspec.Struct, frozen=True):
    """Volume and latency over a period. Latencies are good to a few percent."""

    buckets: list[LogBucket]
    volume: Volume


class CostLine(msgspec.Struct, frozen=True, kw_only=True):
    """One term of a cost: units times a rate."""

    bucket: str  # a field of Cost
    units: int  # tokens, or web searches
    cost_nusd: int
    rate_nusd: int | None = None  # per million tokens, or per search; None: no longer known


class LogDetail(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one request."""

    event: UsageEvent
    member: str  # name
    lines: list[CostLine]  # buckets that hold anything; their costs add up to the total
    rates_known: bool  # whether the price book still has the version that it was priced by
    capture_kept: bool  # whether its bodies are there
    saving: tuple[SavingPart, ...] = ()  # its arithmetic; empty: nothing, or no longer known

    @property
    def cost_nusd(self) -> int:
        return self.event.cost.total


class SessionSaving(msgspec.Struct, frozen=True):
    """What compression saved of a session: over all its requests, so that a result counts on
    each that had it."""

    compression: str  # the level that it is pinned to
    tokens: int
    nano: int
    classes: tuple[ToolSaving, ...]


class RequestLog:
    """Reads only. A `member_id` restricts any of it to what is that member's."""

    def __init__(self, store: Store, prices: Callable[[], PriceBook]) -> None:
        self._directory = store.directory
        self._usage = store.usage
        self._log = store.usage.log
        self._prices = prices

    def page(
        self,
        organization_id: str,
        only: LogFilter,
        *,
        cursor: str = "",
        limit: int = 50,
        member_id: str = "",
    ) -> LogPage:
        """Some rows: the newest, or those next to another page's."""
        only = _of_member(only, member_id)
        is_newer, place = _read_cursor(cursor)
        found = []
        if is_newer:
            found = self._log.page(organization_id, only, limit + 1, after=place)
        if len(found) <= limit:  # the newest page is a whole one
            is_newer, place = False, None if is_newer else place
            found = self._log.page(organization_id, only, limit + 1, before=place)
        has_more = len(found) > limit
        if has_more:
            found = found[1:] if is_newer else found[:limit]
        return LogPage(
            rows=found,
            newer=_cursor(_NEWER, found) if (has_more if is_newer else place) else "",
            older=_cursor(_OLDER, found) if (has_more or is_newer) else "",
            top=_cursor(_NEWER, found),
            members=self._names(organization_id, {row.member_id for row in found}),
            kept=self._log.kept(organization_id),
        )

    def detail(self, organization_id: str, event_id: str, *, member_id: str = "") -> LogDetail:
        """One request, or NotFound."""
        event = self._log.event(organization_id, event_id)
        if event is None or member_id not in ("", event.member_id):
            raise NotFound(_NO_EVENT)
        lines, rates = self._priced(event) or (None, None)
        return LogDetail(
            event=event,
            member=self._names(organization_id, {event.member_id}).get(event.member_id, ""),
            lines=lines or [line for line in _bare_lines(event) if line.units or line.cost_nusd],
            rates_known=lines is not None,
            capture_kept=event.captured
            and self._usage.captures.has_capture(organization_id, event_id),
            saving=_saving(event, rates),
        )

    def session_saving(
        self, organization_id: str, session_id: str, *, member_id: str = ""
    ) -> SessionSaving:
        """What compression saved of one session, without those of its sub-agents that have a
        session of their own."""
        only = _of_member(LogFilter(session_id=session_id), member_id)
        level, tokens, nano = "", 0, 0
        classes: dict[str, ToolSaving] = {}
        for part in self._log.rows(organization_id, only) if session_id else ():
            for event in part:
                level = level or event.compression
                tokens += event.saved_tokens_new + event.saved_tokens_again
                nano += event.saved_nano
                for each in event.tool_savings:
                    classes[each.tool_class] = _both(classes.get(each.tool_class), each)
        return SessionSaving(level, tokens, nano, tuple(classes[name] for name in sorted(classes)))

    def histogram(
        self, organization_id: str, only: LogFilter, period: Period, *, member_id: str = ""
    ) -> LogHistogram:
        """The filter's own range is not looked at; that of the period is."""
        only = _of_member(only, member_id)
        only = msgspec.structs.replace(only, start_us=period.start_us, end_us=period.end_us)
        volumes = self._log.volumes(organization_id, only, period.starts)
        latencies = self._log.latencies(organization_id, only, period.starts)
        buckets = [
            LogBucket(*period.bounds(i), volumes.get(i, Volume()), latencies.get(i))
            for i in range(len(period.starts))
        ]
        return LogHistogram(
            buckets=buckets,
            volume=Volume(
                sum(each.requests for each in volumes.values()),
                sum(each.failed for each in volumes.values()),
            ),
        )

    def count_new(
        self, organization_id: str, only: LogFilter, top: str, *, member_id: str = ""
    ) -> int:
        """How many rows came since a page with that top, 1000 at most."""
        only = _of_member(only, member_id)
        _, place = _read_cursor(top)
        return self._log.count_after(organization_id, only, place or Place(0, ""), MOST_NEW)

    def sums(self, organization_id: str, only: LogFilter, *, member_id: str = "") -> Figures:
        """What all the rows amount to."""
        return self._log.sums(organization_id, _of_member(only, member_id))

    def rows(
        self, organization_id: str, only: LogFilter, *, member_id: str = ""
    ) -> Iterator[list[UsageEvent]]:
        """All of them in parts, the newest first. Rows that go meanwhile are left out, those that
        come are too."""
        return self._log.rows(organization_id, _of_member(only, member_id))

    def values(
        self, organization_id: str, only: LogFilter, columns: Sequence[str], *, member_id: str = ""
    ) -> Iterator[list[tuple[Any, ...]]]:
        """The same as plain values, for exports. For `columns` see `LogReads.values`."""
        return self._log.values(organization_id, _of_member(only, member_id), columns)

    def kept(self, organization_id: str) -> Kept:
        """From when on there are rows."""
        return self._log.kept(organization_id)

    def _names(self, organization_id: str, member_ids: Collection[str]) -> dict[str, str]:
        if not member_ids:
            return {}
        with self._directory.reading() as reads:
            found = [reads.member(organization_id, member_id) for member_id in member_ids]
        return {member.member_id: member.name or member.email for member in found if member}

    def _priced(self, event: UsageEvent) -> tuple[list[CostLine], Rates] | None:
        """The arithmetic by the price book, if that still comes to what was recorded."""
        with self._directory.reading() as reads:
            tables = {
                each.record.credential_id: each.record.price_table
                for each in reads.credentials(event.organization_id)
            }
        table = tables.get(event.credential_id, "")
        for model in dict.fromkeys((event.model_served, event.model_asked)):
            if found := _lines_at(self._prices(), event, model, table):
                return found
        return None


def _both(one: ToolSaving | None, other: ToolSaving) -> ToolSaving:
    """The sum of two of one class."""
    if one is None:
        return other
    return ToolSaving(
        other.tool_class,
        one.results + other.results,
        one.tokens_before + other.tokens_before,
        one.tokens_after + other.tokens_after,
    )


def _saving(event: UsageEvent, rates: Rates | None) -> tuple[SavingPart, ...]:
    """The arithmetic of what was saved, if it comes to what was recorded."""
    new, again = event.saved_tokens_new, event.saved_tokens_again
    found = parts(new, again, Usage(tokens=event.tokens), None if event.price_unknown else rates)
    return found if sum(each.nano for each in found) == event.saved_nano else ()


def _lines_at(
    book: PriceBook, event: UsageEvent, model: str, table: str
) -> tuple[list[CostLine], Rates] | None:
    """The arithmetic for the price of a model; None if it is not what was recorded."""
    found = applied(
        book,
        provider=event.provider,
        model=model,
        usage=Usage(
            tokens=event.tokens,
            service_tier=event.service_tier,
            speed=event.speed,
            region=event.region,
        ),
        at_us=event.started_us,
        price_table=table,
    )
    rates = [*msgspec.structs.astuple(found.rates), found.web_search_nusd]
    lines = [
        msgspec.structs.replace(line, rate_nusd=rate)
        for line, rate in zip(_bare_lines(event), rates, strict=True)
    ]
    is_it = all(_cost_of(line) == line.cost_nusd for line in lines)
    if found.price_version != event.price_version or not is_it:
        return None
    return [line for line in lines if line.units or line.cost_nusd], found.rates


def _bare_lines(event: UsageEvent) -> list[CostLine]:
    """Units and costs alone, in the order of `Rates`."""
    cost, tokens = event.cost, event.tokens
    by_token = [
        CostLine(bucket=name, units=getattr(tokens, name), cost_nusd=getattr(cost, name))
        for name in Rates.__struct_fields__
    ]
    return [
        *by_token,
        CostLine(bucket=EXTRAS, units=event.web_searches, cost_nusd=cost.extras),
    ]


def _cost_of(line: CostLine) -> int:
    rate = line.rate_nusd or 0
    return line.units * rate if line.bucket == EXTRAS else token_cost(line.units, rate)


def _of_member(only: LogFilter, member_id: str) -> LogFilter:
    if not member_id:
        return only
    if only.member_ids and member_id not in only.member_ids:
        return msgspec.structs.replace(only, member_ids=(NOBODY,))
    return msgspec.structs.replace(only, member_ids=(member_id,))


def _cursor(direction: str, rows: list[LogRow]) -> str:
    if not rows:
        return ""
    row = rows[0] if direction == _NEWER else rows[-1]
    return f"{direction}{row.started_us}.{row.event_id}"


def _read_cursor(cursor: str) -> tuple[bool, Place | None]:
    """Whether it leads to newer rows, and from where."""
    if not cursor:
        return False, None
    if (found := _CURSOR.fullmatch(cursor)) is None:
        raise InvalidField("This place in the log is not one. Begin with the newest.", field="page")
    direction, started_us, event_id = found.groups()
    return direction == _NEWER, Place(int(started_us), event_id)
