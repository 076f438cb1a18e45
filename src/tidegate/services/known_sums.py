"""Sums of time that is over, kept from one look at a page to the next.

What was read is good for as long as its buckets stay as they were, which the store counts. While
the team works only the last bucket changes, so that a look reads that one and knows the others.
"""

import threading
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

from tidegate.core.periods import Period
from tidegate.core.spans import Slice, running_slice
from tidegate.store.team import TeamReads

_LIMIT: Final = 32

Key = tuple[Hashable, ...]
Value = TypeVar("Value")


class Known:
    """The last few answers, by what they are good for. Nobody may change one."""

    def __init__(self, team: TeamReads) -> None:
        self._team = team
        self._answers: dict[Key, Any] = {}
        self._lock = threading.Lock()

    def settled(
        self, organization_id: str, period: Period, what: Key, ask: Callable[[], Value]
    ) -> Value | None:
        """What is asked of all buckets of a range but the last; None if there is no other."""
        running = running_slice(period)
        if period.start_us >= running.start_us:
            return None
        part = Slice(running.span, period.start_us, running.start_us)
        changes = self._team.changes(organization_id, part)
        return self._get((*what, *_name(organization_id, period), changes), ask)

    def unchanged(
        self, organization_id: str, period: Period, ask: Callable[[], Value], what: str = "all"
    ) -> Value:
        """What is asked of a range, as long as nothing at all is drained."""
        version = self._team.version(organization_id)
        return self._get((what, *_name(organization_id, period), version), ask)

    def _get(self, key: Key, ask: Callable[[], Value]) -> Value:
        with self._lock:
            if key in self._answers:
                self._answers[key] = self._answers.pop(key)  # the last to go
                found: Value = self._answers[key]
                return found
        found = ask()
        with self._lock:
            self._answers[key] = found
            while len(self._answers) > _LIMIT:
                del self._answers[next(iter(self._answers))]
        return found


def _name(organization_id: str, period: Period) -> Key:
    bars = "hours" if period.by_hours else "days"
    return organization_id, period.time_zone, period.name, bars, period.start_us, period.end_us
