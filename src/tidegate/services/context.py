"""What every service is made with."""

import time
from collections.abc import Callable

from tidegate.services.vault import Subkeys
from tidegate.store.ports import Store

Clock = Callable[[], int]


def now_us() -> int:
    """The clock of a running program: UTC microseconds since the epoch."""
    return time.time_ns() // 1000


class Service:
    """A service works on a store, with the sub-keys it needs, at a clock's time."""

    def __init__(self, store: Store, subkeys: Subkeys, clock: Clock = now_us) -> None:
        self._store = store
        self._directory = store.directory
        self._subkeys = subkeys
        self._clock = clock
