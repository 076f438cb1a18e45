"""The console's time ranges: their buckets, their bounds, and ranges that there are not."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from tidegate.core.periods import Period, PeriodFault, period

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


def us(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def day(text: str) -> date:
    return date.fromisoformat(text)


def custom(first: str, last: str, zone: str = "UTC", **options: int) -> Period:
    now_us = us("2026-11-22T13:30:00")
    return period("custom", now_us, ZoneInfo(zone), first=day(first), last=day(last), **options)


@pytest.mark.parametrize(
    ("zone", "name", "now", "start", "end", "previous"),
    [
        ("UTC", "24h", "2026-03-02T10:30:00", "2026-03-01T11:00:00", "2026-03-02T11:00:00",
         "2026-02-28T11:00:00"),
        ("Asia/Kathmandu", "24h", "2026-03-02T10:30:00", "2026-03-01T11:15:00",
         "2026-03-02T11:15:00", "2026-02-28T11:15:00"),
        # half an hour of Lord Howe's is a bucket of its own
        ("Australia/Lord_Howe", "24h", "2026-04-04T20:10:00", "2026-04-03T21:00:00",
         "2026-04-04T20:30:00", "2026-04-02T21:00:00"),
        ("UTC", "7d", "2026-03-08T23:59:59", "2026-03-02T00:00:00", "2026-03-09T00:00:00",
         "2026-02-23T00:00:00"),
        ("Asia/Kathmandu", "7d", "2026-03-08T18:15:00", "2026-03-02T18:15:00",
         "2026-03-09T18:15:00", "2026-02-23T18:15:00"),
        # the week has an hour more, the one before has not
        ("Europe/Berlin", "7d", "2026-10-28T10:30:00", "2026-10-21T22:00:00",
         "2026-10-28T23:00:00", "2026-10-14T22:00:00"),
        # Cairo's day begins at 01:00 on 24 April
        ("Africa/Cairo", "7d", "2026-04-30T10:00:00", "2026-04-23T22:00:00",
         "2026-04-30T21:00:00", "2026-04-16T22:00:00"),
        ("UTC", "90d", "2026-03-31T00:00:00", "2026-01-01T00:00:00", "2026-04-01T00:00:00",
         "2025-10-03T00:00:00"),
    ],
)  # fmt: skip
def test_a_preset_ends_with_what_is_running(
    zone: str, name: str, now: str, start: str, end: str, previous: str
) -> None:
    found = period(name, us(now), ZoneInfo(zone))
    assert (found.start_us, found.end_us) == (us(start), us(end))
    assert (found.previous_start_us, found.previous_end_us) == (us(previous), us(start))
    assert len(found.starts) == int(name[:-1])
    assert found.bucket == ("hour" if name == "24h" else "day")
    assert (found.time_zone, found.now_us) == (zone, us(now))
    assert (found.first, found.last) == (None, None)


@pytest.mark.parametrize(
    ("first", "last", "bucket", "bars"),
    [
        ("2026-11-22", "2026-11-22", "hour", 24),
        ("2026-11-20", "2026-11-22", "hour", 72),
        ("2026-11-19", "2026-11-22", "3h", 32),
        ("2026-11-12", "2026-11-22", "3h", 88),
        ("2026-11-11", "2026-11-22", "day", 12),
        ("2026-08-25", "2026-11-22", "day", 90),
        ("2026-08-24", "2026-11-22", "week", 13),
        ("2025-03-10", "2026-11-22", "week", 89),
        ("2025-02-22", "2026-11-22", "month", 22),
        ("2019-06-30", "2026-11-22", "month", 90),
        ("2019-05-31", "2026-11-22", "quarter", 31),
        ("2016-11-22", "2026-11-22", "quarter", 41),
    ],
)
def test_a_custom_range_has_the_finest_buckets_that_are_not_too_many(
    first: str, last: str, bucket: str, bars: int
) -> None:
    found = custom(first, last)
    assert (found.bucket, len(found.starts)) == (bucket, bars)
    assert (found.first, found.last) == (day(first), day(last))
    assert found.start_us == us(f"{first}T00:00:00")
    assert found.end_us == us(f"{last}T00:00:00") + DAY_US
    assert found.previous_end_us - found.previous_start_us == found.end_us - found.start_us


@pytest.mark.parametrize(
    ("week_start", "second"), [(1, "2026-07-06"), (6, "2026-07-04"), (7, "2026-07-05")]
)
def test_weeks_begin_where_the_organization_begins_them(week_start: int, second: str) -> None:
    found = custom("2026-07-01", "2026-11-22", week_start=week_start)
    assert found.bucket == "week"
    assert found.bounds(0) == (us("2026-07-01T00:00:00"), us(f"{second}T00:00:00"))
    assert found.bounds(-1)[1] == found.end_us


def test_three_hours_are_those_of_the_clock() -> None:
    """Berlin's 25 October has one hour more, between two and three."""
    found = custom("2026-10-24", "2026-10-27", "Europe/Berlin")
    lengths = [end - start for start, end in map(found.bounds, range(len(found.starts)))]
    assert lengths[:10] == [3 * HOUR_US] * 8 + [4 * HOUR_US, 3 * HOUR_US]
    assert len(lengths) == 32


def test_a_day_that_a_zone_left_out_has_no_bucket() -> None:
    """Samoa went from 29 to 31 December 2011."""
    found = custom("2011-12-24", "2012-01-04", "Pacific/Apia")
    assert (found.bucket, len(found.starts)) == ("3h", 88)
    with pytest.raises(PeriodFault, match="no such day") as caught:
        custom("2011-12-30", "2011-12-30", "Pacific/Apia")
    assert caught.value.field == "first"


def test_a_moment_is_in_its_bucket() -> None:
    found = custom("2026-11-21", "2026-11-22", "Asia/Kathmandu")
    for index in range(len(found.starts)):
        start_us, end_us = found.bounds(index)
        assert found.index_of(start_us) == found.index_of(end_us - 1) == index
    with pytest.raises(IndexError):
        found.bounds(len(found.starts))


@pytest.mark.parametrize(
    ("first", "last", "field", "told"),
    [
        (None, "2026-11-22", "first", "Choose the first day."),
        ("2026-11-22", None, "last", "Choose the last day."),
        ("2026-11-22", "2026-11-21", "last", "before the first"),
        ("2026-11-23", "2026-11-23", "first", "in the future"),
        ("2026-11-22", "2026-11-23", "last", "in the future"),
        ("1999-12-31", "2000-01-05", "first", "2000-01-01"),
        ("0001-01-01", "9999-12-31", "first", "2000-01-01"),
        ("2016-11-21", "2026-11-22", "first", "over ten years"),
    ],
)
def test_a_range_that_there_is_not(
    first: str | None, last: str | None, field: str, told: str
) -> None:
    with pytest.raises(PeriodFault, match=told) as caught:
        period(
            "custom",
            us("2026-11-22T13:30:00"),
            ZoneInfo("UTC"),
            first=first and day(first),  # type: ignore[arg-type]
            last=last and day(last),  # type: ignore[arg-type]
        )
    assert caught.value.field == field


def test_today_is_the_organizations() -> None:
    """At 13:30 in London it is already tomorrow in Kiritimati."""
    assert custom("2026-11-23", "2026-11-23", "Pacific/Kiritimati").bucket == "hour"
    with pytest.raises(PeriodFault, match="in the future"):
        custom("2026-11-23", "2026-11-23", "Europe/London")


def test_an_unknown_name() -> None:
    with pytest.raises(PeriodFault, match="24h, 7d, 30d, 90d or custom") as caught:
        period("1y", 0, ZoneInfo("UTC"))
    assert caught.value.field == "range"
