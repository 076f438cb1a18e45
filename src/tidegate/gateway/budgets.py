"""Whether a request's budgets let it pass: asked of the store for keys under a hard one only.

A request waits for the answer, not for long; then its budgets say whether it passes all the same.
It is held before anything of it goes to an upstream, and settled when its usage event is recorded.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from tidegate.core import budget_words, errors
from tidegate.core.attribution import Kind
from tidegate.core.budget_rules import BudgetIndex, KeyRules, Share, closes
from tidegate.core.budgets import BudgetRefusal, HoldMode, Standing, resets_us
from tidegate.core.errors import Failure
from tidegate.core.holds import Hold, Priceable, bound, first_typical, size_bound, typical
from tidegate.core.identity import session_id
from tidegate.core.model import Agent, Billing, Dialect, UsageEvent
from tidegate.core.pricing import PriceBook
from tidegate.core.ticket import Ticket
from tidegate.gateway.admission import Reading
from tidegate.gateway.answers import Answer, then
from tidegate.gateway.counters import Counters
from tidegate.gateway.hold_memory import CostMemory, Places, SoftStandings
from tidegate.gateway.hold_thread import HoldSource, HoldThread
from tidegate.store.holds import Decision, HoldRequest, Settlement, Want

_LARGE_BYTES: Final = 256 << 10  # to go through more takes too long for the loop


class Budgets:
    """The budgets of one worker's requests. All in the loop, but what `HoldThread` calls."""

    def __init__(
        self, source: HoldSource, book: PriceBook, wait_s: float, counters: Counters, log: Any
    ) -> None:
        self._thread = HoldThread(source, self._failed)
        self.past = source.past
        self.costs = CostMemory()
        self._places = Places()
        self._soft = SoftStandings(self._thread.look)
        self._book = book
        self._wait_s = wait_s
        self._counters = counters
        self._log = log
        self._asked: dict[str, _Asking] = {}
        self._pending: set[str] = set()  # ids of requests of which something is looked for first
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="bounds")
        self._readers_book = PriceBook(book.sheet)  # a book is for one thread

    def check(self, index: BudgetIndex, ticket: Ticket, reading: Reading) -> Answer:
        """Why a request may not go on, None if it may, or what will say so."""
        rules = index.of(ticket.key)
        if rules is None or ticket.facts is None or ticket.route is None:
            return None
        return self._safely(rules, lambda: self._placed(rules, ticket, reading))

    def _safely(self, rules: KeyRules, ask: Callable[[], Answer]) -> Answer:
        """Ask. If that fails by a fault of ours, the budgets say whether the request passes."""
        try:
            return ask()
        except Exception as fault:  # noqa: BLE001 - whatever it is, the request needs an answer
            self._tell("budget_checks_failed", "gateway.budgets_failed", fault)
            return errors.budget_unknown() if rules.has_closed else None

    def _placed(self, rules: KeyRules, ticket: Ticket, reading: Reading) -> Answer:
        """Check a request when it is known in which repository its session works."""
        root, repository = self._place(ticket) if rules.by_request else ("", "")
        unplaced = rules.by_repository and root and not repository
        if not unplaced or not rules.has_hard or self._places.is_known(root):
            return self._check(rules, ticket, reading, self._wait_s)
        placing = _Placing(self._places, ticket.key.organization_id, root, self._wait_s)
        self._thread.look(placing)

        def check() -> Answer:
            return self._check(rules, ticket, reading, placing.left_s)

        return self._after(placing.answer, rules, ticket, check)

    def _after(
        self,
        first: "asyncio.Future[Failure | None]",
        rules: KeyRules,
        ticket: Ticket,
        ask: Callable[[], Answer],
    ) -> Answer:
        """Go on with a request later, unless it is over by then."""
        self._pending.add(ticket.event_id)

        def go_on() -> Answer:
            if ticket.event_id not in self._pending:
                return None
            self._pending.discard(ticket.event_id)
            return self._safely(rules, ask)

        return then(first, go_on)

    def _check(self, rules: KeyRules, ticket: Ticket, reading: Reading, wait_s: float) -> Answer:
        root, repository = self._place(ticket) if rules.by_request else ("", "")
        route = ticket.route
        on_subscription = route is not None and route.billing == Billing.SUBSCRIPTION
        shares = rules.shares(repository, root, subscription=on_subscription)
        hard = [share for share in shares if share.budget.hard]
        soft = [share for share in shares if not share.budget.hard]
        if soft and reads_headers(ticket):
            self._soft.note(ticket, soft)
        if not hard:
            return None
        asking = _Asking(self, ticket, hard, wait_s)
        is_strict = any(share.budget.mode == HoldMode.STRICT for share in hard)
        if is_strict and len(reading.plain) > _LARGE_BYTES:
            return self._bound_apart(asking, rules, ticket, reading)
        hold = _bound(self._book, ticket, reading) if is_strict else None
        return self._ask(asking, ticket, reading, hold)

    def _bound_apart(
        self, asking: "_Asking", rules: KeyRules, ticket: Ticket, reading: Reading
    ) -> Answer:
        """Go through a large body in a thread, then ask."""
        loop = asyncio.get_running_loop()
        first: asyncio.Future[Failure | None] = loop.create_future()
        found = loop.run_in_executor(self._reader, _bound, self._readers_book, ticket, reading)
        found.add_done_callback(lambda _: first.set_result(None))

        def ask() -> Answer:
            return self._ask(asking, ticket, reading, found.result())

        return self._after(first, rules, ticket, ask)

    def ended(self, event: UsageEvent) -> None:
        """Settle what was held for a request, or give it back if it cost nothing."""
        cost_nusd = event.cost.total
        if cost_nusd:
            self.costs.add(event.key_id, event.model_asked, cost_nusd)
        self._pending.discard(event.event_id)
        asking = self._asked.pop(event.event_id, None)
        if asking is not None:
            asking.ended(cost_nusd)

    def give_back(self, event_id: str, cost_nusd: int) -> None:
        """Settle or release what the store holds."""
        if cost_nusd:
            self._thread.settle(Settlement(event_id, cost_nusd))
        else:
            self._thread.release(event_id)

    def counters(self) -> dict[str, int]:
        return {"budget_holds": len(self._asked)}

    def close(self) -> None:
        """Ask nothing more; what waits is not answered."""
        for asking in self._asked.values():
            asking.stop_waiting()
        self._thread.close()
        self._reader.shutdown(wait=False)

    # -- a request -----------------------------------------------------------

    def _place(self, ticket: Ticket) -> tuple[str, str]:
        """The root of a request's session, and the repository."""
        client, key = ticket.client, ticket.key
        own = (key.organization_id, key.key_id)
        named = (link.value for link in client.links if link.kind == Kind.REPOSITORY)
        return self._places.of(
            session_id(*own, client.session),
            session_id(*own, client.parent_session),
            client.repository or next(named, ""),
        )

    def _ask(
        self, asking: "_Asking", ticket: Ticket, reading: Reading, hold: Hold | None
    ) -> Answer:
        """Work out what to hold, and ask; `hold` is the bound, if a budget asks for one."""
        assert ticket.facts is not None
        what, size = _priceable(ticket), (len(reading.plain), ticket.facts.max_tokens)
        if hold is not None and hold.problem:
            self._counters.add("budget_refusals")
            return errors.cost_unbounded(hold.problem)
        asking.bound_nusd = hold.amount_nusd if hold else size_bound(self._book, what, *size)
        if any(share.budget.mode == HoldMode.TYPICAL for share in asking.shares):
            known = self.costs.get(ticket.key.key_id, ticket.facts.model)
            asking.typical_nusd = typical(known) if known else 0
            if not known:
                asking.first_nusd = first_typical(self._book, what, *size)
        self._asked[asking.event_id] = asking
        asking.wait()
        self._thread.ask(asking)
        return asking.answer

    def refused(self, refusal: BudgetRefusal, share: Share, now_us: int) -> Failure:
        """Count a refusal and word it."""
        self._counters.add("budget_refusals")
        return budget_words.exceeded(refusal, share.terms.zone, now_us)

    def timed_out(self) -> None:
        """Count a request that the store did not answer in time."""
        self._counters.add("budget_waits_timed_out")

    def notices(self, ticket: Ticket, pairs: list[tuple[Share, Standing]]) -> None:
        """Tell Claude Code how much of its budgets is gone."""
        if reads_headers(ticket):
            self._soft.tell(ticket, pairs)

    def _failed(self, fault: BaseException) -> None:
        self._tell("budget_store_failures", "gateway.budgets_unavailable", fault)

    def _tell(self, counter: str, event: str, fault: BaseException) -> None:
        self._counters.add(counter)
        now = asyncio.get_running_loop().time()
        if (unreported := self._counters.due(counter, now)) is not None:
            self._log.warning(event, error=str(fault)[:200], count=unreported)


def reads_headers(ticket: Ticket) -> bool:
    """Whether the caller shows what the headers of an answer say of its limits."""
    return ticket.client.agent is Agent.CLAUDE_CODE and ticket.dialect is Dialect.MESSAGES


def _priceable(ticket: Ticket) -> Priceable:
    facts, route = ticket.facts, ticket.route
    assert facts is not None
    assert route is not None
    return Priceable(
        provider=route.provider.value,
        model=facts.model,
        price_table=route.price_table,
        at_us=ticket.started_us,
    )


def _bound(book: PriceBook, ticket: Ticket, reading: Reading) -> Hold:
    return bound(book, _priceable(ticket), ticket.dialect, reading.plain, reading.members)


class _Placing:
    """Asks the store where a session works, and waits for the answer, not for long."""

    def __init__(self, places: Places, organization_id: str, root: str, wait_s: float) -> None:
        self._places = places
        self._organization_id = organization_id
        self._root = root
        loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[Failure | None] = loop.create_future()
        self._until = loop.time() + wait_s
        self._timer = loop.call_at(self._until, self.seen, None)

    @property
    def left_s(self) -> float:
        """How long the request may still wait."""
        return max(0.0, self._until - asyncio.get_running_loop().time())

    def look(self, source: HoldSource) -> str:
        return source.past.repository(self._organization_id, self._root)

    def seen(self, found: str | None) -> None:
        self._timer.cancel()
        if found is not None:
            self._places.learn(self._root, found)
        if not self.answer.done():
            self.answer.set_result(None)


class _Asking:
    """One request, from the question whether it may pass until it ended."""

    def __init__(
        self, budgets: Budgets, ticket: Ticket, shares: list[Share], wait_s: float
    ) -> None:
        self._budgets = budgets
        self._wait_s = wait_s
        self._ticket = ticket
        self.shares = shares
        self.event_id = ticket.event_id
        self.bound_nusd = self.typical_nusd = self.first_nusd = 0
        self.answer: asyncio.Future[Failure | None] = asyncio.get_running_loop().create_future()
        self.over = False
        self._held = False
        self._cost_nusd = 0  # once it is over
        self._fetched: list[int] | None = None
        self._timer: asyncio.TimerHandle | None = None
        now_us = ticket.started_us
        self._placed = [(share.envelope(now_us), share.limit(now_us)) for share in shares]

    def request(self) -> HoldRequest:
        """What to reserve. In the thread, where alone the store may be asked."""
        if self.first_nusd and self._fetched is None:
            self._fetched = self._fetch()
            self.typical_nusd = typical(self._fetched) or self.first_nusd
        return HoldRequest(
            event_id=self.event_id,
            organization_id=self._ticket.key.organization_id,
            started_us=self._ticket.started_us,
            wants=tuple(
                Want(
                    envelope=envelope,
                    amount_nusd=self._amount(share),
                    limit_nusd=limit,
                    bound_nusd=self.bound_nusd,
                )
                for share, (envelope, limit) in zip(self.shares, self._placed, strict=True)
            ),
        )

    def _amount(self, share: Share) -> int:
        strict = share.budget.mode == HoldMode.STRICT
        return self.bound_nusd if strict else self.typical_nusd

    def _fetch(self) -> list[int]:
        ticket = self._ticket
        assert ticket.facts is not None
        key = ticket.key
        asked = (key.organization_id, key.member_id, key.key_id, ticket.facts.model)
        try:
            return self._budgets.past.costs(*asked)
        except Exception:  # noqa: BLE001 - whatever ails the ledger: there is another amount
            return []

    def wait(self) -> None:
        """Begin to wait for the decision, not for long."""
        self._timer = asyncio.get_running_loop().call_later(self._wait_s, self._too_late)

    def stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def decided(self, decision: Decision) -> None:
        """Take the store's decision, which may come when nobody waits for it any more."""
        self.stop_waiting()
        if self._fetched is not None:
            ticket = self._ticket
            model = ticket.facts.model if ticket.facts is not None else ""
            self._budgets.costs.fill(ticket.key.key_id, model, self._fetched)
        if self.over:
            if decision.passes:
                self._budgets.give_back(self.event_id, self._cost_nusd)
            return
        self._held = decision.passes
        if not self.answer.done():
            self._tell(decision)

    def _tell(self, decision: Decision) -> None:
        if decision.passes:
            pairs = list(zip(self.shares, decision.standings, strict=True))
            self._budgets.notices(self._ticket, pairs)
            self.answer.set_result(None)
            return
        self.over = True
        number = decision.refused_by
        share, (envelope, limit) = self.shares[number], self._placed[number]
        refusal = BudgetRefusal(
            budget=share.budget,
            subject=share.subject,
            standing=decision.standings[number],
            wanted_nusd=self._amount(share),
            limit_nusd=limit,
            resets_us=resets_us(share.budget, envelope.window, share.terms.zone),
        )
        now_us = time.time_ns() // 1000
        self.answer.set_result(self._budgets.refused(refusal, share, now_us))

    def _too_late(self) -> None:
        """The store did not answer in time: pass, and be held when it does, or be refused."""
        self._timer = None
        self._budgets.timed_out()
        if closes(self.shares):
            self.over = True
            self.answer.set_result(errors.budget_unknown())
        else:
            self.answer.set_result(None)

    def ended(self, cost_nusd: int) -> None:
        """Take the end of the request, which may come at any time."""
        self.stop_waiting()
        self.over = True
        self._cost_nusd = cost_nusd
        if self._held:
            self._held = False
            self._budgets.give_back(self.event_id, cost_nusd)
