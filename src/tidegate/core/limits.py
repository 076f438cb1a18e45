"""Limits of rate: how much may be asked for in a minute and at once."""

import msgspec

from tidegate.core.budgets import EACH


class RateLimit(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of an organization as a whole, of one key, or of each key. 0: no such limit."""

    organization_id: str
    scope: str = "organization"  # or "key"
    scope_id: str = ""  # a key's id, EACH, or "" for the organization
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    concurrent_streams: int = 0

    @property
    def is_none(self) -> bool:
        """Whether it limits nothing."""
        return not (self.requests_per_minute or self.tokens_per_minute or self.concurrent_streams)

    def concerns(self, key_id: str) -> bool:
        """Whether requests of a key of the organization count."""
        return self.scope == "organization" or self.scope_id in {EACH, key_id}
