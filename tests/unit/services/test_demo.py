"""The demo fills a store so that directory, ledger and rollups tell one story."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.core.budgets import Scope
from tidegate.core.model import NANO_PER_USD
from tidegate.services import demo_cast as cast
from tidegate.services.alert_channels import AlertChannels
from tidegate.services.alert_readings import Readings
from tidegate.services.alert_watch import AlertWatch
from tidegate.services.budget_requests import BudgetRequests
from tidegate.services.budget_standings import Standings
from tidegate.services.budgets import Budgets
from tidegate.services.demo import Demo, Opened
from tidegate.services.demo_budgets import POOLED, rounded
from tidegate.services.enrolment import Enrolment
from tidegate.services.invitations import Invitations
from tidegate.services.logins import Logins
from tidegate.services.members import Members
from tidegate.services.price_book import compile_price_book
from tidegate.services.rate_limits import RateLimits
from tidegate.services.squads import Squads
from tidegate.services.usage import UsageReports
from tidegate.services.vault import derive
from tidegate.store.alerts import AlertFilter
from tidegate.store.sql.database import SqlStore, open_store

pytestmark = pytest.mark.slow

NOW_US = 1_795_014_300_000_000  # Wednesday, 18 Nov 2026, 15:05 UTC
NEW_MONTH_US = 1_796_080_500_000_000  # Tuesday, 1 Dec 2026, 00:15 in Berlin
DAY_US = 86_400_000_000
SUBKEYS = derive(bytes(range(32)))


def filled(folder: Path) -> tuple[SqlStore, Opened]:
    store = open_store(data_dir=folder)
    return store, Demo(store, SUBKEYS, compile_price_book(), now_us=NOW_US, seed=1).fill()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SqlStore, Opened]]:
    store, opened = filled(tmp_path_factory.mktemp("demo"))
    yield store, opened
    store.close()


def test_its_people(demo: tuple[SqlStore, Opened]) -> None:
    store, opened = demo
    made = (store, SUBKEYS, lambda: NOW_US)
    members = Members(*made).list(opened.organization_id)
    present = [member for member in members if not member.removed_us]
    assert len(present) == 24
    assert [m.name for m in members if m.removed_us] == ["Pieter de Vries"]
    assert all(member.name for member in members)
    assert {member.role for member in present} == {"owner", "admin", "member"}
    pending = Invitations(*made).pending(opened.organization_id)
    assert len(pending) == 3
    assert all(invitation.expires_us > NOW_US for invitation in pending)
    keys = Enrolment(*made).list_keys(opened.organization_id)
    assert {key.record.member_id for key in keys} == {member.member_id for member in present}
    assert [key.record.captures(NOW_US) for key in keys].count(True) == 1
    assert [key.record.compression for key in keys].count(False) == 1


def test_nothing_happened_before_it_was_founded_or_after_now(demo: tuple[SqlStore, Opened]) -> None:
    store, opened = demo
    with store.directory.reading() as reads:
        entries = reads.audit(opened.organization_id, 1000)
    times = [entry.at_us for entry in reversed(entries)]
    assert entries[-1].action in {"organization.create", "member.add"}
    assert NOW_US - 125 * DAY_US < times[0] < times[-1] <= NOW_US
    assert times == sorted(times)


def test_ledger_and_rollups_agree(demo: tuple[SqlStore, Opened]) -> None:
    store, opened = demo
    reports = UsageReports(store)
    totals = reports.totals(opened.organization_id)
    assert totals["requests"] == opened.events > 20_000
    table = reports.table(opened.organization_id, "90d", NOW_US)
    assert 0.95 * opened.events < table.totals.requests <= opened.events  # day 90 is cut off
    groups = store.usage.rollup_sums(
        opened.organization_id, ["member_id"], bucket="hour", start_us=0, end_us=NOW_US
    )
    assert sum(group.sums.cost_nusd for group in groups) == totals["cost_nusd"]


def test_the_owner_and_one_member_sign_in_with_the_password(demo: tuple[SqlStore, Opened]) -> None:
    store, opened = demo
    logins = Logins(store, SUBKEYS, lambda: NOW_US)
    for email, role in ((opened.owner_email, "owner"), (opened.member_email, "member")):
        secret = logins.sign_in(email, opened.password, address="127.0.0.1", user_agent="")
        viewer = logins.viewer(secret)
        assert viewer is not None
        assert (viewer.email, viewer.role) == (email, role)


def test_its_squads_have_their_members_and_their_sums(demo: tuple[SqlStore, Opened]) -> None:
    store, opened = demo
    made = (store, SUBKEYS, lambda: NOW_US)
    members = {m.member_id: m.name for m in Members(*made).list(opened.organization_id)}
    squads = Squads(*made).list(opened.organization_id)
    assert {squad.record.name for squad in squads} == set(cast.SQUADS)
    found = {s.record.name: {members[m] for m in s.member_ids} for s in squads}
    gone = {"Pieter de Vries"}
    assert found == {name: set(names) - gone for name, names in cast.SQUADS.items()}
    [product] = [squad for squad in squads if squad.record.name == POOLED]
    sums = store.usage.rollup_sums(
        opened.organization_id, ["member_id"], bucket="hour", start_us=0, end_us=NOW_US
    )
    groups = {group.values[0]: group.sums for group in sums}
    standings = Standings(*made).all(opened.organization_id)
    [pool] = [one for one in standings if one.title == POOLED]
    assert pool.standing.spent_nusd > 0
    assert pool.standing.spent_nusd < sum(groups[m].cost_nusd for m in product.member_ids)


@pytest.mark.parametrize(
    "when", ["as it is", pytest.param("early on the first of a month", marks=pytest.mark.soak)]
)
def test_its_budgets_show_what_there_is_to_see(
    when: str, tmp_path: Path, demo: tuple[SqlStore, Opened]
) -> None:
    store, opened = demo
    now_us = NOW_US
    if when != "as it is":  # another seed as well
        now_us = NEW_MONTH_US
        store = open_store(data_dir=tmp_path)
        opened = Demo(store, SUBKEYS, compile_price_book(), now_us=now_us, seed=7).fill()
    made = (store, SUBKEYS, lambda: now_us)
    standings = Standings(*made).all(opened.organization_id)
    used = {
        name: [one.used_permille for one in standings if one.budget.scope == name]
        for name in ("organization", "squad", "member", "key", "repository")
    }
    assert all(700 < permille < 950 for permille in used["key"])
    assert any(780 < permille < 920 for permille in used["squad"])
    assert [permille > 1000 for permille in used["member"]].count(True) == 1
    assert all(permille < 500 for permille in used["repository"])
    budgets = Budgets(*made).list(opened.organization_id)
    assert {budget.hard for budget in budgets} == {True, False}
    assert {budget.mode for budget in budgets} == {"typical", "strict"}
    assert not any(one.is_exhausted for one in standings if one.budget.hard)
    assert sum(one.raised_nusd > 0 for one in standings if one.budget.scope == Scope.SQUAD) == 1
    asked = BudgetRequests(*made).list(opened.organization_id)
    assert sorted(request.state for request in asked) == ["approved", "open", "open"]
    limits = RateLimits(*made).list(opened.organization_id)
    assert [(limit.scope, limit.scope_id) for limit in limits] == [("key", "*")]
    if store is not demo[0]:
        store.close()


def test_its_alerts_agree_with_the_figures_and_nothing_is_sent(
    demo: tuple[SqlStore, Opened],
) -> None:
    store, opened = demo
    made = (store, SUBKEYS, lambda: NOW_US + 61_000_000)  # whoever looked has let go
    with store.directory.reading() as reads:
        alerts = reads.alerts(opened.organization_id, AlertFilter(), limit=500)
        assert reads.deliveries(opened.organization_id) == []
    assert not any(channel.enabled for channel in AlertChannels(*made).list(opened.organization_id))
    assert len({alert.at_us for alert in alerts}) > 4
    assert any(alert.ended_us for alert in alerts)
    now_open = [alert for alert in alerts if not alert.ended_us]
    assert [bool(alert.acknowledged_us) for alert in now_open].count(True) == 1
    assert len(now_open) > 1
    watch = AlertWatch(*made, readings=Readings(store, Standings(*made)), public_url="")
    assert watch.may_look()
    assert watch.look(opened.organization_id) == 0


@pytest.mark.parametrize(
    ("usd", "chosen"), [(0, 1), (7.4, 7), (42.4, 42), (187.4, 185), (1264, 1250), (98_765, 99_000)]
)
def test_amounts_are_such_as_people_choose(usd: float, chosen: int) -> None:
    assert rounded(int(usd * NANO_PER_USD)) == chosen * NANO_PER_USD


@pytest.mark.slow
def test_the_same_seed_makes_the_same_sums(tmp_path: Path, demo: tuple[SqlStore, Opened]) -> None:
    store, opened = demo
    again, other = filled(tmp_path)
    found = UsageReports(again).totals(other.organization_id)
    again.close()
    expected = UsageReports(store).totals(opened.organization_id)
    names = ("requests", "cost_nusd", "subscription_cost_nusd", "output_tokens", "by_outcome")
    assert {name: found[name] for name in names} == {name: expected[name] for name in names}
