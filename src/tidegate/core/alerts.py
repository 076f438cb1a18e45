"""Alerts: when a value that a rule watches makes one message, and when that is over.

A rule watches one or more subjects (a budget's, a member, a model). For each there is a state that
steps with every reading. It says `fired` once for each crossing of a threshold, however often, at
whatever times and after however many restarts it is read. A crossing is named by its window, its
threshold and how often the state was re-armed in that window; nothing else may be stored twice.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

EACH: Final = "*"
"""As a rule's `scope_id`: every one of the kind by itself."""
MAX_SNOOZE_US: Final = 31 * 86_400_000_000
_REMEMBERED: Final = 8  # windows, so that a clock that jumps there and back finds its own
_FULL: Final = 100


class RuleKind(StrEnum):
    """What a rule watches, and the unit of its thresholds."""

    BUDGET = "budget"  # percent of a budget that is spent
    SPEND = "spend"  # nano-USD in a rolling window
    ERRORS = "errors"  # percent of the requests in a rolling window
    PRICES = "prices"  # requests in a rolling window whose model has no price
    BACKLOG = "backlog"  # minutes that the ledger is behind
    SILENCE = "silence"  # hours without a request, where there used to be some


class Scope(StrEnum):
    """By whose requests spend and errors are watched."""

    ORGANIZATION = "organization"
    MEMBER = "member"
    KEY = "key"
    REPOSITORY = "repository"


class Ended(StrEnum):
    """Why an alert is open no longer."""

    BELOW = "below"  # the value came back
    OVERTAKEN = "overtaken"  # a higher threshold was reached
    WINDOW = "window"  # the budget's next window began
    RULE = "rule"  # the rule was removed, switched off or given something else to watch
    GONE = "gone"  # what it watches was removed, or is at rest


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What to watch, and from which values on to say so."""

    rule_id: str
    organization_id: str
    kind: str  # RuleKind
    name: str = ""
    scope: str = "organization"  # Scope, of spend and errors
    scope_id: str = EACH  # a budget's, member's or key's id, a repository, or EACH
    thresholds: tuple[int, ...]  # ascending, above 0
    window_hours: int = 0  # of spend, errors and prices
    minimum: int = 0  # of errors: with fewer requests than this nothing is told
    enabled: bool = True
    created_us: int = 0
    updated_us: int = 0


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A subject's value now."""

    subject: str  # an id, unique within the rule
    value: int
    name: str = ""  # of the subject, as people know it
    member_id: str = ""  # whom it is about
    window: str = ""  # of a budget; "": one that rolls on
    window_name: str = ""
    amount: int = 0  # spent, failed…: what the value is the share of
    limit: int = 0  # …of how much
    may_fire: bool = True  # else it is only watched whether it is over
    release: int = _FULL  # percent of a threshold below which it is over; less where it may flap
    hard: bool = False  # requests are refused from 100 % on
    gone: bool = False  # nobody can use it any more


class Memory(msgspec.Struct, frozen=True):
    """What is known of one window."""

    window: str
    peak: int = 0  # the highest threshold that was told and is not over
    rearmed: int = 0  # how often it was over


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A rule's knowledge of one subject."""

    rule_id: str
    organization_id: str
    subject: str
    memories: tuple[Memory, ...] = ()  # the last is of the window that ran at the last reading
    alert_id: str = ""  # the open one
    snoozed_until_us: int = 0
    muted: bool = False

    @property
    def peak(self) -> int:
        """The threshold that is reached now; 0: none."""
        return self.memories[-1].peak if self.memories else 0

    def is_silent(self, now_us: int) -> bool:
        """Whether no message is sent of it."""
        return self.muted or is_snoozed(self.snoozed_until_us, now_us)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What a reading led to."""

    state: State
    fired: int = 0  # the threshold that was crossed: of several at once the highest
    passed: tuple[int, ...] = ()  # the lower ones crossed with it
    rearmed: int = 0  # of the crossing
    ended: str = ""  # Ended: what became of the alert that was open
    reminded: bool = False  # a snooze is over, and the alert is not


def is_snoozed(until_us: int, now_us: int) -> bool:
    """Whether a snooze holds; one that no one can have asked for is a clock's that jumped."""
    return now_us < until_us <= now_us + MAX_SNOOZE_US


def crossing(reading: Reading, threshold: int, rearmed: int) -> str:
    """The name of a crossing, unique for a rule and subject."""
    return f"{reading.window}:{threshold}:{rearmed}"


def step(state: State, thresholds: Iterable[int], reading: Reading, now_us: int) -> Step:
    """Take in one reading."""
    if reading.gone:
        return leave(state, Ended.GONE)
    levels = sorted(thresholds)
    was = state.memories[-1].window if state.memories else reading.window
    memory = next((m for m in state.memories if m.window == reading.window), None)
    memory = memory or Memory(reading.window)
    ended = Ended.WINDOW if was != reading.window else ""
    if memory.peak not in {0, *levels}:  # the rule has other thresholds now
        memory = Memory(memory.window, 0, memory.rearmed + 1)
        ended = ended or Ended.RULE
    reached = max((t for t in levels if reading.value >= t), default=0)
    fired, rearmed, passed = 0, memory.rearmed, tuple[int, ...]()
    if reached > memory.peak and reading.may_fire:
        fired, passed = reached, tuple(t for t in levels if memory.peak < t < reached)
        memory = Memory(memory.window, reached, rearmed)
        ended = ended or Ended.OVERTAKEN
    elif memory.peak and _is_over(reading, memory.peak):
        held = (t for t in levels if t < memory.peak and not _is_over(reading, t))
        memory = Memory(memory.window, max(held, default=0), rearmed + 1)
        ended = ended or Ended.BELOW
    woken = bool(state.snoozed_until_us) and not is_snoozed(state.snoozed_until_us, now_us)
    is_open = bool(state.alert_id)
    after = msgspec.structs.replace(
        state,
        memories=_with(state.memories, memory),
        alert_id="" if ended else state.alert_id,
        snoozed_until_us=0 if woken else state.snoozed_until_us,
    )
    return Step(
        state=after,
        fired=fired,
        passed=passed,
        rearmed=rearmed,
        ended=ended if is_open else "",
        reminded=woken and is_open and not ended and not state.muted,
    )


def leave(state: State, ended: Ended) -> Step:
    """What was told stays told, but is open no longer."""
    after = msgspec.structs.replace(state, alert_id="")
    return Step(state=after, ended=ended if state.alert_id else "")


def _is_over(reading: Reading, threshold: int) -> bool:
    return reading.value * _FULL < threshold * reading.release


def _with(memories: tuple[Memory, ...], newest: Memory) -> tuple[Memory, ...]:
    if memories and memories[-1] == newest:
        return memories
    others = tuple(m for m in memories if m.window != newest.window)
    if not others and newest == Memory(newest.window):
        return ()  # nothing worth keeping
    return (*others, newest)[-_REMEMBERED:]
