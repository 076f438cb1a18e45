"""Hours and days of an organization's time zone, named by the UTC microsecond of their start.

Zones have odd offsets (Asia/Kathmandu, UTC+5:45) and change them: an hour that is repeated when
clocks go back is two buckets, one that is cut short by a change begins at the change.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

HOUR_US: Final = 3_600_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_ONE_DAY: Final = timedelta(days=1)
RANGE_DAYS: Final = {"7d": 7, "30d": 30, "90d": 90}
RANGE_HOURS: Final = {"24h": 24}


def hour_start_us(at_us: int, zone: tzinfo) -> int:
    """The start of the local hour that `at_us` falls into."""
    offset_us = _offset_us(at_us, zone)
    start_us = at_us - (at_us + offset_us) % HOUR_US
    if _offset_us(start_us, zone) == offset_us:
        return start_us
    return _change_us(start_us, at_us, zone)


def next_hour_us(start_us: int, zone: tzinfo) -> int:
    """Where the local hour that begins at `start_us` ends."""
    end_us = hour_start_us(start_us + HOUR_US, zone)
    while (earlier_us := hour_start_us(end_us - 1, zone)) > start_us:
        end_us = earlier_us
    return end_us


def day_start_us(at_us: int, zone: tzinfo) -> int:
    """The start of the local day that `at_us` falls into.

    Where clocks go back across midnight, what is repeated counts to the new day.
    """
    today = local_time(at_us, zone).date()
    tomorrow_us = date_start_us(today + _ONE_DAY, zone)
    return tomorrow_us if tomorrow_us <= at_us else date_start_us(today, zone)


def date_start_us(day: date, zone: tzinfo) -> int:
    """The first midnight of a date; a missing midnight, or a missing day, is the change."""
    start_us = (datetime.combine(day, time(), zone) - _EPOCH) // _MICROSECOND
    if (local := local_time(start_us, zone)).time() == time():
        return start_us
    since_midnight = local - datetime.combine(local.date(), time(), zone)
    return _change_us(start_us - since_midnight // _MICROSECOND - HOUR_US, start_us, zone)


def local_time(at_us: int, zone: tzinfo) -> datetime:
    """What the clock and the calendar show."""
    return (_EPOCH + timedelta(microseconds=at_us)).astimezone(zone)


def range_start_us(range_name: str, now_us: int, zone: tzinfo) -> int:
    """Where a range of the console begins: 24h is this hour and the 23 before, 7d, 30d and 90d
    are today and the days before."""
    if range_name in RANGE_HOURS:
        start_us = hour_start_us(now_us, zone)
        for _ in range(RANGE_HOURS[range_name] - 1):
            start_us = hour_start_us(start_us - 1, zone)
        return start_us
    if range_name in RANGE_DAYS:
        days = timedelta(days=RANGE_DAYS[range_name] - 1)
        return date_start_us(local_time(now_us, zone).date() - days, zone)
    known = ", ".join([*RANGE_HOURS, *RANGE_DAYS])
    raise ValueError(f"no time range {range_name!r}; choose one of {known}")


def _offset_us(at_us: int, zone: tzinfo) -> int:
    return (local_time(at_us, zone).utcoffset() or timedelta()) // _MICROSECOND


def _change_us(before_us: int, after_us: int, zone: tzinfo) -> int:
    """The first microsecond of the offset in force at `after_us`."""
    offset_us = _offset_us(after_us, zone)
    while after_us - before_us > 1:
        middle_us = (before_us + after_us) // 2
        if _offset_us(middle_us, zone) == offset_us:
            after_us = middle_us
        else:
            before_us = middle_us
    return after_us
