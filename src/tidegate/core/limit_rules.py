"""Which limits of rate a key's requests are under."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from tidegate.core.limits import RateLimit
from tidegate.core.model import KeyRecord


class Limited(NamedTuple):
    """One that is limited as a whole: a key or an organization. 0: no such limit."""

    subject: str
    is_key: bool
    requests_per_minute: int
    tokens_per_minute: int
    concurrent_streams: int

    @property
    def words(self) -> str:
        """Whose limit it is."""
        return "this key" if self.is_key else "your organization"


class LimitIndex:
    """The limits of a snapshot, by key. A key without one costs one look-up."""

    def __init__(self, limits: Iterable[RateLimit]) -> None:
        self._by_organization: dict[str, list[RateLimit]] = defaultdict(list)
        for each in limits:
            if not each.is_none:
                self._by_organization[each.organization_id].append(each)
        self._known: dict[str, tuple[Limited, ...]] = {}

    def of(self, key: KeyRecord) -> tuple[Limited, ...]:
        """What limits a key's requests."""
        if not self._by_organization:
            return ()
        if (known := self._known.get(key.key_id)) is None:
            known = self._known[key.key_id] = tuple(self._made(key))
        return known

    def _made(self, key: KeyRecord) -> Iterable[Limited]:
        mine = self._by_organization.get(key.organization_id, ())
        for scope, subject in (("organization", key.organization_id), ("key", key.key_id)):
            found = [each for each in mine if each.scope == scope and each.concerns(key.key_id)]
            if found:
                yield Limited(
                    f"{key.organization_id}/{subject}",
                    scope == "key",
                    _least(each.requests_per_minute for each in found),
                    _least(each.tokens_per_minute for each in found),
                    _least(each.concurrent_streams for each in found),
                )


def _least(limits: Iterable[int]) -> int:
    """The least of several limits, where 0 is none."""
    return min((limit for limit in limits if limit), default=0)
