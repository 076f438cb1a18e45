"""A store of holds in memory, which a test can stop, slow down and look into."""

import threading
from collections.abc import Sequence
from typing import Any

from tests.unit.gateway.world import ORGANIZATION

from tidegate.core.budgets import Budget, Envelope, Standing, fits
from tidegate.gateway.hold_thread import HoldSource
from tidegate.store.holds import Decision, Holder, HoldRequest, Settlement, Want
from tidegate.store.ports import StoreUnavailable


def _wants(requests: Sequence[HoldRequest]) -> list[Want]:
    return [want for request in requests for want in request.wants]


class MemoryHolds:
    """See `tidegate.store.holds.HoldStore`. What is settled counts as spent at once."""

    def __init__(self) -> None:
        self.spent: dict[str, int] = {}  # by budget
        self.held: dict[str, HoldRequest] = {}
        self.settled: dict[str, int] = {}
        self.released: list[str] = []
        self.asked: list[HoldRequest] = []
        self.repositories: dict[str, str] = {}
        self.past_costs: list[int] = []
        self.away = False
        self.lost_answers = 0  # so many calls fail after all was done
        self.poison = ""  # no request of this session can be stored
        self.reached = threading.Event()
        self.open = threading.Event()
        self.open.set()
        self.calls = 0

    @property
    def source(self) -> HoldSource:
        return HoldSource(self, Holder("plc_1", "worker-1"), self)

    def exchange(
        self,
        holder: Holder,
        *,
        reserve: Sequence[HoldRequest] = (),
        settle: Sequence[Settlement] = (),
        release: Sequence[str] = (),
    ) -> list[Decision]:
        self.reached.set()
        self.open.wait(20)
        if self.away:
            raise StoreUnavailable("the store is away")
        self.calls += 1
        if self.poison and any(self.poison in want.envelope.subject.id for want in _wants(reserve)):
            raise ValueError("a value that no database takes")
        for settlement in settle:
            self._settle(settlement)
        for event_id in release:
            self.held.pop(event_id, None)
            self.released.append(event_id)
        decisions = [self._decide(request) for request in reserve]
        if self.lost_answers:
            self.lost_answers -= 1
            raise StoreUnavailable("the connection was lost")
        return decisions

    def _settle(self, settlement: Settlement) -> None:
        request = self.held.pop(settlement.event_id, None)
        self.settled[settlement.event_id] = settlement.cost_nusd
        for want in request.wants if request is not None else ():
            budget_id = want.envelope.budget_id
            self.spent[budget_id] = self.spent.get(budget_id, 0) + settlement.cost_nusd

    def _decide(self, request: HoldRequest) -> Decision:
        self.asked.append(request)
        standings = tuple(self._standing(want.envelope) for want in request.wants)
        for number, (want, standing) in enumerate(zip(request.wants, standings, strict=True)):
            if not fits(standing, want.amount_nusd, want.limit_nusd):
                return Decision(event_id=request.event_id, standings=standings, refused_by=number)
        self.held[request.event_id] = request
        return Decision(event_id=request.event_id, standings=standings)

    def _standing(self, envelope: Envelope) -> Standing:
        held = [
            want.amount_nusd
            for request in self.held.values()
            for want in request.wants
            if want.envelope == envelope
        ]
        return Standing(self.spent.get(envelope.budget_id, 0), sum(held))

    def renew(self, holder: Holder) -> None: ...

    def standings(self, organization_id: str, envelopes: Sequence[Envelope]) -> list[Standing]:
        return [self._standing(envelope) for envelope in envelopes]

    def subjects(self, organization_id: str, envelopes: Sequence[Envelope], **_: Any) -> list[Any]:
        return [{} for _ in envelopes]

    def drop_recorded(self, event_ids: Sequence[str]) -> None: ...

    def expired(self, place: str, **_known: Any) -> list[str]:
        return []

    def sweep(self, event_ids: Sequence[str]) -> int:
        return 0

    # the past

    def costs(self, organization_id: str, member_id: str, key_id: str, model: str) -> list[int]:
        return self.past_costs

    def repository(self, organization_id: str, session_id: str) -> str:
        return next(iter(self.repositories.values()), "")


def budget(**fields: Any) -> Budget:
    """A hard one of the organization, of a dollar a month."""
    plain: dict[str, Any] = {
        "budget_id": "bud_1",
        "organization_id": ORGANIZATION,
        "amount_nusd": 1_000_000_000,
        "hard": True,
    }
    return Budget(**(plain | fields))
