"""Charts as numbers: scales, least heights, empty and single buckets, huge values."""

import re

import pytest

from tidegate.console import charts
from tidegate.console.charts import chart, nice_step, sparkline


def percent(text: str) -> float:
    assert text.endswith("%")
    return float(text[:-1])


@pytest.mark.parametrize(
    ("most", "step"),
    [(0, 1), (1, 1), (2, 1), (3, 2), (7, 4), (17, 10), (20, 10), (21, 15), (31, 20), (99, 50),
     (100, 50), (101, 60), (159, 80), (161, 100), (178_000_000_000, 100_000_000_000),
     (10**18 + 1, 6 * 10**17)],
)  # fmt: skip
def test_two_grid_lines_are_round_and_cover_the_most(most: int, step: int) -> None:
    assert nice_step(most) == step
    assert 2 * step >= most


def test_bars_stand_on_the_base_and_never_leave_the_plot() -> None:
    drawn = chart([0, 1, 50, 100])
    assert [bar.height for bar in drawn.bars] == [0, charts._LEAST, 111, 222]
    assert {bar.y + bar.height for bar in drawn.bars} == {drawn.base}
    assert min(bar.y for bar in drawn.bars) == drawn.top


@pytest.mark.parametrize("count", [1, 12, 24, 90])
def test_slots_fill_the_width(count: int) -> None:
    drawn = chart([1] * count)
    width = percent(drawn.slot_width)
    assert width * count == pytest.approx(100, abs=0.05)
    for i, bar in enumerate(drawn.bars):
        assert percent(bar.slot_x) == pytest.approx(i * width, abs=0.05)
        inside = percent(bar.x) - percent(bar.slot_x)
        assert inside == pytest.approx((width - percent(drawn.bar_width)) / 2, abs=0.01)


def test_only_the_last_bucket_can_be_running() -> None:
    assert [bar.running for bar in chart([1, 1, 1], running=True).bars] == [False, False, True]
    assert not any(bar.running for bar in chart([1, 1, 1]).bars)


def test_grid_lines_are_no_closer_than_asked() -> None:
    drawn = chart([0, 7], least_step=100_000)
    assert [line.value for line in drawn.lines] == [200_000, 100_000]
    assert drawn.bars[1].height == charts._LEAST


def test_nothing_at_all_is_drawn_without_bars() -> None:
    assert chart([0] * 30).lines == []
    assert [bar.height for bar in chart([0] * 30).bars] == [0] * 30
    assert chart([]).bars == []
    assert sparkline([]).bars == sparkline([]).last == ""


def test_names_at_the_edges_stay_inside() -> None:
    names = chart([1] * 30, [(0, "a"), (15, "b"), (29, "c")]).names
    assert [(n.x, n.anchor) for n in names] == [
        ("0%", "start"),
        ("51.667%", "middle"),
        ("100%", "end"),
    ]


def test_a_sparkline_has_a_stroke_for_each_bucket_with_something_in_it() -> None:
    line = sparkline([0, 5, 10, 0, 1], running=True)
    assert line.bars == "M4 30V15M7 30V0"
    assert line.last == "M13 30V27"
    assert line.width == 14
    assert line.stubs == "M0 29.25H14"


def test_a_sparkline_of_ninety_days_is_small() -> None:
    line = sparkline(list(range(90)))
    assert len(line.bars) < 1000
    assert len(re.findall("M", line.bars)) == 89


def test_the_least_stays_visible_beside_the_most() -> None:
    assert sparkline([1, 10**18]).bars == "M1 30V28M4 30V0"
    assert charts.scaled(-5, 10, 100) == 0


@pytest.mark.parametrize(
    ("nusd", "shown"),
    [(200 * 10**9, "$200"), (1_500 * 10**9, "$1.5K"), (25 * 10**7, "$0.25"), (5 * 10**8, "$0.50"),
     (2 * 10**6, "$0.002"), (15 * 10**8, "$1.50"), (60 * 10**15, "$60M")],
)  # fmt: skip
def test_money_on_the_axis(nusd: int, shown: str) -> None:
    assert charts.axis_money(nusd) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [(1, "1"), (500, "500"), (1_500, "1.5K"), (20_000_000, "20M"), (3 * 10**9, "3B"),
     (6 * 10**17, "600P")],
)  # fmt: skip
def test_counts_on_the_axis(number: int, shown: str) -> None:
    assert charts.axis_count(number) == shown
