"""The requests of a session drawn agent by agent along the time: x and widths in percent.

However many requests there were, a lane has so many slots and there are so many lanes: what is
closer is one mark.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from tidegate.console import charts, formats, period_text
from tidegate.console.list_query import ALL_TIME
from tidegate.console.log_query import LogQuery
from tidegate.core.calendar import local_time
from tidegate.services.session_reports import Lane, LaneMark, SessionLanes

MOST_LANES: Final = 8  # the last one holds all others, where there are more
_LANE: Final = 34  # from one to the next
_TRACK: Final = 26
_TALLER: Final = 3  # what failed stands out, above and below
_TOP: Final = 4
_LEAST_PERCENT: Final = 0.4
_GAP_PERCENT: Final = 0.1  # between marks that touch
_NAMES: Final = 4
_DAY_US: Final = 86_400_000_000
_OTHERS: Final = "others"


@dataclass(frozen=True, slots=True)
class TimelineMark:
    x: str
    width: str
    tone: str  # answered, compressed or failed
    label: str
    href: str  # its row of the log; of several the first
    when: str
    requests: str
    tokens: str
    cost: str
    told: str


@dataclass(frozen=True, slots=True)
class TimelineLane:
    name: str
    y: int
    track: int
    marks: list[TimelineMark]
    mark_y: int
    mark_height: int
    failed_y: int
    failed_height: int
    text_y: int


@dataclass(frozen=True, slots=True)
class TimelineView:
    lanes: list[TimelineLane]
    names: list[charts.Name]
    names_y: int
    height: int
    has_compressed: bool
    has_failed: bool
    merged: bool  # whether marks stand for several requests
    title: str


def timeline_view(
    lanes: SessionLanes,
    titles: Mapping[Lane, str],
    *,
    zone: ZoneInfo,
    session_id: str,
    shows_costs: bool = True,
    linked: bool = True,
) -> TimelineView | None:
    """None: no request to draw. Without links it is for people without a login."""
    if not lanes.marks:
        return None
    drawing = _Drawing(lanes, zone, shows_costs, linked)
    grouped = _by_lane(lanes.marks, titles)
    drawn = [
        TimelineLane(
            name=name,
            y=(y := _TOP + i * _LANE),
            track=_TRACK,
            marks=drawing.marks(marks, name),
            mark_y=y + _TALLER,
            mark_height=_TRACK - 2 * _TALLER,
            failed_y=y,
            failed_height=_TRACK,
            text_y=y + _TRACK // 2 + 4,
        )
        for i, (name, marks) in enumerate(grouped)
    ]
    names_y = _TOP + len(drawn) * _LANE + 14
    return TimelineView(
        lanes=drawn,
        names=drawing.names(),
        names_y=names_y,
        height=names_y + 6,
        has_compressed=any(mark.compressed for mark in lanes.marks),
        has_failed=any(mark.failed for mark in lanes.marks),
        merged=any(mark.requests > 1 for mark in lanes.marks),
        title=session_id,
    )


def _by_lane(
    marks: Sequence[LaneMark], titles: Mapping[Lane, str]
) -> list[tuple[str, list[LaneMark]]]:
    """The lanes in the order in which they began; the last take one together."""
    found: dict[Lane, list[LaneMark]] = {}
    for mark in marks:
        found.setdefault(mark.lane, []).append(mark)
    order = {lane: i for i, lane in enumerate(titles)}
    ranked = sorted(found, key=lambda lane: (order.get(lane, len(order)), found[lane][0].start_us))
    if len(ranked) <= MOST_LANES:
        return [(titles.get(lane, "sub-agent"), found[lane]) for lane in ranked]
    kept, rest = ranked[: MOST_LANES - 1], ranked[MOST_LANES - 1 :]
    others = _merged([mark for lane in rest for mark in found[lane]])
    named = [(titles.get(lane, "sub-agent"), found[lane]) for lane in kept]
    return [*named, (f"{len(rest)} {_OTHERS}", others)]


def _merged(marks: Sequence[LaneMark]) -> list[LaneMark]:
    """One mark for each slot."""
    found: dict[int, LaneMark] = {}
    for mark in marks:
        other = found.get(mark.slot)
        found[mark.slot] = _both(other, mark) if other else mark
    return [found[slot] for slot in sorted(found)]


def _both(one: LaneMark, other: LaneMark) -> LaneMark:
    first = one if one.start_us <= other.start_us else other
    return LaneMark(
        lane=one.lane,
        slot=one.slot,
        start_us=first.start_us,
        end_us=max(one.end_us, other.end_us),
        requests=one.requests + other.requests,
        failed=one.failed + other.failed,
        compressed=one.compressed + other.compressed,
        tokens=one.tokens + other.tokens,
        cost_nusd=one.cost_nusd + other.cost_nusd,
        event_id=first.event_id,
    )


@dataclass(frozen=True)
class _Drawing:
    lanes: SessionLanes
    zone: ZoneInfo
    shows_costs: bool
    linked: bool

    @property
    def length_us(self) -> int:
        return max(1, self.lanes.end_us - self.lanes.start_us)

    def marks(self, marks: Sequence[LaneMark], lane: str) -> list[TimelineMark]:
        drawn = []
        for i, mark in enumerate(marks):
            x = self._at(mark.start_us)
            upto = self._at(marks[i + 1].start_us) - _GAP_PERCENT if i + 1 < len(marks) else 100.0
            width = max(_LEAST_PERCENT, min(self._at(mark.end_us), upto) - x)
            drawn.append(self._mark(mark, lane, min(x, 100 - _LEAST_PERCENT), width))
        return drawn

    def names(self) -> list[charts.Name]:
        """Moments under the axis."""
        start_us = self.lanes.start_us
        by_day = self.length_us > _DAY_US
        found: list[charts.Name] = []
        for i in range(_NAMES + 1):
            at = local_time(start_us + i * self.length_us // _NAMES, self.zone)
            text = f"{period_text.day_text(at)} {at:%H:%M}" if by_day else f"{at:%H:%M}"
            if not found or text != found[-1].text:
                found.append(charts.axis_name(i * 100 / _NAMES, text))
        return found

    def _at(self, at_us: int) -> float:
        return 100 * (at_us - self.lanes.start_us) / self.length_us

    def _mark(self, mark: LaneMark, lane: str, x: float, width: float) -> TimelineMark:
        tone = "failed" if mark.failed else "compressed" if mark.compressed else "answered"
        requests = formats.plural(mark.requests, "request")
        tokens = formats.plural(mark.tokens, "token")
        cost = formats.fine_money(mark.cost_nusd) if self.shows_costs else ""
        told = _told(mark)
        parts = [f"{self._when(mark)}, {lane}", requests, *([told] if told else []), tokens]
        return TimelineMark(
            x=charts.percent(x),
            width=charts.percent(width),
            tone=tone,
            label=" · ".join([*parts, cost] if cost else parts),
            href=LogQuery(range=ALL_TIME).url(open=mark.event_id, ids=mark.event_id)
            if self.linked
            else "",
            when=self._when(mark),
            requests=formats.count(mark.requests),
            tokens=formats.count(mark.tokens),
            cost=cost,
            told=told,
        )

    def _when(self, mark: LaneMark) -> str:
        start = local_time(mark.start_us, self.zone)
        return (
            f"{start:%H:%M:%S}"
            if self.length_us <= _DAY_US
            else (f"{period_text.day_text(start)}, {start:%H:%M}")
        )


def _told(mark: LaneMark) -> str:
    told = []
    if mark.failed:
        told.append("failed" if mark.requests == 1 else f"{mark.failed:,} failed")
    if mark.compressed:
        told.append("compressed" if mark.requests == 1 else f"{mark.compressed:,} compressed")
    return ", ".join(told)
