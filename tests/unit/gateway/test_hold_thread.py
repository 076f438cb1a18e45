"""The thread that asks the store: who comes first, and what is done at the end."""

from typing import Any

from tests.unit.gateway.held import MemoryHolds
from tests.unit.gateway.world import ORGANIZATION, in_loop, until

from tidegate.core.budgets import Envelope, Subject, Window
from tidegate.gateway.hold_thread import HoldSource, HoldThread
from tidegate.store.holds import Decision, HoldRequest, Settlement, Want
from tidegate.store.ports import StoreUnavailable

ENVELOPE = Envelope("bud_1", Subject("organization"), Window(0, 0))


class Ask:
    """Waits for a hold."""

    over = False

    def __init__(self, event_id: str, done: list[str]) -> None:
        self.event_id = event_id
        self.done = done

    def request(self) -> HoldRequest:
        want = Want(envelope=ENVELOPE, amount_nusd=5, limit_nusd=1000)
        return HoldRequest(
            event_id=self.event_id, organization_id=ORGANIZATION, started_us=1, wants=(want,)
        )

    def decided(self, decision: Decision) -> None:
        assert decision.passes
        self.done.append(self.event_id)


class Glance:
    """Only wants to know something."""

    def __init__(self, name: str, done: list[str], fault: Exception | None = None) -> None:
        self.name = name
        self.done = done
        self.fault = fault

    def look(self, _source: HoldSource) -> str:
        if self.fault is not None:
            raise self.fault
        return self.name

    def seen(self, found: Any) -> None:
        self.done.append(str(found))


@in_loop
async def test_nobody_waits_for_all_who_only_want_to_know() -> None:
    holds, done, faults = MemoryHolds(), [], []  # type: ignore[var-annotated]
    thread = HoldThread(holds.source, faults.append)
    for number in range(5):
        thread.look(Glance(f"look {number}", done))
    thread.ask(Ask("req_1", done))
    thread.settle(Settlement("req_0", 7))
    await until(lambda: len(done) == 6)
    assert done[:2] == ["look 0", "req_1"]
    assert holds.settled == {"req_0": 7}
    thread.close()
    thread.close()  # as a gateway that drains and then ends does
    assert faults == []


@in_loop
async def test_a_look_that_fails_is_told_so() -> None:
    holds, done, faults = MemoryHolds(), [], []  # type: ignore[var-annotated]
    thread = HoldThread(holds.source, faults.append)
    away = StoreUnavailable("away")
    thread.look(Glance("", done, away))
    thread.ask(Ask("req_1", done))
    await until(lambda: len(done) == 2)
    assert (done, faults) == (["None", "req_1"], [away])
    thread.close()


@in_loop
async def test_what_ended_is_settled_at_the_end_though_the_store_was_away() -> None:
    holds, done, faults = MemoryHolds(), [], []  # type: ignore[var-annotated]
    thread = HoldThread(holds.source, faults.append)
    thread.ask(Ask("req_1", done))
    await until(lambda: done)
    holds.away = True
    thread.settle(Settlement("req_1", 3))
    await until(lambda: faults)
    holds.away = False
    thread.close()
    await until(lambda: holds.settled)
    assert (holds.settled, holds.held) == ({"req_1": 3}, {})
