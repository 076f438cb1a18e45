"""What a request has to pass before anything of it goes out: limits of rate, then budgets."""

import asyncio
import time
from typing import Any

from tidegate.core.limit_rules import Limited
from tidegate.core.model import UsageEvent
from tidegate.core.pricing import PriceBook
from tidegate.core.ticket import Ticket
from tidegate.gateway.admission import Reading
from tidegate.gateway.answers import Answer, then
from tidegate.gateway.budgets import Budgets
from tidegate.gateway.counters import Counters
from tidegate.gateway.directory import Directory
from tidegate.gateway.hold_thread import HoldSource
from tidegate.gateway.rate_counters import SharedCounters
from tidegate.gateway.rate_limits import RateLimits


class Limits:
    """Both, in that order. Either may be absent, as where there is no store."""

    def __init__(self, directory: Directory, counters: Counters, log: Any) -> None:
        self._directory = directory
        self._counters = counters
        self._log = log
        self._budgets: Budgets | None = None
        self._rates: RateLimits | None = None
        self._rating: set[str] = set()  # ids of requests that wait for their rate

    def hold(self, source: HoldSource, book: PriceBook, wait_s: float) -> None:
        """Hold requests to budgets."""
        self._budgets = Budgets(source, book, wait_s, self._counters, self._log)

    def count(self, shared: SharedCounters) -> None:
        """Hold requests to limits of rate."""
        self._rates = RateLimits(shared, self._counters, time.monotonic)

    def check(self, ticket: Ticket, reading: Reading) -> Answer:
        """Why a request may not go on, None if it may, or what will say so."""
        if self._rates is not None and (limited := self._directory.limits.of(ticket.key)):
            rated = self._rate(self._rates, limited, ticket)
            if isinstance(rated, asyncio.Future):
                self._rating.add(ticket.event_id)
                return then(rated, lambda: self._rated(ticket, reading))
            if rated is not None:
                return rated
        return self._within_budget(ticket, reading)

    def _rate(self, rates: RateLimits, limited: tuple[Limited, ...], ticket: Ticket) -> Answer:
        try:
            return rates.check(limited, ticket)
        except Exception as fault:  # noqa: BLE001 - a fault of ours is no reason to stop an agent
            self._failed(fault)
            return None

    def _rated(self, ticket: Ticket, reading: Reading) -> Answer:
        """Go on to the budgets with a request that had to wait, unless it is over."""
        return self._within_budget(ticket, reading) if ticket.event_id in self._rating else None

    def _within_budget(self, ticket: Ticket, reading: Reading) -> Answer:
        if self._budgets is None:
            return None
        try:
            return self._budgets.check(self._directory.budgets, ticket, reading)
        except Exception as fault:  # noqa: BLE001 - a fault of ours is no reason to stop an agent
            self._failed(fault)
            return None

    def ended(self, event: UsageEvent) -> None:
        """Settle a request's hold, and count what it used."""
        self._rating.discard(event.event_id)
        for part in (self._budgets, self._rates):
            try:
                if part is not None:
                    part.ended(event)
            except Exception as fault:  # noqa: BLE001 - the answer goes on; the drain knows its end
                self._failed(fault)

    def _failed(self, fault: Exception) -> None:
        self._counters.add("limits_failed")
        if (unreported := self._counters.due("limits_failed", time.monotonic())) is not None:
            self._log.error("gateway.limits_failed", error=str(fault)[:200], count=unreported)

    def counters(self) -> dict[str, int]:
        return self._budgets.counters() if self._budgets is not None else {}

    def close(self) -> None:
        if self._budgets is not None:
            self._budgets.close()
        if self._rates is not None:
            self._rates.close()
