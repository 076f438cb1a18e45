"""What a worker asks of the ledger about the past, to hold requests to budgets."""

from typing import Protocol


class PastReads(Protocol):
    """Both are bounded looks at the newest requests, not sums."""

    def costs(self, organization_id: str, member_id: str, key_id: str, model: str) -> list[int]:
        """What a key's last requests for a model cost, in nano-USD, oldest first."""
        ...

    def repository(self, organization_id: str, session_id: str) -> str:
        """Where a session worked last, "" if that is not known."""
        ...
