"""What each session is pinned to, as far as this worker knows; asked of the store once a session.

The store is asked in a thread. It never holds up a request for long: when it does not answer, the
session goes uncompressed in this worker for good, as does every new one for a moment.
"""

import asyncio
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import blake2b
from typing import Any, Final

from tidegate.core.compression.conversation import LEVELS
from tidegate.core.compression.versions import ENGINE_VERSION
from tidegate.core.model import KeyRecord, OrganizationRecord
from tidegate.gateway.counters import Counters
from tidegate.store.pins import Pin, PinStore

OFF: Final = Pin("off")
HOLDOUT: Final = Pin("holdout")
_KNOWN: Final = 20_000  # sessions
_ASKED: Final = 256  # at once
_PATIENCE_S: Final = 10.0  # while no request waits
_WAIT_S: Final = 2.0  # while one does
_AWAY_S: Final = 5.0  # after a failure nothing is asked for so long
_PERMILLE: Final = 1000


def wanted_pin(organization: OrganizationRecord, key: KeyRecord, session_id: str) -> Pin:
    """What a new session is to be pinned to. Sub-agents' sessions go by that of their root."""
    if not organization.compresses(key) or organization.compression_level not in LEVELS:
        return OFF
    if organization.holdout_permille > _share(session_id):
        return HOLDOUT
    return Pin(organization.compression_level, ENGINE_VERSION)


def _share(session_id: str) -> int:
    """A number of a session's in the thousand: by chance, and always the same."""
    digest = blake2b(session_id.encode("utf-8", "replace"), digest_size=8, person=b"holdout")
    return int.from_bytes(digest.digest(), "big") % _PERMILLE


class _Asking:
    """A question to the store."""

    __slots__ = ("answer", "given_up", "organization_id", "session_id", "started_us", "wanted")

    def __init__(self, organization_id: str, session_id: str, wanted: Pin, started_us: int) -> None:
        self.organization_id = organization_id
        self.session_id = session_id
        self.wanted = wanted
        self.started_us = started_us
        self.given_up = False  # read by the thread
        self.answer: asyncio.Future[Pin] = asyncio.get_running_loop().create_future()


class SessionPins:
    """Pins by session id. All but `_pin` runs in the loop."""

    def __init__(self, store: PinStore, counters: Counters, log: Any) -> None:
        self._store = store
        self._counters = counters
        self._log = log
        self._known: OrderedDict[str, Pin] = OrderedDict()
        self._asked: dict[str, _Asking] = {}
        self._away_until = float("-inf")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pins")

    def get(self, session_id: str) -> Pin | None:
        """What this worker knows of a session."""
        return self._known.get(session_id)

    def turn_off(self, session_id: str) -> None:
        """Compress nothing of a session in this worker any more."""
        self._remember(session_id, OFF)

    def ask(
        self, organization_id: str, session_id: str, wanted: Pin, started_us: int
    ) -> "asyncio.Future[Pin]":
        """Ask the store, which stores `wanted` for a new session. The answer always comes."""
        asking = self._asked.get(session_id)
        if asking is not None:
            return asking.answer
        loop = asyncio.get_running_loop()
        asking = _Asking(organization_id, session_id, wanted, started_us)
        if loop.time() < self._away_until or len(self._asked) >= _ASKED:
            self._give_up(asking)
            return asking.answer
        self._asked[session_id] = asking
        asked = self._thread.submit(self._pin, asking)
        asked.add_done_callback(lambda done: _call_soon(loop, self._answered, asking, done))
        self._limit(asking, _PATIENCE_S)
        return asking.answer

    async def wait(self, session_id: str) -> Pin:
        """Wait for the answer, not for long."""
        if (asking := self._asked.get(session_id)) is not None:
            self._limit(asking, _WAIT_S)
            await asking.answer
        return self._known.get(session_id, OFF)

    def close(self) -> None:
        """Ask nothing more."""
        for asking in list(self._asked.values()):
            self._give_up(asking)
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _limit(self, asking: _Asking, seconds: float) -> None:
        timer = asyncio.get_running_loop().call_later(seconds, self._too_late, asking)
        asking.answer.add_done_callback(lambda _: timer.cancel())

    def _too_late(self, asking: _Asking) -> None:
        if not asking.answer.done():
            self._failed("the store does not answer")
            self._give_up(asking)

    def _answered(self, asking: _Asking, done: "Future[Pin]") -> None:
        if asking.answer.done():
            return
        if done.cancelled() or (fault := done.exception()) is not None:
            self._failed("" if done.cancelled() else str(fault)[:200])
            self._give_up(asking)
            return
        self._remember(asking.session_id, done.result())
        self._asked.pop(asking.session_id, None)
        asking.answer.set_result(done.result())

    def _failed(self, error: str) -> None:
        now = asyncio.get_running_loop().time()
        self._away_until = now + _AWAY_S
        self._counters.add("compression_pins_failed")
        if (unreported := self._counters.due("compression_pins_failed", now)) is not None:
            self._log.warning("gateway.pins_unavailable", error=error, count=unreported)

    def _give_up(self, asking: _Asking) -> None:
        asking.given_up = True
        self._remember(asking.session_id, OFF)
        self._asked.pop(asking.session_id, None)
        if not asking.answer.done():
            asking.answer.set_result(OFF)

    def _remember(self, session_id: str, pin: Pin) -> None:
        self._known[session_id] = pin
        self._known.move_to_end(session_id)
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)

    def _pin(self, asking: _Asking) -> Pin:
        """In the thread. What was given up meanwhile is not to be found by others as compressed."""
        if asking.given_up:
            return OFF
        session = (asking.organization_id, asking.session_id)
        pin, is_new = self._store.pin(*session, asking.wanted, asking.started_us)
        if asking.given_up and is_new:
            self._store.give_up(*session, pin)
            return OFF
        return pin


def _call_soon(loop: asyncio.AbstractEventLoop, *call: Any) -> None:
    """Call in the loop, unless it has ended: then nobody waits."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(*call)
