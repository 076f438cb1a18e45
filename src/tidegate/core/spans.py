"""How long the buckets of stored sums are, and which of them make up a time range.

Besides hours and days there are runs of ten days: a quarter of a year is then some twenty buckets.
"""

from datetime import date, timedelta, tzinfo
from enum import StrEnum
from typing import Final

import msgspec

from tidegate.core.calendar import date_start_us, day_start_us, hour_start_us, local_time

_TEN: Final = 10


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


def slices_of_days(start_us: int, end_us: int, zone: tzinfo) -> tuple[Slice, ...]:
    """Few buckets that make up whole days exactly."""
    tens_us = _ten_days_us(start_us, zone)
    if tens_us < start_us:
        tens_us = _ten_days_us(tens_us, zone, later=1)
    tens_end_us = _ten_days_us(end_us, zone)
    if tens_us >= tens_end_us:
        return (Slice(Span.DAY, start_us, end_us),)
    parts = (
        Slice(Span.DAY, start_us, tens_us),
        Slice(Span.TEN_DAYS, tens_us, tens_end_us),
        Slice(Span.DAY, tens_end_us, end_us),
    )
    return tuple(part for part in parts if part.start_us < part.end_us)


def _ten_days_us(at_us: int, zone: tzinfo, *, later: int = 0) -> int:
    """The start of the run of ten days at a moment, or of one that many later."""
    day = local_time(day_start_us(at_us, zone), zone).date()
    first = day.toordinal() // _TEN * _TEN
    return date_start_us(date.fromordinal(first) + later * timedelta(days=_TEN), zone)
