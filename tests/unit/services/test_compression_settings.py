"""An organization's compression: level, default, lock, holdout; the gateways are told of it."""

import pytest
from tests.unit.services.world import World

from tidegate.services.audit import Actor
from tidegate.services.compression_settings import CompressionSettings
from tidegate.services.errors import Conflict, InvalidField, NotFound

ADA = Actor("mem_ada", "203.0.113.7")


def settings(world: World) -> CompressionSettings:
    return CompressionSettings(world.store, world.subkeys, world.clock)


def test_at_first_nothing_is_lost_and_keys_decide(world: World) -> None:
    now = world.organizations.get(world.organization_id)
    assert (now.compression_level, now.compression_default) == ("lossless", True)
    assert (now.compression_locked, now.holdout_permille) == (False, 0)


def test_a_change_reaches_gateways_and_is_written_down(world: World) -> None:
    before = world.store.directory.version()
    changed = settings(world).set(
        world.organization_id, level="references", holdout_permille=125, locked=True, actor=ADA
    )
    assert world.store.directory.version() > before
    assert world.store.directory.snapshot().organizations == (changed,)
    assert (changed.compression_level, changed.holdout_permille) == ("references", 125)
    entry = world.audit()[-1]
    assert (entry.action, entry.actor) == ("organization.update", "mem_ada")
    assert entry.detail == {
        "compression_level": "references",
        "before_compression_level": "lossless",
        "compression_locked": "True",
        "before_compression_locked": "False",
        "holdout_permille": "125",
        "before_holdout_permille": "0",
    }


def test_the_same_again_is_no_change(world: World) -> None:
    before = world.store.directory.version()
    settings(world).set(world.organization_id, level="lossless", default=True, actor=ADA)
    assert world.store.directory.version() == before


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"level": "off"}, "level"),
        ({"level": ""}, "level"),
        ({"holdout_permille": -1}, "holdout"),
        ({"holdout_permille": 501}, "holdout"),
    ],
)
def test_what_is_refused(world: World, given: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        settings(world).set(world.organization_id, actor=ADA, **given)  # type: ignore[arg-type]
    assert refused.value.field == field


def test_no_organization(world: World) -> None:
    with pytest.raises(NotFound):
        settings(world).set("org_none", level="trims", actor=ADA)


def test_new_keys_begin_as_the_organization_says(world: World) -> None:
    settings(world).set(world.organization_id, default=False, actor=ADA)
    key_id = world.enrolled().key_id
    assert not world.enrolment.key(world.organization_id, key_id).record.compression


@pytest.mark.parametrize("default", [True, False])
def test_a_lock_decides_for_every_key(world: World, default: bool) -> None:
    key_id = world.enrolled().key_id
    world.enrolment.switch(world.organization_id, key_id, compression=not default, actor=ADA)
    record = world.enrolment.key(world.organization_id, key_id).record
    organization = world.organizations.get(world.organization_id)
    assert organization.compresses(record) is not default
    locked = settings(world).set(world.organization_id, default=default, locked=True, actor=ADA)
    assert locked.compresses(record) is default
    with pytest.raises(Conflict) as refused:
        world.enrolment.switch(world.organization_id, key_id, compression=default, actor=ADA)
    assert refused.value.field == "compression"
    freed = settings(world).set(world.organization_id, locked=False, actor=ADA)
    kept = world.enrolment.key(world.organization_id, key_id).record
    assert freed.compresses(kept) is not default
