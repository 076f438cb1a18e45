"""Switches of a key, who may touch it, and enrolling a member who is there."""

import msgspec
import pytest
from tests.unit.services.world import DAY_US, World

from tidegate.core.model import KeyRecord
from tidegate.services.audit import Actor
from tidegate.services.enrolment import may_enroll, may_manage
from tidegate.services.errors import Conflict, InvalidField, NotFound
from tidegate.services.logins import Viewer

HOUR_US = 3_600_000_000
ADA = Actor("mem_ada", "203.0.113.7")


def viewer(role: str = "member", **given: object) -> Viewer:
    usual = {
        "organization_id": "org_1",
        "organization_name": "Acme",
        "member_id": "mem_ada",
        "email": "ada@example.com",
        "name": "",
        "time_zone": "UTC",
    }
    return Viewer(role=role, **(usual | given))  # type: ignore[arg-type]


def test_a_new_key_compresses_and_keeps_no_bodies(world: World) -> None:
    record = world.enrolment.key(world.organization_id, world.enrolled().key_id).record
    assert (record.compression, record.debug_until_us) == (True, 0)


def test_a_switch_is_stored_seen_by_gateways_and_written_down(world: World) -> None:
    key_id = world.enrolled().key_id
    before = world.store.directory.version()
    switched = world.enrolment.switch(world.organization_id, key_id, compression=False, actor=ADA)
    assert not switched.compression
    assert world.enrolment.key(world.organization_id, key_id).record == switched
    assert world.store.directory.version() > before
    assert world.store.directory.snapshot().keys == (switched,)
    entry = world.audit()[-1]
    assert (entry.action, entry.target, entry.actor) == ("key.switch", key_id, "mem_ada")
    assert entry.detail == {"compression": "off"}


def test_debug_mode_ends_by_itself(world: World) -> None:
    key_id = world.enrolled().key_id
    before = world.store.directory.version()
    began_us = world.clock.now_us
    debugged = world.enrolment.set_debug(world.organization_id, key_id, hours=8, actor=ADA)
    assert debugged.debug_until_us == began_us + 8 * HOUR_US
    assert world.store.directory.version() > before
    assert world.store.directory.snapshot().keys == (debugged,)
    entry = world.audit()[-1]
    assert (entry.action, entry.target, entry.detail) == ("key.debug_on", key_id, {"hours": "8"})
    assert debugged.captures(began_us + 8 * HOUR_US - 1)
    assert not debugged.captures(began_us + 8 * HOUR_US)


def test_debug_mode_gets_another_time_and_is_ended(world: World) -> None:
    key_id = world.enrolled().key_id
    for hours in (24, 1):
        record = world.enrolment.set_debug(world.organization_id, key_id, hours=hours, actor=ADA)
        assert record.debug_until_us == world.clock.now_us + hours * HOUR_US
    ended = world.enrolment.end_debug(world.organization_id, key_id, actor=ADA)
    assert ended.debug_until_us == 0
    assert [entry.action for entry in world.audit()][-3:] == [
        "key.debug_on", "key.debug_on", "key.debug_off",
    ]  # fmt: skip
    entries = len(world.audit())
    assert world.enrolment.end_debug(world.organization_id, key_id, actor=ADA) == ended
    assert len(world.audit()) == entries


def test_a_form_sent_twice_turns_debug_mode_on_once(world: World) -> None:
    key_id = world.enrolled().key_id
    first = world.enrolment.set_debug(world.organization_id, key_id, hours=1, actor=ADA)
    world.clock.now_us += 1_000_000
    assert world.enrolment.set_debug(world.organization_id, key_id, hours=1, actor=ADA) == first
    assert [entry.action for entry in world.audit()].count("key.debug_on") == 1
    world.clock.now_us += 60_000_000
    assert world.enrolment.set_debug(world.organization_id, key_id, hours=1, actor=ADA) != first


@pytest.mark.parametrize("hours", [-1, 0, 169, 10**9])
def test_debug_mode_lasts_an_hour_to_seven_days(world: World, hours: int) -> None:
    key_id = world.enrolled().key_id
    with pytest.raises(InvalidField) as refused:
        world.enrolment.set_debug(world.organization_id, key_id, hours=hours, actor=ADA)
    assert refused.value.field == "hours"
    record = world.enrolment.key(world.organization_id, key_id).record
    assert record.debug_until_us == 0


def test_one_switch_leaves_the_other(world: World) -> None:
    key_id = world.enrolled().key_id
    world.enrolment.set_debug(world.organization_id, key_id, hours=1, actor=ADA)
    record = world.enrolment.switch(world.organization_id, key_id, compression=False, actor=ADA)
    assert (record.compression, record.captures(world.clock.now_us)) == (False, True)


def test_a_switch_that_stands_so_already_is_no_change(world: World) -> None:
    key_id = world.enrolled().key_id
    before, entries = world.store.directory.version(), len(world.audit())
    world.enrolment.switch(world.organization_id, key_id, compression=True, actor=ADA)
    assert (world.store.directory.version(), len(world.audit())) == (before, entries)


def test_a_switch_survives_a_rotation(world: World) -> None:
    key_id = world.enrolled().key_id
    world.enrolment.set_debug(world.organization_id, key_id, hours=1, actor=ADA)
    world.enrolment.rotate(world.organization_id, key_id)
    assert world.enrolment.key(world.organization_id, key_id).record.captures(world.clock.now_us)


def test_there_must_be_such_a_key(world: World) -> None:
    key_id = world.enrolled().key_id
    other = world.organizations.bootstrap("Other", "a@b.c").organization_id
    for organization_id, wanted in ((other, key_id), (world.organization_id, "key_none")):
        with pytest.raises(NotFound):
            world.enrolment.switch(organization_id, wanted, compression=False, actor=ADA)
        with pytest.raises(NotFound):
            world.enrolment.set_debug(organization_id, wanted, hours=1, actor=ADA)
        with pytest.raises(NotFound):
            world.enrolment.end_debug(organization_id, wanted, actor=ADA)
        with pytest.raises(NotFound):
            world.enrolment.key(organization_id, wanted)


def test_until_when_the_old_secret_counts(world: World) -> None:
    key_id = world.enrolled().key_id
    assert world.enrolment.old_secret_until(world.organization_id, key_id) == 0
    world.enrolment.rotate(world.organization_id, key_id, overlap_s=86_400)
    until = world.clock.now_us + DAY_US
    assert world.enrolment.old_secret_until(world.organization_id, key_id) == until
    world.clock.now_us = until
    assert world.enrolment.old_secret_until(world.organization_id, key_id) == 0


def test_a_member_is_enrolled_by_id(world: World) -> None:
    member = world.members.add(world.organization_id, "dev@example.com")
    made = world.enrolment.enroll_member(
        world.organization_id, member.member_id, "codex", actor=ADA
    )
    assert made.member_id == member.member_id
    record = world.enrolment.authenticate(made.key)
    assert record is not None
    assert (record.member_id, record.agent) == (member.member_id, "codex")
    assert world.enrolment.exchange(made.login_code).key == made.key
    with pytest.raises(Conflict):
        world.enrolment.enroll_member(world.organization_id, member.member_id, "codex", actor=ADA)


def test_only_present_members_are_enrolled(world: World) -> None:
    member = world.members.add(world.organization_id, "dev@example.com")
    world.members.remove(
        world.organization_id, member.member_id, by_role="owner", actor=world.owner
    )
    other = world.organizations.bootstrap("Other", "a@b.c").organization_id
    for organization_id, member_id in (
        (world.organization_id, member.member_id),
        (world.organization_id, "mem_none"),
        (other, world.owner_id),
    ):
        with pytest.raises(NotFound):
            world.enrolment.enroll_member(organization_id, member_id, "codex", actor=ADA)
    with pytest.raises(InvalidField):
        world.enrolment.enroll_member(world.organization_id, world.owner_id, "cursor", actor=ADA)
    assert world.enrolment.list_keys(world.organization_id) == []


@pytest.mark.parametrize(
    ("role", "of", "organization", "may"),
    [
        ("member", "mem_ada", "org_1", True),
        ("member", "mem_eve", "org_1", False),
        ("admin", "mem_eve", "org_1", True),
        ("owner", "mem_eve", "org_1", True),
        ("owner", "mem_ada", "org_2", False),
        ("", "mem_eve", "org_1", False),
    ],
)
def test_who_may_manage_a_key(role: str, of: str, organization: str, may: bool) -> None:
    key = KeyRecord(key_id="key_1", organization_id=organization, member_id=of, agent="codex")
    assert may_manage(viewer(role), key) is may


@pytest.mark.parametrize(
    ("role", "self_enrolment", "whom", "may"),
    [
        ("member", False, "mem_ada", False),
        ("member", True, "mem_ada", True),
        ("member", True, "mem_eve", False),
        ("admin", False, "mem_eve", True),
        ("owner", False, "mem_ada", True),
    ],
)
def test_who_may_enroll(role: str, self_enrolment: bool, whom: str, may: bool) -> None:
    who = msgspec.structs.replace(viewer(role), self_enrolment=self_enrolment)
    assert may_enroll(who, whom) is may
