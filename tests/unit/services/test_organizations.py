import pytest
from tests.unit.services.world import World

from tidegate.services.errors import Conflict, InvalidField, NotFound, Refused


def test_bootstrap_makes_an_organization_with_its_owner(world: World) -> None:
    organization = world.organizations.get(world.organization_id)
    assert (organization.name, organization.time_zone) == ("Acme", "UTC")
    [owner] = world.members.list(world.organization_id)
    assert (owner.member_id, owner.email, owner.role) == (
        world.owner_id,
        "owner@example.com",
        "owner",
    )
    assert world.members.owner(world.organization_id) == owner
    assert world.actions() == ["organization.create", "member.add"]


@pytest.mark.parametrize(
    ("name", "email", "zone", "refusal"),
    [
        ("acme", "a@b.c", "UTC", Conflict),
        ("", "a@b.c", "UTC", InvalidField),
        ("Other", "nobody", "UTC", InvalidField),
        ("Other", "a@b.c", "Nowhere", InvalidField),
    ],
)
def test_a_refused_bootstrap_leaves_nothing(
    world: World, name: str, email: str, zone: str, refusal: type[Refused]
) -> None:
    version = world.store.directory.version()
    with pytest.raises(refusal):
        world.organizations.bootstrap(name, email, time_zone=zone)
    assert len(world.organizations.list()) == 1
    assert world.store.directory.version() == version


def test_find_by_name_or_id_or_as_the_only_one(world: World) -> None:
    find = world.organizations.find
    assert find("").organization_id == world.organization_id
    other = world.organizations.bootstrap("Other", "a@b.c").organization_id
    assert find("OTHER").organization_id == other
    assert find(other).organization_id == other
    with pytest.raises(InvalidField, match="--org"):
        find("")
    with pytest.raises(NotFound, match="“Third”"):
        find("Third")


def test_update_changes_what_is_given(world: World) -> None:
    version = world.store.directory.version()
    world.organizations.update(
        world.organization_id, time_zone="Asia/Kathmandu", allow_own_credential=False
    )
    organization = world.organizations.get(world.organization_id)
    assert organization.name == "Acme"
    assert organization.time_zone == "Asia/Kathmandu"
    assert not organization.allow_own_credential
    assert world.store.directory.version() == version + 1
    assert world.audit()[-1].detail == {
        "time_zone": "Asia/Kathmandu",
        "before_time_zone": "UTC",
        "allow_own_credential": "False",
        "before_allow_own_credential": "True",
    }


def test_an_update_that_changes_nothing_is_no_change(world: World) -> None:
    version, actions = world.store.directory.version(), world.actions()
    world.organizations.update(world.organization_id, name="Acme")
    assert world.store.directory.version() == version
    assert world.actions() == actions


def test_refused_updates(world: World) -> None:
    world.organizations.bootstrap("Other", "a@b.c")
    with pytest.raises(Conflict):
        world.organizations.update(world.organization_id, name="other")
    with pytest.raises(InvalidField):
        world.organizations.update(world.organization_id, week_start=8)
    with pytest.raises(NotFound):
        world.organizations.update("org_none", name="X")


def test_members_are_found_in_their_organization_only(world: World) -> None:
    other = world.organizations.bootstrap("Other", "a@b.c").organization_id
    assert world.members.by_email(world.organization_id, "OWNER@example.com")
    with pytest.raises(NotFound):
        world.members.by_email(other, "owner@example.com")
    with pytest.raises(NotFound):
        world.members.get(other, world.owner_id)
    with pytest.raises(NotFound):
        world.members.owner("org_none")


def test_add_is_idempotent_by_address(world: World) -> None:
    added = world.members.add(world.organization_id, "Dev@example.com", "admin")
    again = world.members.add(world.organization_id, "dev@EXAMPLE.com", "member")
    assert again == added
    with pytest.raises(InvalidField):
        world.members.add(world.organization_id, "x@y.z", "king")
