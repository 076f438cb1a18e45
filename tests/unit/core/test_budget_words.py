"""The sentence and the headers of budgets."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tidegate.core.budget_words import exceeded, hours_text, standing_headers, usd, words
from tidegate.core.budgets import Budget, BudgetRefusal, Standing, Subject

CENT = 10_000_000
BERLIN = ZoneInfo("Europe/Berlin")
NEW_YEAR_US = 1_798_758_000_000_000  # 2027-01-01 00:00 in Berlin


def budget(**fields: Any) -> Budget:
    return Budget(budget_id="bud_1", organization_id="org_1", **fields)


def sentence(spent: int, held: int, wanted: int, limit: int, resets_us: int, **of: Any) -> str:
    refusal = BudgetRefusal(
        budget=budget(**of),
        subject=Subject("member", "mem_1"),
        standing=Standing(spent * CENT, held * CENT),
        wanted_nusd=wanted * CENT,
        limit_nusd=limit * CENT,
        resets_us=resets_us,
    )
    return exceeded(refusal, BERLIN, 0).message


ASK = ' To ask for more, run: tidegate budget request --amount 20 --reason "…"'


def test_it_says_which_how_much_when_and_how_to_ask() -> None:
    assert sentence(2000, 0, 10, 2000, NEW_YEAR_US, scope="member") == (
        "Your monthly budget ($20.00) is used up."
        " It resets on Friday, 1 January 2027, 00:00 (Europe/Berlin)." + ASK
    )
    assert sentence(1900, 100, 10, 2000, NEW_YEAR_US, scope="squad", name="Platform") == (
        'Your squad\'s monthly budget "Platform" ($20.00) is used up, $1.00 of it by requests that'
        " still run. It resets on Friday, 1 January 2027, 00:00 (Europe/Berlin)." + ASK
    )
    assert sentence(1950, 0, 76, 2000, 0, scope="session", window="lifetime") == (
        "This session's budget ($20.00) has $0.50 left, and this request may cost $0.76."
        " It does not reset." + ASK
    )
    assert "The oldest spend leaves it on Friday, 1 January" in sentence(
        5, 0, 5, 5, NEW_YEAR_US, window="rolling", rolling_hours=5
    )


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (1, "1 hour"), (5, "5 hours"), (24, "24 hours"), (36, "36 hours"), (48, "2 days"),
        (168, "7 days"), (720, "30 days"), (2159, "2,159 hours"),
    ],
)  # fmt: skip
def test_how_long_a_rolling_window_is(hours: int, expected: str) -> None:
    assert hours_text(hours) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"window": "day"}, "Your organization's daily budget"),
        ({"window": "week", "scope": "key"}, "This key's weekly budget"),
        ({"window": "rolling", "rolling_hours": 5}, "Your organization's 5 hour budget"),
        ({"window": "rolling", "rolling_hours": 720}, "Your organization's 30 day budget"),
        ({"scope": "repository", "name": "x"}, 'This repository\'s monthly budget "x"'),
    ],
)
def test_which_budget(fields: Any, expected: str) -> None:
    assert words(budget(**fields)) == expected


@pytest.mark.parametrize(
    ("nusd", "up", "expected"),
    [
        (0, False, "$0.00"),
        (1_000, False, "$0.0000"),
        (5_000_000, False, "$0.0050"),
        (19_999_999, False, "$0.01"),
        (19_999_999, True, "$0.02"),
        (1_234_567 * 10**9, False, "$1,234,567.00"),
        (-15 * CENT, False, "-$0.15"),
    ],
)
def test_amounts(nusd: int, up: bool, expected: str) -> None:
    assert usd(nusd, up=up) == expected


@pytest.mark.parametrize(
    ("gone", "status", "threshold"),
    [
        (0, b"allowed", None),
        (74, b"allowed", None),
        (75, b"allowed_warning", b"0.75"),
        (94, b"allowed_warning", b"0.75"),
        (95, b"allowed_warning", b"0.95"),
        (120, b"allowed_warning", b"0.95"),
    ],
)
def test_headers_of_a_success(gone: int, status: bytes, threshold: bytes | None) -> None:
    found = dict(standing_headers(gone, NEW_YEAR_US))
    prefix = b"anthropic-ratelimit-unified-"
    assert found[prefix + b"status"] == found[prefix + b"overage-status"] == status
    assert found.get(prefix + b"overage-surpassed-threshold") == threshold
    assert found[prefix + b"reset"] == b"1798758000"
    assert prefix + b"reset" not in dict(standing_headers(gone, 0))
