"""What a worker asks of the ledger about the past, on every database."""

from typing import Any

import pytest
from tests.unit.jobs.events import event

from tidegate.core.model import Cost, UsageEvent
from tidegate.store.ports import SpoolBatch
from tidegate.store.sql.database import SqlStore

pytestmark = pytest.mark.slow

START_US = 1_795_000_000_000_000


def made(number: int, cost: int, **fields: Any) -> UsageEvent:
    plain = {
        "member_id": "mem_1",
        "key_id": "key_1",
        "model_asked": "claude-opus-4-8",
        "started_us": START_US + number,
        "cost": Cost(input=cost, output=1 if cost else 0),
    }
    return event(number, **(plain | fields))


def test_the_costs_of_the_last_200_requests_of_a_key_and_model(store: SqlStore) -> None:
    events = [made(number, number) for number in range(250)]
    events += [
        made(1000, 7, key_id="key_2"),
        made(1001, 7, model_asked="other"),
        made(1002, 7, member_id="mem_2"),
        made(1003, 7, organization_id="org_2"),
    ]
    store.usage.record(SpoolBatch(file="f", start=0, end=1, events=events))
    asked = ("org_1", "mem_1", "key_1", "claude-opus-4-8")
    assert store.past.costs(*asked) == [number + 1 for number in range(50, 250)]
    assert store.past.costs("org_3", *asked[1:]) == []


def test_where_a_session_worked_last(store: SqlStore) -> None:
    app, site = "github.com/acme/app", "github.com/acme/site"
    events = [
        made(1, 1, session_id="ses_1", repository=app),
        made(3, 1, session_id="ses_1", repository=site),
        made(4, 1, session_id="ses_1", repository=""),
        made(2, 1, session_id="ses_2", repository=""),
    ]
    store.usage.record(SpoolBatch(file="f", start=0, end=1, events=events))
    found = [store.past.repository("org_1", session) for session in ("ses_1", "ses_2", "ses_3")]
    assert found == [site, "", ""]
    assert store.past.repository("org_2", "ses_1") == ""
