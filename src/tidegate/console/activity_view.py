"""Repositories and pull requests as values: the right column, and the two card grids."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tidegate.console import formats
from tidegate.console.figures_view import (
    Savings,
    Value,
    others_of,
    savings_of,
    subscription_value,
    value_of,
)
from tidegate.console.log_query import LogQuery, repository_value
from tidegate.console.log_range import rows_of
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

TOP: Final = 7
FEW_REPOSITORIES: Final = 5  # a row of the widest grid; narrower ones hide what is too much
FEW_PULLS: Final = 10
PER_PAGE: Final = 24


@dataclass(frozen=True, slots=True)
class TopRow:
    name: RepositoryName
    sessions: int
    percent: int  # of the most
    href: str  # the rows of the log


@dataclass(frozen=True, slots=True)
class TopView:
    rows: list[TopRow]
    total: int


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
    main: Value
    facts: list[Fact]
    subscription: Value | None
    savings: Savings | None
    last: Moment | None


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


@dataclass(frozen=True, slots=True)
class _Drawing:
    query: TeamQuery
    field: str
    few: int
    now_us: int
    period: Period

    def rows_of(self, repository: str) -> LogQuery | None:
        """The rows of the log that are a repository's; which are a pull request's is not known
        of a row."""
        if self.field != "repositories":
            return None
        return rows_of(self.period, repository=repository_value(repository))


def top_view(ranked: RankedRepositories, log: LogQuery) -> TopView:
    most = max((row.sessions for row in ranked.rows), default=0) or 1
    rows = [
        TopRow(
            repository_name(row.repository),
            row.sessions,
            max(1, 100 * row.sessions // most),
            log.url(repository=row.repository),
        )
        for row in ranked.rows
    ]
    return TopView(rows, ranked.total)


def repositories_view(
    ranked: RankedRepositories, query: TeamQuery, period: Period, *, now_us: int
) -> ActivityView:
    drawing = _Drawing(query, "repositories", FEW_REPOSITORIES, now_us, period)
    cards = [_repository(row, drawing) for row in ranked.rows]
    return _activity(cards, ranked.total, ranked.unattributed, drawing)


def pull_requests_view(
    ranked: RankedPullRequests, query: TeamQuery, period: Period, *, now_us: int
) -> ActivityView:
    drawing = _Drawing(query, "pulls", FEW_PULLS, now_us, period)
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
    rest, rows = unattributed.figures, drawing.rows_of("")
    if rest.requests and ends_here and cards:
        cards = [*cards, _card(None, rest, unattributed.sessions, drawing, rows=rows)]
    return ActivityView(
        cards=cards,
        total=total,
        short=not page,
        all_href="" if page or ends_here else query.url(**{drawing.field: 1}),
        few_href=query.url(**{drawing.field: 0}) if page else "",
        pager=pager(first, min(PER_PAGE, total - first), total, query, drawing.field, PER_PAGE)
        if page
        else None,
        rest=value_of(rest, query.sort, rows) if rest.requests and not ends_here else None,
        used=bool(rest.requests or cards),
    )


def _repository(row: RepositoryUse, drawing: _Drawing) -> ActivityCard:
    name = repository_name(row.repository)
    title, rows = (name, "", name.href), drawing.rows_of(row.repository)
    return _card(title, row.figures, row.sessions, drawing, row.last_us, rows=rows)


def _pull_request(row: PullRequestUse, drawing: _Drawing) -> ActivityCard:
    href = pull_request_url(row.repository, row.pull_request)
    title = (repository_name(row.repository), row.pull_request, href)
    return _card(title, row.figures, row.sessions, drawing, row.last_us)


def _card(
    title: tuple[RepositoryName, str, str] | None,
    figures: Figures,
    sessions: int,
    drawing: _Drawing,
    last_us: int = 0,
    *,
    rows: LogQuery | None = None,
) -> ActivityCard:
    name, number, href = title or (None, "", "")
    metric = drawing.query.sort
    return ActivityCard(
        name=name,
        number=number,
        href=href,
        main=value_of(figures, metric, rows),
        facts=[Fact("Sessions", _sessions(sessions, rows)), *_facts(figures, metric, rows)],
        subscription=subscription_value(figures, rows),
        savings=savings_of(figures, rows),
        last=moment(last_us, drawing.now_us, drawing.period.time_zone) if last_us else None,
    )


def _sessions(sessions: int, rows: LogQuery | None) -> Value:
    href = rows.url() if rows and sessions else ""
    return Value(sessions, formats.count(sessions), formats.plural(sessions, "session"), href=href)


def _facts(figures: Figures, metric: Metric, rows: LogQuery | None) -> Sequence[Fact]:
    titles = [each.value.capitalize() for each in Metric if each is not metric]
    return [Fact(t, v) for t, v in zip(titles, others_of(figures, metric, rows), strict=True)]
