"""Calls that nothing claimed are settled again and again, whatever ails the store."""

import asyncio
from pathlib import Path

import pytest

from tidegate.jobs.session_calls import SessionCallsJob
from tidegate.services.log import NoLog
from tidegate.services.session_calls import SessionCalls
from tidegate.store.ports import StoreUnavailable
from tidegate.store.sql.database import open_store

pytestmark = pytest.mark.slow


class Failing(SessionCalls):
    """Fails at first, then does its work, and says when it has done so."""

    passes = 0
    stop: asyncio.Event
    loop: asyncio.AbstractEventLoop

    def expire(self) -> int:
        self.passes += 1
        if self.passes == 1:
            raise StoreUnavailable
        if self.passes == 3:
            self.loop.call_soon_threadsafe(self.stop.set)
        return super().expire() + 1


def test_a_failed_pass_is_made_again(tmp_path: Path) -> None:
    store = open_store(data_dir=tmp_path / "data")
    calls = Failing(store, lambda: 0, lambda: 0)

    async def run() -> None:
        calls.stop, calls.loop = asyncio.Event(), asyncio.get_running_loop()
        await SessionCallsJob(calls, NoLog()).run(calls.stop, every_s=0.001)

    asyncio.run(run())
    store.close()
    assert calls.passes >= 3
