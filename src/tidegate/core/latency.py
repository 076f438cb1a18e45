"""How long requests took, counted in bins: sums of bins stay sums, and percentiles come of them.

A bin is an eighth of a doubling wide, so that what is read from it is good to five percent.
"""

from collections.abc import Mapping
from math import log2
from typing import Final

_LEAST_US: Final = 1000
_BINS_PER_DOUBLING: Final = 8


def bin_of(duration_us: int) -> int:
    """The bin that a duration is counted in; the first one holds all up to a millisecond."""
    return int(_BINS_PER_DOUBLING * log2(max(duration_us, _LEAST_US) / _LEAST_US))


def duration_us(number: int) -> int:
    """The middle of a bin."""
    return round(_LEAST_US * 2 ** ((number + 0.5) / _BINS_PER_DOUBLING))


def percentile_us(counts: Mapping[int, int], percent: int) -> int:
    """The time that so many of 100 took no longer than, from the numbers in each bin."""
    wanted = (sum(counts.values()) * percent + 99) // 100
    for number in sorted(counts):
        wanted -= counts[number]
        if wanted <= 0:
            return duration_us(number)
    return 0
