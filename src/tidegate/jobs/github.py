"""Asks GitHub, beside the console's pages, for what webhooks did not tell."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from tidegate.jobs.passes import again
from tidegate.services.github_sync import GithubSync
from tidegate.services.log import Log

POLL_S: Final = 5.0
_FORGET_EVERY_S: Final = 3600.0


class GithubJob:
    """Looks every few seconds whose turn it is; replicas take turns by the store."""

    def __init__(
        self, sync: GithubSync, log: Log, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._sync = sync
        self._log = log
        self._clock_s = clock_s
        self._forget_at_s = 0.0

    async def run(self, stop: asyncio.Event, poll_s: float = POLL_S) -> None:
        """Ask until told to stop."""
        await again(stop, poll_s, lambda: self.run_once(stop), "github.failed", self._log)

    def run_once(self, stop: asyncio.Event) -> int:
        """One pass for each whose turn it is: how many."""
        due = self._sync.due()
        for organization_id in due:
            if stop.is_set():
                break
            done = self._sync.run(organization_id, lambda: not stop.is_set())
            if done.fault:
                self._log.warning("github.fault", organization=organization_id, fault=done.fault)
            else:
                self._log.info(
                    "github.read",
                    organization=organization_id,
                    repositories=done.repositories,
                    pull_requests=done.pull_requests,
                )
        if self._clock_s() >= self._forget_at_s:
            self._sync.forget_old()
            self._forget_at_s = self._clock_s() + _FORGET_EVERY_S
        return len(due)
