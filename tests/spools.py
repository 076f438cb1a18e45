"""A spool that keeps what it is handed in lists."""

import threading
from collections.abc import Callable

from tidegate.core.model import RequestStart, UsageEvent
from tidegate.gateway.spool import SpoolHealth


class ListSpool:
    """Takes everything, unless a test says why it is `full`."""

    def __init__(self) -> None:
        self.starts: list[RequestStart] = []
        self.events: list[UsageEvent] = []
        self.unmetered = 0
        self.syncs = 0
        self.disk = threading.Event()  # a sync takes until it is set
        self.disk.set()
        self.full: OSError | None = None
        self.age_s = 0.0

    def begin(self, start: RequestStart) -> None:
        if self.full is not None:
            raise self.full
        self.starts.append(start)

    def append(self, event: UsageEvent) -> None:
        self.events.append(event)

    def count_unmetered(self) -> None:
        self.unmetered += 1

    def syncing(self) -> Callable[[], None]:
        return self._sync

    def _sync(self) -> None:
        self.disk.wait(20)
        self.syncs += 1

    def health(self) -> SpoolHealth:
        return SpoolHealth(
            size_bytes=0,
            limit_bytes=1 << 30,
            age_s=self.age_s,
            unmetered=self.unmetered,
            fault=str(self.full or ""),
        )
