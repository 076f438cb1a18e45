"""Savings on every backend: events come back whole, sums agree, sessions are compared by kind."""

import msgspec
import pytest
from tests.unit.jobs.events import START_US, event

from tidegate.core.model import ToolSaving
from tidegate.services.compression_report import CompressionReports
from tidegate.services.request_log import RequestLog
from tidegate.store.log import LogFilter
from tidegate.store.ports import SpoolBatch
from tidegate.store.sql.database import SqlStore

pytestmark = pytest.mark.slow
END_US = START_US + 86_400_000_000


def record(store: SqlStore, *events: object) -> None:
    at = store.usage.offset("a")
    store.usage.record(
        SpoolBatch(file="a", start=at, end=at + 1, events=list(events))  # type: ignore[arg-type]
    )


def test_an_event_comes_back_with_its_savings(store: SqlStore) -> None:
    whole = event(1, compression_faults=3)
    bare = event(
        2, compression="", compression_version=0, tool_savings=(), saved_tokens_new=0,
        saved_tokens_again=0, saved_nano=0,
    )  # fmt: skip
    record(store, whole, bare)
    assert store.usage.log.event("org_1", whole.event_id) == whole
    assert store.usage.events("org_1") == [bare, whole]
    [row] = [r for r in store.usage.log.page("org_1", LogFilter(), 5) if r.event_id[-1] == "1"]
    assert (row.saved_tokens, row.saved_nano, row.compression) == (11, 10, "lossless")


def test_no_savings_are_too_odd_to_store(store: SqlStore) -> None:
    many = tuple(ToolSaving(f"class {n}\0\ud800", 1, 2, 1) for n in range(1000))
    odd = event(1, tool_savings=many, saved_nano=-5, saved_tokens_new=1 << 62)
    fine = event(2, tool_savings=(ToolSaving("\N{SNOWMAN}", 1, 2, 1),))
    record(store, odd, fine)
    found = store.usage.log.event("org_1", odd.event_id)
    assert found is not None
    assert (found.tool_savings, found.saved_nano) == ((), 0)
    assert store.usage.log.event("org_1", fine.event_id) == fine
    [sums] = store.usage.ledger_sums("org_1", ())
    assert sums.sums.saved_nusd == fine.saved_nano


def test_sessions_add_their_savings_up(store: SqlStore) -> None:
    record(store, *(event(n, session_id="ses_1") for n in range(3)))
    record(store, event(3, session_id="ses_1", compression=""), event(4, session_id="ses_2"))
    found = {each.session_id: each.sums for each in store.usage.session_sums("org_1")}
    assert (found["ses_1"].saved_tokens, found["ses_1"].saved_nusd) == (46, 46)
    assert found["ses_2"].saved_tokens == 14
    log = RequestLog(store, lambda: pytest.fail("no prices are asked for"))
    saving = log.session_saving("org_1", "ses_1")
    assert (saving.compression, saving.tokens, saving.nano) == ("lossless", 46, 46)
    assert saving.classes == (ToolSaving("read", 8, 366, 320), ToolSaving("shell", 4, 28, 28))
    assert log.session_saving("org_2", "ses_1").tokens == 0
    assert log.session_saving("org_1", "ses_1", member_id="mem_9").tokens == 0
    assert log.session_saving("org_1", "").tokens == 0


def test_sessions_are_compared_by_what_they_are_pinned_to(store: SqlStore) -> None:
    kinds = ("lossless", "references", "holdout", "off", "")
    record(
        store,
        *(
            event(n, session_id=f"ses_{n % 10}", compression=kinds[n % 5], key_id=f"key_{n % 10}")
            for n in range(40)
        ),
        event(99, organization_id="org_2", session_id="ses_other", compression="holdout"),
    )
    groups = store.usage.team.session_groups("org_1", START_US, END_US)
    assert {kind: (g.sessions, g.requests) for kind, g in groups.items()} == dict.fromkeys(
        kinds[:4], (2, 8)
    )
    held_out = groups["holdout"]
    assert held_out.cost_nusd == 8 * event(0).cost.total
    assert held_out.means == pytest.approx(2 * event(0).cost.total)
    assert held_out.squares == pytest.approx(2 * event(0).cost.total ** 2)
    assert held_out.prompt_tokens == sum(event(n).tokens.prompt for n in range(2, 40, 5))
    assert held_out.cache_read_tokens == 8 * event(0).tokens.cache_read
    assert store.usage.team.session_groups("org_1", END_US, END_US + 1) == {}
    found = CompressionReports(store).comparison("org_1", END_US)
    assert (found.compressed.sessions, found.held_out.sessions) == (4, 2)
    assert (found.needed, found.difference) == (None, None)


def test_a_pin_that_comes_late_is_kept(store: SqlStore) -> None:
    """A request that says nothing of it may be drained before or after one that does."""
    said = event(2, session_id="ses_1", compression="holdout")
    record(store, event(1, session_id="ses_1", compression=""))
    record(store, said)
    record(store, msgspec.structs.replace(said, event_id="req_3", compression=""))
    groups = store.usage.team.session_groups("org_1", START_US, END_US)
    assert {kind: group.requests for kind, group in groups.items()} == {"holdout": 3}
