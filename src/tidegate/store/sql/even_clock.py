"""Clocks that run on evenly, whatever is done to the time of day, for who else is alive.

On one machine that is the monotonic one, which also stands still while the machine sleeps, with
the name of the boot that it counts from. Replicas share the clock of their PostgreSQL.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from tidegate.store.sql.straight import Statements, Transactions

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_SERVERS_NOW: Final = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"


class EvenClock(Protocol):
    def now(self, statements: Statements) -> tuple[int, str]:
        """Microseconds since whenever, and what they count from."""
        ...


class _Monotonic:
    def __init__(self) -> None:
        try:
            self._boot = _BOOT_ID.read_text().strip()
        except OSError:  # another system: a restarted clock tells by being behind
            self._boot = ""

    def now(self, _statements: Statements) -> tuple[int, str]:
        return time.monotonic_ns() // 1000, self._boot


class _OfServer:
    def now(self, statements: Statements) -> tuple[int, str]:
        return int(statements.rows(_SERVERS_NOW)[0][0]), "server"


def clock_of(database: Transactions) -> EvenClock:
    """The clock that all who write to a database share."""
    return _Monotonic() if database.dialect == "sqlite" else _OfServer()


def wall_us() -> int:
    """The time of day, for what lasts for days."""
    return time.time_ns() // 1000


class Watch:
    """Who has shown no sign of life while this process looked on.

    It believes no clock but its own, and no time in which nobody could have given a sign: after a
    gap between two looks it begins anew.
    """

    def __init__(self, for_s: float, gap_s: float) -> None:
        self._for_s = for_s
        self._gap_s = gap_s
        self._seen: dict[str, tuple[int, float]] = {}  # the last sign, and since when it is
        self._looked_s = float("-inf")

    def silent(self, signs: Mapping[str, int], now_s: float) -> list[str]:
        """Of those with these signs, whose has been the same for long enough."""
        if now_s - self._looked_s > self._gap_s:
            self._seen.clear()
        self._looked_s = now_s
        before, self._seen = self._seen, {}
        for name, sign in signs.items():
            known = before.get(name, (None, now_s))
            self._seen[name] = (sign, known[1] if known[0] == sign else now_s)
        return [name for name, (_, since) in self._seen.items() if now_s - since >= self._for_s]
