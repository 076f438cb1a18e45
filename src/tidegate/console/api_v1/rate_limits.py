"""Limits of rate: of the organization as a whole, of each key, and of single keys."""

from typing import Annotated

import msgspec

from tidegate.console.access import Need
from tidegate.console.api_v1.operation import Call, NoBody, NoQuery
from tidegate.console.api_v1.table import get, put
from tidegate.core.budgets import EACH
from tidegate.core.limits import RateLimit as Stored
from tidegate.services.rate_limits import MOST

Requests = Annotated[int, msgspec.Meta(ge=0, le=MOST["requests_per_minute"])]
Tokens = Annotated[int, msgspec.Meta(ge=0, le=MOST["tokens_per_minute"])]
Streams = Annotated[int, msgspec.Meta(ge=0, le=MOST["concurrent_streams"])]


class RateLimit(msgspec.Struct, frozen=True, kw_only=True):
    """0 is no limit."""

    requests_per_minute: Requests
    tokens_per_minute: Tokens
    concurrent_streams: Streams


class RateLimitWrite(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """0 is no limit, and so is what is left out."""

    requests_per_minute: Requests = 0
    tokens_per_minute: Tokens = 0
    concurrent_streams: Streams = 0


class RateLimits(msgspec.Struct, frozen=True, kw_only=True):
    """All that concern a request hold; the tightest decides."""

    organization: RateLimit  # all keys together
    each_key: RateLimit  # every key by itself
    keys: dict[str, RateLimit]  # by id, of keys that have their own


def get_rate_limits(call: Call[NoQuery, NoBody]) -> RateLimits:
    """All limits of rate."""
    limits = call.services.rate_limits.list(call.organization_id)
    found = {(each.scope, each.scope_id): _limit(each) for each in limits}
    none = _limit(Stored(organization_id=call.organization_id))
    return RateLimits(
        organization=found.get(("organization", ""), none),
        each_key=found.get(("key", EACH), none),
        keys={
            key_id: limit
            for (scope, key_id), limit in found.items()
            if scope == "key" and key_id != EACH
        },
    )


def replace_organization_limit(call: Call[NoQuery, RateLimitWrite]) -> RateLimit:
    """Set what all keys together may do."""
    return _set(call, "organization", "")


def replace_each_key_limit(call: Call[NoQuery, RateLimitWrite]) -> RateLimit:
    """Set what every key by itself may do."""
    return _set(call, "key", EACH)


def replace_key_limit(call: Call[NoQuery, RateLimitWrite]) -> RateLimit:
    """Set what one key may do, besides the limit of each key."""
    return _set(call, "key", call.path["key_id"])


def _set(call: Call[NoQuery, RateLimitWrite], scope: str, scope_id: str) -> RateLimit:
    stored = call.services.rate_limits.set(
        call.organization_id,
        scope=scope,
        scope_id=scope_id,
        by_role=call.viewer.role,
        actor=call.actor,
        **msgspec.structs.asdict(call.body),
    )
    return _limit(stored)


def _limit(stored: Stored) -> RateLimit:
    return RateLimit(
        requests_per_minute=stored.requests_per_minute,
        tokens_per_minute=stored.tokens_per_minute,
        concurrent_streams=stored.concurrent_streams,
    )


_TAG = "Rate limits"
_ADMIN = Need.ADMIN
OPERATIONS = (
    get("/rate-limits", get_rate_limits, need=_ADMIN, tag=_TAG),
    put("/rate-limits/organization", replace_organization_limit, need=_ADMIN, tag=_TAG),
    put("/rate-limits/each-key", replace_each_key_limit, need=_ADMIN, tag=_TAG),
    put("/keys/{key_id}/rate-limit", replace_key_limit, need=_ADMIN, tag=_TAG),
)
