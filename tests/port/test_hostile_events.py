"""Whatever a client wrote into its request, the event of it is kept."""

import random

import msgspec
import pytest
from tests.unit.jobs.events import event

from tidegate.core.model import Cost, TokenCounts
from tidegate.store.ports import SpoolBatch
from tidegate.store.sql.database import SqlStore

pytestmark = pytest.mark.slow

RANDOM = random.Random(7)  # what does not repeat cannot be compressed
NOISE = "".join(chr(RANDOM.randrange(0x21, 0x2FA0)) for _ in range(100_000))
FAR = 1 << 70  # beyond every column
TEXT_FIELDS = [
    "agent", "client_version", "model_asked", "model_served", "client_session", "session_id",
    "parent_session_id", "subagent_id", "repository", "branch", "commit", "launch_id",
    "error_code", "service_tier", "speed", "region", "upstream_request_id", "upstream_id",
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\0b", "a\N{REPLACEMENT CHARACTER}b"),
        ("a\ud83db", "a?b"),
        ("\U0001f680\u202eÜ'\"\\%(x)s :y", "\U0001f680\u202eÜ'\"\\%(x)s :y"),
        ("", ""),
    ],
    ids=["NUL", "lone surrogate", "odd characters", "nothing"],
)
def test_texts_are_kept_as_far_as_a_database_can(store: SqlStore, text: str, kept: str) -> None:
    given = event(1, **dict.fromkeys(TEXT_FIELDS, text))
    assert store.usage.record(SpoolBatch(file="a", start=0, end=1, events=[given])) == 1
    [found] = store.usage.events("org_1")
    assert {name: getattr(found, name) for name in TEXT_FIELDS} == dict.fromkeys(TEXT_FIELDS, kept)


def test_endless_texts_are_cut(store: SqlStore) -> None:
    given = event(1, **dict.fromkeys(TEXT_FIELDS, NOISE))
    assert store.usage.record(SpoolBatch(file="a", start=0, end=1, events=[given])) == 1
    [found] = store.usage.events("org_1")
    for name in TEXT_FIELDS:
        assert NOISE.startswith(getattr(found, name))
        assert len(getattr(found, name)) > 20
    [group] = store.usage.rollup_sums("org_1", ["model"], bucket="hour", start_us=0, end_us=1 << 60)
    assert group.values == (found.model_served,)


def test_absurd_numbers_are_bounded(store: SqlStore) -> None:
    tokens = TokenCounts(**dict.fromkeys(TokenCounts.__struct_fields__, FAR))
    cost = Cost(**dict.fromkeys(Cost.__struct_fields__, FAR))
    absurd = [event(n, tokens=tokens, cost=cost, duration_us=FAR, status=-1) for n in range(3)]
    batch = SpoolBatch(file="a", start=0, end=1, events=[*absurd, event(4)])
    assert store.usage.record(batch) == 4
    [group] = store.usage.ledger_sums("org_1", [])
    assert group.sums.requests == 4
    assert group.sums.input_tokens > 3 << 50
    assert msgspec.structs.replace(event(4)) in store.usage.events("org_1")
