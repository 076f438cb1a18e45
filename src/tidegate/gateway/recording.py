"""How a worker hands usage over: to the spool, and by the policy where that cannot take it."""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, Protocol

from tidegate.core import errors
from tidegate.core.errors import Failure
from tidegate.core.model import RequestStart, UsageEvent
from tidegate.gateway.counters import Counters
from tidegate.gateway.spool import SpoolHealth

_LONG_S: Final = 60.0  # what a ledger that works takes at once should not wait for so long
_REMIND_S: Final = 60.0


class Spool(Protocol):
    """Where usage is handed over; raises when it cannot take something."""

    def begin(self, start: RequestStart) -> None: ...
    def append(self, event: UsageEvent) -> None: ...
    def count_unmetered(self) -> None: ...
    def syncing(self) -> Callable[[], None]: ...
    def health(self) -> SpoolHealth: ...


class Recorder:
    """Begins and records requests. What ails the spool never breaks one that has begun.

    Where a request cannot begin, the policy decides: refuse it, or let it pass and count it as
    unmetered. With `sync`, `when_durable` waits until the disk holds what was handed over.
    """

    def __init__(
        self, spool: Spool, counters: Counters, log: Any, *, policy: str, sync: bool
    ) -> None:
        self._spool = spool
        self._counters = counters
        self._log = log
        self._refuses = policy == "refuse"
        self._commits = GroupCommit(spool.syncing, self._on_unsynced) if sync else None
        self._unmetered: set[str] = set()  # event ids of running requests that passed unrecorded
        self._now = 0.0
        self._alarm = ""
        self._reminded = 0.0

    def begin(self, start: RequestStart) -> Failure | None:
        """Hand a start over; why the request may not go on, if it may not."""
        try:
            self._spool.begin(start)
        except Exception as fault:  # noqa: BLE001 - whatever ails the spool, the policy decides
            self._tell(
                "requests_unrecordable",
                "gateway.usage_not_recordable",
                fault,
                request_id=start.event.event_id,
            )
            self._unmetered.add(start.event.event_id)
            if self._refuses:
                return errors.usage_not_recordable()
            self._counters.add("requests_unmetered")
            self._spool.count_unmetered()
        return None

    def record(self, event: UsageEvent) -> None:
        """Hand a usage event over. An observer that fails is counted and breaks nothing."""
        if event.event_id in self._unmetered:
            self._unmetered.discard(event.event_id)
            return
        try:
            self._spool.append(event)
        except Exception as fault:  # noqa: BLE001 - whatever ails the spool, the answer goes on
            self._tell("events_lost", "gateway.event_lost", fault, request_id=event.event_id)
        self._log.debug(
            "gateway.request", request_id=event.event_id, status=event.status, outcome=event.outcome
        )

    def when_durable(self, then: Callable[[], None]) -> bool:
        """Call `then` once the disk holds it all; False, and no call, if it need not."""
        if self._commits is None:
            return False
        self._commits.after(then)
        return True

    def watch(self, now: float) -> None:
        """Log when the spool fills up, and again every minute. Called twice a second."""
        self._now = now
        alarm = alarm_of(self._spool.health())
        if alarm and (not self._alarm or now - self._reminded >= _REMIND_S):
            self._reminded = now
            self._log.error("gateway.spool_alarm", detail=alarm)
        elif self._alarm and not alarm:
            self._log.info("gateway.spool_recovered")
        self._alarm = alarm

    def detail(self) -> str:
        """What an operator should know of the spool, "" when all is well."""
        health = self._spool.health()
        said = [alarm_of(health), f"{health.unmetered} requests unmetered"]
        return "; ".join(filter(None, said if health.unmetered else said[:1]))

    async def settled(self) -> None:
        """Wait until nobody waits for the disk any more."""
        if self._commits is not None:
            while not self._commits.idle.is_set():
                await self._commits.idle.wait()

    def _tell(self, counter: str, event: str, fault: Exception, **fields: str) -> None:
        self._counters.add(counter)
        if (unreported := self._counters.due(counter, self._now)) is not None:
            self._log.error(event, error=str(fault), count=unreported, **fields)

    def _on_unsynced(self, fault: BaseException) -> None:
        self._tell("syncs_failed", "gateway.usage_not_synced", Exception(str(fault)))


def alarm_of(health: SpoolHealth) -> str:
    """In a few words what is wrong with the spool."""
    said = []
    if health.fault:
        said.append(health.fault)
    if health.age_s > _LONG_S:
        said.append(f"usage has been waiting for the ledger for {health.age_s:.0f} s")
    if health.size_bytes > health.limit_bytes // 2:
        said.append(f"{health.size_bytes >> 20} of {health.limit_bytes >> 20} MB in use")
    return "; ".join(said)


class GroupCommit:
    """Syncs in a thread, once for all that came while the last sync ran."""

    def __init__(
        self,
        syncing: Callable[[], Callable[[], None]],
        on_fault: Callable[[BaseException], None],
    ) -> None:
        self._syncing = syncing
        self._on_fault = on_fault
        self._waiting: list[Callable[[], None]] = []
        self._runs = False
        self.idle = asyncio.Event()
        self.idle.set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sync")

    def after(self, then: Callable[[], None]) -> None:
        """Call `then` in the loop when what was written so far is synced, or cannot be."""
        self._waiting.append(then)
        if not self._runs:
            self._start()

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        waiting, self._waiting = self._waiting, []
        self._runs = True
        self.idle.clear()
        done: Future[None] = self._thread.submit(self._syncing())
        done.add_done_callback(
            lambda future: loop.call_soon_threadsafe(self._done, waiting, future)
        )

    def _done(self, waiting: Iterable[Callable[[], None]], future: "Future[None]") -> None:
        self._runs = False
        if (fault := future.exception()) is not None:
            self._on_fault(fault)
        loop = asyncio.get_running_loop()
        for then in waiting:
            loop.call_soon(then)
        if self._waiting and not self._runs:
            self._start()
        if not self._runs:
            self.idle.set()
