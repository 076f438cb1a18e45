"""Makes a store with millions of usage events of ninety days, fast.

Sessions are thought up in Python; SQL makes their requests, and of these the sums of the first
release. All others are made by the migration that makes them of an older installation.
"""

import random
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from tidegate.core.model import KeyRecord, OrganizationRecord
from tidegate.store.people import MemberRecord
from tidegate.store.ports import StoredKey
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.database import SqlStore, open_store
from tidegate.store.sql.migrations.usage import r0002_team_sums, r0003_log, r0006_sessions

ORGANIZATION: Final = f"org_{uuid.UUID(int=1).hex}"
ZONE: Final = "Asia/Kathmandu"  # never changes its offset, which the SQL below relies on
NOW_US: Final = 1_795_327_200_000_000  # 22 Nov 2026, 06:00 UTC: before noon there
DAYS: Final = 90
MEMBERS: Final = 500
REPOSITORIES: Final = 3000
_OFFSET_US: Final = 20_700_000_000
_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * _HOUR_US
_TODAY_US: Final = (NOW_US + _OFFSET_US) // _DAY_US * _DAY_US - _OFFSET_US
_REQUESTS: Final = 48  # of a session, about
_RESUMED: Final = 0.1  # sessions that go on the next day
_AGENTS: Final = (
    ("claude_code", "anthropic_messages", "claude-sonnet-4-5-20250929"),
    ("claude_code", "anthropic_messages", "claude-haiku-4-5-20251001"),
    ("codex", "openai_responses", "gpt-5.1-codex"),
)


class Person(msgspec.Struct, frozen=True):
    member_id: str
    repositories: list[str]
    eagerness: float


def make_store(data_dir: Path, events: int) -> SqlStore:
    """A store with about that many events, and the people who made them."""
    dice = random.Random(4)
    store = open_store(data_dir=data_dir)
    people = _people(dice)
    _add_people(store, people)
    indexes = sorted(t.events.indexes, key=lambda index: str(index.name))
    with store.engines["usage"].begin() as connection:
        for index in indexes:
            index.drop(connection)
        connection.execute(sa.insert(t.zones), {"organization_id": ORGANIZATION, "time_zone": ZONE})
        connection.exec_driver_sql(_MAKE_PARTS)
    first = 1
    for day in range(DAYS):
        with store.engines["usage"].begin() as connection:
            parts = list(_parts_of(dice, people, day, events / DAYS))
            connection.exec_driver_sql("DELETE FROM bench_parts")
            connection.exec_driver_sql(_ADD_PART, parts)
            connection.exec_driver_sql(_ADD_EVENTS, (first,))
            connection.exec_driver_sql(_ADD_HOURS, (first,))
            connection.exec_driver_sql(_ADD_SESSIONS, (first,))
            last = connection.exec_driver_sql("SELECT max(rowid) FROM usage_events").scalar()
            first = int(last or 0) + 1
    with store.engines["usage"].begin() as connection:
        connection.exec_driver_sql("DROP TABLE bench_parts")
        connection.exec_driver_sql(_ADD_DAYS)
        for index in indexes:
            index.create(connection)
    return store


def fill_sums(store: SqlStore) -> None:
    """What the migrations from the first release do."""
    with store.engines["usage"].begin() as connection:
        r0002_team_sums.fill(connection)
        r0003_log.fill(connection)
        r0006_sessions.fill(connection)


def _people(dice: random.Random) -> list[Person]:
    repositories = [
        f"github.com/acme-{number % 40}/service-{number:04d}" for number in range(REPOSITORIES)
    ]
    return [
        Person(
            f"mem_{uuid.UUID(int=dice.getrandbits(128)).hex}",
            ["", *dice.sample(repositories, 8)],
            dice.lognormvariate(0, 0.6),
        )
        for _ in range(MEMBERS)
    ]


def _add_people(store: SqlStore, people: list[Person]) -> None:
    with store.directory.changing() as change:
        record = OrganizationRecord(
            organization_id=ORGANIZATION, name="Brightwater", time_zone=ZONE
        )
        change.add_organization(record, 1)
        for number, person in enumerate(people):
            change.add_member(
                MemberRecord(
                    member_id=person.member_id,
                    organization_id=ORGANIZATION,
                    email=f"person{number}@brightwater.dev",
                    name=f"Person {number}",
                    role="owner" if not number else "member",
                )
            )
            for agent in ("claude_code", "codex"):
                key = KeyRecord(
                    key_id=_key_id(person, agent),
                    organization_id=ORGANIZATION,
                    member_id=person.member_id,
                    agent=agent,
                )
                change.add_key(StoredKey(record=key, prefix="tg_abcd", created_us=1))


def _key_id(person: Person, agent: str) -> str:
    return f"key_{person.member_id[4:-1]}{agent[1]}"


def _parts_of(
    dice: random.Random, people: list[Person], day: int, events: float
) -> Iterator[tuple[Any, ...]]:
    """Sessions of one day, with what is resumed of the day before: how each one's requests are."""
    day_us = _TODAY_US - (DAYS - 1 - day) * _DAY_US
    all_eager = sum(person.eagerness for person in people)
    for number, person in enumerate(people):
        sessions = events / _REQUESTS * person.eagerness / all_eager
        for at in range(int(sessions + dice.random())):
            agent, dialect, model = dice.choice(_AGENTS)
            born = day - 1 if at == 0 and day and dice.random() < _RESUMED else day
            start_us = day_us + int(dice.triangular(7, 20, 11) * _HOUR_US)
            length_us = int(dice.uniform(0.2, 3.5) * _HOUR_US)
            requests = int(dice.uniform(0.5, 1.5) * _REQUESTS)
            if day == DAYS - 1:  # so far
                start_us = min(start_us, NOW_US - length_us)
            home = min(int(dice.expovariate(0.7)), 8)
            yield (
                f"{born:08x}{number:08x}{at:08x}", person.member_id, _key_id(person, agent),
                agent, dialect, model, person.repositories[home],
                "subscription" if number % 5 == 0 else "api", start_us, length_us // requests,
                requests, f"{day:03d}",
            )  # fmt: skip


_MAKE_PARTS: Final = """
CREATE TABLE bench_parts (
    session text, member_id text, key_id text, agent text, dialect text, model text,
    repository text, billing text, start_us integer, step_us integer, requests integer, day text)
"""
_ADD_PART: Final = "INSERT INTO bench_parts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_KNOWN: Final[dict[str, str]] = {
    **{column.name: "''" for column in t.events.c if isinstance(column.type, sa.Text)},
    **{column.name: "0" for column in t.events.c if not isinstance(column.type, sa.Text)},
    "event_id": "'req_' || session || day || printf('%05x', n)",
    "organization_id": f"'{ORGANIZATION}'",
    "member_id": "member_id",
    "key_id": "key_id",
    "agent": "agent",
    "client_version": "'2.0.14'",
    "provider": "CASE agent WHEN 'codex' THEN 'openai' ELSE 'anthropic' END",
    "billing": "billing",
    "model_asked": "model",
    "model_served": "model",
    "dialect": "dialect",
    "session_id": "'ses_' || session",
    "client_session": "session",
    "repository": "repository",
    "branch": "'main'",
    "launch_id": "'lch_' || session",
    "outcome": "CASE n % 50 WHEN 0 THEN 'cancelled' WHEN 1 THEN 'upstream_error' ELSE 'ok' END",
    "price_version": "'bench'",
    "upstream_id": "'msg_' || session || n",
    "upstream_request_id": "'req_' || hex(randomblob(9))",
    "captured": "abs(random()) % 20000 = 0",
    "estimated": "abs(random()) % 200 = 0",
    "price_unknown": "abs(random()) % 1500 = 0",
    "started_us": "start_us + n * step_us",
    "first_byte_us": "700000",
    "duration_us": "4000000 + abs(random()) % 9000000",
    "status": "CASE n % 50 WHEN 1 THEN 529 ELSE 200 END",
    "input_tokens": "abs(random()) % 3000",
    "cache_write_5m_tokens": "abs(random()) % 4000",
    "cache_read_tokens": "abs(random()) % 90000",
    "output_tokens": "abs(random()) % 2000",
    "input_nusd": "abs(random()) % 9000000",
    "cache_write_5m_nusd": "abs(random()) % 15000000",
    "cache_read_nusd": "abs(random()) % 27000000",
    "output_nusd": "abs(random()) % 30000000",
    "stream": "1",
}
_ADD_EVENTS: Final = f"""
WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 99)
INSERT INTO usage_events ({", ".join(f'"{name}"' for name in _KNOWN)})
SELECT {", ".join(_KNOWN.values())} FROM bench_parts JOIN numbers ON n < requests
WHERE ? ORDER BY bench_parts.rowid
"""
_COUNTED: Final = {
    **{name: f"sum({name})" for name in t.ROLLUP_SUMS if name not in t.FAULT_COLUMNS},
    **{name: f"sum(outcome = '{name}')" for name in t.FAULT_COLUMNS},
    "requests": "count(*)",
    "saved_tokens": "sum(saved_tokens_new + saved_tokens_again)",
    "saved_nusd": "sum(saved_nano)",
    "last_us": "max(started_us + duration_us)",
}
_ADD_HOURS: Final = f"""
INSERT INTO usage_hours ({", ".join(t.ROLLUP_KEY)}, {", ".join(_COUNTED)})
SELECT organization_id,
    (started_us + {_OFFSET_US}) / {_HOUR_US} * {_HOUR_US} - {_OFFSET_US} AS bucket_start_us,
    member_id, key_id, agent, model_served, repository, '', billing, {", ".join(_COUNTED.values())}
FROM usage_events WHERE rowid >= ? GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
"""
_DAY: Final = f"(bucket_start_us + {_OFFSET_US}) / {_DAY_US} * {_DAY_US} - {_OFFSET_US}"
_ADD_DAYS: Final = f"""
INSERT INTO usage_days ({", ".join(t.ROLLUP_KEY)}, {", ".join(t.ROLLUP_SUMS)}, last_us)
SELECT {", ".join(_DAY if name == "bucket_start_us" else name for name in t.ROLLUP_KEY)},
    {", ".join(f"sum({name})" for name in t.ROLLUP_SUMS)}, max(last_us)
FROM usage_hours GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
"""
_SESSION_SUMS: Final = {
    "requests": "count(*)",
    **{name: f"sum({name})" for name in t.TOKEN_COLUMNS},
    "cost_nusd": f"sum({' + '.join(t.COST_COLUMNS)})",
    "subscription_cost_nusd": "0",
}
_ADD_SESSIONS: Final = f"""
INSERT INTO sessions (session_id, organization_id, key_id, member_id, agent, client_session,
    parent_session_id, root_session_id, first_us, last_us, {", ".join(_SESSION_SUMS)})
SELECT session_id, organization_id, key_id, member_id, agent, client_session, '', session_id,
    min(started_us), max(started_us + duration_us), {", ".join(_SESSION_SUMS.values())}
FROM usage_events WHERE rowid >= ? GROUP BY session_id
ON CONFLICT (session_id) DO UPDATE SET last_us = excluded.last_us,
    {", ".join(f"{name} = {name} + excluded.{name}" for name in _SESSION_SUMS)}
"""
