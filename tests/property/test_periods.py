"""Every time range, in every zone and whatever the clocks do, leaves nothing out."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.effort import examples

from tidegate.core.calendar import HOUR_US, date_start_us, day_start_us, hour_start_us, local_time
from tidegate.core.periods import CUSTOM, PRESETS, Period, PeriodFault, period
from tidegate.core.spans import (
    Slice,
    Span,
    bucket_start_us,
    later_slices,
    previous_slices,
    running_slice,
    settled_slices,
)

ZONES = (
    "UTC",
    "Asia/Kathmandu",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour of change
    "Africa/Cairo",  # no midnight in spring
    "America/Sao_Paulo",  # the same until 2018, and 23:00 twice in autumn
    "America/St_Johns",  # changed at 00:01 until 2011: midnight twice
    "Antarctica/Casey",  # three hours back, some of them across midnight
    "Pacific/Apia",  # no 30 December 2011
    "Asia/Pyongyang",  # half an hour forward, to midnight
    "Pacific/Chatham",
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
# Days at whose clocks something happens somewhere among the zones.
CHANGES = ("2010-03-05", "2010-11-07", "2011-12-30", "2018-02-18", "2018-05-04", "2018-11-04",
           "2020-10-04", "2026-03-08", "2026-04-05", "2026-04-24", "2026-10-25")  # fmt: skip

dates = st.dates(date(2005, 1, 1), date(2027, 1, 1)) | st.builds(
    lambda change, days: date.fromisoformat(change) + timedelta(days=days),
    st.sampled_from(CHANGES),
    st.integers(-2, 100),
)


def micros(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


@st.composite
def periods(draw: st.DrawFn) -> Period:
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    last = draw(dates)
    name = draw(st.sampled_from([*PRESETS, CUSTOM, CUSTOM, CUSTOM]))
    seconds = draw(st.integers(0, 86399))
    now_us = micros(datetime(last.year, last.month, last.day, tzinfo=UTC)) + seconds * 10**6
    if name != CUSTOM:
        return period(name, now_us, zone)
    days = draw(st.integers(0, 14) | st.integers(0, 100) | st.integers(0, 1800))
    first = last - timedelta(days=days)
    now_us += 2 * 86400 * 10**6  # so that the last day is not in the future
    try:
        week_start = draw(st.integers(1, 7))
        return period(name, now_us, zone, first=first, last=last, week_start=week_start)
    except PeriodFault:
        assume(False)
        raise


@settings(max_examples=examples(300), deadline=None)
@given(periods())
def test_buckets_follow_one_another(found: Period) -> None:
    zone = ZoneInfo(found.time_zone)
    assert 0 < len(found.starts) <= 90
    assert found.starts[0] == found.start_us
    assert list(found.starts) == sorted(set(found.starts))
    assert found.previous_end_us == found.start_us
    assert found.previous_start_us < found.start_us < found.end_us
    start_of = hour_start_us if found.by_hours else day_start_us
    for index in range(len(found.starts)):
        start_us, end_us = found.bounds(index)
        assert start_of(start_us, zone) == start_us
        assert start_of(end_us, zone) == end_us
        assert found.index_of(start_us) == found.index_of(end_us - 1) == index
        assert found.bucket != "hour" or end_us - start_us <= HOUR_US
    if found.name == CUSTOM and found.first and found.last and found.first.year > 2011:
        assert len(found.starts) >= 12
    if found.name != CUSTOM:
        assert found.start_us <= found.now_us < found.end_us


@settings(max_examples=examples(300), deadline=None)
@given(periods(), st.data())
def test_slices_hold_what_began_in_the_range_and_nothing_else(
    found: Period, data: st.DataObject
) -> None:
    """An event in it is in one of its slices, by the bucket that it was added to; none else is."""
    zone = ZoneInfo(found.time_zone)
    length = found.end_us - found.start_us
    near = st.sampled_from([found.start_us, found.end_us, found.previous_start_us])
    moments = st.integers(found.previous_start_us - length, found.end_us + length) | st.builds(
        int.__add__, near, st.integers(-12 * HOUR_US, 12 * HOUR_US)
    )
    at_us = data.draw(moments)
    within = found.start_us <= at_us < found.end_us
    before = found.previous_start_us <= at_us < found.previous_end_us
    running = running_slice(found)
    assert hits((*settled_slices(found), running), at_us, zone) == within
    assert hits((running,), at_us, zone) == (running.start_us <= at_us < found.end_us)
    assert hits(previous_slices(found), at_us, zone) == before
    assert hits(later_slices(found), at_us, zone) == (at_us >= found.end_us)


def hits(slices: tuple[Slice, ...], at_us: int, zone: ZoneInfo) -> int:
    """In how many slices a moment's bucket is."""
    return sum(
        part.start_us <= bucket_start_us(part.span, at_us, zone) < part.end_us for part in slices
    )


@settings(max_examples=examples(300), deadline=None)
@given(dates, st.integers(0, 86399), st.sampled_from(ZONES))
def test_hours_days_and_runs_of_ten_are_within_one_another(
    day: date, seconds: int, name: str
) -> None:
    zone = ZoneInfo(name)
    at_us = micros(datetime(day.year, day.month, day.day, tzinfo=UTC)) + seconds * 10**6
    hour_us, day_us, ten_us = (bucket_start_us(span, at_us, zone) for span in Span)
    assert ten_us <= day_us <= hour_us <= at_us < hour_us + HOUR_US
    assert bucket_start_us(Span.DAY, hour_us, zone) == day_us
    assert bucket_start_us(Span.TEN_DAYS, day_us, zone) == ten_us
    assert [bucket_start_us(span, ten_us, zone) for span in Span] == [ten_us] * 3
    local = local_time(day_us, zone)
    assert date_start_us(local.date(), zone) == day_us
