"""Ninety days of believable use by made-up people. Pure: the same seed and moment, the same use.

What makes it believable: working hours and weekends, holidays, growing adoption, agent sessions
whose context grows turn by turn and is read back from the provider's cache, a few errors.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from tidegate.core.identity import session_id
from tidegate.core.model import Agent, Dialect, Outcome, Provider, TokenCounts, Usage, UsageEvent
from tidegate.core.price_book import PriceBook
from tidegate.core.pricing import applied, price
from tidegate.services.demo_cast import PEOPLE, Habit, Person
from tidegate.services.demo_savings import LENGTHENED, Results
from tidegate.services.demo_work import Task, Work

DAYS: Final = 90
_SECOND_US: Final = 1_000_000
_DAY_US: Final = 86_400 * _SECOND_US
_WEEK: Final = (0.6, 0.66, 0.64, 0.6, 0.47, 0.06, 0.04)  # Monday to Sunday
_ADOPTION: Final = 0.62  # of today's use, ninety days ago
_PEAKS: Final = ((10.4, 1.1, 0.5), (14.9, 1.5, 0.44), (21.0, 0.9, 0.06))  # hour, spread, share
_NO_REPOSITORY: Final = 0.07
_SECOND_REPOSITORY: Final = 0.3
_SECOND_AGENT: Final = 0.28
_COMPACT_ABOVE_TOKENS: Final = 190_000
_CACHE_BLOCK_TOKENS: Final = 128  # what OpenAI's cache counts in

_VERSIONS: Final = {Agent.CLAUDE_CODE: "2.1.330", Agent.CODEX: "0.169.0", Agent.OPENCODE: "1.18.33"}
_BRANCHES: Final = (
    "main", "fix/retry-after", "feature/keyboard", "feature/rollups", "fix/rounding",
    "feature/search", "chore/upgrade", "fix/time-zones", "feature/export", "spike/streaming",
)  # fmt: skip


class _Fate(NamedTuple):
    """How a request may end, and how often."""

    share: float
    outcome: Outcome
    status: int
    is_answered: bool = True


_FATES: Final = (
    _Fate(0.009, Outcome.UPSTREAM_ERROR, 529, False),
    _Fate(0.004, Outcome.UPSTREAM_ERROR, 429, False),
    _Fate(0.006, Outcome.CANCELLED, 200),
    _Fate(0.001, Outcome.CUT, 200),
    _Fate(0.001, Outcome.TIMED_OUT, 504, False),
)
_OK: Final = _Fate(1.0, Outcome.OK, 200)


class Enlisted(msgspec.Struct, frozen=True):
    """A person who has become a member, with the keys of the enrolled agents."""

    person: Person
    organization_id: str
    member_id: str
    keys: Mapping[Agent, str]  # ids
    squad_id: str = ""


def use_of(who: Enlisted, *, now_us: int, seed: int, book: PriceBook) -> Iterator[UsageEvent]:
    """One member's requests, a session after the other."""
    return Worker(who, now_us, seed, book).events()


class _Session(NamedTuple):
    """What the requests of one run of an agent have in common."""

    habit: Habit
    model: str
    start_us: int
    client_session: str
    repository: str
    branch: str
    commit: str
    launch_id: str
    task: Task | None


class Worker:
    """One member's days; each has a source of chance of its own, so that all are independent."""

    def __init__(self, who: Enlisted, now_us: int, seed: int, book: PriceBook) -> None:
        self._who = who
        self._person = who.person
        self._now_us = now_us
        self._book = book
        self._random = Random(f"{seed}:{who.person.name}")  # noqa: S311 -- no secret
        person = who.person
        self._work = Work(seed, person.name, PEOPLE.index(person), len(PEOPLE))
        self._first_us = now_us - min(DAYS, person.joined) * _DAY_US
        self._end_us = now_us - int(max(person.quiet, person.removed) * _DAY_US)

    @property
    def tasks(self) -> list[Task]:
        """What was worked on, so far as the events were made."""
        return self._work.tasks

    def events(self) -> Iterator[UsageEvent]:
        if not self._person.pace:
            return
        zone = ZoneInfo(self._person.zone)
        today = datetime.fromtimestamp(self._now_us / _SECOND_US, zone).date()
        for days_ago in range(DAYS, -1, -1):
            day = today - timedelta(days=days_ago)
            for start_us in self._starts(day, days_ago, zone):
                if self._first_us <= start_us < self._end_us:
                    yield from self._requests(self._session(start_us))
        if self._person.is_at_work:
            minutes = self._random.uniform(18, 42)
            yield from self._requests(self._session(self._now_us - int(minutes * 60 * _SECOND_US)))

    def _starts(self, day: date, days_ago: int, zone: ZoneInfo) -> list[int]:
        """When sessions begin on a local day."""
        chance = self._random
        began, days = self._person.holiday
        noise = chance.lognormvariate(0, 0.35)
        if began - days < days_ago <= began:
            return []
        adoption = 1 - (1 - _ADOPTION) * days_ago / DAYS
        wanted = self._person.pace * _WEEK[day.weekday()] * adoption * noise
        count = int(wanted) + (chance.random() < wanted % 1)
        midnight = datetime.combine(day, time(), zone).astimezone(UTC)
        return sorted(
            int((midnight.timestamp() + self._hour() * 3600) * _SECOND_US) for _ in range(count)
        )

    def _hour(self) -> float:
        [(peak, spread, _)] = self._random.choices(_PEAKS, [share for *_, share in _PEAKS])
        return min(max(self._random.gauss(peak, spread), 6.5), 23.4)

    def _session(self, start_us: int) -> _Session:
        chance, person = self._random, self._person
        habit = person.habits[0]
        if len(person.habits) > 1 and chance.random() < _SECOND_AGENT:
            habit = chance.choice(person.habits[1:])
        [(model, _)] = chance.choices(habit.models, [share for _, share in habit.models])
        name, branch, commit = "", "", ""
        if chance.random() >= _NO_REPOSITORY:
            others = person.repositories[1:]
            elsewhere = others and chance.random() < _SECOND_REPOSITORY
            name = chance.choice(others) if elsewhere else person.repositories[0]
            branch = chance.choice(_BRANCHES)
            commit = f"{chance.getrandbits(160):040x}"
        repository = f"github.com/brightwater/{name}" if name else ""
        task = self._work.begin(repository, start_us) if repository else None
        if task is not None:
            branch = task.branch if task.opened_us else "main"
        return _Session(
            habit=habit,
            model=model,
            start_us=start_us,
            client_session=f"{chance.getrandbits(128):032x}",
            repository=repository,
            branch=branch,
            commit=commit,
            launch_id=f"lch_{chance.getrandbits(128):032x}",
            task=task,
        )

    def _requests(self, session: _Session) -> Iterator[UsageEvent]:
        """The turns of a session: each sends all that was said before, mostly from the cache."""
        chance = self._random
        turns = min(max(int(chance.lognormvariate(2.05, 0.75)), 2), 60)
        known, at_us = 0, session.start_us
        results = Results(session.client_session)
        for turn in range(turns):
            added = _added(chance) if known else chance.randrange(52_000, 96_000)
            if known and results.is_held_out:
                added = int(added * LENGTHENED)
            output = min(max(int(chance.lognormvariate(6.6, 0.9)), 30), 16_000)
            duration_us = int((1.4 + output / 75 + chance.expovariate(1.2)) * _SECOND_US)
            if at_us + duration_us >= self._now_us:
                return
            fate = self._fate()
            if fate.is_answered:
                if known:
                    results.grow(added)
                tokens = _tokens(session.habit.agent, session.model, (known, added, output))
                known += added + output
            else:
                tokens = TokenCounts()
            event = self._event(session, (at_us, duration_us), fate, tokens, results)
            links = self._work.links(session.task, turn, at_us)
            yield msgspec.structs.replace(event, links=links, squad_id=self._who.squad_id)
            if known > _COMPACT_ABOVE_TOKENS:
                known = 0
                results.forget()
            at_us += duration_us + int(chance.expovariate(1 / 14) * _SECOND_US)

    def _event(
        self,
        session: _Session,
        when: tuple[int, int],
        fate: _Fate,
        tokens: TokenCounts,
        results: Results,
    ) -> UsageEvent:
        chance, who, agent = self._random, self._who, session.habit.agent
        at_us, duration_us = when
        anthropic = session.model.startswith("claude")
        provider = Provider.ANTHROPIC if anthropic else Provider.OPENAI
        usage = Usage(tokens=tokens)
        listed = {"provider": provider.value, "model": session.model}
        priced = price(self._book, **listed, usage=usage, at_us=at_us)
        rates = applied(self._book, **listed, usage=usage, at_us=at_us).rates
        return UsageEvent(
            event_id=_event_id(at_us, chance),
            organization_id=who.organization_id,
            member_id=who.member_id,
            key_id=who.keys[agent],
            agent=agent,
            client_version=_VERSIONS[agent],
            provider=provider,
            billing=session.habit.billing,
            model_asked=session.model,
            model_served=session.model if tokens.total else "",
            dialect=Dialect.MESSAGES if anthropic else Dialect.RESPONSES,
            stream=True,
            session_id=session_id(who.organization_id, who.keys[agent], session.client_session),
            client_session=session.client_session,
            repository=session.repository,
            branch=session.branch,
            commit=session.commit,
            launch_id=session.launch_id,
            started_us=at_us,
            first_byte_us=min(duration_us, 900_000),
            duration_us=duration_us,
            status=fate.status,
            outcome=fate.outcome,
            error_code="upstream_timeout" if fate.outcome == Outcome.TIMED_OUT else "",
            request_bytes=tokens.prompt * 4,
            response_bytes=tokens.output * 60,
            tokens=tokens,
            cost=priced.cost,
            price_version=priced.price_version,
            price_unknown=priced.price_unknown,
            estimated=fate.outcome in {Outcome.CANCELLED, Outcome.CUT},
            **results.fields(usage, rates, is_answered=fate.is_answered),
        )

    def _fate(self) -> _Fate:
        left = self._random.random()
        for fate in _FATES:
            left -= fate.share
            if left < 0:
                return fate
        return _OK


def _added(chance: Random) -> int:
    """What a turn brings anew: mostly the result of a tool."""
    return 240 + int(chance.expovariate(1 / 7_500))


def _tokens(agent: Agent, model: str, counts: tuple[int, int, int]) -> TokenCounts:
    """The buckets as the model's provider counts them."""
    known, added, output = counts
    if model.startswith("claude"):
        return TokenCounts(
            input=7 if agent == Agent.CLAUDE_CODE else 3,
            cache_write_5m=added,
            cache_read=known,
            output=output,
        )
    cached = known - known % _CACHE_BLOCK_TOKENS
    return TokenCounts(
        input=known - cached + added,
        cache_read=cached,
        output=output,
        reasoning=math.floor(output * 0.4),
    )


def _event_id(at_us: int, chance: Random) -> str:
    """As the gateway makes them: ids sort by their time."""
    value = (at_us // 1000) << 80 | 7 << 76 | chance.getrandbits(12) << 64
    return f"req_{value | 0b10 << 62 | chance.getrandbits(62):032x}"
