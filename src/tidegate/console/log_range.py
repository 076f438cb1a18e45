"""The time range of the log: a period of the console, all time, or from a moment to a moment."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from tidegate.console import period_text
from tidegate.console.formats import DASH
from tidegate.console.list_query import ALL_TIME, EXACT, ListQuery
from tidegate.console.log_query import LogQuery
from tidegate.core.calendar import HOUR_US, local_time
from tidegate.core.periods import CUSTOM, MAX_DAYS, OLDEST, Period
from tidegate.services.errors import InvalidField
from tidegate.services.logins import Viewer
from tidegate.services.request_log import LogFilter, RequestLog
from tidegate.services.team import TeamReports

ALL_TITLE: Final = "All time"
_MINUTE_US: Final = 60_000_000
_DAY_US: Final = 24 * HOUR_US
_STEPS_US: Final = (
    *(minutes * _MINUTE_US for minutes in (1, 5, 10, 15, 30)),
    *(hours * HOUR_US for hours in (1, 3, 6, 12, 24)),
)
_MAX_BARS: Final = 60
_OLDEST_MOMENT: Final = "n0.-"  # a cursor: from there the first newer row is the oldest
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class LogRange:
    """What is looked at. All time has no bounds, and no period by itself."""

    title: str
    start_us: int = 0
    end_us: int = 0
    period: Period | None = None

    def is_over(self, now_us: int) -> bool:
        """Whether nothing new can come."""
        return 0 < self.end_us <= now_us

    def reaches_before(self, at_us: int) -> bool:
        return self.start_us < at_us


def choose_range(team: TeamReports, viewer: Viewer, query: ListQuery, now_us: int) -> LogRange:
    """The range that is asked for; InvalidField by the name of what is wrong with it."""
    name = query.range_name
    if name == ALL_TIME:
        return LogRange(ALL_TITLE)
    if name == EXACT:
        return _exact(query, viewer.time_zone)
    days = (query.first_day, query.last_day) if name == CUSTOM else (None, None)
    period = team.period(viewer.organization_id, name, now_us, *days)
    title = period_text.period_text(period) if name == CUSTOM else period_text.TITLES[name]
    return LogRange(title, period.start_us, period.end_us, period)


def period_of_rows(
    log: RequestLog, team: TeamReports, viewer: Viewer, only: LogFilter, now_us: int
) -> Period | None:
    """The days from the oldest to the newest row; None if there is none."""
    member_id = own_rows(viewer)
    organization_id = viewer.organization_id
    newest = log.page(organization_id, only, limit=1, member_id=member_id).rows
    oldest = log.page(
        organization_id, only, cursor=_OLDEST_MOMENT, limit=1, member_id=member_id
    ).rows
    if not newest or not oldest:
        return None
    zone = ZoneInfo(viewer.time_zone)
    today = local_time(now_us, zone).date()
    first, last = (
        min(local_time(rows[-1].started_us, zone).date(), today) for rows in (oldest, newest)
    )
    first = max(first, OLDEST, last - timedelta(days=MAX_DAYS - 1))
    return team.period(organization_id, CUSTOM, now_us, first, max(first, last))


def own_rows(viewer: Viewer) -> str:
    """The member whose rows alone may be seen; empty: everyone's."""
    return "" if viewer.is_admin else viewer.member_id


def bar_texts(period: Period) -> tuple[str, ...]:
    """The bounds of each bucket, in words."""
    if period.name != EXACT:
        return period_text.bucket_texts(period)
    return tuple(
        _bounds_text(*period.bounds(i), ZoneInfo(period.time_zone))
        for i in range(len(period.starts))
    )


def bar_names(period: Period, week_start: int) -> tuple[tuple[int, str], ...]:
    """Which bars are named under the axis, and how."""
    if period.name != EXACT:
        return period_text.axis_labels(period, week_start)
    zone = ZoneInfo(period.time_zone)
    step = -(-len(period.starts) // 6)
    by_day = period.end_us - period.start_us > 2 * _DAY_US
    found = [(i, local_time(period.starts[i], zone)) for i in range(0, len(period.starts), step)]
    return tuple((i, period_text.day_text(at) if by_day else f"{at:%H:%M}") for i, at in found)


def bar_length(period: Period) -> str:
    """`hour`, `day`, `5 minutes`."""
    return period_text.BUCKET_NAMES.get(period.bucket, period.bucket)


def moment_value(at_us: int) -> str:
    """How the address writes a moment."""
    at = _EPOCH + timedelta(microseconds=at_us)
    return at.isoformat().replace("+00:00", "Z").replace(":00Z", "Z")


def rows_of(period: Period, **chosen: Any) -> LogQuery:
    """The log of a period that another page shows."""
    if period.name == CUSTOM and period.first and period.last:
        first, last = period.first.isoformat(), period.last.isoformat()
        return LogQuery(range=CUSTOM, first=first, last=last, **chosen)
    return LogQuery(range=period.name, **chosen)


def rows_before(period: Period, rows: LogQuery) -> LogQuery:
    """The log of the same length of time before it."""
    return _between(rows, period.previous_start_us, period.previous_end_us)


def rows_of_bar(period: Period, index: int, rows: LogQuery) -> LogQuery:
    """The log of one bucket."""
    start_us, end_us = period.bounds(index)
    if period.name == EXACT or period.by_hours:
        return _between(rows, start_us, end_us)
    zone = ZoneInfo(period.time_zone)
    first, last = (local_time(at_us, zone).date() for at_us in (start_us, end_us - 1))
    dated = replace(rows, range=CUSTOM, first=first.isoformat(), last=last.isoformat())
    return replace(dated, start="", end="")


def _between(rows: LogQuery, start_us: int, end_us: int) -> LogQuery:
    start, end = moment_value(start_us), moment_value(end_us)
    return replace(rows, range=EXACT, first="", last="", start=start, end=end)


def _exact(query: ListQuery, time_zone: str) -> LogRange:
    start_us, end_us = _moment_us(query.start, "start"), _moment_us(query.end, "end")
    if end_us <= start_us:
        raise InvalidField("The end is not after the start.", field="end")
    if end_us - start_us > MAX_DAYS * _DAY_US:
        raise InvalidField("The range is over ten years long. Choose a shorter one.", field="end")
    length_us = end_us - start_us
    step_us = next((s for s in _STEPS_US if length_us <= s * _MAX_BARS), 0)
    step_us = step_us or -(-length_us // (_MAX_BARS * _DAY_US)) * _DAY_US
    period = Period(
        name=EXACT,
        start_us=start_us,
        end_us=end_us,
        bucket=_length_text(step_us),
        starts=tuple(range(start_us, end_us, step_us)),
        previous_start_us=start_us - length_us,
        previous_end_us=start_us,
        time_zone=time_zone,
    )
    return LogRange(_title(start_us, end_us, ZoneInfo(time_zone)), start_us, end_us, period)


def _moment_us(text: str, field: str) -> int:
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None or not OLDEST.year <= at.year <= 9000:
            raise ValueError
    except ValueError:
        raise InvalidField("Write the moment like 2026-11-22T14:00Z.", field=field) from None
    return (at - _EPOCH) // _MICROSECOND


def _length_text(step_us: int) -> str:
    for size_us, noun in ((_DAY_US, "day"), (HOUR_US, "hour"), (_MINUTE_US, "minute")):
        if step_us % size_us == 0:
            count = step_us // size_us
            return noun if count == 1 else f"{count} {noun}s"
    raise AssertionError("steps are whole minutes")


def _title(start_us: int, end_us: int, zone: ZoneInfo) -> str:
    start, end = local_time(start_us, zone), local_time(end_us, zone)
    upto = f"{end:%H:%M}" if end.date() == start.date() else _at_text(end)
    return f"{_at_text(start)} {DASH} {upto}"


def _bounds_text(start_us: int, end_us: int, zone: ZoneInfo) -> str:
    start, end = local_time(start_us, zone), local_time(end_us, zone)
    return f"{start:%a} {period_text.date_text(start)}, {start:%H:%M}{DASH}{end:%H:%M}"


def _at_text(at: datetime) -> str:
    return f"{period_text.day_text(at)} {at:%H:%M}"
