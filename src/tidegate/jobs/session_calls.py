"""Settles, now and then, the calls of agents that no request has claimed for a day."""

import asyncio
import contextlib
from typing import Final

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
        while not stop.is_set():
            try:
                settled = await asyncio.to_thread(self._calls.expire)
            except Exception as fault:  # noqa: BLE001 - the loop outlives whatever ails the store
                self._log.error("session_calls.failed", error=str(fault), retry_s=every_s)
            else:
                if settled:
                    self._log.info("session_calls.settled", calls=settled)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), every_s)
