"""The demo's people and their use: believable, and the same for the same seed."""

from collections import Counter
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from tidegate.core.model import Outcome, UsageEvent
from tidegate.core.price_book import PriceBook
from tidegate.services.demo_cast import GUESTS, PEOPLE, Person
from tidegate.services.demo_use import DAYS, Enlisted, use_of
from tidegate.services.price_book import compile_price_book

pytestmark = pytest.mark.slow

NOW_US = 1_795_014_300_000_000  # Wednesday, 18 Nov 2026, 15:05 UTC
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return compile_price_book()


@pytest.fixture(scope="module")
def everything(book: PriceBook) -> dict[str, list[UsageEvent]]:
    return {person.name: use(person, book) for person in PEOPLE}


@pytest.fixture(scope="module")
def events(everything: dict[str, list[UsageEvent]]) -> list[UsageEvent]:
    return [event for part in everything.values() for event in part]


def use(person: Person, book: PriceBook, *, seed: int = 1) -> list[UsageEvent]:
    keys = {habit.agent: f"key_{person.name}_{habit.agent}" for habit in person.habits}
    who = Enlisted(person, "org_1", f"mem_{person.name}", keys)
    return list(use_of(who, now_us=NOW_US, seed=seed, book=book))


def named(name: str) -> Person:
    return next(person for person in PEOPLE if person.name == name)


def test_the_cast_is_complete() -> None:
    present = [person for person in PEOPLE if not person.removed]
    assert len(present) == 24
    assert [person.name for person in PEOPLE if person.removed] == ["Pieter de Vries"]
    assert [person.name for person in present if not person.pace] == ["Ben Carter"]
    addresses = [person.email for person in PEOPLE] + [guest.email for guest in GUESTS]
    assert len(set(addresses)) == len(addresses)
    assert all(address.isascii() and " " not in address for address in addresses)


def test_the_same_seed_makes_the_same_use_and_another_seed_another(book: PriceBook) -> None:
    aiko = named("Aiko Tanaka")
    assert use(aiko, book) == use(aiko, book)
    assert use(aiko, book) != use(aiko, book, seed=2)


def test_all_of_it_lies_in_the_past_ninety_days(events: list[UsageEvent]) -> None:
    assert len({event.event_id for event in events}) == len(events)
    assert all(event.started_us >= NOW_US - DAYS * DAY_US for event in events)
    assert all(event.started_us + event.duration_us < NOW_US for event in events)


def test_who_left_or_never_came_has_no_use_then(everything: dict[str, list[UsageEvent]]) -> None:
    assert everything["Ben Carter"] == []
    last_us = everything["Pieter de Vries"][-1].started_us
    assert NOW_US - 24 * DAY_US < last_us < NOW_US - 18 * DAY_US
    joined_us = NOW_US - named("Grace Okafor").joined * DAY_US
    assert everything["Grace Okafor"][0].started_us >= joined_us


def test_some_are_at_work_right_now_and_others_are_not(
    everything: dict[str, list[UsageEvent]],
) -> None:
    ages = {name: NOW_US - part[-1].started_us for name, part in everything.items() if part}
    active = {name for name, age_us in ages.items() if age_us < HOUR_US}
    assert active == {person.name for person in PEOPLE if person.is_at_work}
    assert max(ages["Oskar Nowak"], ages["Fatima Zahra"]) > 3 * DAY_US


def test_people_work_on_weekdays_in_the_hours_of_their_zone(
    everything: dict[str, list[UsageEvent]],
) -> None:
    days: Counter[bool] = Counter()
    nights = 0
    for person in PEOPLE:
        for event in everything[person.name]:
            at = datetime.fromtimestamp(event.started_us / 1e6, ZoneInfo(person.zone))
            days[at.weekday() < 5] += 1
            nights += at.hour < 6
    assert days[True] / 5 > 8 * days[False] / 2
    assert nights < 0.02 * days.total()


def test_use_grows_so_that_there_is_a_change_to_show(events: list[UsageEvent]) -> None:
    recent = sum(event.started_us >= NOW_US - 30 * DAY_US for event in events)
    before = sum(NOW_US - 60 * DAY_US <= e.started_us < NOW_US - 30 * DAY_US for e in events)
    assert 1.02 < recent / before < 1.6


def test_every_price_is_known_and_ranks_are_spread(
    everything: dict[str, list[UsageEvent]], events: list[UsageEvent]
) -> None:
    assert not any(event.price_unknown for event in events)
    costs = sorted((sum(e.cost.total for e in part) for part in everything.values()), reverse=True)
    assert all(more > less for more, less in pairwise(costs))
    assert costs[0] > 10 * costs[-3]


def test_a_few_requests_fail_and_some_run_on_a_subscription(events: list[UsageEvent]) -> None:
    outcomes = Counter(event.outcome for event in events)
    failed = outcomes.total() - outcomes[Outcome.OK]
    assert 0.01 < failed / outcomes.total() < 0.04
    assert len(outcomes) >= 4
    own = sum(event.billing == "subscription" for event in events)
    assert 0.05 < own / len(events) < 0.3
    assert {event.agent for event in events} == {"claude_code", "codex", "opencode"}
    assert len({event.model_served for event in events if event.model_served}) >= 5
    assert len({event.repository for event in events if event.repository}) >= 8
    assert any(not event.repository for event in events)


def test_a_session_reads_back_what_it_wrote(everything: dict[str, list[UsageEvent]]) -> None:
    sessions: dict[str, list[UsageEvent]] = {}
    for event in everything["Tomás Herrera"]:
        if event.tokens.total:
            sessions.setdefault(event.session_id, []).append(event)
    turns = [pair for session in sessions.values() for pair in pairwise(session)]
    assert all(a.started_us + a.duration_us <= b.started_us for a, b in turns)
    grown = sum(a.tokens.cache_read < b.tokens.cache_read for a, b in turns)
    assert grown > 0.9 * len(turns)  # else the conversation was made shorter
    assert all(session[0].tokens.cache_write_5m > 30_000 for session in sessions.values())
