"""Where a window's spend will end if things go on as in the days before."""

from collections.abc import Sequence
from typing import Final

import msgspec

DAYS: Final = 14
"""How many whole days say what the pace is."""
_FEWEST: Final = 3


class Band(msgspec.Struct, frozen=True):
    """Between which amounts it will likely be, in nano-USD."""

    low_nusd: int
    high_nusd: int


def project(gone_nusd: int, days: Sequence[int], left_us: int, day_us: int) -> Band | None:
    """What is gone, and for the time that is left the quartiles of what whole days cost.

    `days` are the oldest first; those before the first that cost anything do not count. None with
    too few of them.
    """
    used = next((days[at:] for at, cost in enumerate(days) if cost), ())
    if len(used) < _FEWEST or left_us < 0:
        return None
    ordered = sorted(used)
    low, high = (_quantile(ordered, quarter) for quarter in (1, 3))
    return Band(gone_nusd + low * left_us // day_us, gone_nusd + high * left_us // day_us)


def _quantile(ordered: Sequence[int], quarter: int) -> int:
    """Between two neighbours in proportion."""
    at, rest = divmod(quarter * (len(ordered) - 1), 4)
    above = ordered[min(at + 1, len(ordered) - 1)]
    return ordered[at] + (above - ordered[at]) * rest // 4
