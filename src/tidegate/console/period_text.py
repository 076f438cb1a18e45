"""Periods and their buckets in words, in the time zone of the organization."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from tidegate.console.formats import DASH
from tidegate.core.calendar import local_time
from tidegate.core.periods import Period

TITLES: Final = {
    "24h": "Last 24 hours",
    "7d": "Last 7 days",
    "30d": "Last 30 days",
    "90d": "Last 90 days",
    "custom": "Custom",
}
BUCKET_NAMES: Final = {
    "hour": "hour",
    "3h": "3 hours",
    "day": "day",
    "week": "week",
    "month": "month",
    "quarter": "quarter",
}
_MAX_LABELS: Final = 6
_ALL_DAYS: Final = 8
_ONE_DAY: Final = 25  # bars of an hour
_NOONS_TOO: Final = 60


def day_text(at: datetime) -> str:
    """`3 Nov`."""
    return f"{at.day} {at:%b}"


def date_text(at: datetime) -> str:
    """`3 Nov 2026`."""
    return f"{at.day} {at:%b} {at.year}"


def moment_text(at_us: int, zone_name: str) -> str:
    """`3 Nov 2026, 14:02`, as the clocks of the zone showed it."""
    at = local_time(at_us, ZoneInfo(zone_name))
    return f"{date_text(at)}, {at:%H:%M}"


def last_day(period: Period) -> datetime:
    """The last day that a period reaches into."""
    return local_time(period.end_us - 1, ZoneInfo(period.time_zone))


def period_text(period: Period) -> str:
    """First and last day; hours too where the period does not consist of whole days."""
    zone = ZoneInfo(period.time_zone)
    if not period.is_whole_days:
        start, end = local_time(period.start_us, zone), local_time(period.end_us, zone)
        return f"{day_text(start)} {start:%H:%M} {DASH} {day_text(end)} {end:%H:%M}"
    return _days_text(local_time(period.start_us, zone), last_day(period))


def length_text(period: Period) -> str:
    """What the change compares with: `the 30 days before`."""
    if not period.is_whole_days:
        return "the 24 hours before"
    zone = ZoneInfo(period.time_zone)
    first, last = local_time(period.start_us, zone).date(), last_day(period).date()
    days = (last - first).days + 1
    return "the day before" if days == 1 else f"the {days} days before"


def bucket_texts(period: Period) -> tuple[str, ...]:
    """The bounds of each bucket: `Tue 3 Nov 2026`, and from when to when if it is hours."""
    return tuple(_bounds_text(period, *period.bounds(i)) for i in range(len(period.starts)))


def axis_labels(period: Period, week_start: int = 1) -> tuple[tuple[int, str], ...]:
    """Which buckets are named under the axis, and how: few enough for a phone."""
    zone = ZoneInfo(period.time_zone)
    starts = [local_time(start_us, zone) for start_us in period.starts]
    found = [(i, text) for i, text in enumerate(_names(period, starts, week_start)) if text]
    step = -(-len(found) // _MAX_LABELS) or 1
    if period.bucket == "day" and len(starts) <= _ALL_DAYS:
        step = 1
    return tuple(found[::step])


def _names(period: Period, starts: list[datetime], week_start: int) -> list[str]:
    match period.bucket:
        case "hour" | "3h":
            return _hour_names(period, starts)
        case "day":
            every = len(starts) <= 2 * _MAX_LABELS
            return [day_text(at) if every or at.isoweekday() == week_start else "" for at in starts]
        case "week":
            return [_month_in_week(at) for at in starts]
        case "month":
            every = len(starts) <= _ALL_DAYS
            return [f"{at:%b} {at.year}" if every or at.month % 3 == 1 else "" for at in starts]
    return [str(at.year) if at.month <= 3 else "" for at in starts]


def _hour_names(period: Period, starts: list[datetime]) -> list[str]:
    """Midnights by their day; on short ranges some hours between them too."""
    every_h = 6 if len(starts) <= _ONE_DAY else 12 if len(starts) <= _NOONS_TOO else 24
    return [
        (day_text(at) if at.hour == 0 else f"{at:%H:%M}")
        if at.hour % every_h == 0 and not at.minute
        else ""
        for at in starts
    ]


def _month_in_week(at: datetime) -> str:
    """The month that begins in the week of seven days from `at`."""
    month_start = at if at.day == 1 else at + timedelta(days=6)
    return f"{month_start:%b} {month_start.year}" if month_start.day <= 7 else ""


def _bounds_text(period: Period, start_us: int, end_us: int) -> str:
    zone = ZoneInfo(period.time_zone)
    start, end = local_time(start_us, zone), local_time(end_us, zone)
    if period.by_hours:
        times = f"{start:%H:%M}{DASH}{end:%H:%M}"
        if start.utcoffset() != end.utcoffset():
            times += f", clocks change to {end:%Z}"
        return f"{start:%a} {date_text(start)}, {times}"
    last = local_time(end_us - 1, zone)
    if start.date() == last.date():
        return f"{start:%a} {date_text(start)}"
    return _days_text(start, last)


def _days_text(first: datetime, last: datetime) -> str:
    if first.date() == last.date():
        return date_text(last)
    shown = day_text(first) if first.year == last.year else date_text(first)
    return f"{shown} {DASH} {date_text(last)}"
