"""What is put aside for running requests, and what budgets have spent, on every database."""

from typing import Any

import pytest
from tests.unit.jobs.events import START_US, event

from tidegate.core.budgets import EACH, Envelope, Standing, Subject, Window
from tidegate.core.model import Cost, UsageEvent
from tidegate.store.holds import EXPIRY_S, Holder, HoldRequest, Settlement, Want
from tidegate.store.ports import SpoolBatch
from tidegate.store.sql.database import SqlStore
from tidegate.store.sql.holds import ABANDONED_S

pytestmark = pytest.mark.slow

HERE = Holder("plc_here", "wrk_1")
ELSEWHERE = Holder("plc_elsewhere", "wrk_2")
DAY_US = 86_400_000_000
TODAY = Window(START_US, START_US + DAY_US)
MEMBER = Envelope("bud_m", Subject("member", "mem_1"), TODAY)
ALL = Envelope("bud_o", Subject("organization"), TODAY)


def want(amount: int, limit: int, envelope: Envelope = MEMBER, bound: int = 0) -> Want:
    return Want(envelope=envelope, amount_nusd=amount, limit_nusd=limit, bound_nusd=bound)


def request(number: int, *wants: Want, at_us: int = START_US + 60_000_000) -> HoldRequest:
    return HoldRequest(
        event_id=f"req_{number:06d}", organization_id="org_1", started_us=at_us, wants=wants
    )


def costing(number: int, cost: int, **fields: Any) -> UsageEvent:
    plain = {"cost": Cost(input=cost), "started_us": START_US + 60_000_000}
    return event(number, **(plain | fields))


def record(store: SqlStore, *events: UsageEvent) -> None:
    """As the drain does before it drops the holds."""
    batch = SpoolBatch(file=events[0].event_id, start=0, end=1, events=events)
    store.usage.record(batch)


def reserve(store: SqlStore, *requests: HoldRequest) -> list[bool]:
    return [decision.passes for decision in store.holds.exchange(HERE, reserve=requests)]


def standing(store: SqlStore, envelope: Envelope = MEMBER) -> tuple[int, int]:
    [found] = store.holds.standings("org_1", [envelope])
    return found.spent_nusd, found.held_nusd


def test_holds_fit_the_limit_exactly(store: SqlStore) -> None:
    cases = [
        # each holds, of a limit: so many pass
        (10, 30, 3),  # the last one uses it up
        (10, 29, 2),
        (10, 10, 1),
        (10, 9, 0),
        (10, 0, 0),
        (0, 0, 0),  # what costs nothing is blocked too where there is nothing
        (0, 1, 5),
        (1, -5, 0),
    ]
    for number, (amount, limit, passing) in enumerate(cases):
        mine = want(amount, limit, Envelope(f"bud_{number}", MEMBER.subject, TODAY))
        first = 100 * number
        at_once = [request(first + n, mine) for n in range(5)]
        assert reserve(store, *at_once) == [n < passing for n in range(5)]
        later = [reserve(store, request(first + 10 + n, mine))[0] for n in range(5)]
        assert later == [passing == 5] * 5


def test_a_request_that_one_budget_refuses_holds_nothing_in_any(store: SqlStore) -> None:
    both = (want(10, 100), want(10, 15, ALL))
    [first, second] = store.holds.exchange(HERE, reserve=[request(1, *both), request(2, *both)])
    assert first.passes
    assert (second.passes, second.refused_by) == (False, 1)
    assert second.standings == (Standing(0, 10), Standing(0, 10))
    assert standing(store) == standing(store, ALL) == (0, 10)


def test_a_request_is_counted_once_at_every_moment(store: SqlStore) -> None:
    reserve(store, request(1, want(100, 1000, bound=130)))
    assert store.holds.standings("org_1", [MEMBER]) == [Standing(0, 100, 30)]
    store.holds.exchange(HERE, settle=[Settlement("req_000001", 42)])
    assert store.holds.standings("org_1", [MEMBER]) == [Standing(0, 42)]
    record(store, costing(1, 42))
    assert standing(store) == (42, 0)  # both have it
    store.holds.drop_recorded(["req_000001"])
    assert standing(store) == (42, 0)


def test_what_ledger_and_holds_both_have_refuses_nobody(store: SqlStore) -> None:
    reserve(store, request(1, want(60, 100)), request(2, want(10, 100)))
    store.holds.exchange(HERE, settle=[Settlement("req_000001", 50)])
    record(store, costing(1, 50))  # the drain died before it dropped the hold
    assert reserve(store, request(3, want(40, 100))) == [True]
    assert reserve(store, request(4, want(1, 100))) == [False]
    assert store.holds.sweep([]) == 1
    assert standing(store) == (50, 50)


def test_a_hold_goes_when_the_request_never_went_out(store: SqlStore) -> None:
    reserve(store, request(1, want(60, 100)))
    store.holds.exchange(HERE, release=["req_000001", "req_unknown"])
    assert standing(store) == (0, 0)


def test_a_settlement_that_comes_after_the_ledger_has_it_changes_nothing(store: SqlStore) -> None:
    reserve(store, request(1, want(60, 100)))
    record(store, costing(1, 50))
    store.holds.drop_recorded(["req_000001"])
    store.holds.exchange(HERE, settle=[Settlement("req_000001", 50)])
    assert standing(store) == (50, 0)


def test_one_transaction_settles_releases_then_reserves(store: SqlStore) -> None:
    reserve(store, request(1, want(60, 100)), request(2, want(40, 100)))
    decisions = store.holds.exchange(
        HERE,
        settle=[Settlement("req_000001", 30)],
        release=["req_000002"],
        reserve=[request(3, want(70, 100))],
    )
    assert [decision.passes for decision in decisions] == [True]


def test_windows_budgets_and_subjects_are_apart(store: SqlStore) -> None:
    tomorrow = Window(TODAY.end_us, TODAY.end_us + DAY_US)
    for number, envelope in enumerate(
        (
            MEMBER,
            Envelope("bud_m", MEMBER.subject, tomorrow),
            Envelope("bud_m", Subject("member", "mem_2"), TODAY),
            Envelope("bud_other", MEMBER.subject, TODAY),
        )
    ):
        at_us = envelope.window.start_us + 1
        assert reserve(store, request(number, want(10, 10, envelope), at_us=at_us)) == [True]
        assert reserve(store, request(9, want(10, 10, envelope), at_us=at_us)) == [False]


SUBJECTS = [
    (Subject("organization"), {}, {"organization_id": "org_2"}),
    (Subject("member", "mem_1"), {}, {"member_id": "mem_2"}),
    (Subject("key", "key_1"), {}, {"key_id": "key_2"}),
    (Subject("squad", "sqd_1"), {"squad_id": "sqd_1"}, {"squad_id": "sqd_2"}),
    (Subject("squad", "sqd_1"), {"squad_id": "sqd_1", "member_id": "mem_9"}, {}),  # pooled
    (
        Subject("squad", "sqd_1", "mem_1"),
        {"squad_id": "sqd_1"},
        {"squad_id": "sqd_1", "member_id": "mem_2"},
    ),
    (Subject("repository", "github.com/acme/app"), {"repository": "github.com/acme/app"}, {}),
    (Subject("session", "ses_1"), {"session_id": "ses_1"}, {"session_id": "ses_2"}),
]
WINDOWS = (
    TODAY,
    Window(0, 0),
    Window(START_US, START_US + 7 * 3_600_000_000),
    Window(START_US, START_US + 31 * DAY_US),
)


@pytest.mark.parametrize(("subject", "own", "others"), SUBJECTS)
def test_spent_is_what_the_ledger_says(
    store: SqlStore, subject: Subject, own: dict[str, Any], others: dict[str, Any]
) -> None:
    far_us = 4_000 * DAY_US
    record(
        store,
        costing(1, 100, **own),
        costing(2, 1000, **own, billing="subscription"),
        costing(3, 7, **own, started_us=START_US - 1),
        costing(4, 9, **own, started_us=START_US + far_us),
        costing(5, 10_000, **others),
    )
    for window in WINDOWS:
        outside = 16 if not window.end_us else 0
        envelope = Envelope("bud_1", subject, window)
        paid = 100 + outside + (10_000 if others == {} and subject.scope == "organization" else 0)
        assert standing(store, envelope) == (paid, 0)
        assert standing(store, Envelope("bud_1", subject, window, True)) == (paid + 1000, 0)


def test_runs_across_the_ends_of_a_window_count_with_what_is_in_it(store: SqlStore) -> None:
    before_us, within_us, after_us = TODAY.start_us - 1, TODAY.start_us, TODAY.end_us
    child = {"session_id": "ses_child", "parent_session_id": "ses_across"}
    record(
        store,
        costing(1, 1, session_id="ses_across", started_us=before_us),
        costing(2, 20, **child, started_us=within_us),
        costing(3, 300, **child, started_us=within_us, billing="subscription"),
        costing(4, 4000, **child, started_us=after_us),
        costing(5, 50_000, session_id="ses_before", started_us=before_us),
        costing(6, 6, session_id="ses_whole", started_us=within_us),
        costing(7, 70, session_id="ses_whole", started_us=after_us - 1, billing="subscription"),
        costing(8, 800, session_id="ses_later", started_us=within_us),
        costing(9, 9000, session_id="ses_later", started_us=after_us),
        costing(10, 1, session_id="ses_other", organization_id="org_2", started_us=within_us),
    )

    def spent(window: Window, counts: bool) -> dict[str, int]:
        each = Envelope("bud_s", Subject("session", EACH), window, counts)
        [found] = store.holds.subjects("org_1", [each])
        return {name: one.spent_nusd for name, one in found.items()}

    assert spent(TODAY, False) == {"ses_across": 20, "ses_whole": 6, "ses_later": 800}
    assert spent(TODAY, True) == {"ses_across": 320, "ses_whole": 76, "ses_later": 800}
    ever = spent(Window(0, 0), False)
    assert ever == {"ses_across": 4021, "ses_before": 50_000, "ses_whole": 6, "ses_later": 9800}
    for session_id, amount in spent(TODAY, True).items():  # as each is told by itself
        one = Envelope("bud_s", Subject("session", session_id), TODAY, True)
        assert standing(store, one)[0] == amount


def test_a_session_spends_with_its_sub_agents(store: SqlStore) -> None:
    record(
        store,
        costing(1, 10, session_id="ses_root"),
        costing(2, 20, session_id="ses_child", parent_session_id="ses_root"),
        costing(3, 40, session_id="ses_grandchild", parent_session_id="ses_child"),
    )
    for session_id in ("ses_root", "ses_child", "ses_grandchild"):
        envelope = Envelope("bud_s", Subject("session", session_id), Window(0, 0))
        assert standing(store, envelope)[0] == 70
    child = Envelope("bud_s", Subject("session", "ses_child"), Window(0, 0))
    assert reserve(store, request(9, want(20, 100, child))) == [True]
    root = Envelope("bud_s", Subject("session", "ses_root"), Window(0, 0))
    assert reserve(store, request(10, want(20, 100, root))) == [False]


def test_what_a_member_spent_in_a_squad_stays_with_it(store: SqlStore) -> None:
    record(store, costing(1, 10, squad_id="sqd_a"))
    record(store, costing(2, 20, squad_id="sqd_b"), costing(3, 40))
    spent = [
        standing(store, Envelope("b", Subject("squad", squad_id), TODAY))[0]
        for squad_id in ("sqd_a", "sqd_b")
    ]
    assert spent == [10, 20]
    assert standing(store)[0] == 70
    store.usage.adopt_zones({"org_1": "Asia/Kathmandu"})
    assert standing(store, Envelope("b", Subject("squad", "sqd_b"), Window(0, 0)))[0] == 20


def test_all_who_have_something_of_their_own(store: SqlStore) -> None:
    record(
        store,
        costing(1, 10, squad_id="sqd_1", session_id="ses_1", repository="r1"),
        costing(2, 20, squad_id="sqd_1", member_id="mem_2", key_id="key_2", session_id="ses_2"),
    )
    member = Envelope("bud_m", Subject("member", "mem_3"), TODAY)
    reserve(store, request(7, want(5, 100, MEMBER, bound=9)), request(8, want(6, 100, member)))
    envelopes = {
        "member": {"mem_1": Standing(10, 5, 4), "mem_2": Standing(20), "mem_3": Standing(0, 6)},
        "key": {"key_1": Standing(10), "key_2": Standing(20)},
        "squad": {"sqd_1": Standing(30)},
        "repository": {"r1": Standing(10)},
        "session": {"ses_1": Standing(10), "ses_2": Standing(20)},
    }
    for scope, expected in envelopes.items():
        budget_id = "bud_m" if scope == "member" else "bud_x"
        each = Envelope(budget_id, Subject(scope, EACH), TODAY)
        assert store.holds.subjects("org_1", [each]) == [expected]
    heads = Envelope("bud_h", Subject("squad", "sqd_1", EACH), TODAY)
    assert store.holds.subjects("org_1", [heads]) == [
        {"sqd_1/mem_1": Standing(10), "sqd_1/mem_2": Standing(20)}
    ]


@pytest.mark.parametrize("window", [TODAY, Window(0, 0)])
def test_sessions_at_rest_may_be_left_out(store: SqlStore, window: Window) -> None:
    late_us = START_US + 120_000_000
    record(
        store,
        costing(1, 10, session_id="ses_1"),
        costing(2, 20, session_id="ses_2"),
        costing(3, 5, session_id="ses_2", started_us=late_us),
    )
    each = Envelope("bud_x", Subject("session", EACH), window)
    used = {"ses_2": Standing(25)}
    assert store.holds.subjects("org_1", [each], used_since_us=late_us) == [used]
    assert store.holds.subjects("org_1", [each]) == [{"ses_1": Standing(10)} | used]


def test_all_who_spent_so_much_are_found_however_many_they_are(store: SqlStore) -> None:
    record(
        store,
        *(
            costing(
                number,
                number,
                member_id=f"mem_{number}",
                session_id=f"ses_{number}",
                billing="subscription" if number > 600 else "api",
            )
            for number in range(1, 603)
        ),
    )
    for scope, window in (
        ("member", TODAY),
        ("session", TODAY),
        ("session", Window(0, 0)),
    ):
        each = Envelope("bud_x", Subject(scope, EACH), window)
        all_kinds = Envelope("bud_x", Subject(scope, EACH), window, True)
        [most, worth] = store.holds.subjects("org_1", [each, all_kinds])
        assert [one.spent_nusd for one in most.values()] == [*range(600, 100, -1)]
        assert [one.spent_nusd for one in worth.values()] == [*range(602, 102, -1)]
        [found, few] = store.holds.subjects("org_1", [each, all_kinds], least_nusd=[40, 601])
        assert sorted(one.spent_nusd for one in found.values()) == [*range(40, 601)]
        assert sorted(one.spent_nusd for one in few.values()) == [601, 602]


class Clock:
    """Runs on by hand; a restart of the machine is another boot."""

    def __init__(self) -> None:
        self.us, self.boot = 1_000_000_000, "boot 1"

    def now(self, _statements: object) -> tuple[int, str]:
        return self.us, self.boot


@pytest.fixture
def clock(store: SqlStore) -> Clock:
    store.holds.clock = clock = Clock()
    return clock


def test_a_dead_workers_holds_go_when_its_spool_was_drained(store: SqlStore, clock: Clock) -> None:
    reserve(store, request(1, want(10, 100)), request(2, want(10, 100)))
    store.holds.exchange(HERE, settle=[Settlement("req_000002", 7)])
    assert store.holds.expired(HERE.place) == []
    clock.us += EXPIRY_S * 1_000_000
    store.holds.renew(HERE)
    clock.us += (EXPIRY_S + 1) * 1_000_000
    assert store.holds.expired(ELSEWHERE.place) == []
    assert store.holds.expired(HERE.place) == ["req_000001"]
    assert standing(store) == (0, 17)  # it may have begun: only the spool tells
    assert store.holds.sweep(["req_000001"]) == 1
    assert standing(store) == (0, 7)  # that one's event will come
    assert store.holds.sweep([]) == 0


@pytest.mark.parametrize("later_us", [5, -900_000_000])
def test_a_restart_of_the_machine_ends_its_workers(
    store: SqlStore, clock: Clock, later_us: int
) -> None:
    reserve(store, request(1, want(10, 100)))
    clock.us, clock.boot = clock.us + later_us, "boot 2"
    assert store.holds.expired(HERE.place) == ["req_000001"]


def test_holds_of_a_machine_that_is_lost_go_by_themselves(store: SqlStore, clock: Clock) -> None:
    own = store.holds.own_s = Passing()
    store.holds.exchange(ELSEWHERE, reserve=[request(1, want(10, 100))])
    clock.us += (ABANDONED_S - 1) * 1_000_000
    assert swept(store, own, 10) == 0
    clock.us += 2_000_000
    assert swept(store, own, 6) == 0
    assert swept(store, own, 1) == 1
    assert standing(store) == (0, 0)


def test_a_clock_that_jumps_and_a_store_that_was_away_end_nobody(
    store: SqlStore, clock: Clock
) -> None:
    own = store.holds.own_s = Passing()
    store.holds.exchange(ELSEWHERE, reserve=[request(1, want(10, 100))])
    clock.us += 2 * ABANDONED_S * 1_000_000
    assert swept(store, own, 5) == 0
    store.holds.renew(ELSEWHERE)
    assert swept(store, own, 20) == 0
    clock.us -= 4 * ABANDONED_S * 1_000_000
    assert swept(store, own, 1) == 0
    own.s += 3600  # nobody could renew meanwhile, nor look
    assert swept(store, own, 6) == 0
    assert standing(store) == (0, 10)


class Passing:
    """The clock of the process that sweeps."""

    s = 0.0

    def __call__(self) -> float:
        return self.s


def swept(store: SqlStore, own: Passing, times: int) -> int:
    """Sweep every ten seconds: how many holds went."""
    found = 0
    for _ in range(times):
        own.s += 10
        found += store.holds.sweep([])
    return found


def test_who_is_known_to_live_or_to_be_gone_needs_no_clock(store: SqlStore, clock: Clock) -> None:
    reserve(store, request(1, want(10, 100)))
    assert store.holds.expired(HERE.place, gone=[HERE.worker]) == ["req_000001"]
    assert store.holds.expired(ELSEWHERE.place, gone=[HERE.worker]) == []
    clock.us += (EXPIRY_S + 1) * 1_000_000
    assert store.holds.expired(HERE.place, living=[HERE.worker]) == []
    assert store.holds.expired(HERE.place) == ["req_000001"]


def test_holds_know_what_other_processes_recorded(store: SqlStore) -> None:
    assert reserve(store, request(1, want(10, 100))) == [True]
    record(store, costing(2, 85))
    assert reserve(store, request(3, want(10, 100))) == [False]
    assert reserve(store, request(4, want(5, 100))) == [True]


def test_a_budget_that_is_made_or_changed_in_mid_window_counts_at_once(store: SqlStore) -> None:
    record(store, costing(1, 80))
    assert reserve(store, request(2, want(10, 100))) == [True]
    assert reserve(store, request(3, want(10, 95))) == [False]  # made less
    assert reserve(store, request(4, want(10, 300))) == [True]  # raised
    week = Envelope("bud_m", MEMBER.subject, Window(START_US - 6 * DAY_US, TODAY.end_us))
    assert reserve(store, request(5, want(1, 100, week))) == [False]  # another window
    assert standing(store, week) == (80, 20)


def test_organizations_do_not_meet(store: SqlStore) -> None:
    record(store, costing(1, 80, organization_id="org_2"))
    assert reserve(store, request(1, want(10, 10))) == [True]
    assert store.holds.standings("org_2", [MEMBER])[0].spent_nusd == 80
