"""The state machine of alerts: told once, over, re-armed, silenced."""

import hashlib
import hmac
import re
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from tidegate.core.alerts import Ended, Reading, State, Step, crossing, step
from tidegate.core.quiet_hours import QuietHours
from tidegate.core.signatures import is_signed, signature

HOUR_US = 3_600_000_000
NEW = State(rule_id="rule_1", organization_id="org_1", subject="bud_1")
LEVELS = (50, 80, 100)


class Watched:
    """A subject as its service keeps it: an alert is open from when it is told to its end."""

    def __init__(self, *, window: str = "", release: int = 100) -> None:
        self.state = NEW
        self.window = window
        self.release = release
        self.told: list[str] = []

    def read(self, value: int, *, window: str | None = None, now_us: int = 0) -> Step:
        reading = Reading(
            subject="bud_1",
            value=value,
            window=self.window if window is None else window,
            release=self.release,
        )
        taken = step(self.state, LEVELS, reading, now_us)
        self.state = taken.state
        if taken.fired:
            name = crossing(reading, taken.fired, taken.rearmed)
            self.told.append(name)
            self.state = replace(self.state, alert_id=name)
        return taken


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([10, 49], []),
        ([50, 50, 60, 79], [50]),
        ([49, 80, 99], [80]),
        ([50, 80, 100, 130], [50, 80, 100]),
        ([200], [100]),
        ([100, 0, 100], [100, 100]),  # a raise, and again
        ([100, 85, 100], [100, 100]),
        ([100, 85, 81, 85], [100]),  # 80 % was passed and never left
    ],
)
def test_each_crossing_is_told_once(values: list[int], told: list[int]) -> None:
    watched = Watched()
    assert [t for v in values if (t := watched.read(v).fired)] == told


def test_several_thresholds_at_once_are_one_alert() -> None:
    taken = Watched().read(130)
    assert (taken.fired, taken.passed) == (100, (50, 80))


def test_a_higher_threshold_ends_the_alert_of_the_lower() -> None:
    watched = Watched()
    watched.read(50)
    taken = watched.read(80)
    assert (taken.fired, taken.ended) == (80, Ended.OVERTAKEN)


def test_what_flaps_is_over_only_well_below() -> None:
    watched = Watched(release=95)
    assert watched.read(100).fired == 100
    assert [watched.read(v).ended for v in (99, 101, 95)] == ["", "", ""]
    assert watched.read(94).ended == Ended.BELOW
    assert watched.read(100).fired == 100


def test_a_new_window_is_a_new_crossing() -> None:
    watched = Watched(window="1")
    watched.read(100)
    taken = watched.read(60, window="2")
    assert (taken.ended, taken.fired) == (Ended.WINDOW, 50)
    assert watched.told == ["1:100:0", "2:50:0"]


def test_a_clock_that_jumps_to_another_window_and_back_tells_nothing_anew() -> None:
    watched = Watched(window="5")
    for window in ("5", "9", "5", "1", "5", "9"):
        watched.read(100, window=window)
    assert watched.told == ["5:100:0", "9:100:0", "1:100:0"]


@pytest.mark.parametrize(
    ("value", "levels", "fired", "ended"),
    [
        (55, (50,), 0, ""),
        (55, (90,), 0, Ended.RULE),  # no threshold of the rule is reached
        (95, (90,), 90, Ended.RULE),
        (55, (20, 90), 20, Ended.RULE),
        (55, (40, 54), 54, Ended.RULE),
    ],
)
def test_other_thresholds_end_what_they_told(
    value: int, levels: tuple[int, ...], fired: int, ended: str
) -> None:
    watched = Watched()
    watched.read(55)
    reading = Reading(subject="bud_1", value=value)
    taken = step(watched.state, levels, reading, 0)
    assert (taken.fired, taken.ended) == (fired, ended)
    assert step(taken.state, levels, reading, 0).state == taken.state
    assert step(taken.state, LEVELS, replace(reading, value=0), 0).state.peak == 0


def test_what_cannot_be_told_is_not_told_but_ends() -> None:
    reading = Reading(subject="bud_1", value=100, may_fire=False)
    taken = step(NEW, LEVELS, reading, 0)
    assert (taken.fired, taken.state) == (0, NEW)


def test_what_never_happened_is_not_remembered() -> None:
    watched = Watched(window="1")
    for window in ("1", "2", "3"):
        watched.read(10, window=window)
    assert watched.state == NEW


def test_a_snooze_that_ends_reminds_once() -> None:
    watched = Watched()
    watched.read(100)
    watched.state = replace(watched.state, snoozed_until_us=HOUR_US)
    assert watched.state.is_silent(HOUR_US - 1)
    assert not watched.read(100, now_us=HOUR_US - 1).reminded
    assert watched.read(100, now_us=HOUR_US).reminded
    assert not watched.read(100, now_us=HOUR_US).reminded


def test_a_snooze_of_a_clock_that_jumped_holds_not() -> None:
    watched = Watched()
    watched.read(100)
    watched.state = replace(watched.state, snoozed_until_us=10**18)
    assert not watched.state.is_silent(HOUR_US)
    assert watched.read(100, now_us=HOUR_US).reminded


def test_what_is_muted_reminds_of_nothing() -> None:
    watched = Watched()
    watched.read(100)
    watched.state = replace(watched.state, snoozed_until_us=HOUR_US, muted=True)
    assert not watched.read(100, now_us=HOUR_US).reminded
    assert watched.state.is_silent(HOUR_US)


BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = QuietHours(22 * 60, 7 * 60)


def at(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return int(moment.timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("when", "quiet"),
    [
        ("2026-03-28T20:59:00+00:00", False),  # 21:59
        ("2026-03-28T21:00:00+00:00", True),  # 22:00
        ("2026-03-29T04:59:00+00:00", True),  # 6:59, clocks went forward at 2:00
        ("2026-03-29T05:00:00+00:00", False),  # 7:00
        ("2026-10-24T19:59:00+00:00", False),
        ("2026-10-24T20:00:00+00:00", True),
        ("2026-10-25T00:30:00+00:00", True),  # 2:30, the first
        ("2026-10-25T01:30:00+00:00", True),  # 2:30 again
        ("2026-10-25T05:59:00+00:00", True),  # 6:59, clocks went back at 3:00
        ("2026-10-25T06:00:00+00:00", False),
    ],
)
def test_quiet_hours_follow_the_clock_on_the_wall(when: str, quiet: bool) -> None:
    assert NIGHT.has(at(when), BERLIN) is quiet


def test_hours_of_one_day_and_none_at_all() -> None:
    noon = at("2026-06-01T10:30:00+00:00")  # 12:30
    assert QuietHours(12 * 60, 13 * 60).has(noon, BERLIN)
    assert not QuietHours(13 * 60, 14 * 60).has(noon, BERLIN)
    assert not QuietHours(0, 0).has(noon, BERLIN)


@pytest.mark.parametrize(
    ("secret", "timestamp", "body", "now_s", "good"),
    [
        ("s", "1000", b"{}", 1000, True),
        ("s", "1000", b"{}", 1300, True),
        ("s", "1000", b"{}", 1301, False),  # played again
        ("s", "1000", b"{}", 699, False),
        ("other", "1000", b"{}", 1000, False),
        ("s", "1001", b"{}", 1000, False),
        ("s", "1000", b"{ }", 1000, False),
        ("s", "1000x", b"{}", 1000, False),
        ("s", "", b"{}", 1000, False),
        ("s", "9" * 40, b"{}", 1000, False),
    ],
)
def test_a_signature(secret: str, timestamp: str, body: bytes, now_s: int, good: bool) -> None:
    given = signature("s", 1000, b"{}")
    assert given.startswith("v1=")
    assert is_signed(secret, given, timestamp, body, now_s) is good
    assert not is_signed(secret, "v1=", "1000", b"{}", 1000)


def test_receivers_can_check_a_signature_as_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text()
    [example] = re.findall(r"```python\n(.*?)```", page, re.S)
    timestamp, body = str(int(time.time())), b'{"id": "dlv_1"}'

    def is_genuine(secret: str, given: bytes, at: str) -> bool:
        names: dict[str, Any] = {"hmac": hmac, "hashlib": hashlib, "time": time}
        names |= {"secret": secret, "timestamp": at, "body": given}
        names["signature"] = signature("tgw_1", int(timestamp), body)
        exec(example, names)
        return bool(names["genuine"])

    assert is_genuine("tgw_1", body, timestamp)
    assert not is_genuine("tgw_2", body, timestamp)
    assert not is_genuine("tgw_1", body + b" ", timestamp)
    assert not is_genuine("tgw_1", body, str(int(timestamp) - 301))
