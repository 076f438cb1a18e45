"""How long the buckets of stored sums are, and which of them make up a time range.

Besides hours and days there are runs of ten days: a quarter of a year is then some twenty buckets.
"""

from datetime import date, timedelta, tzinfo
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from tidegate.core.calendar import date_start_us, day_start_us, hour_start_us, local_time
from tidegate.core.periods import Period

_TEN: Final = 10
_FOREVER_US: Final = 1 << 62


class Span(StrEnum):
    HOUR = "hour"
    DAY = "day"
    TEN_DAYS = "ten_days"


class Slice(msgspec.Struct, frozen=True):
    """The buckets of one length that begin within [start, end)."""

    span: Span
    start_us: int
    end_us: int


def bucket_start_us(span: Span, at_us: int, zone: tzinfo) -> int:
    """The start of the bucket that a moment falls into."""
    match span:
        case Span.HOUR:
            return hour_start_us(at_us, zone)
        case Span.DAY:
            return day_start_us(at_us, zone)
        case Span.TEN_DAYS:
            return _ten_days_us(at_us, zone)


def running_slice(period: Period) -> Slice:
    """The range's last bucket, which in most ranges is the one that is running."""
    if not period.is_whole_days:
        return Slice(Span.HOUR, period.starts[-1], period.end_us)
    zone = ZoneInfo(period.time_zone)
    return Slice(Span.DAY, day_start_us(period.end_us - 1, zone), period.end_us)


def settled_slices(period: Period) -> tuple[Slice, ...]:
    """Few buckets that make up the range without its last one; none if there is no other."""
    end_us = running_slice(period).start_us
    return _slices(period, period.start_us, end_us) if period.start_us < end_us else ()


def previous_slices(period: Period) -> tuple[Slice, ...]:
    """The same of the range before."""
    return _slices(period, period.previous_start_us, period.previous_end_us)


def later_slices(period: Period) -> tuple[Slice, ...]:
    """The same of all time after it."""
    zone = ZoneInfo(period.time_zone)
    day_us = _day_after(period.end_us, zone)
    tens_us = _tens_after(day_us, zone)
    return _filled(
        Slice(Span.HOUR, period.end_us, day_us),
        Slice(Span.DAY, day_us, tens_us),
        Slice(Span.TEN_DAYS, tens_us, _FOREVER_US),
    )


def slices_between(start_us: int, end_us: int, zone: ZoneInfo) -> tuple[Slice, ...]:
    """Few buckets that make up a time between two starts of hours; an end of 0 is none."""
    if not end_us:
        end_us = _FOREVER_US
        tens_end_us = last_us = end_us
    else:
        last_us = max(day_start_us(end_us, zone), start_us)
        tens_end_us = _ten_days_us(last_us, zone)
    if not start_us:
        first_us = tens_us = 0
    else:
        first_us = min(_day_after(start_us, zone), last_us)
        tens_us = _tens_after(first_us, zone)
    if tens_us >= tens_end_us:
        days = (Slice(Span.DAY, first_us, last_us),)
        return _filled(_hours(start_us, first_us), *days, _hours(last_us, end_us))
    return _filled(
        _hours(start_us, first_us),
        Slice(Span.DAY, first_us, tens_us),
        Slice(Span.TEN_DAYS, tens_us, tens_end_us),
        Slice(Span.DAY, tens_end_us, last_us),
        _hours(last_us, end_us),
    )


def _hours(start_us: int, end_us: int) -> Slice:
    return Slice(Span.HOUR, start_us, end_us)


def _day_after(at_us: int, zone: ZoneInfo) -> int:
    """The first start of a day that is not before."""
    day_us = day_start_us(at_us, zone)
    if day_us == at_us:
        return at_us
    return date_start_us(local_time(day_us, zone).date() + timedelta(days=1), zone)


def _slices(period: Period, start_us: int, end_us: int) -> tuple[Slice, ...]:
    if not period.is_whole_days:
        return (Slice(Span.HOUR, start_us, end_us),)
    zone = ZoneInfo(period.time_zone)
    tens_us, tens_end_us = _tens_after(start_us, zone), _ten_days_us(end_us, zone)
    if tens_us >= tens_end_us:
        return (Slice(Span.DAY, start_us, end_us),)
    return _filled(
        Slice(Span.DAY, start_us, tens_us),
        Slice(Span.TEN_DAYS, tens_us, tens_end_us),
        Slice(Span.DAY, tens_end_us, end_us),
    )


def _filled(*parts: Slice) -> tuple[Slice, ...]:
    return tuple(part for part in parts if part.start_us < part.end_us)


def _tens_after(at_us: int, zone: tzinfo) -> int:
    """The first start of a run of ten days that is not before."""
    start_us = _ten_days_us(at_us, zone)
    return start_us if start_us == at_us else _ten_days_us(start_us, zone, later=1)


def _ten_days_us(at_us: int, zone: tzinfo, *, later: int = 0) -> int:
    """The start of the run of ten days at a moment, or of one that many later."""
    day = local_time(day_start_us(at_us, zone), zone).date()
    first = day.toordinal() // _TEN * _TEN
    return date_start_us(date.fromordinal(first) + later * timedelta(days=_TEN), zone)
