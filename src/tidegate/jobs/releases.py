"""Lets go what is held for requests that the ledger has, or for workers that are gone.

A worker keeps a file of its name locked in the spool: who can take that lock knows that it is
dead, whatever clocks say, and who cannot, that it lives. Where there is no such file, its signs of
life tell. What a dead worker holds goes after a pass over the spool that began when it was dead:
what that did not record never went out.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from tidegate.core.model import UsageEvent
from tidegate.services.log import Log
from tidegate.services.places import HOLDER_SUFFIX, known_place
from tidegate.store.file_locks import take_lock
from tidegate.store.holds import HoldStore
from tidegate.store.ports import StoreUnavailable

_SWEEP_S: Final = 10.0


class Releases:
    """What the drain of one spool does about holds. They fail by themselves: a later pass sees to
    what one could not do."""

    def __init__(self, spool_dir: Path, holds: HoldStore, log: Log) -> None:
        self._spool_dir = spool_dir
        self._holds = holds
        self._log = log
        self._due_s = float("-inf")
        self._is_away = False

    def recorded(self, events: Sequence[UsageEvent]) -> None:
        """Forget what the ledger has; what stays is seen through, and swept later."""
        try:
            self._holds.drop_recorded([event.event_id for event in events])
        except StoreUnavailable as fault:
            self._log.warning("drain.holds", error=str(fault))

    @contextmanager
    def one_pass(self) -> Iterator[Callable[[], None]]:
        """Around a pass over the spool, which calls what it is given if it came to the end."""
        with ExitStack() as locks:  # kept, so that nobody takes a name whose file goes
            living, gone = self._workers(locks)
            expired = self._expired(living, gone)

            def sweep() -> None:
                if expired is not None and self._sweep(expired):
                    for path in gone.values():
                        path.unlink(missing_ok=True)

            yield sweep

    def _workers(self, locks: ExitStack) -> tuple[set[str], dict[str, Path]]:
        """Who lives, and the files of those who are gone."""
        living: set[str] = set()
        gone: dict[str, Path] = {}
        for path in self._spool_dir.glob(f"*{HOLDER_SUFFIX}"):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:  # another drain was faster
                continue
            locks.callback(os.close, descriptor)
            if take_lock(descriptor):
                gone[path.stem] = path
            else:
                living.add(path.stem)
        return living, gone

    def _expired(self, living: set[str], gone: dict[str, Path]) -> list[str] | None:
        """Requests of workers that are gone; None: it is not yet time to look."""
        if time.monotonic() < self._due_s and (self._is_away or not gone):
            return None
        try:
            return self._holds.expired(known_place(self._spool_dir), living=living, gone=gone)
        except StoreUnavailable as fault:
            self._failed(fault)
            return None

    def _sweep(self, expired: list[str]) -> bool:
        try:
            released = self._holds.sweep(expired)
        except StoreUnavailable as fault:
            self._failed(fault)
            return False
        self._due_s, self._is_away = time.monotonic() + _SWEEP_S, False
        if released:
            self._log.info("drain.released", requests=released)
        return True

    def _failed(self, fault: StoreUnavailable) -> None:
        self._due_s, self._is_away = time.monotonic() + _SWEEP_S, True
        self._log.warning("drain.holds", error=str(fault))
