"""What may be asked of the stored bodies of requests, which debug mode keeps for some days."""

from collections.abc import Sequence
from typing import Protocol

import msgspec


class StoredCapture(msgspec.Struct, frozen=True, kw_only=True):
    """The bodies of one request, encrypted for its organization."""

    event_id: str
    organization_id: str
    key_id: str
    member_id: str
    at_us: int  # when the request began
    expires_us: int
    size_bytes: int  # of what is encrypted
    truncated: bool
    ciphertext: bytes


class CaptureStore(Protocol):
    def put_captures(self, captures: Sequence[StoredCapture]) -> None:
        """Keep these; one that is there already stays."""
        ...

    def put_capture(self, capture: StoredCapture) -> None: ...
    def capture(self, organization_id: str, event_id: str) -> StoredCapture | None: ...
    def has_capture(self, organization_id: str, event_id: str) -> bool: ...
    def delete_capture(self, organization_id: str, event_id: str) -> bool: ...
    def delete_captures_before(self, organization_id: str, at_us: int) -> int:
        """Delete for good what was captured before then: how many."""
        ...

    def delete_expired_captures(self, now_us: int) -> int:
        """The same of all whose time is over, whosever they are."""
        ...

    def delete_captures(self, organization_id: str) -> int:
        """The same of all of an organization."""
        ...

    def captures_count(self, organization_id: str) -> int: ...
    def captures_size(self, organization_id: str) -> int:
        """Bytes that an organization's captures take."""
        ...
