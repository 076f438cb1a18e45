"""What is put aside for requests under hard budgets until the ledger has them.

A hold is there from before a request's first byte goes out until after its event is in the ledger,
so that at every moment each request is counted: as a hold, or as spent. What both have for a moment
is counted once. `docs/budgets.md` tells the whole story.
"""

from collections.abc import Collection, Sequence
from typing import Final, Protocol

import msgspec

from tidegate.core.budgets import Envelope, Standing

RENEW_S: Final = 20
EXPIRY_S: Final = 90
"""A worker that has not renewed for so long is dead, where nothing better tells."""


class Holder(msgspec.Struct, frozen=True):
    """Who puts aside: one run of a worker, and the spool that it writes to."""

    place: str  # of the data directory, see wiring
    worker: str  # never used again by another run


class Want(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks of one budget."""

    envelope: Envelope
    amount_nusd: int  # to put aside
    limit_nusd: int  # the budget's amount with its raises
    bound_nusd: int = 0  # what the request cannot exceed; 0: that is not known


class HoldRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that is about to begin. It passes if it fits all of its budgets."""

    event_id: str
    organization_id: str
    started_us: int  # as its usage event will say
    wants: tuple[Want, ...]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a request may go on."""

    event_id: str
    standings: tuple[Standing, ...]  # of each want, before anything was put aside for it
    refused_by: int = -1  # which want does not fit; -1: it passes

    @property
    def passes(self) -> bool:
        return self.refused_by < 0


class Settlement(msgspec.Struct, frozen=True):
    """A request that ended. Its hold becomes what it cost, and stays until the ledger has it."""

    event_id: str
    cost_nusd: int


class HoldStore(Protocol):
    """Every call is one transaction; one that reserves sees what all before it have left.

    StoreUnavailable if the database does not play along: nothing was done then.
    """

    def exchange(
        self,
        holder: Holder,
        *,
        reserve: Sequence[HoldRequest] = (),
        settle: Sequence[Settlement] = (),
        release: Sequence[str] = (),
    ) -> list[Decision]:
        """Settle, release, then reserve, in this order: a decision on each that reserves.

        Released are requests that never went out, by their event's id. What is not there is passed
        over: the ledger may have been faster.
        """
        ...

    def renew(self, holder: Holder) -> None:
        """Say that a worker lives; to be called every `RENEW_S` seconds."""
        ...

    def standings(self, organization_id: str, envelopes: Sequence[Envelope]) -> list[Standing]:
        """How much of each envelope is gone, to the nano-dollar."""
        ...

    def subjects(
        self,
        organization_id: str,
        envelopes: Sequence[Envelope],
        *,
        used_since_us: int = 0,
        least_nusd: Sequence[int] = (),
    ) -> list[dict[str, Standing]]:
        """Of envelopes of EACH, the 500 who spent the most, by `Subject.text`, and who holds
        anything; or all who spent at least so much of each envelope.

        `Subject.id` of such an envelope is EACH, or of a squad per head the squad's id with the
        member EACH. Of sessions only those that were used since then.
        """
        ...

    def drop_recorded(self, event_ids: Sequence[str]) -> None:
        """Forget requests that the ledger has, after it was committed."""
        ...

    def expired(
        self, place: str, *, living: Collection[str] = (), gone: Collection[str] = ()
    ) -> list[str]:
        """Requests that did not settle, of workers of a place that are gone.

        Those are who is known to be, and who did not renew in time and is not known to live.
        """
        ...

    def sweep(self, event_ids: Sequence[str]) -> int:
        """Forget what the ledger has, what nobody will bring any more, and expired requests whose
        place has drained its spool since: how many requests."""
        ...
