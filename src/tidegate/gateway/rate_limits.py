"""Limits of rate: requests and tokens a minute, answers at once, by key and by organization.

Who is beyond one is told to come back in a few seconds. Codex, whose turn a 429 would end, waits
here for a while instead. Where the counters fail, requests pass.
"""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from tidegate.core import errors
from tidegate.core.errors import Failure
from tidegate.core.estimate import prompt_tokens
from tidegate.core.limit_rules import Limited
from tidegate.core.model import Agent, UsageEvent
from tidegate.core.ticket import Ticket
from tidegate.gateway.counters import Counters
from tidegate.gateway.rate_counters import Count, CountersBusy, SharedCounters, Slot

_RETRY_AFTER_S: Final = 5  # at most: one agent sleeps as long as it is told, in silence
_CODEX_WAITS_S: Final = 15.0
_LOOK_EVERY_S: Final = 0.25


class _Passed(NamedTuple):
    """A request that runs, and how many tokens were counted for it."""

    limited: tuple[Limited, ...]
    tokens: int


class RateLimits:
    """The limits of one worker's requests, counted together with the other workers."""

    def __init__(
        self, shared: SharedCounters, counters: Counters, now: Callable[[], float]
    ) -> None:
        self._shared = shared
        self._counters = counters
        self._now = now
        self._running: dict[str, _Passed] = {}
        self._waiting: dict[str, _Waiting] = {}

    def check(
        self, limited: tuple[Limited, ...], ticket: Ticket
    ) -> "Failure | asyncio.Future[Failure | None] | None":
        """Why a request may not go on, None if it may, or what will say so."""
        refusal = self.take(limited, ticket)
        if refusal is not None and ticket.client.agent is Agent.CODEX:
            waiting = self._waiting[ticket.event_id] = _Waiting(self, limited, ticket)
            return waiting.answer
        return self.refused(refusal)

    def take(self, limited: tuple[Limited, ...], ticket: Ticket) -> Failure | None:
        """Count a request if it is within its limits; why it is not."""
        model = ticket.facts.model if ticket.facts is not None else ""
        tokens = prompt_tokens(ticket.dialect, ticket.prompt_bytes, model)
        try:
            with self._shared.locked():
                slots = self._slots(limited)
                for each, slot in slots:
                    if (beyond := _beyond(each, slot.count())) is not None:
                        return errors.rate_limited(
                            beyond, min(slot.gives_back_in(), _RETRY_AFTER_S)
                        )
                for _, slot in slots:
                    slot.add(1, tokens, 1)
        except CountersBusy:
            self._counters.add("rate_limits_passed_over")
            return None
        self._running[ticket.event_id] = _Passed(limited, tokens)
        return None

    def refused(self, refusal: Failure | None) -> Failure | None:
        """Count a refusal."""
        if refusal is not None:
            self._counters.add("rate_refusals")
        return refusal

    def ended(self, event: UsageEvent) -> None:
        """Count what a request that ended really used. One that still waited has left."""
        if (waiting := self._waiting.pop(event.event_id, None)) is not None:
            waiting.stop()
        passed = self._running.pop(event.event_id, None)
        if passed is None:
            return
        try:
            with self._shared.locked():
                for _, slot in self._slots(passed.limited):
                    slot.add(0, event.tokens.total - passed.tokens, -1)
        except CountersBusy:
            self._running[event.event_id] = passed
            asyncio.get_running_loop().call_later(_LOOK_EVERY_S, self.ended, event)

    def _slots(self, limited: tuple[Limited, ...]) -> list[tuple[Limited, Slot]]:
        now = self._now()
        found = [(each, self._shared.slot(each.subject, now)) for each in limited]
        return [(each, slot) for each, slot in found if slot is not None]

    def close(self) -> None:
        for waiting in self._waiting.values():
            waiting.stop()


def _beyond(limited: Limited, count: Count) -> str | None:
    """Which limit is reached, in a sentence."""
    for limit, counted, noun in (
        (limited.requests_per_minute, count.requests, "requests a minute"),
        (limited.tokens_per_minute, count.tokens, "tokens a minute"),
        (limited.concurrent_streams, count.streams, "answers at once"),
    ):
        if limit and counted >= limit:
            return f"The limit of {limited.words}, {limit:,} {noun}, is reached."
    return None


class _Waiting:
    """A request that waits until it is within its limits, not for long."""

    def __init__(self, limits: RateLimits, limited: tuple[Limited, ...], ticket: Ticket) -> None:
        self._limits = limits
        self._limited = limited
        self._ticket = ticket
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + _CODEX_WAITS_S
        self.answer: asyncio.Future[Failure | None] = self._loop.create_future()
        self._timer = self._loop.call_later(_LOOK_EVERY_S, self._again)

    def _again(self) -> None:
        if self.answer.done():
            return
        refusal = self._limits.take(self._limited, self._ticket)
        if refusal is None or self._loop.time() >= self._until:
            self.answer.set_result(self._limits.refused(refusal))
        else:
            self._timer = self._loop.call_later(_LOOK_EVERY_S, self._again)

    def stop(self) -> None:
        self._timer.cancel()
        self.answer.cancel()
