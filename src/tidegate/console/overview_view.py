"""Tiles, chart and table of a period: of an organization, or of one member."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from tidegate.console import charts, formats, period_text
from tidegate.console.charts import Bar, Chart
from tidegate.console.figures_view import (
    TITLES,
    Savings,
    Value,
    saved_value,
    savings_of,
    subscription_value,
    value_of,
)
from tidegate.console.log_query import LogQuery
from tidegate.console.log_range import rows_before, rows_of_bar
from tidegate.console.team_query import TeamQuery
from tidegate.core.calendar import local_time
from tidegate.core.periods import PRESETS, Period
from tidegate.services.request_log import Kept
from tidegate.services.team import Figures, Metric, Overview


@dataclass(frozen=True, slots=True)
class Tile:
    title: str
    value: Value
    href: str  # draws the chart of it; empty: it has none
    current: bool
    arrow: str  # an icon, or empty
    change: str
    note: str
    before: Value | None = None  # what it was in the period before


@dataclass(frozen=True, slots=True)
class SavedTile:
    """What compression saved; `savings` is None where it saved nothing."""

    savings: Savings | None
    arrow: str
    change: str
    note: str
    before: Value | None
    rows: str  # the address of what it is summed of


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bar: what it says and where it leads."""

    bar: Bar
    label: str
    href: str
    in_log: bool


@dataclass(frozen=True, slots=True)
class Row:
    when: str
    cost: Value
    tokens: Value
    requests: Value
    saved: Value
    running: bool


@dataclass(frozen=True, slots=True)
class AxisLine:
    y: int
    text: str


@dataclass(frozen=True, slots=True)
class OverviewView:
    tiles: list[Tile]
    saved: SavedTile
    title: str
    period: str
    chart: Chart
    lines: list[AxisLine]
    buckets: list[Bucket]
    rows: list[Row]  # only where the table is shown
    empty: bool
    note: str = ""  # what is to be known of the days


def overview_view(
    overview: Overview,
    period: Period,
    query: TeamQuery,
    rows: LogQuery,
    *,
    now_us: int,
    week_start: int = 1,
) -> OverviewView:
    """`rows` are those of the log that the overview sums."""
    metric = query.sort
    running = is_running(period, now_us)
    drawn = charts.chart(
        [figures.of(metric) for figures in overview.series],
        period_text.axis_labels(period, week_start),
        running=running,
        least_step=charts.LEAST_MONEY_STEP if metric is Metric.COST else 1,
    )
    axis = charts.axis_money if metric is Metric.COST else charts.axis_count
    return OverviewView(
        tiles=_tiles(overview, period, query, rows),
        saved=_saved(overview, period, rows),
        title=f"{TITLES[metric]} per {period_text.BUCKET_NAMES[period.bucket]}",
        period=f"{period_text.period_text(period)} · {period.time_zone}",
        chart=drawn,
        lines=[AxisLine(line.y, axis(line.value)) for line in drawn.lines],
        buckets=_buckets(overview, period, query, rows, drawn.bars),
        rows=_rows(overview, period, rows, running) if query.chart == "table" else [],
        empty=not overview.totals.requests,
    )


def zone_note(period: Period, kept: Kept) -> str:
    """Days whose rows were gone when the time zone changed stay days of the zone before."""
    if not period.start_us < kept.other_zone_before_us:
        return ""
    until = period_text.date_text(local_time(kept.other_zone_before_us, ZoneInfo(period.time_zone)))
    return (
        f"Days before {until} are those of an earlier time zone: their requests are older than"
        " the retention, so they could not be counted anew."
    )


def is_running(period: Period, now_us: int) -> bool:
    """Whether the last bucket goes on still."""
    return period.starts[-1] <= now_us < period.end_us


def wider_range(query: TeamQuery) -> str:
    """The address of the widest preset, if this is not it."""
    return "" if query.range == PRESETS[-1] else query.with_range(PRESETS[-1])


def _tiles(overview: Overview, period: Period, query: TeamQuery, rows: LogQuery) -> list[Tile]:
    before_text, rows_then = period_text.length_text(period), rows_before(period, rows)
    tiles = []
    for metric in Metric:
        value = value_of(overview.totals, metric, rows)
        before = value_of(overview.before, metric, rows_then)
        arrow, change, note = _change(value, before, before_text)
        href, current = query.url(sort=metric), metric is query.sort
        shown = before if arrow else None
        tiles.append(Tile(TITLES[metric], value, href, current, arrow, change, note, shown))
    if worth := subscription_value(overview.totals, rows):
        note = "at list price, not billed"
        tiles.append(Tile("Subscription value", worth, "", False, "", "", note))
    return tiles


def _saved(overview: Overview, period: Period, rows: LogQuery) -> SavedTile:
    before_text = period_text.length_text(period)
    savings = savings_of(overview.totals, rows)
    then = savings_of(overview.before, rows_before(period, rows))
    if savings is None:
        note = f"nothing, {then.main.shown} in {before_text}" if then else "nothing was compressed"
        return SavedTile(None, "", "", note, None, rows.url())
    before = _same_kind(savings, then)
    arrow, change, note = _change(savings.main, before, before_text)
    return SavedTile(savings, arrow, change, note, before if arrow else None, rows.url())


def _same_kind(savings: Savings, then: Savings | None) -> Value:
    """What there was before of the figure that is shown now."""
    nothing = Value(0, "", "")
    if then is None:
        return nothing
    if savings.main is savings.money:
        return then.money
    if savings.main is savings.subscription:
        return then.subscription or nothing
    return then.tokens


def _change(now: Value, before: Value, before_text: str) -> tuple[str, str, str]:
    """Arrow, size and the rest of the sentence. More is not worse, nor better."""
    if not before.exact:
        return "", "", f"nothing in {before_text}" if now.exact else ""
    if now.exact == before.exact:
        return "", "", f"as in {before_text}"
    arrow = "arrow-up" if now.exact > before.exact else "arrow-down"
    return arrow, formats.change(now.exact, before.exact), "from"


def _buckets(
    overview: Overview, period: Period, query: TeamQuery, rows: LogQuery, bars: list[Bar]
) -> list[Bucket]:
    """A bar leads to its days on this page; hours are as fine as it gets, they lead to rows."""
    texts = period_text.bucket_texts(period)
    drawn = zip(texts, overview.series, bars, strict=True)
    return [
        Bucket(
            bar,
            _label(text, figures, query.sort, bar.running),
            rows_of_bar(period, i, rows).url() if period.by_hours else _days_of(period, query, i),
            in_log=period.by_hours,
        )
        for i, (text, figures, bar) in enumerate(drawn)
    ]


def _label(when: str, figures: Figures, metric: Metric, running: bool) -> str:
    """The bounds, the exact figure and the other two, with a dot between."""
    parts = [f"{when}, so far" if running else when, value_of(figures, metric).hover]
    parts += [
        f"{value.shown} {value.word}".strip()
        for value in (value_of(figures, each) for each in Metric if each is not metric)
    ]
    if worth := subscription_value(figures):
        parts.append(f"{worth.shown} on subscription")
    return " · ".join(parts)


def _days_of(period: Period, query: TeamQuery, index: int) -> str:
    """The address of a bucket's days on this page."""
    zone = ZoneInfo(period.time_zone)
    start_us, end_us = period.bounds(index)
    return query.with_days(local_time(start_us, zone).date(), local_time(end_us - 1, zone).date())


def _rows(overview: Overview, period: Period, rows: LogQuery, running: bool) -> list[Row]:
    """Newest first."""
    texts = period_text.bucket_texts(period)
    last = len(texts) - 1
    found = []
    for i, (text, figures) in enumerate(zip(texts, overview.series, strict=True)):
        in_bar = rows_of_bar(period, i, rows)
        cost, tokens, requests = (value_of(figures, metric, in_bar) for metric in Metric)
        saved = saved_value(figures, in_bar)
        found.append(Row(text, cost, tokens, requests, saved, running and i == last))
    return found[::-1]
