"""Times on the wire: ISO 8601 in UTC; inside, microseconds since the epoch."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from tidegate.console.api_v1.problems import at_field

Time = Annotated[
    datetime,
    msgspec.Meta(tz=True, description="A time in UTC.", examples=["2026-11-22T12:00:00Z"]),
]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def time(at_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_us)


def time_or_none(at_us: int) -> datetime | None:
    """0 stands for never."""
    return time(at_us) if at_us else None


def microseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def bounds_us(start: datetime | UnsetType, end: datetime | UnsetType) -> tuple[int, int]:
    """From when until before when, in microseconds; 0 where it is open. Refuses an empty time."""
    start_us = 0 if start is UNSET else max(0, microseconds(start))
    if end is UNSET:
        return start_us, 0
    if (end_us := microseconds(end)) <= start_us:
        raise at_field("end", "The end is not after the start.")
    return start_us, end_us
