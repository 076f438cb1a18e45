"""What every backend of the ledger must do."""

import pytest
from tests.unit.jobs.events import event

from tidegate.core.model import UsageEvent
from tidegate.store.ports import OffsetMoved, SpoolBatch
from tidegate.store.sql.database import SqlStore

pytestmark = pytest.mark.slow


def batch(*events: UsageEvent, file: str = "a", start: int = 0, end: int = 10) -> SpoolBatch:
    return SpoolBatch(file=file, start=start, end=end, events=events)


def test_an_event_comes_back_as_it_was_put(store: SqlStore) -> None:
    one = event(
        1, client_version="2", credential_id="crd", billing="subscription", stream=True,
        session_id="ses", client_session="c", parent_session_id="p", subagent_id="s",
        parent_agent_id="a", is_title=True, repository="r", branch="b", commit="c",
        launch_id="l", first_byte_us=7, error_code="e", request_bytes=8, response_bytes=9,
        price_version="v", price_unknown=True, estimated=True, service_tier="flex",
        speed="fast", region="us", web_searches=3, upstream_request_id="u", upstream_id="m",
        provider="anthropic",
    )  # fmt: skip
    assert store.usage.record(batch(one)) == 1
    assert store.usage.events("org_1") == [one]
    assert store.usage.events("org_2") == []


def test_events_and_offset_are_written_together(store: SqlStore) -> None:
    assert store.usage.offset("a") == 0
    store.usage.record(batch(event(1)))
    assert (store.usage.offset("a"), store.usage.offset("b")) == (10, 0)
    with pytest.raises(OffsetMoved):
        store.usage.record(batch(event(2), start=0))
    assert len(store.usage.events("org_1")) == 1
    assert store.usage.record(batch(event(1), event(2), start=10, end=20)) == 1
    assert store.usage.record(batch(start=20, end=30)) == 0
    assert store.usage.offset("a") == 30
    store.usage.forget("a")
    assert store.usage.offset("a") == 0


def test_events_are_listed_newest_first(store: SqlStore) -> None:
    store.usage.record(batch(event(2), event(3), event(1)))
    assert store.usage.events("org_1", 2) == [event(3), event(2)]


def test_a_session_takes_its_first_true_parent(store: SqlStore) -> None:
    for number, parent in enumerate(["ses_child", "", "ses_root", "ses_other"]):
        child = event(number, session_id="ses_child", parent_session_id=parent)
        store.usage.record(batch(child, file=f"f{number}"))
    [run] = store.usage.session_sums("org_1")
    assert (run.session_id, run.subagents, run.sums.requests) == ("ses_root", 1, 4)


def test_sub_agents_that_share_the_session_are_counted(store: SqlStore) -> None:
    store.usage.record(
        batch(
            event(1, session_id="ses_1"),
            event(2, session_id="ses_1", subagent_id="x"),
            event(3, session_id="ses_1", subagent_id="x"),
            event(4, session_id="ses_1", subagent_id="y"),
            event(5),
        )
    )
    [run] = store.usage.session_sums("org_1")
    assert (run.subagents, run.sums.requests) == (2, 4)


def test_sessions_are_of_their_organization(store: SqlStore) -> None:
    store.usage.record(batch(event(1, session_id="ses_1")))
    stranger = event(2, session_id="ses_1", organization_id="org_2")
    store.usage.record(batch(stranger, file="b"))
    [run] = store.usage.session_sums("org_1")
    assert run.sums.requests == 1
    assert store.usage.session_sums("org_2") == []


def test_zones_are_adopted(store: SqlStore) -> None:
    assert store.usage.time_zone("org_1") == "UTC"
    store.usage.adopt_zones({"org_1": "Asia/Kathmandu"})
    store.usage.record(batch(event(1), event(2, organization_id="org_2")))
    assert store.usage.time_zone("org_1") == "Asia/Kathmandu"
    assert store.usage.time_zone("org_2") == "UTC"
