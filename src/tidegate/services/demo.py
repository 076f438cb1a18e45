"""Fills an empty store with a made-up organization, through the services that a real one uses."""

import secrets
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import attrgetter
from random import Random
from typing import Final

import msgspec

from tidegate.core.model import Agent, Role, UsageEvent
from tidegate.core.price_book import PriceBook
from tidegate.services import demo_cast as cast
from tidegate.services.audit import Actor
from tidegate.services.compression_settings import CompressionSettings
from tidegate.services.credentials import Credentials
from tidegate.services.demo_budgets import Budgeting, Past, Spending
from tidegate.services.demo_cast import Person
from tidegate.services.demo_savings import HOLDOUT_PERMILLE
from tidegate.services.demo_use import Enlisted, Worker
from tidegate.services.demo_work import facts_of
from tidegate.services.enrolment import Enrolment
from tidegate.services.invitations import Invitations
from tidegate.services.members import Members
from tidegate.services.organizations import Organizations
from tidegate.services.passwords import Passwords
from tidegate.services.vault import Subkeys
from tidegate.store.forge import Facts
from tidegate.store.ports import SpoolBatch, Store

SEED: Final = 1
_FOUNDED: Final = 121.0  # days ago
_DECIDED_AFTER: Final = 0.6  # days from an invitation to its acceptance
_APART: Final = 0.002
_BUDGETED: Final = 17.0  # all who use anything are there
_RAISED: Final = 10.2
_GIVEN: Final = 5.9
_ASKED: Final = (1.3, 0.21)
_LOOKS_A_DAY: Final = 1
_SWITCHED: Final = 0.02
_SEEN: Final = 0.004
_DAY_US: Final = 86_400_000_000
_BATCH_EVENTS: Final = 10_000
_FILE: Final = "demo"
_ADDRESS: Final = "203.0.113.24"  # reserved for examples
_NOT_A_KEY: Final = "made-up-for-the-demo"
_CREDENTIALS: Final = (
    ("anthropic", "https://api.anthropic.com"),
    ("openai", "https://api.openai.com/v1"),
)
_MEMBER: Final = "Aiko Tanaka"  # whose password is known, too
_DEBUGGED: Final = ("Aiko Tanaka", Agent.CLAUDE_CODE)
_UNCOMPRESSED: Final = ("Jonas Weber", Agent.CLAUDE_CODE)


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """The organization, and who can sign in with the password."""

    organization_id: str
    owner_id: str
    owner_email: str
    member_email: str
    password: str
    events: int


class _Past:
    """The clock of the services while they do what was done on an earlier day."""

    def __init__(self, now_us: int) -> None:
        self._now_us = now_us
        self.at_us = now_us

    def __call__(self) -> int:
        return self.at_us

    def go(self, days_ago: float) -> None:
        self.at_us = self._now_us - int(days_ago * _DAY_US)


class _Ledger:
    """Takes over events as the drain would, so that ledger, sessions and rollups agree."""

    def __init__(self, store: Store, organization_id: str, events: Sequence[UsageEvent]) -> None:
        self._usage = store.usage
        self._events = events  # by their start
        self._at = 0
        self._usage.adopt_zones({organization_id: cast.TIME_ZONE})

    def record(self, until_us: int) -> None:
        """What was begun until then, and is not recorded yet."""
        end = bisect_right(self._events, until_us, key=attrgetter("started_us"))
        while self._at < end:
            part = list(self._events[self._at : min(end, self._at + _BATCH_EVENTS)])
            after = self._at + len(part)
            self._usage.record(SpoolBatch(file=_FILE, start=self._at, end=after, events=part))
            self._at = after

    def close(self) -> None:
        self._usage.forget(_FILE)


class Demo:
    """One filling of one store."""

    def __init__(
        self,
        store: Store,
        subkeys: Subkeys,
        book: PriceBook,
        *,
        now_us: int,
        seed: int = SEED,
    ) -> None:
        self._store = store
        self._book = book
        self._now_us = now_us
        self._seed = seed
        self._clock = _Past(now_us)
        self._made = made = Past(store, subkeys, self._clock)
        self._organizations = Organizations(*made)
        self._members = Members(*made)
        self._invitations = Invitations(*made)
        self._enrolment = Enrolment(*made)
        self._compression = CompressionSettings(*made)
        self._passwords = Passwords(*made)
        self._credentials = Credentials(*made)
        self._password = secrets.token_urlsafe(12)
        self._tokens: dict[str, str] = {}  # of invitations, by address
        self._organization_id = ""
        self._owner = Actor("")

    def fill(self) -> Opened:
        """Make the organization, its people and what they used."""
        owner, *others = cast.PEOPLE
        team = [self._found(owner)]
        for days_ago, happens in sorted(self._story(others, team), key=lambda each: -each[0]):
            self._clock.go(days_ago)
            happens()
        self._end()
        return Opened(
            organization_id=self._organization_id,
            owner_id=team[0].member_id,
            owner_email=owner.email,
            member_email=next(p.email for p in others if p.name == _MEMBER),
            password=self._password,
            events=self._events,
        )

    def _story(
        self, people: list[Person], team: list[Enlisted]
    ) -> Iterator[tuple[float, Callable[[], object]]]:
        """What happens after the founding, and how many days ago: the audit log is in order."""
        for number, person in enumerate(people):
            joined = person.joined - number * _APART
            yield joined + _DECIDED_AFTER, partial(self._invite_colleague, person)
            yield joined, partial(self._welcome, person, team)
            if person.removed:
                yield person.removed, partial(self._dismiss, person, team)
        for guest in cast.GUESTS:
            yield guest.days_ago, partial(self._invite, guest.email, guest.role)
        yield _BUDGETED, partial(self._set_budgets, team)
        yield _RAISED, partial(self._budgeting.raise_one, team)
        yield _GIVEN, partial(self._budgeting.give, team)
        first, second = _ASKED
        yield first, partial(self._budgeting.ask_for_the_pool, team)
        yield second, partial(self._budgeting.ask_for_oneself, team)
        chance = Random(f"{self._seed}:looks")  # noqa: S311 -- no secret
        for number in range(1, int(_BUDGETED) * _LOOKS_A_DAY):
            yield (number + chance.uniform(-0.4, 0.4)) / _LOOKS_A_DAY, self._look
        yield _SWITCHED, partial(self._set_switches, team)
        yield _SEEN, self._look_at_all
        yield _SEEN / 2, self._budgeting.acknowledge

    def _found(self, owner: Person) -> Enlisted:
        self._clock.go(_FOUNDED)
        founded = self._organizations.bootstrap(
            cast.ORGANIZATION, owner.email, time_zone=cast.TIME_ZONE
        )
        self._organization_id = founded.organization_id
        self._owner = Actor(founded.member_id, _ADDRESS)
        self._members.rename(
            self._organization_id, founded.member_id, owner.name, actor=self._owner
        )
        self._passwords.set(
            self._organization_id,
            founded.member_id,
            self._password,
            current=None,
            actor=self._owner,
        )
        for provider, base_url in _CREDENTIALS:
            self._credentials.set(
                self._organization_id, provider, base_url, _NOT_A_KEY, actor=self._owner
            )
        self._budgeting = Budgeting(self._made, self._organization_id, self._owner)
        self._budgeting.found_squads()
        return self._enroll(owner, founded.member_id)

    def _invite(self, email: str, role: Role) -> str:
        invited = self._invitations.invite(
            self._organization_id, email, role, by_role=Role.OWNER, actor=self._owner
        )
        return invited.token

    def _invite_colleague(self, person: Person) -> None:
        self._tokens[person.email] = self._invite(person.email, person.role)

    def _welcome(self, person: Person, team: list[Enlisted]) -> None:
        """The invitation is accepted, and there are the agents."""
        self._invitations.accept(
            self._tokens.pop(person.email),
            name=person.name,
            password=self._password if person.name == _MEMBER else "",
            address=_ADDRESS,
            user_agent="",
        )
        member = self._members.by_email(self._organization_id, person.email)
        team.append(self._enroll(person, member.member_id))

    def _enroll(self, person: Person, member_id: str) -> Enlisted:
        keys = {
            habit.agent: self._enrolment.enroll(
                self._organization_id, person.email, habit.agent, actor=self._owner
            ).key_id
            for habit in person.habits
        }
        squad_id = self._budgeting.place(person, member_id)
        return Enlisted(person, self._organization_id, member_id, keys, squad_id)

    def _set_switches(self, team: list[Enlisted]) -> None:
        keys = {(who.person.name, agent): key for who in team for agent, key in who.keys.items()}
        self._enrolment.set_debug(
            self._organization_id, keys[_DEBUGGED], hours=24, actor=self._owner
        )
        self._compression.set(
            self._organization_id, holdout_permille=HOLDOUT_PERMILLE, actor=self._owner
        )
        self._enrolment.switch(
            self._organization_id, keys[_UNCOMPRESSED], compression=False, actor=self._owner
        )

    def _dismiss(self, person: Person, team: list[Enlisted]) -> None:
        [member_id] = [who.member_id for who in team if who.person is person]
        self._members.remove(
            self._organization_id, member_id, by_role=Role.OWNER, actor=self._owner
        )

    def _set_budgets(self, team: list[Enlisted]) -> None:
        """All use is made up now; from here on the ledger has what was until the clock's day."""
        workers = [Worker(who, self._now_us, self._seed, self._book) for who in team]
        events = [event for worker in workers for event in worker.events()]
        events.sort(key=attrgetter("started_us"))
        self._ledger = _Ledger(self._store, self._organization_id, events)
        self._ledger.record(self._clock.at_us)
        self._events = len(events)
        self._tasks = [task for worker in workers for task in worker.tasks]
        spending = Spending(events, self._now_us)
        self._budgeting.set_limits()
        self._budgeting.make_budgets(spending, team)
        self._budgeting.set_rules(spending, int(_BUDGETED))

    def _look(self) -> None:
        """The watch looks at what there is by then."""
        self._ledger.record(self._clock.at_us)
        self._budgeting.look()

    def _look_at_all(self) -> None:
        """As the watch will when the server starts: there is nothing more to tell then."""
        self._ledger.record(self._now_us)
        self._budgeting.look()

    def _end(self) -> None:
        self._ledger.close()
        self._tell_of(facts_of(self._tasks, self._seed, self._now_us))

    def _tell_of(self, facts: Facts) -> None:
        """As GitHub would, to a connection that there is none of."""
        forge, organization_id = self._store.usage.forge, self._organization_id
        forge.take(organization_id, facts)
        forge.begin_sync(organization_id, _FILE, self._now_us, self._now_us + 1)
        forge.end_sync(organization_id, _FILE, self._now_us)
