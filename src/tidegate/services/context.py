"""What every service is made with."""

import time
from collections.abc import Callable

from tidegate.services import audit
from tidegate.services.audit import Action, Actor
from tidegate.services.vault import Subkeys
from tidegate.store.ports import DirectoryChange, Store

Clock = Callable[[], int]


def now_us() -> int:
    """The clock of a running program: UTC microseconds since the epoch."""
    return time.time_ns() // 1000


class Service:
    """A service works on a store, with the sub-keys it needs, at a clock's time."""

    def __init__(self, store: Store, subkeys: Subkeys, clock: Clock = now_us) -> None:
        self._store = store
        self._directory = store.directory
        self._subkeys = subkeys
        self._clock = clock

    def _audit_organization(
        self,
        change: DirectoryChange,
        actor: Actor,
        name: str,
        organization_id: str,
        detail: dict[str, str],
    ) -> None:
        """Write what is done to an organization itself."""
        action = Action(name, organization_id, organization_id, detail)
        audit.record(change, actor, action, self._clock())
