"""Hours and days of odd zones, around changes of the clocks."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tidegate.core.calendar import day_start_us, hour_start_us, next_hour_us, range_start_us


def us(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("zone", "at", "hour", "day"),
    [
        ("UTC", "2026-03-01T10:59:59", "2026-03-01T10:00:00", "2026-03-01T00:00:00"),
        ("Asia/Kathmandu", "2026-03-01T10:20:00", "2026-03-01T10:15:00", "2026-02-28T18:15:00"),
        ("Asia/Kathmandu", "2026-03-01T10:10:00", "2026-03-01T09:15:00", "2026-02-28T18:15:00"),
        ("Asia/Kathmandu", "2026-03-01T18:14:59", "2026-03-01T17:15:00", "2026-02-28T18:15:00"),
        # Berlin goes back at 01:00 UTC: 02:00 to 03:00 is there twice, as two hours
        ("Europe/Berlin", "2026-10-25T00:30:00", "2026-10-25T00:00:00", "2026-10-24T22:00:00"),
        ("Europe/Berlin", "2026-10-25T01:30:00", "2026-10-25T01:00:00", "2026-10-24T22:00:00"),
        ("Europe/Berlin", "2026-10-25T22:59:59", "2026-10-25T22:00:00", "2026-10-24T22:00:00"),
        ("Europe/Berlin", "2026-10-25T23:00:00", "2026-10-25T23:00:00", "2026-10-25T23:00:00"),
        # Lord Howe goes back half an hour at 15:00 UTC, in the middle of what is then an hour
        (
            "Australia/Lord_Howe",
            "2026-04-04T14:59:00",
            "2026-04-04T14:00:00",
            "2026-04-04T13:00:00",
        ),
        (
            "Australia/Lord_Howe",
            "2026-04-04T15:10:00",
            "2026-04-04T15:00:00",
            "2026-04-04T13:00:00",
        ),
        (
            "Australia/Lord_Howe",
            "2026-04-04T15:30:00",
            "2026-04-04T15:30:00",
            "2026-04-04T13:00:00",
        ),
        # Cairo skips midnight: the day begins at 01:00
        ("Africa/Cairo", "2026-04-23T22:10:00", "2026-04-23T22:00:00", "2026-04-23T22:00:00"),
        ("Africa/Cairo", "2026-04-23T21:59:00", "2026-04-23T21:00:00", "2026-04-22T22:00:00"),
        # St. John's went back from 00:01 to 23:01: midnight twice, the day began with the first
        ("America/St_Johns", "2010-11-07T02:30:30", "2010-11-07T02:30:00", "2010-11-07T02:30:00"),
        ("America/St_Johns", "2010-11-07T02:45:00", "2010-11-07T02:31:00", "2010-11-07T02:30:00"),
        ("America/St_Johns", "2010-11-07T03:30:00", "2010-11-07T03:30:00", "2010-11-07T02:30:00"),
        # Toronto went forward from 23:30 to 00:30, over a midnight that there was not
        ("America/Toronto", "1919-03-31T04:45:00", "1919-03-31T04:30:00", "1919-03-31T04:30:00"),
        # Samoa had no 30 December
        ("Pacific/Apia", "2011-12-30T10:00:00", "2011-12-30T10:00:00", "2011-12-30T10:00:00"),
        ("Pacific/Apia", "2011-12-30T09:59:59", "2011-12-30T09:00:00", "2011-12-29T10:00:00"),
    ],
)
def test_bucket_of_an_instant(zone: str, at: str, hour: str, day: str) -> None:
    tz = ZoneInfo(zone)
    assert hour_start_us(us(at), tz) == us(hour)
    assert day_start_us(us(at), tz) == us(day)


@pytest.mark.parametrize(
    ("zone", "start", "end"),
    [
        ("UTC", "2026-03-01T10:00:00", "2026-03-01T11:00:00"),
        ("Europe/Berlin", "2026-10-25T00:00:00", "2026-10-25T01:00:00"),
        ("Australia/Lord_Howe", "2026-04-04T15:00:00", "2026-04-04T15:30:00"),
        ("America/St_Johns", "2010-11-07T02:30:00", "2010-11-07T02:31:00"),
        ("America/St_Johns", "2010-11-07T02:31:00", "2010-11-07T03:30:00"),
    ],
)
def test_an_hour_ends_where_the_next_begins(zone: str, start: str, end: str) -> None:
    assert next_hour_us(us(start), ZoneInfo(zone)) == us(end)


@pytest.mark.parametrize(
    ("zone", "name", "now", "start"),
    [
        ("UTC", "24h", "2026-03-02T10:30:00", "2026-03-01T11:00:00"),
        ("UTC", "7d", "2026-03-08T10:30:00", "2026-03-02T00:00:00"),
        ("Asia/Kathmandu", "24h", "2026-03-02T10:30:00", "2026-03-01T11:15:00"),
        ("Asia/Kathmandu", "7d", "2026-03-08T10:30:00", "2026-03-01T18:15:00"),
        ("Europe/Berlin", "24h", "2026-10-25T10:30:00", "2026-10-24T11:00:00"),
        ("Europe/Berlin", "7d", "2026-10-28T10:30:00", "2026-10-21T22:00:00"),
        ("UTC", "30d", "2026-03-30T00:00:00", "2026-03-01T00:00:00"),
        ("UTC", "90d", "2026-03-31T23:59:59", "2026-01-01T00:00:00"),
    ],
)
def test_range_start(zone: str, name: str, now: str, start: str) -> None:
    assert range_start_us(name, us(now), ZoneInfo(zone)) == us(start)


def test_an_unknown_range_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="24h, 7d, 30d, 90d"):
        range_start_us("1y", 0, UTC)
