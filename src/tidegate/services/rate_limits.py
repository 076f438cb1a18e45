"""Limits of rate: of an organization as a whole, of a key, or of each key."""

from typing import Final

import msgspec

from tidegate.core.budgets import EACH
from tidegate.core.limits import RateLimit
from tidegate.services import audit
from tidegate.services.audit import Action, Actor
from tidegate.services.budgets import require_admin
from tidegate.services.context import Service
from tidegate.services.errors import InvalidField, NotFound
from tidegate.store.ports import DirectoryReads

MOST: Final = {
    "requests_per_minute": 1_000_000,
    "tokens_per_minute": 10_000_000_000,
    "concurrent_streams": 100_000,
}


class RateLimits(Service):
    """What is limited, and how much."""

    def list(self, organization_id: str) -> list[RateLimit]:
        """The organization's as a whole first, then those of keys."""
        with self._directory.reading() as reads:
            return reads.rate_limits(organization_id)

    def set(  # noqa: PLR0913 -- by name beyond the first
        self,
        organization_id: str,
        *,
        scope: str = "organization",
        scope_id: str = "",
        requests_per_minute: int = 0,
        tokens_per_minute: int = 0,
        concurrent_streams: int = 0,
        by_role: str,
        actor: Actor,
    ) -> RateLimit:
        """Set all limits of a scope; 0 is none."""
        limit = RateLimit(
            organization_id=organization_id,
            scope=scope,
            scope_id=scope_id if scope == "key" else "",
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            concurrent_streams=concurrent_streams,
        )
        for name, most in MOST.items():
            if not 0 <= getattr(limit, name) <= most:
                raise InvalidField(f"Choose 0 for none, up to {most:,}.", field=name)
        with self._directory.changing() as change:
            require_admin(change, organization_id, actor, by_role)
            _require_scope(change, limit)
            before = _limit_in(change, limit)
            if limit == before:
                return limit
            change.put_rate_limit(limit)
            detail = {"scope": limit.scope, "scope_id": limit.scope_id}
            detail |= audit.changed(_shown(before), _shown(limit))
            target = limit.scope_id if limit.scope_id not in {"", EACH} else organization_id
            action = Action("rate_limit.set", organization_id, target, detail)
            audit.record(change, actor, action, self._clock())
        return limit


def _limit_in(reads: DirectoryReads, limit: RateLimit) -> RateLimit:
    """What holds in its place so far."""
    place = (limit.scope, limit.scope_id)
    for each in reads.rate_limits(limit.organization_id):
        if (each.scope, each.scope_id) == place:
            return each
    return RateLimit(
        organization_id=limit.organization_id, scope=limit.scope, scope_id=limit.scope_id
    )


def _shown(limit: RateLimit) -> dict[str, str]:
    values = msgspec.structs.asdict(limit)
    return {name: str(values[name]) for name in MOST}


def _require_scope(reads: DirectoryReads, limit: RateLimit) -> None:
    if limit.scope not in {"organization", "key"}:
        raise InvalidField("Choose one of organization, key.", field="scope")
    if limit.scope == "organization" or limit.scope_id == EACH:
        return
    if reads.key(limit.organization_id, limit.scope_id) is None:
        raise NotFound("There is no such key in this organization.", field="scope_id")
