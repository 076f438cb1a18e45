"""Numbers as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.console import formats


@pytest.mark.parametrize(
    ("nusd", "shown", "exact"),
    [
        (0, "$0.00", "$0.00"),
        (1, "<$0.01", "$0.000000001"),
        (9_999_999, "<$0.01", "$0.009999999"),
        (10_000_000, "$0.01", "$0.01"),
        (25_000_000, "$0.02", "$0.025"),
        (35_000_000, "$0.04", "$0.035"),
        (1_284_200_000_000, "$1,284.20", "$1,284.20"),
        (999_995_000_001, "$1,000.00", "$999.995000001"),
    ],
)
def test_money(nusd: int, shown: str, exact: str) -> None:
    assert formats.money(nusd) == shown
    assert formats.exact_money(nusd) == exact


@given(st.integers(0, 10**18))
def test_exact_money_loses_nothing(nusd: int) -> None:
    whole, _, nano = formats.exact_money(nusd)[1:].replace(",", "").partition(".")
    assert int(whole) * 10**9 + int(nano.ljust(9, "0")) == nusd


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"),
        (9_999, "9,999"),
        (10_000, "10.0K"),
        (999_949, "999.9K"),
        (999_950, "1.0M"),
        (12_400_000, "12.4M"),
        (999_960_000, "1.00B"),
        (5_630_000_000, "5.63B"),
        (10**16, "10,000.00T"),
    ],
)
def test_tokens(number: int, shown: str) -> None:
    assert formats.tokens(number) == shown


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Maya Lindqvist", "ML"),
        ("Ana Maria de Souza", "AS"),
        ("priya.raman@brightwater.dev", "PR"),
        ("maya@brightwater.dev", "M"),
        ("<script>", "S"),
        ("محمد علي", "مع"),
        ("🌊 🌊", "?"),
        ("", "?"),
    ],
)
def test_initials(name: str, letters: str) -> None:
    assert formats.initials(name) == letters


def test_first_letter() -> None:
    assert formats.first_letter("brightwater") == "B"
    assert formats.first_letter("“") == "?"


def test_plural() -> None:
    assert [formats.plural(n, "member") for n in (0, 1, 2_000)] == [
        "0 members",
        "1 member",
        "2,000 members",
    ]


@pytest.mark.parametrize(
    ("now", "before", "shown"),
    [
        (108_4, 1000, "8.4 %"),
        (0, 500, "100 %"),
        (1_999, 1_000, "99.9 %"),
        (2_000, 1_000, "100 %"),
        (3_400, 1_000, "240 %"),
        (12_000, 1_000, "12 times"),
        (5 * 10**15, 1, "5,000,000,000,000,000 times"),
        (5, 0, ""),
        (1_000_001, 1_000_000, "0.0 %"),
    ],
)
def test_change(now: int, before: int, shown: str) -> None:
    assert formats.change(now, before) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "just now"),
        (59, "just now"),
        (60, "1 min ago"),
        (3_599, "59 min ago"),
        (3_600, "1 h ago"),
        (86_399, "23 h ago"),
        (86_400, "yesterday"),
        (2 * 86_400, "2 days ago"),
        (30 * 86_400, "30 days ago"),
        (31 * 86_400, "3 Nov 2026"),
    ],
)
def test_ago(seconds: int, shown: str) -> None:
    assert formats.ago(0, seconds * 1_000_000, date="3 Nov 2026") == shown


def test_utc() -> None:
    assert formats.utc(1_795_348_800_000_000) == "2026-11-22T12:00:00Z"


@pytest.mark.parametrize(
    ("nusd", "shown"),
    [
        (0, "$0.0000"),
        (99_999, "<$0.0001"),
        (100_000, "$0.0001"),
        (90_248_125, "$0.0902"),
        (90_250_000, "$0.0902"),
        (1_284_200_050_000, "$1,284.2000"),
    ],
)
def test_fine_money(nusd: int, shown: str) -> None:
    assert formats.fine_money(nusd) == shown


@pytest.mark.parametrize(
    ("us", "shown"),
    [
        (400, "0 ms"),
        (840_000, "840 ms"),
        (999_499, "999 ms"),
        (999_501, "1.0 s"),
        (4_249_999, "4.2 s"),
        (99_900_000, "99.9 s"),
        (125_000_000, "2 min 5 s"),
    ],
)
def test_duration(us: int, shown: str) -> None:
    assert formats.duration(us) == shown
