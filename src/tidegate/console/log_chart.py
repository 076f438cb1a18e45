"""Requests and their times over a range, as numbers for inline SVG: see `charts`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tidegate.console import charts, formats
from tidegate.console.charts import Name
from tidegate.console.log_query import LogQuery
from tidegate.console.log_range import bar_length, bar_names, bar_texts, rows_of_bar
from tidegate.core.periods import Period
from tidegate.services.request_log import LogBucket, LogHistogram

_TOP: Final = 8
_PLOT: Final = 72
_GAP: Final = 28  # between the two plots
_SLOW_PLOT: Final = 44
_SLOW_TOP: Final = _TOP + _PLOT + _GAP
_SLOW_BASE: Final = _SLOW_TOP + _SLOW_PLOT
_HEIGHT: Final = _SLOW_BASE + 26
_BAR_SHARE: Final = 0.68
_MILLISECOND_US: Final = 1000


@dataclass(frozen=True, slots=True)
class Rect:
    y: int
    height: int


@dataclass(frozen=True, slots=True)
class LogBar:
    """A bucket: requests that were answered under those that failed, and how long they took."""

    slot_x: str
    x: str
    answered: Rect
    failed: Rect
    most: Rect  # 95 of 100 took no longer
    half: Rect
    label: str
    href: str


@dataclass(frozen=True, slots=True)
class Grid:
    y: int
    text: str


@dataclass(frozen=True, slots=True)
class HistogramView:
    title: str
    slot_width: str
    bar_width: str
    bars: list[LogBar]
    grid: list[Grid]
    names: list[Name]
    has_times: bool
    top: int = _TOP
    base: int = _TOP + _PLOT
    slow_title_y: int = _SLOW_TOP - 10
    slow_base: int = _SLOW_BASE
    plot: int = _SLOW_BASE - _TOP
    names_y: int = _SLOW_BASE + 18
    height: int = _HEIGHT


def histogram_view(
    histogram: LogHistogram, period: Period, query: LogQuery, *, week_start: int
) -> HistogramView:
    buckets = histogram.buckets
    step = charts.nice_step(max((each.volume.requests for each in buckets), default=0))
    slow_step = _time_step(buckets)
    slot = 100 / max(1, len(buckets))
    texts = bar_texts(period)
    bars = []
    for i, bucket in enumerate(buckets):
        answered, failed = _stacked(bucket, 2 * step)
        most, half = _times(bucket, 2 * slow_step)
        bars.append(
            LogBar(
                slot_x=charts.percent(i * slot),
                x=charts.percent((i + (1 - _BAR_SHARE) / 2) * slot),
                answered=answered,
                failed=failed,
                most=most,
                half=half,
                label=_label(texts[i], bucket),
                href=rows_of_bar(period, i, query).url() if len(buckets) > 1 else "",
            )
        )
    return HistogramView(
        title=f"Requests per {bar_length(period)}",
        slot_width=charts.percent(slot),
        bar_width=charts.percent(slot * _BAR_SHARE),
        bars=bars,
        grid=[
            Grid(_TOP, charts.axis_count(2 * step)),
            Grid(_TOP + _PLOT, "0"),
            Grid(_SLOW_TOP, _axis_time(2 * slow_step)),
        ],
        names=[
            charts.axis_name((i + 0.5) * slot, text) for i, text in bar_names(period, week_start)
        ],
        has_times=any(each.latency for each in buckets),
    )


def _stacked(bucket: LogBucket, top: int) -> tuple[Rect, Rect]:
    """What failed stands on what was answered."""
    volume, base = bucket.volume, _TOP + _PLOT
    answered = charts.scaled(volume.requests - volume.failed, top, _PLOT)
    failed = charts.scaled(volume.failed, top, _PLOT)
    answered = min(answered, _PLOT - failed)
    return Rect(base - answered, answered), Rect(base - answered - failed, failed)


def _times(bucket: LogBucket, top: int) -> tuple[Rect, Rect]:
    times = bucket.latency
    heights = (
        charts.scaled(us, top, _SLOW_PLOT) if times else 0
        for us in ((times.p95_us, times.p50_us) if times else (0, 0))
    )
    most, half = heights
    return Rect(_SLOW_BASE - most, most), Rect(_SLOW_BASE - half, half)


def _time_step(buckets: Sequence[LogBucket]) -> int:
    slowest_us = max((each.latency.p95_us for each in buckets if each.latency), default=0)
    if slowest_us > 2 * 1000 * _MILLISECOND_US:  # whole seconds above
        return charts.nice_step(-(-slowest_us // 1_000_000)) * 1_000_000
    return charts.nice_step(-(-slowest_us // _MILLISECOND_US)) * _MILLISECOND_US


def _axis_time(us: int) -> str:
    """`500 ms`, `3 s`, `160 s`: the steps are round."""
    milliseconds = us // _MILLISECOND_US
    return f"{milliseconds} ms" if milliseconds < 1000 else f"{milliseconds / 1000:g} s"


def _label(when: str, bucket: LogBucket) -> str:
    """The bounds, how many, how many failed, and how long they took, with a dot between."""
    volume, parts = bucket.volume, [when, formats.plural(bucket.volume.requests, "request")]
    if volume.failed:
        parts.append(f"{volume.failed:,} failed")
    if times := bucket.latency:
        half, most = formats.duration(times.p50_us), formats.duration(times.p95_us)
        parts += [f"half took at most {half}", f"95 of 100 at most {most}"]
    return " · ".join(parts)
