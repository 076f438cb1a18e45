"""The rows of the log as values: what the list shows of a request."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from tidegate.console import formats, period_text
from tidegate.console.agent_marks import AgentMark, agent_mark
from tidegate.console.figures_view import Value
from tidegate.console.log_query import NO_MODEL, LogQuery
from tidegate.console.session_query import PATH as SESSIONS
from tidegate.core.calendar import local_time
from tidegate.core.model import Billing, Outcome
from tidegate.core.remotes import RepositoryName, repository_name
from tidegate.services.request_log import LogPage, LogRow

OUTCOME_TITLES: Final[Mapping[str, str]] = {
    Outcome.OK: "Answered",
    Outcome.UPSTREAM_ERROR: "Upstream error",
    Outcome.REFUSED: "Refused",
    Outcome.CANCELLED: "Cancelled",
    Outcome.CUT: "Cut",
    Outcome.TIMED_OUT: "Timed out",
    Outcome.CRASHED: "Crashed",
}
OUTCOME_MEANINGS: Final[Mapping[str, str]] = {
    Outcome.OK: "the answer came to its end",
    Outcome.UPSTREAM_ERROR: "the provider answered with an error, or could not be reached",
    Outcome.REFUSED: "Tidegate answered; the provider never saw it",
    Outcome.CANCELLED: "the agent left before the end",
    Outcome.CUT: "the provider's answer ended before its last event",
    Outcome.TIMED_OUT: "the provider took too long",
    Outcome.CRASHED: "the gateway ended before the request did",
}
_SHORT: Final[Mapping[str, str]] = {
    Outcome.UPSTREAM_ERROR: "error",
    Outcome.REFUSED: "refused",
    Outcome.CANCELLED: "cancelled",
    Outcome.CUT: "cut",
    Outcome.TIMED_OUT: "timed out",
    Outcome.CRASHED: "crashed",
}
_HALF_WAY: Final = frozenset({Outcome.CANCELLED, Outcome.CUT})
_ID_TAIL: Final = 8


@dataclass(frozen=True, slots=True)
class RowTime:
    iso: str
    day: str  # empty: today
    clock: str
    exact: str


@dataclass(frozen=True, slots=True)
class Ending:
    """How a request ended: a coloured dot, the status and, if not well, a word."""

    tone: str  # good, half or bad
    status: str
    word: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Linked:
    """A value that leads to the rows which have it."""

    shown: str
    exact: str
    href: str


@dataclass(frozen=True, slots=True)
class RowView:
    event_id: str
    href: str
    is_open: bool
    time: RowTime
    ending: Ending
    member: str
    agent: AgentMark
    model: str
    asked: str  # the model that was asked for, where another was served
    session: Linked | None
    repository: RepositoryName | None
    repository_href: str
    buckets: list[Value | None]  # input, cache writes, cache reads, output
    tokens: Value | None
    cost: Value | None
    on_subscription: bool
    first_byte: str
    took: str
    captured: bool
    estimated: bool
    price_unknown: bool
    saved: Value | None
    saved_told: str


@dataclass(frozen=True, slots=True)
class RowsView:
    rows: list[RowView]
    newer: str  # addresses
    older: str
    newest: str
    top: str


@dataclass(frozen=True)
class _Drawing:
    query: LogQuery
    members: Mapping[str, str]
    zone_name: str
    today: date


def rows_view(page: LogPage, query: LogQuery, *, now_us: int, zone_name: str) -> RowsView:
    today = local_time(now_us, ZoneInfo(zone_name)).date()
    drawing = _Drawing(query, page.members, zone_name, today)
    return RowsView(
        rows=[_row(row, drawing) for row in page.rows],
        newer=query.url(at=page.newer) if page.newer else "",
        older=query.url(at=page.older) if page.older else "",
        newest=query.url() if query.at else "",
        top=page.top,
    )


def row_time(at_us: int, zone_name: str, today: date) -> RowTime:
    at = local_time(at_us, ZoneInfo(zone_name))
    day = "" if at.date() == today else period_text.day_text(at)
    exact = f"{period_text.date_text(at)}, {at:%H:%M:%S.%f}"[:-3]
    return RowTime(formats.utc(at_us), day, f"{at:%H:%M:%S}", f"{exact} {at:%Z}")


def ending(status: int, outcome: str, error_code: str) -> Ending:
    title = OUTCOME_TITLES.get(outcome, outcome)
    told = f"{title}: {OUTCOME_MEANINGS.get(outcome, outcome)}"
    if error_code:
        told += f" ({error_code})"
    good = outcome == Outcome.OK
    return Ending(
        tone="good" if good else "half" if outcome in _HALF_WAY else "bad",
        status=str(status) if status else formats.DASH,
        word="" if good else _SHORT.get(outcome, outcome),
        meaning=told,
    )


def id_tail(text: str) -> str:
    """The end of an id: the part that tells ids apart."""
    return f"…{text[-_ID_TAIL:]}" if len(text) > _ID_TAIL + 4 else text


def fine_cost(nusd: int) -> Value:
    return Value(nusd, formats.fine_money(nusd), formats.exact_money(nusd))


def _exact_tokens(count: int) -> Value | None:
    return Value(count, formats.count(count), formats.plural(count, "token")) if count else None


def _row(row: LogRow, drawing: _Drawing) -> RowView:
    tokens, query = row.tokens, drawing.query
    buckets = [
        tokens.input,
        tokens.cache_write_5m + tokens.cache_write_1h,
        tokens.cache_read,
        tokens.output,
    ]
    was_switched = row.model_served and row.model_asked and row.model_served != row.model_asked
    return RowView(
        event_id=row.event_id,
        href=query.with_row(row.event_id),
        is_open=row.event_id == query.open,
        time=row_time(row.started_us, drawing.zone_name, drawing.today),
        ending=ending(row.status, row.outcome, row.error_code),
        member=drawing.members.get(row.member_id) or row.member_id,
        agent=agent_mark(row.agent),
        model=row.model or NO_MODEL,
        asked=row.model_asked if was_switched else "",
        session=Linked(
            id_tail(row.session_id),
            row.session_id,
            f"{SESSIONS}/{row.session_id}",
        )
        if row.session_id
        else None,
        repository=repository_name(row.repository) if row.repository else None,
        repository_href=query.url(repository=row.repository),
        buckets=[_exact_tokens(count) for count in buckets],
        tokens=_exact_tokens(tokens.total),
        cost=fine_cost(row.cost_nusd) if row.cost_nusd else None,
        on_subscription=row.billing == Billing.SUBSCRIPTION,
        first_byte=formats.duration(row.first_byte_us) if row.first_byte_us else formats.DASH,
        took=formats.duration(row.duration_us) if row.duration_us else formats.DASH,
        captured=row.captured,
        estimated=row.estimated,
        price_unknown=row.price_unknown,
        saved=fine_cost(row.saved_nano) if row.saved_nano else None,
        saved_told=f"{formats.plural(row.saved_tokens, 'token')} of tool results not sent"
        if row.saved_tokens
        else "",
    )
