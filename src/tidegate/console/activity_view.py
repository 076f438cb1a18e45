"""Repositories and pull requests as values: the right column, and the two card grids.

A title opens the forge, a figure the sessions that it sums.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Final

from tidegate.console import formats
from tidegate.console.figures_view import (
    Savings,
    Value,
    others_of,
    savings_of,
    subscription_value,
    value_of,
)
from tidegate.console.list_query import ALL_TIME
from tidegate.console.log_range import rows_of
from tidegate.console.session_query import SessionQuery
from tidegate.console.team_query import TeamQuery
from tidegate.console.team_view import Moment, Pager, moment, pager
from tidegate.core.periods import Period
from tidegate.core.remotes import RepositoryName, pull_request_url, repository_name
from tidegate.services.team import (
    Figures,
    Metric,
    PullRequestUse,
    RankedPullRequests,
    RankedRepositories,
    RepositoryUse,
    Unattributed,
)
from tidegate.store.log import NO_REPOSITORY

TOP: Final = 7
FEW_REPOSITORIES: Final = 5  # a row of the widest grid; narrower ones hide what is too much
FEW_PULLS: Final = 10
PER_PAGE: Final = 24


@dataclass(frozen=True, slots=True)
class TopRow:
    name: RepositoryName
    sessions: int
    percent: int  # of the most
    href: str  # its sessions


@dataclass(frozen=True, slots=True)
class TopView:
    rows: list[TopRow]
    total: int
    connected: bool  # with GitHub


@dataclass(frozen=True, slots=True)
class Fact:
    title: str
    value: Value


@dataclass(frozen=True, slots=True)
class ActivityCard:
    """A repository or, with a number, a pull request; without a name what belongs to none."""

    name: RepositoryName | None
    number: str
    href: str
    title: str  # of a pull request, where the forge told it
    state: str  # open, draft, merged or closed
    author: str
    main: Value
    facts: list[Fact]
    subscription: Value | None
    savings: Savings | None
    last: Moment | None


@dataclass(frozen=True, slots=True)
class MergedText:
    """What those that were merged in the period cost, in a line."""

    merged: str
    each: Value | None  # leads to the list of them


@dataclass(frozen=True, slots=True)
class ActivityView:
    cards: list[ActivityCard]
    total: int
    short: bool  # the first few only
    all_href: str  # to the whole list, where this is not it
    few_href: str  # back from it
    pager: Pager | None
    rest: Value | None  # not attributed, where no card says so
    used: bool  # something was used in the period, by whatever
    connected: bool  # with GitHub
    merged: MergedText | None = None  # of pull requests


@dataclass(frozen=True, slots=True)
class Forges:
    """What is connected, and so which hosts have pages beside those that everyone knows."""

    connected: bool = False
    enterprise: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class _Drawing:
    query: TeamQuery
    field: str
    few: int
    now_us: int
    period: Period
    forges: Forges


def sessions_of(period: Period, **chosen: Any) -> str:
    """The address of the sessions of a period."""
    rows = rows_of(period)
    return SessionQuery(range=rows.range, first=rows.first, last=rows.last, **chosen).url()


def sessions_of_pull(repository: str, number: str) -> str:
    """The address of a pull request's sessions, at any time."""
    return SessionQuery(range=ALL_TIME, pull_request=f"{repository}#{number}").url()


def top_view(ranked: RankedRepositories, period: Period, forges: Forges) -> TopView:
    most = max((row.sessions for row in ranked.rows), default=0) or 1
    rows = [
        TopRow(
            repository_name(row.repository, forges.enterprise),
            row.sessions,
            max(1, 100 * row.sessions // most),
            sessions_of(period, repository=row.repository),
        )
        for row in ranked.rows
    ]
    return TopView(rows, ranked.total, forges.connected)


def repositories_view(
    ranked: RankedRepositories, query: TeamQuery, period: Period, forges: Forges, *, now_us: int
) -> ActivityView:
    drawing = _Drawing(query, "repositories", FEW_REPOSITORIES, now_us, period, forges)
    cards = [_repository(row, drawing) for row in ranked.rows]
    return _activity(cards, ranked.total, ranked.unattributed, drawing)


def pull_requests_view(
    ranked: RankedPullRequests, query: TeamQuery, period: Period, forges: Forges, *, now_us: int
) -> ActivityView:
    drawing = _Drawing(query, "pulls", FEW_PULLS, now_us, period, forges)
    cards = [_pull_request(row, drawing) for row in ranked.rows]
    return _activity(cards, ranked.total, ranked.unattributed, drawing)


def window(page: int, few: int) -> tuple[int, int]:
    """Limit and offset of what to read: the first few, or a page of all."""
    return (PER_PAGE, (page - 1) * PER_PAGE) if page else (few, 0)


def _activity(
    cards: list[ActivityCard], total: int, unattributed: Unattributed, drawing: _Drawing
) -> ActivityView:
    query, page = drawing.query, getattr(drawing.query, drawing.field)
    first = window(page, drawing.few)[1]
    ends_here = first + len(cards) >= total
    rest = unattributed.figures
    in_grid = bool(rest.requests and cards and (not page or ends_here))
    if in_grid:
        cards = [*cards, _rest_card(unattributed, drawing)]
    return ActivityView(
        cards=cards,
        total=total,
        short=not page,
        all_href="" if page or ends_here else query.url(**{drawing.field: 1}),
        few_href=query.url(**{drawing.field: 0}) if page else "",
        pager=pager(first, min(PER_PAGE, total - first), total, query, drawing.field, PER_PAGE)
        if page
        else None,
        rest=value_of(rest, query.sort) if rest.requests and not in_grid else None,
        used=bool(rest.requests or cards),
        connected=drawing.forges.connected,
    )


def _repository(row: RepositoryUse, drawing: _Drawing) -> ActivityCard:
    name = repository_name(row.repository, drawing.forges.enterprise)
    href = sessions_of(drawing.period, repository=row.repository)
    card = _card(row.figures, row.sessions, drawing, row.last_us, href=href)
    return replace(card, name=name, href=name.href)


def _pull_request(row: PullRequestUse, drawing: _Drawing) -> ActivityCard:
    repository, number, told = row.repository, row.pull_request, row.told
    pull = f"{repository}#{number}"
    href = sessions_of(drawing.period, pull_request=pull)
    enterprise = drawing.forges.enterprise
    return replace(
        _card(row.figures, row.sessions, drawing, row.last_us, href=href),
        name=repository_name(repository, enterprise),
        number=number,
        href=pull_request_url(repository, number, enterprise),
        title=told.title if told else "",
        state=told.state if told else "",
        author=told.author if told else "",
    )


def _rest_card(unattributed: Unattributed, drawing: _Drawing) -> ActivityCard:
    """What belongs to no repository has sessions of its own; what to no pull request, not."""
    of_repositories = drawing.field == "repositories"
    href = sessions_of(drawing.period, repository=NO_REPOSITORY) if of_repositories else ""
    return _card(unattributed.figures, unattributed.sessions, drawing, href=href)


def _card(
    figures: Figures, sessions: int, drawing: _Drawing, last_us: int = 0, *, href: str
) -> ActivityCard:
    metric = drawing.query.sort
    titles = [each.value.capitalize() for each in Metric if each is not metric]
    values = [_sessions(sessions), *others_of(figures, metric)]
    worth = subscription_value(figures)
    return ActivityCard(
        name=None,
        number="",
        href="",
        title="",
        state="",
        author="",
        main=_leading(value_of(figures, metric), href),
        facts=[
            Fact(title, _leading(value, href))
            for title, value in zip(["Sessions", *titles], values, strict=True)
        ],
        subscription=_leading(worth, href) if worth else None,
        savings=savings_of(figures),
        last=moment(last_us, drawing.now_us, drawing.period.time_zone) if last_us else None,
    )


def _sessions(sessions: int) -> Value:
    return Value(sessions, formats.count(sessions), formats.plural(sessions, "session"))


def _leading(value: Value, href: str) -> Value:
    return replace(value, href=href) if value.exact else value
