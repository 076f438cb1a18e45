"""What merged pull requests cost: a tile, a line above the cards, and a page of its own."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urlsplit

from tidegate.console import formats, period_text
from tidegate.console.activity_view import Forges, MergedText, sessions_of_pull
from tidegate.console.figures_view import Value, money_value, token_value
from tidegate.console.overview_view import Tile
from tidegate.console.range_picker import RangePicker
from tidegate.console.services import ConsoleServices
from tidegate.console.team_query import TeamQuery
from tidegate.console.team_view import Moment, moment
from tidegate.core.periods import Period
from tidegate.core.remotes import RepositoryName, pull_request_url, repository_name
from tidegate.store.forge import MergedTotals, PullCost

MERGED_PATH: Final = "/team/merged"
PER_PAGE: Final = 50
_TITLE: Final = "Cost per merged PR"


@dataclass(frozen=True, slots=True)
class MergedRow:
    name: RepositoryName
    number: int
    title: str
    href: str  # on the forge
    author: str
    merged: Moment
    additions: Value
    deletions: Value
    sessions: Value
    tokens: Value
    cost: Value
    subscription: Value | None


@dataclass(frozen=True, slots=True)
class MergedView:
    query: TeamQuery
    picker: RangePicker
    period: str
    tiles: list[Tile]
    rows: list[MergedRow]
    left_out: str  # merged without a request of a session; empty: none
    connected: bool
    next_href: str
    first_href: str  # empty on the first page


def forges_of(services: ConsoleServices, organization_id: str) -> Forges:
    """Whether GitHub is connected, and which host it is on."""
    app = services.github.connection.app(organization_id)
    if app is None:
        return Forges(connected=services.team.hears_of_pulls(organization_id))
    return Forges(connected=True, enterprise=frozenset({urlsplit(app.web_url).netloc.lower()}))


def merged_tiles(totals: MergedTotals, query: TeamQuery) -> list[Tile]:
    """One where pull requests were merged that something was used for."""
    each = _each(totals, query)
    return [Tile("Per merged PR", each, "", False, "", "", _merged(totals))] if each else []


def merged_text(totals: MergedTotals, query: TeamQuery) -> MergedText | None:
    return MergedText(_merged(totals), _each(totals, query)) if totals.merged else None


def page_tiles(totals: MergedTotals, median_nusd: int) -> list[Tile]:
    """Mean, median and sum."""
    if not totals.with_cost:
        return []
    made = [
        (_TITLE, money_value(totals.cost_nusd // totals.with_cost), "the mean"),
        ("Median", money_value(median_nusd), "half cost more, half less"),
        ("All together", money_value(totals.cost_nusd), _of(totals)),
    ]
    if totals.subscription_nusd:
        worth = money_value(totals.subscription_nusd)
        made.append(("Subscription value", worth, "at list price, not billed"))
    return [Tile(title, value, "", False, "", "", note) for title, value, note in made]


def left_out(totals: MergedTotals) -> str:
    """What the figures do not say."""
    missing = totals.merged - totals.with_cost
    if not missing:
        return ""
    was = "was" if missing == 1 else "were"
    their = "its" if missing == 1 else "their"
    shown = formats.count(missing)
    return f"{shown} {was} merged without a known session: {their} cost is not in these figures."


def merged_row(cost: PullCost, forges: Forges, period: Period, now_us: int) -> MergedRow:
    pull = cost.pull_request
    sessions = sessions_of_pull(pull.repository, str(pull.number)) if cost.requests else ""
    worth = cost.subscription_nusd
    return MergedRow(
        name=repository_name(pull.repository, forges.enterprise),
        number=pull.number,
        title=pull.title,
        href=pull_request_url(pull.repository, str(pull.number), forges.enterprise),
        author=pull.author,
        merged=moment(pull.merged_us, now_us, period.time_zone),
        additions=_lines(pull.additions, "+"),
        deletions=_lines(pull.deletions, "\N{MINUS SIGN}"),
        sessions=_leading(_count(cost.sessions, "session"), sessions),
        tokens=_leading(token_value(cost.tokens), sessions),
        cost=_leading(money_value(cost.cost_nusd), sessions),
        subscription=_leading(money_value(worth), sessions) if worth else None,
    )


def with_cursor(query: TeamQuery, cursor: str) -> str:
    """The address of the next page."""
    url = query.url()
    return f"{url}{'&' if '?' in url else '?'}{urlencode({'at': cursor})}"


def period_line(period: Period) -> str:
    return f"{period_text.period_text(period)} · {period.time_zone}"


def _each(totals: MergedTotals, query: TeamQuery) -> Value | None:
    if not totals.with_cost:
        return None
    page = TeamQuery(path=MERGED_PATH, range=query.range, first=query.first, last=query.last)
    return _leading(money_value(totals.cost_nusd // totals.with_cost), page.url())


def _merged(totals: MergedTotals) -> str:
    return f"{formats.count(totals.merged)} merged"


def _of(totals: MergedTotals) -> str:
    return f"{formats.count(totals.with_cost)} of {_merged(totals)}"


def _count(count: int, noun: str) -> Value:
    return Value(count, formats.count(count), formats.plural(count, noun))


def _lines(count: int, sign: str) -> Value:
    return Value(count, f"{sign}{formats.count(count)}", formats.plural(count, "line"))


def _leading(value: Value, href: str) -> Value:
    return Value(value.exact, value.shown, value.hover, value.word, href)
