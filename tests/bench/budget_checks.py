"""What budgets cost a worker's loop: the look-up, working out a hold, waiting for it, its end."""

import asyncio
from collections.abc import Callable, Iterator

from tests.bench import replies
from tests.bench.workloads import WORKLOADS, request_body
from tests.unit.gateway.held import MemoryHolds

from tidegate.core.budget_rules import BudgetIndex
from tidegate.core.budgets import Budget, Standing
from tidegate.core.dialects import read_members
from tidegate.core.model import Cost, Dialect, DirectorySnapshot, OrganizationRecord, UsageEvent
from tidegate.core.pricing import PriceBook
from tidegate.core.ticket import Ticket
from tidegate.gateway.admission import Reading
from tidegate.gateway.budgets import Budgets
from tidegate.gateway.counters import Counters
from tidegate.gateway.hold_thread import Asking
from tidegate.services.log import NoLog
from tidegate.store.holds import Decision, Settlement

Part = tuple[str, Callable[[], object]]
_OTHERS = 200  # budgets of other keys and members


class _AtOnce:
    """In the place of the thread: says yes as soon as it is asked."""

    def ask(self, asking: Asking) -> None:
        request = asking.request()
        standings = tuple(Standing(5, 5) for _ in request.wants)
        asking.decided(Decision(event_id=request.event_id, standings=standings))

    def settle(self, settlement: Settlement) -> None: ...
    def release(self, event_id: str) -> None: ...


def budget_checks(book: PriceBook, ticket: Ticket) -> Iterator[Part]:
    """Called in a loop."""
    body = request_body(next(each for each in WORKLOADS if each.name == "B"))
    asked = read_members(Dialect.MESSAGES, body)[0].model.encode()
    body = body.replace(asked, replies.MODEL_SERVED.encode())  # one that has a price
    facts, members = read_members(Dialect.MESSAGES, body)
    ticket.facts, ticket.event_id = facts, "req_bench"
    reading = Reading(facts=facts, plain=body, members=members)
    ended = UsageEvent(
        event_id=ticket.event_id,
        organization_id="org_b",
        member_id="mem_b",
        key_id="key_b",
        agent="codex",
        model_asked=facts.model,
        dialect="anthropic_messages",
        started_us=ticket.started_us,
        outcome="ok",
        cost=Cost(input=5_000_000),
    )
    budgets = Budgets(MemoryHolds().source, book, 0.25, Counters(), NoLog())
    budgets._thread = _AtOnce()  # type: ignore[assignment]
    budgets.costs.fill("key_b", facts.model, [5_000_000] * 200)
    size = f"{len(body):,} bytes, {replies.MODEL_SERVED}"
    for title, mine in (
        ("check a key without a hard budget", []),
        (f"the loop's part of a typical hold and its end ({size})", [_budget("typical")]),
        (f"the loop's part of a strict hold and its end ({size})", [_budget("strict")]),
    ):
        yield title, _whole(budgets, _index(mine), ticket, reading, ended)


def _whole(
    budgets: Budgets, index: BudgetIndex, ticket: Ticket, reading: Reading, ended: UsageEvent
) -> Callable[[], object]:
    def check_and_end() -> None:
        answer = budgets.check(index, ticket, reading)
        assert answer is None or (isinstance(answer, asyncio.Future) and answer.result() is None)
        budgets.ended(ended)

    return check_and_end


def _budget(mode: str) -> Budget:
    return Budget(
        budget_id="bud_mine",
        organization_id="org_b",
        scope="member",
        scope_id="*",
        amount_nusd=10**15,
        hard=True,
        mode=mode,
    )


def _index(mine: list[Budget]) -> BudgetIndex:
    others = [
        Budget(
            budget_id=f"bud_{n}",
            organization_id="org_b",
            scope="key",
            scope_id=f"key_{n}",
            hard=True,
        )
        for n in range(_OTHERS)
    ]
    organization = OrganizationRecord(organization_id="org_b", name="Bench")
    snapshot = DirectorySnapshot(1, organizations=(organization,), budgets=(*others, *mine))
    return BudgetIndex(snapshot)
