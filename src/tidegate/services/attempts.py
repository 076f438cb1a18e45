"""A bounded, in-memory limit on attempts, per whatever they are aimed at."""

from collections import OrderedDict
from math import ceil
from threading import Lock
from typing import Final

from tidegate.services.context import Clock
from tidegate.services.errors import TooMany

_SECOND_US: Final = 1_000_000


class AttemptLimit:
    """A token bucket per subject, for one process.

    An attempt is counted when it begins, so that many at once do not slip through, and given back
    if it was right. When too many subjects are remembered, the longest quiet one is forgotten.
    """

    def __init__(self, clock: Clock, *, burst: int, refill_s: int, subjects: int = 10_000) -> None:
        self._clock = clock
        self._burst = float(burst)
        self._refill_us = refill_s * _SECOND_US
        self._subjects = subjects
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()  # left, at
        self._lock = Lock()

    def begin(self, subject: str) -> None:
        """Count an attempt, or TooMany."""
        with self._lock:
            left = self._left(subject)
            if left < 1:
                wait_us = (1 - left) * self._refill_us
                raise TooMany(ceil(wait_us / _SECOND_US))
            self._put(subject, left - 1)

    def give_back(self, subject: str) -> None:
        """The attempt was right."""
        with self._lock:
            self._put(subject, self._left(subject) + 1)

    def _left(self, subject: str) -> float:
        now_us = self._clock()
        left, at_us = self._buckets.get(subject, (self._burst, now_us))
        return min(self._burst, left + max(0, now_us - at_us) / self._refill_us)

    def _put(self, subject: str, left: float) -> None:
        if left >= self._burst:
            self._buckets.pop(subject, None)
            return
        self._buckets[subject] = (left, self._clock())
        self._buckets.move_to_end(subject)
        if len(self._buckets) > self._subjects:
            self._buckets.popitem(last=False)
