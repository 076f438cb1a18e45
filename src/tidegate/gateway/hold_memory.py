"""What a worker remembers for budgets: recent costs, sessions' places, soft budgets."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from tidegate.core import budget_words
from tidegate.core.budget_rules import Share
from tidegate.core.budgets import Envelope, Standing, resets_us
from tidegate.core.holds import SAMPLES
from tidegate.core.ticket import Ticket
from tidegate.gateway.hold_thread import HoldSource, Look

_KEPT: Final = 5_000
_FRESH_S: Final = 10.0

K = TypeVar("K")
V = TypeVar("V")


class _Newest(OrderedDict[K, V], Generic[K, V]):
    """A dictionary of the entries that were set last."""

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > _KEPT:
            self.popitem(last=False)


class CostMemory:
    """What the last requests of a key with a model cost, for those that were asked of."""

    def __init__(self) -> None:
        self._costs: _Newest[tuple[str, str], deque[int]] = _Newest()

    def get(self, key_id: str, model: str) -> Sequence[int]:
        """Oldest first; empty where nothing is known."""
        return tuple(self._costs.get((key_id, model), ()))

    def fill(self, key_id: str, model: str, costs: Sequence[int]) -> None:
        """Take what the ledger has, if nothing else is known."""
        if not self._costs.get((key_id, model)):
            self._costs[key_id, model] = deque(costs, SAMPLES)

    def add(self, key_id: str, model: str, cost_nusd: int) -> None:
        """Take the cost of a request, if such ones were asked of."""
        if (costs := self._costs.get((key_id, model))) is not None:
            costs.append(cost_nusd)


class Places:
    """The root of each session, and the repository that its requests named last."""

    def __init__(self) -> None:
        self._roots: _Newest[str, str] = _Newest()
        self._repositories: _Newest[str, str] = _Newest()

    def learn(self, root: str, repository: str) -> None:
        """Take where a session worked, if its requests did not say; "" if nobody knows."""
        if not self._repositories.get(root):
            self._repositories[root] = repository

    def is_known(self, root: str) -> bool:
        """Whether `learn` was told of a session, or its requests said something."""
        return root in self._repositories

    def of(self, session: str, parent: str, repository: str) -> tuple[str, str]:
        """Root and repository of a request's session."""
        if not session:
            return "", repository
        root = self._roots.get(parent, parent) if parent else self._roots.get(session, session)
        if root != session:
            self._roots[session] = root
        if repository:
            self._repositories[root] = repository
        return root, repository or self._repositories.get(root, "")


class SoftStandings:
    """How soft budgets stand, a few seconds old; and what Claude Code is told of all of them."""

    def __init__(self, look: Callable[[Look], None]) -> None:
        self._look = look
        self._seen: _Newest[Envelope, tuple[Standing, float]] = _Newest()
        self._looking: set[Envelope] = set()

    def note(self, ticket: Ticket, shares: Sequence[Share]) -> None:
        """Tell what is known of them, and look again at what is old."""
        now = asyncio.get_running_loop().time()
        envelopes = [share.envelope(ticket.started_us) for share in shares]
        known = [
            (s, self._seen[e][0]) for s, e in zip(shares, envelopes, strict=True) if e in self._seen
        ]
        old = tuple(
            e
            for e in envelopes
            if e not in self._looking and now - self._seen.get(e, (None, 0.0))[1] > _FRESH_S
        )
        if old and len(self._looking) < _KEPT:
            self._looking.update(old)
            self._look(_Seen(self, ticket.key.organization_id, old))
        self.tell(ticket, known)

    def keep(self, envelopes: Sequence[Envelope], standings: Sequence[Standing]) -> None:
        now = asyncio.get_running_loop().time()
        self._looking.difference_update(envelopes)
        for envelope, standing in zip(envelopes, standings, strict=False):
            self._seen[envelope] = (standing, now)

    def tell(self, ticket: Ticket, pairs: Sequence[tuple[Share, Standing]]) -> None:
        """Put into the answer's head how the budget stands that is nearest to its limit."""
        now_us = ticket.started_us
        for share, standing in pairs:
            gone = budget_words.percent(standing.gone_nusd, share.limit(now_us))
            if gone > ticket.budget_percent:
                window = share.terms.window(now_us)
                ticket.budget_percent = gone
                ticket.budget_resets_us = resets_us(share.budget, window, share.terms.zone)


class _Seen:
    """One look at some envelopes."""

    def __init__(
        self, standings: SoftStandings, organization_id: str, envelopes: tuple[Envelope, ...]
    ) -> None:
        self._standings = standings
        self._organization_id = organization_id
        self._envelopes = envelopes

    def look(self, source: HoldSource) -> list[Standing]:
        return source.store.standings(self._organization_id, self._envelopes)

    def seen(self, found: list[Standing] | None) -> None:
        self._standings.keep(self._envelopes, found or ())
