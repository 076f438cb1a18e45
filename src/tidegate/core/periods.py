"""The time ranges of the console, as buckets of an organization's hours or days.

A range knows the same length of time before it, for the change between the two. Buckets never
overlap and leave nothing out: each ends where the next begins, whatever the clocks do.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from tidegate.core.calendar import date_start_us, hour_start_us, local_time, next_hour_us

PRESETS: Final = ("24h", "7d", "30d", "90d")
CUSTOM: Final = "custom"
MAX_BARS: Final = 90
MAX_DAYS: Final = 3653  # ten years
OLDEST: Final = date(2000, 1, 1)
_HOURS: Final = 24
_ONE_DAY: Final = timedelta(days=1)
# Longer ranges have more than MAX_BARS of such hours, whatever the clocks do.
_MAX_DAYS_OF: Final = {"hour": 5, "3h": 13, "day": 92, "week": 637}


class PeriodFault(ValueError):
    """No such range. The sentence says why, `field` which of range, first and last is wrong."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field
        self.sentence = sentence


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """A time range and its buckets, each named by the UTC microsecond of its start."""

    name: str  # one of PRESETS, or CUSTOM
    start_us: int
    end_us: int  # exclusive: the end of the last bucket, usually in the future
    bucket: str  # hour, 3h, day, week, month or quarter
    starts: tuple[int, ...]
    previous_start_us: int
    previous_end_us: int
    time_zone: str
    first: date | None = None  # of a custom range, inclusive
    last: date | None = None
    now_us: int = 0  # the moment it was made for

    @property
    def by_hours(self) -> bool:
        """Whether its buckets are made of hours; else of days."""
        return self.bucket in {"hour", "3h"}

    @property
    def is_whole_days(self) -> bool:
        """Whether it begins and ends with a day."""
        return self.name != "24h"

    def bounds(self, index: int) -> tuple[int, int]:
        """Start and exclusive end of a bucket."""
        starts = self.starts
        index = range(len(starts))[index]
        return starts[index], starts[index + 1] if index + 1 < len(starts) else self.end_us

    def index_of(self, at_us: int) -> int:
        """The bucket that a moment of the range falls into."""
        return bisect_right(self.starts, at_us) - 1


def period(
    name: str,
    now_us: int,
    zone: ZoneInfo,
    *,
    first: date | None = None,
    last: date | None = None,
    week_start: int = 1,
) -> Period:
    """The range of a name at a moment; `first` and `last` are of a custom one."""
    if name == CUSTOM:
        first, last = _checked(first, last, local_time(now_us, zone).date())
        found = _custom(first, last, zone, week_start)
    elif name == "24h":
        found = _last_hours(now_us, zone)
    elif name in PRESETS:
        found = _last_days(name, now_us, zone)
    else:
        raise PeriodFault("range", f"Choose one of {', '.join(PRESETS)} or {CUSTOM}.")
    return msgspec.structs.replace(found, now_us=now_us)


def _checked(first: date | None, last: date | None, today: date) -> tuple[date, date]:
    if first is None:
        raise PeriodFault("first", "Choose the first day.")
    if last is None:
        raise PeriodFault("last", "Choose the last day.")
    if first < OLDEST:
        raise PeriodFault("first", f"Choose a first day from {OLDEST.isoformat()} on.")
    if first > today:
        raise PeriodFault("first", "The first day is in the future. Choose today or earlier.")
    if last < first:
        raise PeriodFault("last", "The last day is before the first.")
    if last > today:
        raise PeriodFault("last", "The last day is in the future. Choose today or earlier.")
    if (last - first).days >= MAX_DAYS:
        raise PeriodFault("first", "The range is over ten years long. Choose a shorter one.")
    return first, last


def _last_hours(now_us: int, zone: ZoneInfo) -> Period:
    """This hour and the 23 before."""
    starts = [hour_start_us(now_us, zone)]
    while len(starts) < 2 * _HOURS:
        starts.insert(0, hour_start_us(starts[0] - 1, zone))
    return Period(
        name="24h",
        start_us=starts[_HOURS],
        end_us=next_hour_us(starts[-1], zone),
        bucket="hour",
        starts=tuple(starts[_HOURS:]),
        previous_start_us=starts[0],
        previous_end_us=starts[_HOURS],
        time_zone=zone.key,
    )


def _last_days(name: str, now_us: int, zone: ZoneInfo) -> Period:
    """Today and the days before."""
    today = local_time(now_us, zone).date()
    first = today - timedelta(days=int(name.removesuffix("d")) - 1)
    return _of_days(name, "day", _days(first, today, zone), (first, today), zone)


def _custom(first: date, last: date, zone: ZoneInfo, week_start: int) -> Period:
    bucket, starts = _bars(first, last, zone, week_start)
    if not starts:
        raise PeriodFault("first", "There was no such day in the organization's time zone.")
    found = _of_days(CUSTOM, bucket, starts, (first, last), zone)
    return msgspec.structs.replace(found, first=first, last=last)


def _of_days(
    name: str, bucket: str, starts: list[int], dates: tuple[date, date], zone: ZoneInfo
) -> Period:
    first, last = dates
    length = last - first + _ONE_DAY
    return Period(
        name=name,
        start_us=starts[0],
        end_us=date_start_us(last + _ONE_DAY, zone),
        bucket=bucket,
        starts=tuple(starts),
        previous_start_us=date_start_us(first - length, zone),
        previous_end_us=starts[0],
        time_zone=zone.key,
    )


def _bars(first: date, last: date, zone: ZoneInfo, week_start: int) -> tuple[str, list[int]]:
    """The finest buckets of which there are not too many."""
    length = (last - first).days + 1
    ways: dict[str, Callable[[], list[int]]] = {
        "hour": lambda: list(_hours(first, last, zone)),
        "3h": lambda: _thirds(first, last, zone),
        "day": lambda: _days(first, last, zone),
        "week": lambda: _days(first, last, zone, lambda day: day.isoweekday() == week_start),
        "month": lambda: _days(first, last, zone, lambda day: day.day == 1),
    }
    for bucket, starts_of in ways.items():
        if length <= _MAX_DAYS_OF.get(bucket, MAX_DAYS):
            starts = starts_of()
            if len(starts) <= MAX_BARS:
                return bucket, starts
    return "quarter", _days(first, last, zone, lambda day: day.day == 1 and day.month % 3 == 1)


def _days(
    first: date, last: date, zone: ZoneInfo, begins: Callable[[date], bool] = lambda _: True
) -> list[int]:
    """Starts of buckets of days; a day that a zone leaves out begins none."""
    end_us = date_start_us(last + _ONE_DAY, zone)
    dates = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    starts = {date_start_us(day, zone) for day in dates if day == first or begins(day)}
    return sorted(starts - {end_us})


def _hours(first: date, last: date, zone: ZoneInfo) -> Iterator[int]:
    start_us, end_us = date_start_us(first, zone), date_start_us(last + _ONE_DAY, zone)
    while start_us < end_us:
        yield start_us
        start_us = next_hour_us(start_us, zone)


def _thirds(first: date, last: date, zone: ZoneInfo) -> list[int]:
    """Three hours of the clock each; more or fewer where it is changed."""
    starts: list[int] = []
    previous = None
    for start_us in _hours(first, last, zone):
        local = local_time(start_us, zone)
        third = (local.date(), local.hour // 3)
        if third != previous:
            starts.append(start_us)
        previous = third
    return starts
