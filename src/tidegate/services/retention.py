"""How long detail is kept: usage events for some days or for ever, captures for a few.

Sums are kept for ever, so that reports of a year ago still say what was spent.
"""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from tidegate.core.model import OrganizationRecord
from tidegate.services.audit import Actor
from tidegate.services.captures import Captures
from tidegate.services.errors import InvalidField
from tidegate.services.organization_changes import OrganizationChanges

LEDGER_DAYS: Final = (7, 3650)  # least and most; 0: for ever
CAPTURE_DAYS: Final = (1, 30)
DELETED_AT_ONCE: Final = 1000
_DAY_US: Final = 86_400_000_000

Settings = tuple[tuple[str, int, int], ...]


class Deleted(msgspec.Struct, frozen=True):
    """What a pass deleted."""

    events: int = 0
    captures: int = 0


class Retention(OrganizationChanges):
    """Sets how long detail is kept, and deletes what is older."""

    def set(
        self,
        organization_id: str,
        *,
        ledger_days: int | None = None,
        capture_days: int | None = None,
        actor: Actor,
    ) -> OrganizationRecord:
        """Change what is given. Fewer days delete what is older within the hour, for good."""
        changes: dict[str, int] = {}
        if ledger_days is not None:
            if ledger_days:
                _refuse_beyond(ledger_days, LEDGER_DAYS, "ledger_days", " Or 0, to keep all.")
            changes["ledger_days"] = ledger_days
        if capture_days is not None:
            _refuse_beyond(capture_days, CAPTURE_DAYS, "capture_days")
            changes["capture_days"] = capture_days
        return self._change(organization_id, changes, actor)

    def settings(self) -> Settings:
        """What every organization has set: it changes when a pass is due."""
        with self._directory.reading() as reads:
            found = reads.organizations()
        return tuple((each.organization_id, each.ledger_days, each.capture_days) for each in found)

    def apply(self, may_go_on: Callable[[], bool] = lambda: True) -> Deleted:
        """Delete all that is older than is kept, in steps between which others may write."""
        now_us = self._clock()
        usage = self._store.usage
        events, gone = 0, Captures(self._store, self._subkeys, self._clock).purge()
        for organization_id, ledger_days, _ in self.settings():
            if ledger_days:
                usage.drop_ledger_before(organization_id, now_us - ledger_days * _DAY_US)
            for deleted in self._dropped(organization_id):
                events += deleted
                if not may_go_on():
                    return Deleted(events, gone)
        return Deleted(events, gone)

    def _dropped(self, organization_id: str) -> Iterator[int]:
        while deleted := self._store.usage.delete_dropped(organization_id, DELETED_AT_ONCE):
            yield deleted


def _refuse_beyond(days: int, bounds: tuple[int, int], field: str, more: str = "") -> None:
    least, most = bounds
    if not least <= days <= most:
        raise InvalidField(f"Choose {least} to {most} days.{more}", field=field)
