"""The usage page as values: what the template shows, worked out from a table of sums."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from tidegate.console import formats
from tidegate.console.formats import DASH
from tidegate.core.model import Agent
from tidegate.services.usage import UsageRow, UsageTable, add_up
from tidegate.store.ports import Sums

_MARKS: Final = {Agent.CLAUDE_CODE: "C", Agent.CODEX: "X", Agent.OPENCODE: "O"}


@dataclass(frozen=True)
class Range:
    name: str
    title: str


RANGES: Final = (
    Range("24h", "Last 24 hours"),
    Range("7d", "Last 7 days"),
    Range("30d", "Last 30 days"),
    Range("90d", "Last 90 days"),
)
DEFAULT_RANGE: Final = RANGES[2]


@dataclass(frozen=True)
class AgentMark:
    slug: str
    title: str
    letter: str


@dataclass(frozen=True)
class Line:
    """A row of the table: the requests of both ways of billing together."""

    member: str
    agent: AgentMark
    model: str
    sums: Sums

    @property
    def billed_nusd(self) -> int:
        return billed_nusd(self.sums)


@dataclass(frozen=True)
class Tile:
    title: str
    exact: int
    shown: str
    hover: str
    note: str


@dataclass(frozen=True)
class UsageView:
    range: Range
    subtitle: str
    period: str
    tiles: list[Tile]
    rows: list[Line]
    totals: Sums
    last: str  # the day of the last request, where the range holds none
    ranges: tuple[Range, ...] = RANGES

    @property
    def has_subscription(self) -> bool:
        return self.totals.subscription_cost_nusd > 0

    @property
    def wider(self) -> Range | None:
        """The range to look at when this one is empty."""
        return None if self.range == RANGES[-1] else RANGES[-1]


def usage_view(table: UsageTable, *, own_only: bool, last_us: int = 0) -> UsageView:
    chosen = next(each for each in RANGES if each.name == table.range_name)
    members = len({row.member_id for row in table.rows})
    return UsageView(
        range=chosen,
        subtitle="Your own requests" if own_only else formats.plural(members, "member"),
        period=_period(table),
        tiles=_tiles(table.totals),
        rows=_lines(table.rows),
        totals=table.totals,
        last=_date(_moment(last_us).astimezone(ZoneInfo(table.time_zone))),
    )


def billed_nusd(sums: Sums) -> int:
    """Money really billed: what subscriptions were worth is no part of it."""
    return sums.cost_nusd - sums.subscription_cost_nusd


def usage_json(table: UsageTable) -> dict[str, Any]:
    """The same table for programs. Costs in nano-USD, times in UTC."""
    return {
        "range": table.range_name,
        "start": _utc(table.start_us),
        "end": _utc(table.end_us),
        "time_zone": table.time_zone,
        "rows": [
            {
                "member": {"id": row.member_id, "email": row.email, "name": row.name},
                "agent": row.agent,
                "model": row.model,
                "billing": row.billing,
            }
            | _sums_json(row.sums)
            for row in table.rows
        ],
        "totals": _sums_json(table.totals),
    }


def _sums_json(sums: Sums) -> dict[str, int]:
    fields = msgspec.structs.asdict(sums)
    return fields | {"tokens": sums.tokens, "billed_cost_nusd": billed_nusd(sums)}


def _lines(rows: Iterable[UsageRow]) -> list[Line]:
    """Dearest first, by what was billed, then by what the subscription was worth."""
    grouped: dict[tuple[str, str, str], list[UsageRow]] = {}
    for row in rows:
        grouped.setdefault((row.member_id, row.agent, row.model), []).append(row)
    lines = [
        Line(
            member=parts[0].name or parts[0].email or "Former member",
            agent=_mark(parts[0].agent),
            model=parts[0].model or DASH,
            sums=add_up(part.sums for part in parts),
        )
        for parts in grouped.values()
    ]
    lines.sort(key=lambda line: (-line.billed_nusd, -line.sums.cost_nusd, -line.sums.tokens))
    return lines


def _mark(agent: str) -> AgentMark:
    known = Agent(agent)
    return AgentMark(agent, known.title, _MARKS[known])


def _tiles(totals: Sums) -> list[Tile]:
    cost, worth = billed_nusd(totals), totals.subscription_cost_nusd
    tiles = [
        Tile("Cost", cost, formats.money(cost), formats.exact_money(cost), "billed by token"),
        Tile(
            "Tokens",
            totals.tokens,
            formats.tokens(totals.tokens),
            f"{formats.count(totals.tokens)} tokens",
            _cached(totals),
        ),
        Tile(
            "Requests",
            totals.requests,
            formats.count(totals.requests),
            formats.plural(totals.requests, "request"),
            f"{formats.count(totals.estimated) if totals.estimated else 'none'} estimated",
        ),
    ]
    if worth:
        hover = formats.exact_money(worth)
        shown = formats.money(worth)
        tiles.append(Tile("Subscription value", worth, shown, hover, "at list price, not billed"))
    return tiles


def _cached(totals: Sums) -> str:
    prompt = totals.tokens - totals.output_tokens
    return f"{100 * totals.cache_read_tokens // prompt} % of input from cache" if prompt else ""


def _period(table: UsageTable) -> str:
    zone = ZoneInfo(table.time_zone)
    start, end = (_moment(us).astimezone(zone) for us in (table.start_us, table.end_us))
    if table.range_name == "24h":
        shown = f"{_day(start)} {start:%H:%M} {DASH} {_day(end)} {end:%H:%M}"
    else:
        shown = f"{_day(start)} {DASH} {_day(end)}"
    return f"{shown} {end.year} · {table.time_zone}"


def _day(at: datetime) -> str:
    return f"{at.day} {at:%b}"


def _date(at: datetime) -> str:
    return f"{_day(at)} {at.year}"


def _moment(at_us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)


def _utc(at_us: int) -> str:
    return _moment(at_us).isoformat(timespec="seconds").replace("+00:00", "Z")
