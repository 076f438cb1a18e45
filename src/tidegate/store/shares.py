"""Links that show a session to people without a login."""

from typing import Protocol

import msgspec


class ShareRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A link, known by the keyed hash of its secret only."""

    share_id: str
    organization_id: str
    session_id: str
    secret_hash: str
    made_by: str  # a member's id
    created_us: int
    expires_us: int
    revoked_us: int = 0
    hides_names: bool = False
    hides_costs: bool = False
    hides_repositories: bool = False
    views: int = 0
    last_view_us: int = 0

    def is_good(self, now_us: int) -> bool:
        """Whether it still shows something."""
        return not self.revoked_us and now_us < self.expires_us


class ShareReads(Protocol):
    def shares(self, organization_id: str, session_id: str = "") -> list[ShareRecord]:
        """Of a session or of all, revoked and expired ones too; the newest first."""
        ...

    def share_by_hash(self, secret_hash: str) -> ShareRecord | None: ...


class ShareChange(ShareReads, Protocol):
    def add_share(self, record: ShareRecord) -> None: ...
    def revoke_share(self, organization_id: str, share_id: str, at_us: int) -> None: ...
    def count_view(self, organization_id: str, share_id: str, at_us: int) -> None: ...
    def delete_ended_shares(self, before_us: int) -> None:
        """Forget those that expired before then."""
        ...
