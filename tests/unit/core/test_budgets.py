"""Windows in days and hours of a zone, whom a budget is for, and what fits."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tidegate.core.budgets import (
    EACH,
    Budget,
    Raise,
    Spender,
    Standing,
    Subject,
    Window,
    fits,
    limit_at,
    resets_us,
    subject_from,
    subject_of,
    window_of,
)
from tidegate.core.projection import Band, project
from tidegate.core.spans import Slice, Span, bucket_start_us, slices_between

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


def us(text: str) -> int:
    """A moment in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def budget(**fields: object) -> Budget:
    plain: dict[str, object] = {"budget_id": "bud_1", "organization_id": "org_1"}
    return Budget(**(plain | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("window", "zone", "week_start", "now", "start", "end"),
    [
        ("day", "UTC", 1, "2026-03-01T00:00", "2026-03-01T00:00", "2026-03-02T00:00"),
        ("day", "UTC", 1, "2026-03-01T23:59", "2026-03-01T00:00", "2026-03-02T00:00"),
        ("day", "Asia/Kathmandu", 1, "2026-03-01T18:20", "2026-03-01T18:15", "2026-03-02T18:15"),
        # clocks go forward: a day of 23 hours, and back: one of 25
        ("day", "Europe/Berlin", 1, "2026-03-29T12:00", "2026-03-28T23:00", "2026-03-29T22:00"),
        ("day", "Europe/Berlin", 1, "2026-10-25T12:00", "2026-10-24T22:00", "2026-10-25T23:00"),
        ("day", "Europe/Berlin", 1, "2026-10-25T00:30", "2026-10-24T22:00", "2026-10-25T23:00"),
        # where there is no midnight the day begins with the change
        ("day", "Africa/Cairo", 1, "2026-04-24T12:00", "2026-04-23T22:00", "2026-04-24T21:00"),
        ("week", "UTC", 1, "2026-03-01T12:00", "2026-02-23T00:00", "2026-03-02T00:00"),
        ("week", "UTC", 7, "2026-03-01T12:00", "2026-03-01T00:00", "2026-03-08T00:00"),
        ("week", "UTC", 6, "2026-03-01T12:00", "2026-02-28T00:00", "2026-03-07T00:00"),
        ("week", "UTC", 1, "2026-03-02T00:00", "2026-03-02T00:00", "2026-03-09T00:00"),
        ("week", "Europe/Berlin", 1, "2026-03-27T12:00", "2026-03-22T23:00", "2026-03-29T22:00"),
        ("month", "UTC", 1, "2028-02-29T12:00", "2028-02-01T00:00", "2028-03-01T00:00"),
        ("month", "UTC", 1, "2026-02-28T23:59", "2026-02-01T00:00", "2026-03-01T00:00"),
        ("month", "UTC", 1, "2026-12-31T12:00", "2026-12-01T00:00", "2027-01-01T00:00"),
        ("month", "UTC", 1, "2027-01-01T00:00", "2027-01-01T00:00", "2027-02-01T00:00"),
        ("month", "Europe/Berlin", 1, "2026-03-31T22:30", "2026-03-31T22:00", "2026-04-30T22:00"),
        ("month", "Europe/Berlin", 1, "2026-10-31T12:00", "2026-09-30T22:00", "2026-10-31T23:00"),
    ],
)  # fmt: skip
def test_windows_of_the_calendar(
    window: str, zone: str, week_start: int, now: str, start: str, end: str
) -> None:
    found = window_of(budget(window=window), us(now), ZoneInfo(zone), week_start)
    assert found == Window(us(start), us(end))
    assert found.has(us(now))
    assert not found.has(us(end))
    assert not found.has(us(start) - 1)
    assert resets_us(budget(window=window), found, ZoneInfo(zone)) == us(end)


@pytest.mark.parametrize(
    ("hours", "zone", "now", "start", "end"),
    [
        (1, "UTC", "2026-03-01T10:59", "2026-03-01T10:00", "2026-03-01T11:00"),
        (5, "UTC", "2026-03-01T02:30", "2026-02-28T22:00", "2026-03-01T03:00"),
        (2, "Asia/Kathmandu", "2026-03-01T10:20", "2026-03-01T09:15", "2026-03-01T11:15"),
        (3, "Europe/Berlin", "2026-10-25T02:10", "2026-10-25T00:00", "2026-10-25T03:00"),
        (24, "Europe/Berlin", "2026-03-29T12:10", "2026-03-28T13:00", "2026-03-29T13:00"),
    ],
)
def test_rolling_windows_are_this_hour_and_those_before(
    hours: int, zone: str, now: str, start: str, end: str
) -> None:
    rolling = budget(window="rolling", rolling_hours=hours)
    found = window_of(rolling, us(now), ZoneInfo(zone))
    assert found == Window(us(start), us(end))
    assert resets_us(rolling, found, ZoneInfo(zone)) == us(end)


def test_a_lifetime_has_no_edges() -> None:
    found = window_of(budget(window="lifetime"), us("2026-03-01T00:00"), ZoneInfo("UTC"))
    assert found == Window(0, 0)
    assert found.has(0)
    assert found.has(1 << 61)
    assert resets_us(budget(window="lifetime"), found, ZoneInfo("UTC")) == 0


MAYA = Spender(
    member_id="mem_1", squad_id="sqd_1", key_id="key_1", repository="r1", session_id="ses_1"
)
NOBODY = Spender()


@pytest.mark.parametrize(
    ("fields", "subject"),
    [
        ({}, Subject("organization")),
        ({"scope": "squad", "scope_id": "sqd_1"}, Subject("squad", "sqd_1")),
        (
            {"scope": "squad", "scope_id": "sqd_1", "per_head": True},
            Subject("squad", "sqd_1", "mem_1"),
        ),
        ({"scope": "squad", "scope_id": "sqd_2"}, None),
        ({"scope": "member", "scope_id": "mem_1"}, Subject("member", "mem_1")),
        ({"scope": "member", "scope_id": EACH}, Subject("member", "mem_1")),
        ({"scope": "key", "scope_id": "key_2"}, None),
        ({"scope": "key", "scope_id": EACH}, Subject("key", "key_1")),
        ({"scope": "repository", "scope_id": "r1"}, Subject("repository", "r1")),
        ({"scope": "session", "scope_id": EACH}, Subject("session", "ses_1")),
    ],
)
def test_whose_request_counts(fields: dict[str, object], subject: Subject | None) -> None:
    found = subject_of(budget(**fields), MAYA)
    assert found == subject
    if subject is not None:
        assert subject_from(budget(**fields), subject.text) == subject
    of_nobody = subject_of(budget(**fields), NOBODY)
    assert of_nobody == (Subject("organization") if not fields else None)


def test_raises_count_while_they_last_and_for_whom_they_are() -> None:
    def raised(extra: int, **fields: object) -> Raise:
        plain: dict[str, object] = {
            "raise_id": "r", "organization_id": "org_1", "budget_id": "bud_1",
            "extra_nusd": extra, "from_us": 100, "until_us": 200,
        }  # fmt: skip
        return Raise(**(plain | fields))  # type: ignore[arg-type]

    raises = [
        raised(1),
        raised(10, subject="mem_1"),
        raised(100, budget_id="bud_2"),
        raised(1000, from_us=150),
    ]
    mine = budget(amount_nusd=5)
    assert [limit_at(mine, raises, at) for at in (99, 100, 150, 199, 200)] == [
        5, 6, 1006, 1006, 5,
    ]  # fmt: skip
    assert limit_at(mine, raises, 100, "mem_1") == 16
    assert limit_at(mine, raises, 100, "mem_2") == 6


@pytest.mark.parametrize(
    ("spent", "held", "wanted", "limit", "passes"),
    [
        (0, 0, 10, 10, True),
        (0, 1, 10, 10, False),
        (5, 4, 1, 10, True),
        (5, 5, 0, 10, False),
        (10, 0, 0, 10, False),
        (0, 0, 0, 0, False),
        (0, 0, 0, 1, True),
    ],
)
def test_what_fits(spent: int, held: int, wanted: int, limit: int, passes: bool) -> None:
    assert fits(Standing(spent, held), wanted, limit) is passes


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"])
@pytest.mark.parametrize(
    ("start", "hours"),
    [("2026-03-27T05:00", 1), ("2026-03-27T05:00", 300), ("2026-10-01T00:00", 700)],
)
def test_slices_leave_nothing_out_and_count_nothing_twice(
    zone: str, start: str, hours: int
) -> None:
    where = ZoneInfo(zone)
    start_us = bucket_start_us(Span.HOUR, us(start), where)
    end_us = bucket_start_us(Span.HOUR, us(start) + hours * HOUR_US, where)
    slices = slices_between(start_us, end_us, where)
    for at_us in range(us(start) - 100 * HOUR_US, us(start) + (hours + 100) * HOUR_US, HOUR_US):
        buckets = [
            part.start_us <= bucket_start_us(part.span, at_us, where) < part.end_us
            for part in slices
        ]
        assert sum(buckets) == (start_us <= at_us < end_us)
    assert len(slices) <= 5


def test_all_time_is_runs_of_ten_days() -> None:
    assert slices_between(0, 0, ZoneInfo("UTC")) == (Slice(Span.TEN_DAYS, 0, 1 << 62),)


@pytest.mark.parametrize(
    ("days", "left_us", "band"),
    [
        ([10] * 14, DAY_US, Band(110, 110)),
        ([10, 20, 30, 40, 50], 2 * DAY_US, Band(140, 180)),
        ([0, 0, 0, 0, 10, 20, 30, 40, 50], 2 * DAY_US, Band(140, 180)),  # it began then
        ([10, 0, 0, 0, 10], DAY_US // 2, Band(100, 105)),
        ([10, 20], DAY_US, None),
        ([], DAY_US, None),
        ([0] * 14, DAY_US, None),
        ([10, 20, 30], 0, Band(100, 100)),
    ],
)
def test_where_a_window_will_likely_end(days: list[int], left_us: int, band: Band | None) -> None:
    assert project(100, days, left_us, DAY_US) == band
