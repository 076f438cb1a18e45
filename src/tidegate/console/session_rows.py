"""The rows of the list of sessions as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from tidegate.console import formats, period_text
from tidegate.console.agent_marks import AgentMark, agent_mark
from tidegate.console.figures_view import Value, money_value, request_value, token_value
from tidegate.console.session_query import PATH, SORTS, SessionQuery
from tidegate.core.calendar import local_time
from tidegate.core.remotes import RepositoryName, repository_name
from tidegate.services.session_reports import SessionPage, SessionRow

ACTIVE_US: Final = 600_000_000  # after its last request a session counts as active that long
_MOST_PULL_REQUESTS: Final = 2
_SORTED: Final = {  # columns that a list can be sorted by
    "requests": "Requests",
    "tokens": "Tokens",
    "cost": "Cost",
    "duration": "Duration",
    "last": "Last activity",
}


@dataclass(frozen=True, slots=True)
class PullRequestChip:
    """`#12`, and the sessions that worked on it."""

    number: str
    exact: str
    href: str


@dataclass(frozen=True, slots=True)
class Ago:
    iso: str
    exact: str
    shown: str


@dataclass(frozen=True, slots=True)
class SessionRowView:
    session_id: str
    href: str
    title: str
    is_named: bool
    is_active: bool
    member: str
    agent: AgentMark
    model: str
    more_models: int
    models: str
    repository: RepositoryName | None
    repository_href: str
    branch: str
    branch_href: str
    pull_requests: list[PullRequestChip]
    more_pull_requests: int
    requests: Value
    tokens: Value
    cost: Value
    on_subscription: bool  # the cost is that at list price, nobody is billed
    besides: Value | None  # what was used on subscriptions beside what is billed
    saved: Value | None
    errors: int
    duration: str
    last: Ago


@dataclass(frozen=True, slots=True)
class SortChoice:
    name: str
    title: str
    href: str
    current: bool


@dataclass(frozen=True, slots=True)
class SessionRowsView:
    rows: list[SessionRowView]
    sorts: list[SortChoice]
    columns: dict[str, SortChoice]  # those that it can be sorted by
    sorted_by: str  # in words
    previous: str  # addresses
    next: str
    first: str


@dataclass(frozen=True)
class Drawing:
    query: SessionQuery
    members: Mapping[str, str]
    zone: ZoneInfo
    now_us: int

    @property
    def today(self) -> date:
        return local_time(self.now_us, self.zone).date()


def session_rows_view(
    page: SessionPage, query: SessionQuery, *, now_us: int, zone_name: str
) -> SessionRowsView:
    drawing = Drawing(query, page.members, ZoneInfo(zone_name), now_us)
    sorts = {name: _sort(name, title, query) for name, title in SORTS.items()}
    return SessionRowsView(
        rows=[_row(row, drawing) for row in page.rows],
        sorts=list(sorts.values()),
        columns={name: _sort(name, title, query) for name, title in _SORTED.items()},
        sorted_by=SORTS[query.sort_name].lower(),
        previous=query.url(at=page.previous) if page.previous else "",
        next=query.url(at=page.next) if page.next else "",
        first=query.url() if query.at else "",
    )


def session_title(row: SessionRow, zone: ZoneInfo, today: date) -> str:
    """Its name, else when it began and where."""
    if row.name:
        return row.name
    begun = f"Session of {day_and_time(local_time(row.first_us, zone), today)}"
    place = row.branch or repository_name(row.repository).name
    return f"{begun} · {place}" if place else begun


def day_and_time(at: datetime, today: date) -> str:
    """`10:02`, and the day before it if that is not today."""
    if at.date() == today:
        return f"{at:%H:%M}"
    day = period_text.day_text(at) if at.year == today.year else period_text.date_text(at)
    return f"{day}, {at:%H:%M}"


def is_active(row: SessionRow, now_us: int) -> bool:
    return now_us - row.last_us < ACTIVE_US


def long_duration(us: int) -> str:
    """`46 min`, `2 h 5 min`, `3 days 4 h`."""
    minutes = us // 60_000_000
    if minutes < 1:
        return formats.duration(us)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return formats.plural(days, "day") + (f" {hours} h" if hours else "")
    if hours:
        return f"{hours} h" + (f" {minutes} min" if minutes else "")
    return f"{minutes} min"


def pull_request_number(value: str) -> str:
    """`#12` of `github.com/acme/app#12`."""
    return f"#{value.rpartition('#')[2]}"


def _row(row: SessionRow, drawing: Drawing) -> SessionRowView:
    query = drawing.query
    billed = row.cost_nusd - row.subscription_cost_nusd
    on_subscription = not billed and row.subscription_cost_nusd > 0
    at = local_time(row.last_us, drawing.zone)
    exact = f"{period_text.date_text(at)}, {at:%H:%M:%S %Z}"
    shown_pull_requests = row.pull_requests[:_MOST_PULL_REQUESTS]
    return SessionRowView(
        session_id=row.session_id,
        href=f"{PATH}/{row.session_id}",
        title=session_title(row, drawing.zone, drawing.today),
        is_named=bool(row.name),
        is_active=is_active(row, drawing.now_us),
        member=drawing.members.get(row.member_id) or row.member_id,
        agent=agent_mark(row.agent),
        model=row.models[0] if row.models else "",
        more_models=max(0, len(row.models) - 1),
        models=", ".join(row.models),
        repository=repository_name(row.repository) if row.repository else None,
        repository_href=query.url(repository=row.repository),
        branch=row.branch,
        branch_href=query.url(branch=row.branch),
        pull_requests=[
            PullRequestChip(
                pull_request_number(each),
                each,
                query.url(repository="", pull_request=each),
            )
            for each in shown_pull_requests
        ],
        more_pull_requests=len(row.pull_requests) - len(shown_pull_requests),
        requests=request_value(row.requests),
        tokens=token_value(row.tokens.total),
        cost=money_value(row.subscription_cost_nusd if on_subscription else billed),
        on_subscription=on_subscription,
        besides=money_value(row.subscription_cost_nusd)
        if billed and row.subscription_cost_nusd
        else None,
        saved=money_value(row.saved_nusd) if row.saved_nusd else None,
        errors=row.errors,
        duration=long_duration(row.duration_us),
        last=Ago(
            formats.utc(row.last_us),
            exact,
            formats.ago(row.last_us, drawing.now_us, date=period_text.date_text(at)),
        ),
    )


def _sort(name: str, title: str, query: SessionQuery) -> SortChoice:
    return SortChoice(name, title, query.with_sort(name), name == query.sort_name)
