"""One session as it is shown: to those who may see all of it, and by a link to anyone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from tidegate.console import formats
from tidegate.console.agent_marks import AgentMark, agent_mark
from tidegate.console.list_query import ALL_TIME
from tidegate.console.log_query import LogQuery
from tidegate.console.log_rows import ending, id_tail, row_time
from tidegate.console.session_agents import AgentLine, agent_lines, agent_names
from tidegate.console.session_buckets import BucketsView, ToolLine, buckets_view, tool_lines
from tidegate.console.session_query import PATH, SessionQuery
from tidegate.console.session_rows import (
    day_and_time,
    is_active,
    long_duration,
    session_title,
)
from tidegate.console.session_timeline import TimelineView, timeline_view
from tidegate.console.session_work import WorkView, work_view
from tidegate.core.attribution import Method
from tidegate.core.calendar import local_time
from tidegate.services.session_reports import FAULTS, SessionDetail
from tidegate.services.session_shares import Hidden
from tidegate.store.log import LogRow

SHOWS_ALL: Final = Hidden()
_MODELS_SHOWN: Final = 3
_NOT_SAVED: Final = {
    "off": "compression was off",
    "holdout": "left out, to compare with",
}


@dataclass(frozen=True, slots=True)
class Tile:
    title: str
    shown: str
    exact: str
    note: str
    bad: str = ""  # a part of the note, in red and before it
    good: bool = False
    href: str = ""


@dataclass(frozen=True, slots=True)
class ErrorLine:
    """A request that did not end well."""

    title: str
    tone: str
    clock: str
    exact: str
    shown_id: str
    href: str
    told: str


@dataclass(frozen=True)
class SessionView:
    session_id: str
    path: str
    title: str
    is_named: bool
    member: str  # empty: not told
    member_href: str
    agent: AgentMark
    version: str
    models: str
    more_models: int
    all_models: str
    when: str
    active: bool
    tiles: list[Tile]
    timeline: TimelineView | None
    buckets: BucketsView
    cache_hits: str
    tools: list[ToolLine]
    saved: str
    agents: list[AgentLine]
    errors: list[ErrorLine]
    error_count: int
    errors_href: str
    requests_href: str
    work: WorkView | None
    started_by: str  # the client's own id of the session
    shows_costs: bool
    for_anyone: bool


def session_view(
    detail: SessionDetail,
    people: dict[str, str],
    *,
    now_us: int,
    zone_name: str,
    hidden: Hidden = SHOWS_ALL,
    for_anyone: bool = False,
) -> SessionView:
    """What is hidden is not in it at all; for anyone, neither are ids and ways on."""
    row, zone = detail.row, ZoneInfo(zone_name)
    shows_costs = not hidden.costs
    rows = LogQuery(range=ALL_TIME)
    return SessionView(
        session_id="" if for_anyone else row.session_id,
        path="" if for_anyone else f"{PATH}/{row.session_id}",
        title=_title(detail, hidden, zone, now_us),
        is_named=bool(row.name),
        member="" if hidden.names else detail.member or row.member_id,
        member_href="" if for_anyone else SessionQuery(range=ALL_TIME).url(member=(row.member_id,)),
        agent=agent_mark(row.agent),
        version=row.client_version,
        models=", ".join(row.models[:_MODELS_SHOWN]),
        more_models=max(0, len(row.models) - _MODELS_SHOWN),
        all_models=", ".join(row.models),
        when=_when(detail, zone, now_us),
        active=is_active(row, now_us),
        tiles=list(_tiles(detail, shows_costs=shows_costs, linked=not for_anyone)),
        timeline=_timeline(detail, zone, shows_costs=shows_costs, linked=not for_anyone),
        buckets=buckets_view(detail.agents, shows_costs=shows_costs),
        cache_hits=_share(row.tokens.cache_read, row.tokens.prompt),
        tools=tool_lines(detail.tool_savings),
        saved=formats.money(row.saved_nusd) if shows_costs and row.saved_nusd else "",
        agents=agent_lines(detail.agents, shows_costs=shows_costs),
        errors=[] if for_anyone else [_error(each, zone_name, now_us) for each in detail.failed],
        error_count=row.errors,
        errors_href="" if for_anyone else rows.url(session=row.session_id, outcome=FAULTS),
        requests_href="" if for_anyone else rows.url(session=row.session_id),
        work=None
        if hidden.repositories
        else work_view(row, detail.links, detail.pull_requests, people, for_anyone=for_anyone),
        started_by="" if for_anyone else row.client_session,
        shows_costs=shows_costs,
        for_anyone=for_anyone,
    )


def correctors(detail: SessionDetail) -> set[str]:
    """The members whose word is among the links."""
    return {link.source for link in detail.links if link.method == Method.PERSON}


def _title(detail: SessionDetail, hidden: Hidden, zone: ZoneInfo, now_us: int) -> str:
    """A session without a name is called by its branch, which may be hidden too."""
    if hidden.names or (hidden.repositories and not detail.row.name):
        return "A session"
    return session_title(detail.row, zone, local_time(now_us, zone).date())


def _timeline(
    detail: SessionDetail, zone: ZoneInfo, *, shows_costs: bool, linked: bool
) -> TimelineView | None:
    return timeline_view(
        detail.lanes,
        agent_names(detail.agents),
        zone=zone,
        session_id=detail.row.session_id,
        shows_costs=shows_costs,
        linked=linked,
    )


def _tiles(detail: SessionDetail, *, shows_costs: bool, linked: bool) -> Iterator[Tile]:
    row = detail.row
    href = LogQuery(range=ALL_TIME).url(session=row.session_id) if linked else ""
    if shows_costs:
        yield _cost_tile(detail, href)
    tokens = row.tokens.total
    cached = _share(row.tokens.cache_read, tokens)
    yield Tile(
        "Tokens",
        formats.tokens(tokens),
        formats.plural(tokens, "token"),
        f"{cached} read from cache" if row.tokens.cache_read else "nothing read from cache",
        href=href,
    )
    failed = f"{row.errors:,} failed" if row.errors else ""
    subagents = f"by {formats.plural(len(detail.agents), 'agent')}" if detail.agents else ""
    yield Tile(
        "Requests",
        formats.count(row.requests),
        formats.plural(row.requests, "request"),
        subagents if failed else "all answered",
        bad=failed,
        href=href,
    )
    waiting = detail.lanes.waiting_us
    yield Tile(
        "Duration",
        long_duration(row.duration_us),
        formats.duration(row.duration_us),
        f"{long_duration(waiting)} waiting for models" if waiting else formats.DASH,
    )
    yield _savings_tile(detail, shows_costs=shows_costs)


def _cost_tile(detail: SessionDetail, href: str) -> Tile:
    row = detail.row
    subscription = row.subscription_cost_nusd
    billed = row.cost_nusd - subscription
    if subscription and not billed:
        note, shown = "at list price, on a subscription", subscription
    else:
        shown = billed
        more = f" · {formats.money(subscription)} on subscription"
        note = "billed by token" + (more if subscription else "")
    return Tile("Cost", formats.money(shown), formats.exact_money(shown), note, href=href)


def _savings_tile(detail: SessionDetail, *, shows_costs: bool) -> Tile:
    row = detail.row
    tokens = formats.plural(row.saved_tokens, "token")
    if shows_costs and row.saved_nusd:
        shown, exact = formats.money(row.saved_nusd), formats.exact_money(row.saved_nusd)
        note = "net of cache prices"
        return Tile("Savings", shown, f"{exact}, {tokens}", note, good=True)
    if row.saved_tokens:
        return Tile(
            "Savings", formats.tokens(row.saved_tokens), tokens, "tokens not sent", good=True
        )
    note = _NOT_SAVED.get(row.compression, "nothing to shorten" if row.compression else "")
    return Tile("Savings", formats.DASH, "", note)


def _when(detail: SessionDetail, zone: ZoneInfo, now_us: int) -> str:
    """From when to when; with the day where it is not today."""
    row = detail.row
    today = local_time(now_us, zone).date()
    first, last = (local_time(at_us, zone) for at_us in (row.first_us, row.last_us))
    begun = f"today {first:%H:%M}" if first.date() == today else day_and_time(first, today)
    ended = f"{last:%H:%M}" if last.date() == first.date() else day_and_time(last, today)
    return f"{begun} {formats.DASH} {ended}"


def _error(row: LogRow, zone_name: str, now_us: int) -> ErrorLine:
    ended = ending(row.status, row.outcome, row.error_code)
    at = row_time(row.started_us, zone_name, local_time(now_us, ZoneInfo(zone_name)).date())
    words = [text for text in (str(row.status or ""), row.error_code or ended.word) if text]
    return ErrorLine(
        title=" ".join(words),
        tone=ended.tone,
        clock=f"{at.day}, {at.clock}" if at.day else at.clock,
        exact=at.exact,
        shown_id=id_tail(row.event_id),
        href=LogQuery(range=ALL_TIME).url(ids=row.event_id, open=row.event_id),
        told=ended.meaning.partition(": ")[2].partition(" (")[0],
    )


def _share(part: int, whole: int) -> str:
    """`91.2 %`."""
    if not whole:
        return formats.DASH
    permille = round(1000 * part / whole)
    return f"{permille // 10}.{permille % 10} %"
