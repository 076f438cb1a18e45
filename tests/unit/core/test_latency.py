from itertools import pairwise

import pytest

from tidegate.core.latency import bin_of, duration_us, percentile_us

TIMES = [1000, 1001, 5_000, 99_999, 1_000_000, 30_000_000, 3_600_000_000, 1 << 60]


@pytest.mark.parametrize("time_us", TIMES)
def test_a_bin_is_near(time_us: int) -> None:
    assert 0.95 * time_us <= duration_us(bin_of(time_us)) <= 1.05 * time_us


def test_bins_are_in_order() -> None:
    numbers = [bin_of(time_us) for time_us in [-5, 0, 999, *TIMES]]
    assert numbers[:4] == [0, 0, 0, 0]
    assert numbers == sorted(numbers)
    assert all(duration_us(n) < duration_us(m) for n, m in pairwise(range(200)))


@pytest.mark.parametrize(
    ("counts", "percent", "expected"),
    [
        ({}, 50, None),
        ({7: 1}, 50, 7),
        ({7: 1}, 95, 7),
        ({7: 1, 9: 1}, 50, 7),
        ({9: 1, 7: 1}, 95, 9),
        ({1: 94, 2: 1, 3: 5}, 95, 2),
        ({1: 94, 3: 6}, 95, 3),
    ],
)
def test_a_percentile(counts: dict[int, int], percent: int, expected: int | None) -> None:
    found = percentile_us(counts, percent)
    assert found == (0 if expected is None else duration_us(expected))
