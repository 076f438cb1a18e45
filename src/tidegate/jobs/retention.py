"""Deletes detail that is older than its organization keeps it: hourly, and after a change."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from tidegate.jobs.passes import again
from tidegate.services.log import Log
from tidegate.services.retention import Retention, Settings

EVERY_S: Final = 3600.0
POLL_S: Final = 15.0
_BREATH_S: Final = 0.02  # between two steps, so that the drain's turn comes


class RetentionJob:
    """Runs beside the console's pages; a pass that fails is tried again."""

    def __init__(
        self, retention: Retention, log: Log, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._retention = retention
        self._log = log
        self._clock_s = clock_s
        self._done: Settings | None = None  # what the last whole pass went by
        self._due_s = 0.0

    async def run(self, stop: asyncio.Event, poll_s: float = POLL_S) -> None:
        """Delete what is due until told to stop."""
        await again(stop, poll_s, lambda: self.run_once(stop), "retention.failed", self._log)

    def run_once(self, stop: asyncio.Event) -> bool:
        """Delete what is due, if a pass is: whether it was."""
        settings = self._retention.settings()
        if settings == self._done and self._clock_s() < self._due_s:
            return False

        def may_go_on() -> bool:
            time.sleep(_BREATH_S)
            return not stop.is_set()

        deleted = self._retention.apply(may_go_on)
        if deleted.events or deleted.captures:
            self._log.info("retention.deleted", events=deleted.events, captures=deleted.captures)
        self._done, self._due_s = settings, self._clock_s() + EVERY_S
        return True
