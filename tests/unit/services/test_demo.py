"""The demo fills a store so that directory, ledger and rollups tell one story."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.services.demo import Demo, Opened
from tidegate.services.enrolment import Enrolment
from tidegate.services.invitations import Invitations
from tidegate.services.logins import Logins
from tidegate.services.members import Members
from tidegate.services.price_book import compile_price_book
from tidegate.services.usage import UsageReports
from tidegate.services.vault import derive
from tidegate.store.sql.database import SqlStore, open_store

pytestmark = pytest.mark.slow

NOW_US = 1_795_014_300_000_000  # Wednesday, 18 Nov 2026, 15:05 UTC
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


@pytest.mark.slow
def test_the_same_seed_makes_the_same_sums(tmp_path: Path, demo: tuple[SqlStore, Opened]) -> None:
    store, opened = demo
    again, other = filled(tmp_path)
    found = UsageReports(again).totals(other.organization_id)
    again.close()
    expected = UsageReports(store).totals(opened.organization_id)
    names = ("requests", "cost_nusd", "subscription_cost_nusd", "output_tokens", "by_outcome")
    assert {name: found[name] for name in names} == {name: expected[name] for name in names}
