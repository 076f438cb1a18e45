"""Reserves, settles and releases in one thread: what comes while it works goes together next time.

While the store is away it is all tried again. What it refuses for another reason goes alone the
next time, so that it is in nobody's way, and not a third time. What is never settled the
drain sees to when it has the request's usage event.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, NamedTuple, Protocol

from tidegate.store.holds import (
    RENEW_S,
    Decision,
    Holder,
    HoldRequest,
    HoldStore,
    Settlement,
)
from tidegate.store.past import PastReads
from tidegate.store.ports import StoreUnavailable

_AT_ONCE: Final = 256  # requests in one transaction
_AGAIN_S: Final = 0.1  # after a failure
_KEPT: Final = 10_000  # settlements and releases, while the store is away


class HoldSource(NamedTuple):
    """Where holds are kept, as whose, and where the past is known from."""

    store: HoldStore
    holder: Holder
    past: PastReads


class Asking(Protocol):
    """A request that waits for its hold."""

    @property
    def event_id(self) -> str: ...
    @property
    def over(self) -> bool:
        """Whether nobody waits for it any more."""
        ...

    def request(self) -> HoldRequest:
        """What to reserve. Called in the thread."""
        ...

    def decided(self, decision: Decision) -> None: ...


class Look(Protocol):
    """Somebody who wants to know something of the store, and holds nothing."""

    def look(self, source: HoldSource) -> Any:
        """Ask the store. Called in the thread."""
        ...

    def seen(self, found: Any) -> None:
        """Take the answer; None where the store is away."""
        ...


class _Batch:
    """What one transaction is for."""

    __slots__ = ("asks", "releases", "settlements")

    def __init__(self, asks: list[Any], settlements: list[Settlement], releases: list[str]) -> None:
        self.asks = asks
        self.settlements = settlements
        self.releases = releases

    def singly(self) -> "list[_Batch]":
        """The same with a transaction for each; nothing if it is one already."""
        parts = [_Batch([], [settlement], []) for settlement in self.settlements]
        parts += [_Batch([], [], [event_id]) for event_id in self.releases]
        parts += [_Batch([asking], [], []) for asking in self.asks]
        return parts if len(parts) > 1 else []


class HoldThread:
    """All but `_work` and `_look` runs in the loop."""

    def __init__(self, source: HoldSource, on_fault: Callable[[BaseException], None]) -> None:
        self._source = source
        self._store = source.store
        self._holder = source.holder
        self._on_fault = on_fault
        self._asks: deque[Asking] = deque()
        self._settlements: deque[Settlement] = deque(maxlen=_KEPT)
        self._releases: deque[str] = deque(maxlen=_KEPT)
        self._looks: deque[Look] = deque()
        self._doubtful: deque[_Batch] = deque()  # one of them the store does not take
        self._runs = False
        self._looked_last = False
        self._timer: asyncio.TimerHandle | None = None
        self._renewal: asyncio.TimerHandle | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="holds")
        self._closed = False

    def ask(self, asking: Asking) -> None:
        self._asks.append(asking)
        if self._renewal is None:
            self._renewal = asyncio.get_running_loop().call_later(RENEW_S, self._renew)
        self._start()

    def settle(self, settlement: Settlement) -> None:
        self._settlements.append(settlement)
        self._start()

    def release(self, event_id: str) -> None:
        self._releases.append(event_id)
        self._start()

    def look(self, look: Look) -> None:
        self._looks.append(look)
        self._start()

    def close(self) -> None:
        """Do at once what can be done, and nothing more."""
        if self._closed:
            return
        self._closed = True
        for timer in (self._timer, self._renewal):
            if timer is not None:
                timer.cancel()
        last = _Batch([], list(self._settlements), list(self._releases))
        if last.settlements or last.releases:
            self._thread.submit(self._work, last)
        self._thread.shutdown(wait=False)

    def _start(self) -> None:
        if self._runs or self._closed or self._timer is not None:
            return
        while self._asks and self._asks[0].over:
            self._asks.popleft()
        has_work = bool(self._doubtful or self._asks or self._settlements or self._releases)
        if self._looks and not (self._looked_last and has_work):  # in turn: nobody waits for all
            self._looked_last = True
            self._submit(self._look, self._looks.popleft(), self._looked)
        elif has_work:
            self._looked_last = False
            batch = self._doubtful.popleft() if self._doubtful else self._next()
            self._submit(self._work, batch, self._worked)

    def _next(self) -> _Batch:
        asks = [self._asks.popleft() for _ in range(min(_AT_ONCE, len(self._asks)))]
        batch = _Batch(
            [asking for asking in asks if not asking.over],
            list(self._settlements),
            list(self._releases),
        )
        self._settlements.clear()
        self._releases.clear()
        return batch

    def _submit(
        self, work: Callable[[Any], Any], of: Any, then: Callable[[Any, "Future[Any]"], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        self._runs = True

        def done(future: "Future[Any]") -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(then, of, future)

        self._thread.submit(work, of).add_done_callback(done)

    def _work(self, batch: _Batch) -> list[Decision]:
        return self._store.exchange(
            self._holder,
            reserve=[asking.request() for asking in batch.asks],
            settle=batch.settlements,
            release=batch.releases,
        )

    def _look(self, look: Look) -> Any:
        return look.look(self._source)

    def _worked(self, batch: _Batch, future: "Future[list[Decision]]") -> None:
        self._runs = False
        if (fault := future.exception()) is not None:
            self._on_fault(fault)
            self._failed(batch, is_away=isinstance(fault, StoreUnavailable))
            return
        for asking, decision in zip(batch.asks, future.result(), strict=True):
            asking.decided(decision)
        self._start()

    def _failed(self, batch: _Batch, *, is_away: bool) -> None:
        if not is_away:
            self._doubtful.extend(batch.singly())
            self._start()
            return
        self._asks.extendleft(reversed(batch.asks))
        self._settlements.extendleft(reversed(batch.settlements))
        self._releases.extendleft(reversed(batch.releases))
        # A commit may have failed when all was done: then these are not to count beside themselves.
        again = {asking.event_id for asking in batch.asks}
        self._releases.extendleft(again.difference(self._releases))
        self._pause()

    def _looked(self, look: Look, future: "Future[Any]") -> None:
        self._runs = False
        if (fault := future.exception()) is not None:
            self._on_fault(fault)
            look.seen(None)
            self._pause()
            return
        look.seen(future.result())
        self._start()

    def _pause(self) -> None:
        if not self._closed:
            self._timer = asyncio.get_running_loop().call_later(_AGAIN_S, self._again)

    def _again(self) -> None:
        self._timer = None
        self._start()

    def _renew(self) -> None:
        """Say that this worker lives, after it has held anything."""
        self._renewal = asyncio.get_running_loop().call_later(RENEW_S, self._renew)
        self._thread.submit(self._store.renew, self._holder)
