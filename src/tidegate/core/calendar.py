"""Hours and days of an organization's time zone, named by the UTC microsecond of their start.

Zones have odd offsets (Asia/Kathmandu, UTC+5:45) and change them: an hour that is repeated when
clocks go back is two buckets, one that is cut short by a change begins at the change.
"""

from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final

HOUR_US: Final = 3_600_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
RANGE_DAYS: Final = {"7d": 7, "30d": 30, "90d": 90}
RANGE_HOURS: Final = {"24h": 24}


def hour_start_us(at_us: int, zone: tzinfo) -> int:
    """The start of the local hour that `at_us` falls into."""
    offset_us = _offset_us(at_us, zone)
    start_us = at_us - (at_us + offset_us) % HOUR_US
    if _offset_us(start_us, zone) == offset_us:
        return start_us
    return _change_us(start_us, at_us, zone)


def day_start_us(at_us: int, zone: tzinfo) -> int:
    """The start of the local day that `at_us` falls into; a missing midnight is the change."""
    return _midnight_us(_local(at_us, zone), zone)


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
        return _midnight_us(_local(now_us, zone) - days, zone)
    known = ", ".join([*RANGE_HOURS, *RANGE_DAYS])
    raise ValueError(f"no time range {range_name!r}; choose one of {known}")


def _local(at_us: int, zone: tzinfo) -> datetime:
    return (_EPOCH + timedelta(microseconds=at_us)).astimezone(zone)


def _offset_us(at_us: int, zone: tzinfo) -> int:
    return (_local(at_us, zone).utcoffset() or timedelta()) // _MICROSECOND


def _midnight_us(local: datetime, zone: tzinfo) -> int:
    return (datetime.combine(local.date(), time(), zone) - _EPOCH) // _MICROSECOND


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
