"""Share links: a session shown to people without a login, until a day that is chosen.

What a link shows is fixed when it is made. Prompts and answers are never among it. A link ends
when it is revoked, on its day, and with the organization; that its maker left does not end it.
"""

from typing import Final

import msgspec

from tidegate.services import audit
from tidegate.services.audit import Action, Actor
from tidegate.services.context import Service
from tidegate.services.errors import Conflict, InvalidField, NotFound
from tidegate.services.ids import new_id
from tidegate.services.vault import hash_secret, new_token
from tidegate.store.ports import DirectoryChange
from tidegate.store.shares import ShareRecord

__all__ = ["DAYS", "Hidden", "MadeShare", "SessionShares", "ShareRecord"]

DAYS: Final = (1, 7, 30)
_MOST: Final = 20  # good links of one session
_DAY_US: Final = 86_400_000_000
_KEPT_US: Final = 90 * _DAY_US  # after its end, for whoever asks what became of it
_MAX_SECRET_CHARS: Final = 100
_NO_SHARE: Final = "There is no such share link."


class Hidden(msgspec.Struct, frozen=True):
    """What a link does not show, beside what none shows."""

    names: bool = False  # of the person and of the session
    costs: bool = False
    repositories: bool = False  # with branches, commits and pull requests


class MadeShare(msgspec.Struct, frozen=True):
    """A new link and its secret, which is not shown again."""

    record: ShareRecord
    secret: str

    def __repr__(self) -> str:
        return f"MadeShare({self.record.share_id})"


class SessionShares(Service):
    """Whoever calls has made sure that the session is there and may be shared."""

    def make(
        self, organization_id: str, session_id: str, *, days: int, hidden: Hidden, actor: Actor
    ) -> MadeShare:
        """A new link, good for so many days."""
        if days not in DAYS:
            raise InvalidField("A link lasts 1, 7 or 30 days.", field="days")
        now_us, secret = self._clock(), new_token()
        record = ShareRecord(
            share_id=new_id("shr"),
            organization_id=organization_id,
            session_id=session_id,
            secret_hash=self._hash(secret),
            made_by=actor.who,
            created_us=now_us,
            expires_us=now_us + days * _DAY_US,
            hides_names=hidden.names,
            hides_costs=hidden.costs,
            hides_repositories=hidden.repositories,
        )
        with self._directory.changing() as change:
            good = [s for s in change.shares(organization_id, session_id) if s.is_good(now_us)]
            if len(good) >= _MOST:
                raise Conflict(f"A session has {_MOST} links at most. Revoke one first.")
            change.delete_ended_shares(now_us - _KEPT_US)
            change.add_share(record)
            _audit(change, actor, "session_share.make", record, now_us, days=str(days))
        return MadeShare(record, secret)

    def of(self, organization_id: str, session_id: str = "") -> list[ShareRecord]:
        """The links of a session, or of all, that still show something; the newest first."""
        now_us = self._clock()
        with self._directory.reading() as reads:
            return [s for s in reads.shares(organization_id, session_id) if s.is_good(now_us)]

    def revoke(
        self, organization_id: str, session_id: str, share_id: str, *, actor: Actor
    ) -> ShareRecord:
        """End a link of that session at once; ending it again changes nothing."""
        now_us = self._clock()
        with self._directory.changing() as change:
            for record in change.shares(organization_id, session_id):
                if record.share_id == share_id:
                    if not record.revoked_us:
                        change.revoke_share(organization_id, share_id, now_us)
                        views = str(record.views)
                        _audit(change, actor, "session_share.revoke", record, now_us, views=views)
                    return record
        raise NotFound(_NO_SHARE)

    def open(self, secret: str) -> ShareRecord | None:
        """The link with this secret, if it is good."""
        now_us = self._clock()
        if not secret or len(secret) > _MAX_SECRET_CHARS:
            return None
        with self._directory.reading() as reads:
            found = reads.share_by_hash(self._hash(secret))
            if found is None or not found.is_good(now_us):
                return None
            if reads.organization(found.organization_id) is None:
                return None
        return found

    def viewed(self, record: ShareRecord) -> None:
        """Count that it was looked at."""
        with self._directory.changing() as change:
            change.count_view(record.organization_id, record.share_id, self._clock())

    def _hash(self, secret: str) -> str:
        return hash_secret(self._subkeys.login, f"session_share {secret}")


def _audit(
    change: DirectoryChange,
    actor: Actor,
    name: str,
    record: ShareRecord,
    at_us: int,
    **detail: str,
) -> None:
    told = {"session_id": record.session_id, **detail}
    hidden = [
        word
        for word, hides in (
            ("names", record.hides_names),
            ("costs", record.hides_costs),
            ("repositories", record.hides_repositories),
        )
        if hides
    ]
    told["hidden"] = ", ".join(hidden) or "nothing"
    action = Action(name, record.organization_id, record.share_id, told)
    audit.record(change, actor, action, at_us)
