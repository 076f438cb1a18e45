"""Settles, now and then, the calls of agents that no request has claimed for a day."""

import asyncio
from typing import Final

from tidegate.jobs.passes import again
from tidegate.services.log import Log
from tidegate.services.session_calls import SessionCalls

EVERY_S: Final = 600.0


class SessionCallsJob:
    """Runs beside the console's pages; a pass that fails is tried again with the next."""

    def __init__(self, calls: SessionCalls, log: Log) -> None:
        self._calls = calls
        self._log = log

    async def run(self, stop: asyncio.Event, every_s: float = EVERY_S) -> None:
        """Settle what is due until told to stop."""
        await again(stop, every_s, self.run_once, "session_calls.failed", self._log)

    def run_once(self) -> None:
        """Settle what is due."""
        if settled := self._calls.expire():
            self._log.info("session_calls.settled", calls=settled)
