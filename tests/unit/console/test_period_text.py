"""Periods in words: bounds in the zone of the organization, also where clocks change."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from tidegate.console.period_text import (
    axis_labels,
    bucket_texts,
    length_text,
    moment_text,
    period_text,
)
from tidegate.core.periods import Period, period


def us(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def made(name: str, zone: str = "UTC", now: str = "2026-11-22T12:30:00") -> Period:
    return period(name, us(now), ZoneInfo(zone))


def custom(first: str, last: str, zone: str = "UTC") -> Period:
    days = [date.fromisoformat(day) for day in (first, last)]
    now_us = us("2026-11-22T12:30:00")
    return period("custom", now_us, ZoneInfo(zone), first=days[0], last=days[1])


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (made("24h"), "21 Nov 13:00 \N{EN DASH} 22 Nov 13:00"),
        (made("24h", "Asia/Kathmandu"), "21 Nov 19:00 \N{EN DASH} 22 Nov 19:00"),
        (made("7d"), "16 Nov \N{EN DASH} 22 Nov 2026"),
        (made("90d"), "25 Aug \N{EN DASH} 22 Nov 2026"),
        (made("30d", now="2026-01-05T00:00:00"), "7 Dec 2025 \N{EN DASH} 5 Jan 2026"),
        (custom("2026-10-25", "2026-10-25"), "25 Oct 2026"),
        (custom("2017-01-01", "2026-11-22"), "1 Jan 2017 \N{EN DASH} 22 Nov 2026"),
    ],
)
def test_from_when_to_when(shown: Period, text: str) -> None:
    assert period_text(shown) == text


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (made("24h"), "the 24 hours before"),
        (made("30d", "Europe/Berlin"), "the 30 days before"),
        (custom("2026-10-25", "2026-10-25", "Europe/Berlin"), "the day before"),
    ],
)
def test_what_the_change_compares_with(shown: Period, text: str) -> None:
    assert length_text(shown) == text


def test_days_are_named_with_their_weekday() -> None:
    texts = bucket_texts(made("7d"))
    assert texts[0] == "Mon 16 Nov 2026"
    assert texts[-1] == "Sun 22 Nov 2026"


def test_hours_are_named_from_when_to_when() -> None:
    texts = bucket_texts(made("24h", "Asia/Kathmandu"))
    assert texts[0] == "Sat 21 Nov 2026, 19:00\N{EN DASH}20:00"


def test_the_day_of_25_hours_tells_its_two_hours_of_the_same_name_apart() -> None:
    texts = bucket_texts(custom("2026-10-25", "2026-10-25", "Europe/Berlin"))
    assert len(texts) == 25
    assert texts[2].endswith("02:00\N{EN DASH}02:00, clocks change to CET")
    assert texts[3].endswith("02:00\N{EN DASH}03:00")
    assert len(set(texts)) == 25


def test_the_day_of_23_hours_says_where_one_is_missing() -> None:
    texts = bucket_texts(custom("2026-03-29", "2026-03-29", "Europe/Berlin"))
    assert len(texts) == 23
    assert texts[1].endswith("01:00\N{EN DASH}03:00, clocks change to CEST")


def test_weeks_and_months_are_named_by_their_first_and_last_day() -> None:
    weeks = bucket_texts(custom("2026-01-01", "2026-11-22"))
    assert weeks[0] == "1 Jan \N{EN DASH} 4 Jan 2026"
    assert weeks[1] == "5 Jan \N{EN DASH} 11 Jan 2026"
    months = bucket_texts(custom("2021-01-01", "2026-11-22"))
    assert months[1] == "1 Feb \N{EN DASH} 28 Feb 2021"


@pytest.mark.parametrize(
    "shown",
    [made(name, zone) for name in ("24h", "7d", "30d", "90d") for zone in ("UTC", "Asia/Kolkata")]
    + [
        custom("2026-11-22", "2026-11-22"),
        custom("2026-11-18", "2026-11-22"),
        custom("2026-11-11", "2026-11-22"),
        custom("2026-09-01", "2026-11-22"),
        custom("2026-01-01", "2026-11-22"),
        custom("2021-01-01", "2026-11-22"),
        custom("2016-11-23", "2026-11-22"),
    ],
)
def test_the_axis_has_a_few_names_in_order(shown: Period) -> None:
    labels = axis_labels(shown)
    indexes = [i for i, _ in labels]
    assert 2 <= len(labels) <= 8
    assert indexes == sorted(set(indexes))
    assert all(text for _, text in labels)


def test_months_are_named_by_the_week_they_begin_in() -> None:
    labels = dict(axis_labels(period("30d", us("2026-11-22T12:30:00"), ZoneInfo("UTC")), 1))
    assert "26 Oct" in labels.values()  # Mondays
    sundays = dict(axis_labels(made("30d"), 7))
    assert "25 Oct" in sundays.values()


def test_a_moment_is_told_as_the_clocks_showed_it() -> None:
    assert moment_text(us("2026-11-22T12:30:00"), "Asia/Kathmandu") == "22 Nov 2026, 18:15"
