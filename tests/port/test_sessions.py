"""Sessions, their links and waiting calls, on every backend."""

from typing import Any

import pytest
from tests.unit.jobs.events import START_US, event

from tidegate.core.attribution import TimedLink
from tidegate.core.model import Link, SessionCall, UsageEvent
from tidegate.store.log import LogFilter
from tidegate.store.ports import SpoolBatch
from tidegate.store.sessions import PendingCall, SessionFilter, SessionSort
from tidegate.store.sql.database import SqlStore

pytestmark = pytest.mark.slow

APP, LIB = "github.com/acme/app", "github.com/acme/lib"
DAY_US = 86_400_000_000


def put(store: SqlStore, *events: UsageEvent) -> None:
    file = "-".join(one.event_id for one in events)[:200]
    store.usage.record(SpoolBatch(file=file, start=0, end=1, events=events))


def use(store: SqlStore, number: int, session: str = "ses_1", **fields: Any) -> None:
    put(store, event(number, session_id=session, client_session=f"client-{session}", **fields))


def counted(store: SqlStore) -> dict[tuple[str, ...], int]:
    """Requests of the sums by repository and pull request; they are the ledger's."""
    by = ("repository", "pull_request")
    groups = store.usage.rollup_sums("org_1", by, bucket="day", start_us=0, end_us=1 << 62)
    found = {group.values: group.sums.requests for group in groups}
    ledger = store.usage.ledger_sums("org_1", by)
    assert found == {group.values: group.sums.requests for group in ledger}
    return found


def waiting(**fields: Any) -> PendingCall:
    plain: dict[str, Any] = {
        "pending_id": "call_1",
        "organization_id": "org_1",
        "key_id": "key_1",
        "launch_id": "lch_1",
        "tool": "setSessionName",
        "digest": "d1",
        "at_us": START_US,
        "links": (Link("repository", APP, "mcp"),),
        "name": "Mend the login",
    }
    return PendingCall(**(plain | fields))


def test_a_late_link_moves_what_was_counted(store: SqlStore) -> None:
    for number in range(4):
        use(store, number, repository=APP)
    use(store, 9, "ses_2", repository=APP)
    assert counted(store) == {(APP, ""): 5}
    link = TimedLink("pull_request", f"{APP}#12", "tool", START_US + 2_000_000)
    assert store.usage.links.add("org_1", "ses_1", [link]) == 1
    assert store.usage.links.add("org_1", "ses_1", [link]) == 0
    assert counted(store) == {(APP, "12"): 4, (APP, ""): 1}
    moved = TimedLink("repository", LIB, "mcp", START_US + 2_000_000)
    assert store.usage.links.add("org_1", "ses_1", [moved]) == 1
    assert counted(store) == {(APP, "12"): 2, (APP, ""): 1, (LIB, ""): 2}
    row = store.usage.sessions.one("org_1", "ses_1")
    assert row is not None
    assert (row.repository, row.repositories, row.pull_requests) == (
        LIB, (LIB, APP), (f"{APP}#12",),
    )  # fmt: skip


def test_a_person_is_right_until_the_word_is_taken_back(store: SqlStore) -> None:
    use(store, 1, repository=APP)
    links = store.usage.links
    for value, expected in ((LIB, {(LIB, ""): 1}), ("", {("", ""): 1}), (APP, {(APP, ""): 1})):
        for _ in range(2):
            assert links.correct("org_1", "ses_1", "repository", value, at_us=5, member_id="mem_1")
            assert counted(store) == expected
    assert links.correct("org_1", "ses_1", "repository", LIB, at_us=6, member_id="mem_1")
    assert links.withdraw("org_1", "ses_1", "repository")
    assert not links.withdraw("org_1", "ses_1", "repository")
    assert counted(store) == {(APP, ""): 1}
    with pytest.raises(ValueError, match="pull_request"):
        links.correct("org_1", "ses_1", "pull_request", f"{APP}#x", at_us=6, member_id="mem_1")


def test_another_organization_changes_nothing(store: SqlStore) -> None:
    use(store, 1, repository=APP)
    links = store.usage.links
    link = TimedLink("repository", LIB, "mcp", START_US)
    assert links.add("org_2", "ses_1", [link]) == 0
    assert not links.correct("org_2", "ses_1", "repository", LIB, at_us=5, member_id="mem_9")
    assert not links.withdraw("org_2", "ses_1", "repository")
    assert not links.set_name("org_2", "ses_1", "Mine", method="person")
    assert links.of("org_2", "ses_1") == []
    assert store.usage.sessions.one("org_2", "ses_1") is None
    assert store.usage.sessions.agents("org_2", "ses_1") == []
    assert store.usage.sessions.requests("org_2", "ses_1", 9) == []
    assert counted(store) == {(APP, ""): 1}


def test_a_sub_agents_session_is_its_parents(store: SqlStore) -> None:
    use(store, 1, "ses_child", repository=LIB)
    use(store, 2, "ses_root", repository=APP)
    use(store, 3, "ses_child", parent_session_id="ses_root")
    sessions = store.usage.sessions
    rows = sessions.page("org_1", SessionFilter(), SessionSort.LAST, 9)
    assert [(row.session_id, row.requests, row.subagents) for row in rows] == [("ses_root", 3, 1)]
    assert sessions.one("org_1", "ses_child") == rows[0]
    agents = sessions.agents("org_1", "ses_child")
    assert [(one.session_id, one.parent_session_id) for one in agents] == [
        ("ses_child", "ses_root"), ("ses_root", ""),
    ]  # fmt: skip
    assert {link.value for link in store.usage.links.of("org_1", "ses_child")} == {APP, LIB}
    assert counted(store) == {(LIB, ""): 1, (APP, ""): 2}
    found = [row.event_id for row in sessions.requests("org_1", "ses_root", 9)]
    assert found == [f"req_{number:06d}" for number in (1, 2, 3)]


def test_a_persons_name_stays(store: SqlStore) -> None:
    use(store, 1)
    links = store.usage.links
    assert links.set_name("org_1", "ses_1", "By the agent", method="mcp")
    assert links.set_name("org_1", "ses_1", "By me", method="person")
    assert not links.set_name("org_1", "ses_1", "By the agent again", method="mcp")
    row = store.usage.sessions.one("org_1", "ses_1")
    assert row is not None
    assert (row.name, row.name_method) == ("By me", "person")
    assert not links.set_name("org_1", "ses_none", "Nobody", method="person")


@pytest.mark.parametrize(
    ("call", "fields", "is_found"),
    [
        ({"call_id": "toolu_1"}, {"calls": (SessionCall("toolu_1", "x", "y"),)}, True),
        ({"call_id": "toolu_1"}, {"calls": (SessionCall("toolu_2", "x", "y"),)}, False),
        ({}, {"calls": (SessionCall("any", "setSessionName", "d1"),)}, True),
        ({}, {"calls": (SessionCall("any", "setSessionName", "d2"),)}, False),
        ({"session_id": "ses_1"}, {}, True),
        ({"session_id": "ses_2"}, {}, False),
        (
            {"call_id": "toolu_1"},
            {"calls": (SessionCall("toolu_1", "x", "y"),), "key_id": "key_2"},
            False,
        ),
    ],
)
def test_a_waiting_call_is_given_to_the_session_that_shows_it(
    store: SqlStore, call: dict[str, Any], fields: dict[str, Any], is_found: bool
) -> None:
    store.usage.links.pend(waiting(**call))
    use(store, 1, **fields)
    row = store.usage.sessions.one("org_1", "ses_1")
    assert row is not None
    assert (row.name, row.repository) == (("Mend the login", APP) if is_found else ("", ""))
    assert counted(store) == {(APP if is_found else "", ""): 1}
    assert store.usage.links.expire_calls(START_US + 2 * DAY_US) == (0 if is_found else 1)


def test_an_old_call_goes_to_the_launchs_session_of_then(store: SqlStore) -> None:
    use(store, 1, "ses_1", launch_id="lch_1")
    use(store, 9, "ses_2", launch_id="lch_1")
    links = store.usage.links
    assert links.newest_sessions("org_1", "key_1", "lch_1") == ["ses_2", "ses_1"]
    assert links.newest_sessions("org_1", "key_2", "lch_1") == []
    links.pend(waiting(at_us=START_US + 5_000_000))
    assert links.expire_calls(START_US + DAY_US) == 0
    assert links.expire_calls(START_US + DAY_US + 6_000_000) == 1
    names = {n: store.usage.sessions.one("org_1", n) for n in ("ses_1", "ses_2")}
    assert {n: row.name for n, row in names.items() if row} == {
        "ses_1": "Mend the login", "ses_2": "",
    }  # fmt: skip


FILTERS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "none": ({}, {"ses_1", "ses_2", "ses_3"}),
    "member": ({"member_ids": ("mem_2",)}, {"ses_2"}),
    "agent": ({"agents": ("codex",)}, {"ses_3"}),
    "model": ({"model": "gpt-5"}, {"ses_3"}),
    "repository": ({"repository": APP}, {"ses_1", "ses_2"}),
    "no repository": ({"repository": "-"}, {"ses_3"}),
    "branch": ({"branch": "fix_it"}, {"ses_2"}),
    "pull request": ({"pull_request": f"{APP}#12"}, {"ses_1"}),
    "pull request of another": ({"pull_request": f"{LIB}#12"}, set()),
    "no pull request at all": ({"pull_request": "12"}, set()),
    "errors": ({"has_errors": True}, {"ses_3"}),
    "no errors": ({"has_errors": False}, {"ses_1", "ses_2"}),
    "cost": ({"least_cost_nusd": 121}, {"ses_1"}),
    "from": ({"start_us": START_US + 5_000_000}, {"ses_3"}),
    "until": ({"end_us": START_US + 2_000_000}, {"ses_1"}),
    "search for a name": ({"search": "MEND"}, {"ses_1"}),
    "search for a branch": ({"search": "x_i"}, {"ses_2"}),
    "search for a repository": ({"search": "acme/a"}, {"ses_1", "ses_2"}),
    "search for an id": ({"search": "client-ses_3"}, {"ses_3"}),
    "search for a wildcard": ({"search": "%"}, set()),
    "odd search": ({"search": "\0\ud800'"}, set()),
    "together": ({"repository": APP, "member_ids": ("mem_2",), "search": "fix"}, {"ses_2"}),
}


def some(store: SqlStore) -> None:
    use(store, 1, repository=APP, links=(Link("pull_request", f"{APP}#12", "tool"),))
    use(store, 2, repository=APP)
    use(store, 3, "ses_2", member_id="mem_2", key_id="key_2", repository=APP, branch="fix_it")
    fields: dict[str, Any] = {"agent": "codex", "model_served": "gpt-5", "outcome": "cut"}
    use(store, 6, "ses_3", **fields)
    store.usage.links.set_name("org_1", "ses_1", "Mend the login", method="mcp")


def test_filters_find_sessions(store: SqlStore) -> None:
    some(store)
    for name, (fields, expected) in FILTERS.items():
        for sort in SessionSort:
            found = store.usage.sessions.page("org_1", SessionFilter(**fields), sort, 9)
            assert {row.session_id for row in found} == expected, (name, sort)


@pytest.mark.parametrize("sort", SessionSort)
def test_pages_follow_one_another(store: SqlStore, sort: SessionSort) -> None:
    for number in range(7):
        use(store, number, f"ses_{number}", duration_us=number % 3)
    sessions, everything = store.usage.sessions, SessionFilter()
    whole = sessions.page("org_1", everything, sort, 99)
    assert [row.place(sort) for row in whole] == sorted(
        (row.place(sort) for row in whole), reverse=True
    )
    first = sessions.page("org_1", everything, sort, 3)
    second = sessions.page("org_1", everything, sort, 3, after=first[-1].place(sort))
    assert [*first, *second] == whole[:6]
    assert sessions.page("org_1", everything, sort, 3, before=second[0].place(sort)) == first


def test_a_timeline_is_bounded(store: SqlStore) -> None:
    put(store, *(event(n, session_id="ses_1", is_title=n == 0) for n in range(60)))
    sessions = store.usage.sessions
    exact = sessions.timeline("org_1", "ses_1", 100)
    assert exact.is_exact
    assert len(exact.marks) == 59
    few = sessions.timeline("org_1", "ses_1", 10)
    assert not few.is_exact
    assert len(few.marks) <= 10
    assert sum(mark.requests for mark in few.marks) == 59
    assert sum(mark.cost_nusd for mark in few.marks) == 59 * 120
    [read, shell] = sessions.tool_savings("org_1", "ses_1")
    assert (read.tool_class, read.results, shell.results) == ("read", 120, 60)


def test_the_log_finds_requests_by_pull_request(store: SqlStore) -> None:
    some(store)
    found = store.usage.log.page("org_1", LogFilter(pull_request=f"{APP}#12"), 9)
    assert {row.event_id for row in found} == {"req_000001", "req_000002"}
    assert store.usage.log.page("org_1", LogFilter(pull_request="12"), 9) == []


def test_what_retention_took_stays_as_it_was(store: SqlStore) -> None:
    use(store, 1, repository=APP)
    use(store, 2, repository=APP, started_us=START_US + 3 * DAY_US)
    store.usage.drop_ledger_before("org_1", START_US + 2 * DAY_US)
    store.usage.links.correct("org_1", "ses_1", "repository", LIB, at_us=1, member_id="mem_1")
    by = ("repository",)
    groups = store.usage.rollup_sums("org_1", by, bucket="day", start_us=0, end_us=1 << 62)
    assert {g.values[0]: g.sums.requests for g in groups} == {APP: 1, LIB: 1}
    row = store.usage.sessions.one("org_1", "ses_1")
    assert row is not None
    assert row.repositories == (LIB, APP)


def test_many_links_say_no_more(store: SqlStore) -> None:
    use(store, 1)
    found = [TimedLink("branch", f"b{n}", "tool", START_US + n) for n in range(1100)]
    assert store.usage.links.add("org_1", "ses_1", found) == 1000
