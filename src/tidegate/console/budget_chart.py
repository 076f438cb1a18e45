"""A budget's window as numbers for inline SVG: spend, limit, even pace, and where it will end.

Lines stand in a square of 1000 that is stretched to any width; words stand outside of it, at
percents across and pixels down.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from tidegate.console import formats
from tidegate.console.charts import Name
from tidegate.console.period_text import day_text
from tidegate.core.budgets import WindowKind
from tidegate.core.calendar import local_time
from tidegate.core.projection import Band
from tidegate.services.budget_standings import BudgetStanding

_BOX: Final = 1000
_TOP: Final = 16
_PLOT: Final = 168
_HEIGHT: Final = _TOP + _PLOT + 24
_HEADROOM: Final = 115  # percent of what is highest
_NAMES: Final = 4
_DAY_US: Final = 24 * 3_600_000_000
_SHORT_US: Final = 3 * _DAY_US


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseView:
    """What is drawn, and the same in a sentence."""

    spend: str  # points of a line
    area: str
    pace: str  # empty: the window has none
    band: str  # points of an area; empty: too little is known
    limit_y: int
    limit_text: str
    limit_text_y: int
    names: list[Name]
    names_y: int
    forecast: str
    told: str
    height: int = _HEIGHT
    top: int = _TOP
    plot: int = _PLOT
    base: int = _TOP + _PLOT


def course_view(
    one: BudgetStanding, course: Sequence[tuple[int, int]], time_zone: str
) -> CourseView | None:
    """The chart of a window; None for one without beginning."""
    window = one.window
    if not course or window.end_us <= window.start_us:
        return None
    gone = one.standing.gone_nusd
    high = one.band.high_nusd if one.band else gone
    top = max(one.limit_nusd, gone, high, 1) * _HEADROOM // 100
    scale = _Scale(window.start_us, window.end_us, top)
    now_us = course[-1][0]
    points = [(window.start_us, 0), *course[:-1], (now_us, gone)]
    line = " ".join(scale.at(at_us, nusd) for at_us, nusd in points)
    base = f"{scale.x(now_us)},{_BOX} 0,{_BOX}"
    limit_y = _TOP + _PLOT - _PLOT * one.limit_nusd // top
    even = one.budget.window != WindowKind.ROLLING
    zone = ZoneInfo(time_zone)
    return CourseView(
        spend=line,
        area=f"{line} {base}",
        pace=f"0,{_BOX} {scale.at(window.end_us, one.limit_nusd)}" if even else "",
        band=_band(scale, now_us, gone, one.band) if one.band else "",
        limit_y=limit_y,
        limit_text=f"Limit {formats.money(one.limit_nusd)}",
        limit_text_y=max(limit_y - 6, 10),
        names=_names(window.start_us, window.end_us, zone),
        names_y=_TOP + _PLOT + 18,
        forecast=_span(one.band) if one.band else "",
        told=_told(one),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    start_us: int
    end_us: int
    top: int

    def x(self, at_us: int) -> int:
        return _BOX * (at_us - self.start_us) // (self.end_us - self.start_us)

    def at(self, at_us: int, nusd: int) -> str:
        return f"{self.x(at_us)},{_BOX - _BOX * min(nusd, self.top) // self.top}"


def _band(scale: _Scale, now_us: int, gone: int, band: Band) -> str:
    ends = (scale.at(scale.end_us, nusd) for nusd in (band.high_nusd, band.low_nusd))
    return f"{scale.at(now_us, gone)} {' '.join(ends)}"


def _names(start_us: int, end_us: int, zone: ZoneInfo) -> list[Name]:
    """The first moment, some between, and the last one."""
    length = end_us - start_us
    names = []
    for at in range(_NAMES + 1):
        at_us = min(start_us + length * at // _NAMES, end_us - 1)
        local = local_time(at_us, zone)
        text = f"{local:%H:%M}" if length <= _SHORT_US else day_text(local)
        if at == _NAMES and length <= _SHORT_US:
            text = f"{local_time(end_us, zone):%H:%M}"
        anchor = "start" if not at else "end" if at == _NAMES else "middle"
        names.append(Name(f"{100 * at // _NAMES}%", anchor, text))
    return names


def _span(band: Band) -> str:
    """From where to where it will likely be."""
    low, high = formats.money(band.low_nusd), formats.money(band.high_nusd)
    return low if low == high else f"{low} {formats.DASH} {high}"


def _told(one: BudgetStanding) -> str:
    gone, limit = formats.money(one.standing.gone_nusd), formats.money(one.limit_nusd)
    sentence = f"{gone} of {limit} are gone."
    if one.band is None:
        return sentence
    return f"{sentence} By the pace of the last days it will end at {_span(one.band)}."
