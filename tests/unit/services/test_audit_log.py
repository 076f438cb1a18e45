"""The audit log page by page, with every filter, and no other organization's."""

import pytest
from tests.unit.services.world import START_US, World

from tidegate.services.audit import Action, Actor, record
from tidegate.services.audit_log import AuditLog
from tidegate.services.errors import InvalidField

DAYS = 12


@pytest.fixture
def log(world: World) -> AuditLog:
    return AuditLog(world.store, world.subkeys, world.clock)


@pytest.fixture
def org(world: World) -> str:
    """An organization whose log holds one entry a day and nothing else of note."""
    with world.store.directory.changing() as change:
        for day in range(DAYS):
            who, name = ("mem_a", "key.rotate") if day % 2 else ("mem_b", "member.add")
            action = Action(name, world.organization_id, f"target_{day % 3}")
            record(change, Actor(who), action, START_US + day)
    return world.organization_id


def test_pages_follow_each_other_without_gap_or_overlap(log: AuditLog, org: str) -> None:
    whole = log.page(org, limit=200)
    assert whole.next == ""
    assert len(whole.entries) >= DAYS
    found, before = [], ""
    while True:
        page = log.page(org, before=before, limit=5)
        found += page.entries
        if not page.next:
            break
        assert len(page.entries) == 5
        before = page.next
    assert found == whole.entries
    assert [e.audit_id for e in found] == sorted((e.audit_id for e in found), reverse=True)


def test_a_full_last_page_is_the_last(log: AuditLog, org: str) -> None:
    page = log.page(org, target="target_0", limit=4)
    assert (len(page.entries), page.next) == (4, "")


@pytest.mark.parametrize(
    ("only", "count"),
    [
        ({"actor": "mem_a"}, 6),
        ({"actor": " mem_a "}, 6),
        ({"actor": "mem"}, 0),
        ({"action": "key."}, 6),
        ({"action": "key.rotate"}, 6),
        ({"action": "key.rot%"}, 0),
        ({"action": "k_y."}, 0),
        ({"target": "target_1"}, 4),
        ({"target": "target_1", "actor": "mem_a"}, 2),
        ({"start_us": START_US + 10, "actor": "mem_a"}, 1),
        ({"start_us": START_US + 1, "end_us": START_US + 3, "action": "member."}, 1),
        ({"end_us": START_US + 1, "actor": "mem_b"}, 1),
    ],
)
def test_filters(log: AuditLog, org: str, only: dict[str, object], count: int) -> None:
    assert len(log.page(org, **only).entries) == count  # type: ignore[arg-type]


def test_another_organization_sees_nothing_of_it(world: World, log: AuditLog, org: str) -> None:
    other = world.organizations.bootstrap("Other", "a@b.c").organization_id
    entries = log.page(other).entries
    assert {e.organization_id for e in entries} == {other}
    newest = log.page(org, limit=1).entries[0].audit_id
    assert log.page(other, before=newest, actor="mem_a").entries == []


@pytest.mark.parametrize("limit", [0, -1, 201])
def test_limits(log: AuditLog, org: str, limit: int) -> None:
    with pytest.raises(InvalidField) as refusal:
        log.page(org, limit=limit)
    assert refusal.value.field == "limit"


def test_a_reversed_time(log: AuditLog, org: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        log.page(org, start_us=5, end_us=5)
    assert refusal.value.field == "end"
