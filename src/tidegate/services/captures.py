"""Reading, deleting and purging what debug mode kept. Each reading is in the audit log."""

import threading
from typing import Final

from tidegate.core.captures import Capture, unpack
from tidegate.services import audit
from tidegate.services.audit import Action, Actor
from tidegate.services.context import Clock, Service, now_us
from tidegate.services.errors import NotFound
from tidegate.services.logins import Viewer
from tidegate.services.vault import SealBroken, Subkeys, unseal_capture
from tidegate.store.captures import StoredCapture
from tidegate.store.ports import Store

READING_US: Final = 30 * 60_000_000
"""So long after the last look a login's reading of a capture goes on."""

_DAY_US = 86_400_000_000
_MOST_READINGS: Final = 10_000
_GONE = "There is no capture of this request: none was made, or it was deleted."


class Captures(Service):
    """Admins reach all captures of their organization, members those of their own keys."""

    def __init__(self, store: Store, subkeys: Subkeys, clock: Clock = now_us) -> None:
        super().__init__(store, subkeys, clock)
        self._readings: dict[tuple[str, ...], int] = {}  # when each was last gone on with
        self._lock = threading.Lock()

    def get(self, organization_id: str, event_id: str, viewer: Viewer, actor: Actor) -> Capture:
        """What was kept of a request. Raises NotFound; the reading is recorded first."""
        stored = self._allowed(organization_id, event_id, viewer)
        capture = self._opened(stored)
        self._record("capture.read", stored, actor)
        return capture

    def look(self, organization_id: str, event_id: str, viewer: Viewer, actor: Actor) -> Capture:
        """The same for pages, of which it takes many to read one: a reading is recorded once.

        It is a login's, and ends when it looked at nothing of the capture for half an hour.
        """
        stored = self._allowed(organization_id, event_id, viewer)
        capture = self._opened(stored)
        reading = (organization_id, viewer.member_id, viewer.login_id, event_id)
        with self._lock:
            if not self._goes_on(reading):
                self._record("capture.read", stored, actor)
            self._readings[reading] = self._clock()
        return capture

    def delete(self, organization_id: str, event_id: str, viewer: Viewer, actor: Actor) -> None:
        """Delete one for good, before its time. Raises NotFound."""
        stored = self._allowed(organization_id, event_id, viewer)
        self._record("capture.delete", stored, actor)
        self._store.usage.captures.delete_capture(organization_id, event_id)

    def exists(self, organization_id: str, event_id: str) -> bool:
        """Whether there is something to read, for whoever may."""
        return self._store.usage.captures.has_capture(organization_id, event_id)

    def size_bytes(self, organization_id: str) -> int:
        """How much of the disk an organization's captures take."""
        return self._store.usage.captures.captures_size(organization_id)

    def count(self, organization_id: str) -> int:
        """How many there are."""
        return self._store.usage.captures.captures_count(organization_id)

    def delete_all(self, organization_id: str, actor: Actor) -> int:
        """Delete all of an organization for good: how many."""
        with self._directory.changing() as change:
            self._audit_organization(change, actor, "capture.delete_all", organization_id, {})
        return self._store.usage.captures.delete_captures(organization_id)

    def purge(self) -> int:
        """Delete for good what is older than its organization keeps it: how many.

        Also what was stored when the organization still kept it for longer.
        """
        now_us = self._clock()
        with self._directory.reading() as reads:
            days = {o.organization_id: o.capture_days for o in reads.organizations()}
        store = self._store.usage.captures
        gone = store.delete_expired_captures(now_us)
        for organization_id, kept_days in days.items():
            gone += store.delete_captures_before(organization_id, now_us - kept_days * _DAY_US)
        return gone

    def _goes_on(self, reading: tuple[str, ...]) -> bool:
        since_us = self._clock() - READING_US
        if len(self._readings) >= _MOST_READINGS:
            self._readings = {key: at for key, at in self._readings.items() if at > since_us}
        if len(self._readings) >= _MOST_READINGS:
            self._readings.clear()
        return self._readings.get(reading, 0) > since_us

    def _opened(self, stored: StoredCapture) -> Capture:
        try:
            return unpack(
                unseal_capture(
                    self._subkeys.capture,
                    stored.organization_id,
                    stored.event_id,
                    stored.ciphertext,
                )
            )
        except (SealBroken, ValueError):
            raise NotFound("The capture cannot be decrypted: the master key is another.") from None

    def _allowed(self, organization_id: str, event_id: str, viewer: Viewer) -> StoredCapture:
        stored = self._store.usage.captures.capture(organization_id, event_id)
        is_theirs = viewer.organization_id == organization_id
        if stored is None or not is_theirs:
            raise NotFound(_GONE)
        if not viewer.is_admin and stored.member_id != viewer.member_id:
            raise NotFound(_GONE)
        return stored

    def _record(self, name: str, stored: StoredCapture, actor: Actor) -> None:
        action = Action(
            name,
            stored.organization_id,
            stored.event_id,
            {"key": stored.key_id, "member": stored.member_id},
        )
        with self._directory.changing() as change:
            audit.record(change, actor, action, self._clock())
