"""Squads, budgets, raises, requests and limits come back as they were put, on every database."""

import pytest
from tests.port.test_directory_store import fill

from tidegate.core.budgets import Budget, Raise
from tidegate.core.limits import RateLimit
from tidegate.store.budgets import BudgetRequestRecord, SquadMember, SquadRecord
from tidegate.store.ports import DirectoryChange
from tidegate.store.sql.database import SqlStore

pytestmark = pytest.mark.slow

SQUAD = SquadRecord(
    squad_id="sqd_1", organization_id="org_1", name="Ü\U0001f680", allowed_models=("claude-*",),
    created_us=5,
)  # fmt: skip
MEMBERSHIP = SquadMember(organization_id="org_1", member_id="mem_1", squad_id="sqd_1", from_us=6)
BUDGET = Budget(
    budget_id="bud_1", organization_id="org_1", name="Spring", scope="squad", scope_id="sqd_1",
    per_head=True, amount_nusd=10**18, window="rolling", rolling_hours=5, hard=True, mode="strict",
    when_unknown="closed", counts_subscription=True, created_us=7,
)  # fmt: skip
RAISE = Raise(
    raise_id="rse_1", organization_id="org_1", budget_id="bud_1", subject="sqd_1/mem_1",
    extra_nusd=5, from_us=8, until_us=9,
)  # fmt: skip
REQUEST = BudgetRequestRecord(
    request_id="brq_1", organization_id="org_1", budget_id="bud_1", subject="sqd_1/mem_1",
    member_id="mem_1", amount_nusd=3, reason="a release", created_us=10, expires_us=20,
)  # fmt: skip
LIMIT = RateLimit(organization_id="org_1", requests_per_minute=60)


def fill_budgets(change: DirectoryChange) -> None:
    """One of each, in an organization with a member."""
    change.add_squad(SQUAD)
    change.put_squad_member(MEMBERSHIP)
    change.add_budget(BUDGET)
    change.add_raise(RAISE)
    change.add_budget_request(REQUEST)
    change.put_rate_limit(LIMIT)


def test_all_comes_back_and_nothing_through_another_organization(store: SqlStore) -> None:
    with store.directory.changing() as change:
        fill(change)
        fill_budgets(change)
        change.delete_budget("org_2", "bud_1")
        change.delete_squad("org_2", "sqd_1")
        change.delete_squad_member("org_2", "mem_1")
    with store.directory.reading() as reads:
        assert reads.squads("org_1") == [reads.squad("org_1", "sqd_1")] == [SQUAD]
        assert reads.squad_members("org_1") == [MEMBERSHIP]
        assert reads.budgets("org_1") == [reads.budget("org_1", "bud_1")] == [BUDGET]
        assert reads.raises("org_1") == reads.raises("org_1", "bud_1") == [RAISE]
        assert reads.budget_requests("org_1", member_id="mem_1") == [REQUEST]
        assert reads.budget_request("org_1", "brq_1") == REQUEST
        assert reads.rate_limits("org_1") == [LIMIT]
        assert reads.squad("org_2", "sqd_1") is None
        assert reads.budget("org_2", "bud_1") is None
        assert reads.budget_request("org_2", "brq_1") is None
        assert reads.budget_requests("org_1", member_id="mem_2") == []
        assert reads.raises("org_1", "bud_2") == []
    snapshot = store.directory.snapshot()
    assert (snapshot.budgets, snapshot.raises, snapshot.rate_limits) == (
        (BUDGET,), (RAISE,), (LIMIT,),
    )  # fmt: skip
    assert snapshot.squads == {"mem_1": "sqd_1"}
    assert snapshot.squad_models == {"sqd_1": ("claude-*",)}


def test_what_goes_goes_with_all_that_is_part_of_it(store: SqlStore) -> None:
    with store.directory.changing() as change:
        fill(change)
        fill_budgets(change)
    with store.directory.changing() as change:
        change.delete_budget("org_1", "bud_1")
        change.delete_squad("org_1", "sqd_1")
        change.put_rate_limit(RateLimit(organization_id="org_1"))
    snapshot = store.directory.snapshot()
    assert not any((snapshot.budgets, snapshot.raises, snapshot.rate_limits))
    assert not any((snapshot.squads, snapshot.squad_models))
    with store.directory.reading() as reads:
        assert reads.budget_requests("org_1") == []
