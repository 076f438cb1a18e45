"""Passes that are made again and again: they outlive whatever ails what they work on."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final

from tidegate.services.log import Log

_MAX_PAUSE_S: Final = 30.0
_MAX_CHARS: Final = 300  # of a fault


async def again(
    stop: asyncio.Event, every_s: float, work: Callable[[], Any], failed: str, log: Log
) -> None:
    """Work until told to stop; `failed` is how the log calls it where that went wrong."""
    while not stop.is_set():
        await _tried(every_s, work, failed, log)
        await _pause(stop, every_s)


async def to_the_end(
    stop: asyncio.Event, every_s: float, work: Callable[[], Any], failed: str, log: Log
) -> None:
    """The same, then once more. The pauses grow for as long as it fails."""
    pause_s = every_s
    while True:
        last = stop.is_set()
        longer_s = min(2 * pause_s, _MAX_PAUSE_S)
        pause_s = every_s if await _tried(longer_s, work, failed, log) else longer_s
        if last:
            return
        await _pause(stop, pause_s)


async def _tried(retry_s: float, work: Callable[[], Any], failed: str, log: Log) -> bool:
    try:
        await asyncio.to_thread(work)
    except Exception as fault:  # noqa: BLE001 - the loop outlives whatever ails the store
        log.error(failed, error=str(fault)[:_MAX_CHARS], retry_s=retry_s)
        return False
    return True


async def _pause(stop: asyncio.Event, pause_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), pause_s)
