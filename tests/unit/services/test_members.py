"""Members: roles, names, and what goes when one is removed."""

import pytest
from tests.unit.services.world import PASSWORD, World

from tidegate.services.audit import COMMAND_LINE, Actor
from tidegate.services.codes import Purpose, hash_code
from tidegate.services.errors import Conflict, Forbidden, InvalidCode, InvalidField, NotFound
from tidegate.store.people import AccessTokenRecord

pytestmark = pytest.mark.slow

EMAIL = "dev@example.com"


def test_a_member_is_renamed(world: World) -> None:
    mine = (world.organization_id, world.join(EMAIL))
    for name, stored in [(" \u202eÜ 🚀 <script> ", "\u202eÜ 🚀 <script>"), ("  ", "")]:
        assert world.members.rename(*mine, name, actor=world.owner).name == stored
        assert world.members.get(*mine).name == stored
    assert world.actions().count("member.rename") == 2
    for wrong in ("x" * 101, "\0"):
        with pytest.raises(InvalidField):
            world.members.rename(*mine, wrong, actor=world.owner)


def test_who_may_rename_whom(world: World) -> None:
    actors = {role: Actor(world.join(f"{role}@x.de", role)) for role in ("admin", "member")}
    mine = (world.organization_id, world.join(EMAIL))
    assert world.members.rename(*mine, "A", actor=actors["admin"]).name == "A"
    assert world.members.rename(*mine, "B", actor=Actor(mine[1])).name == "B"
    for actor in (actors["member"], Actor("")):
        with pytest.raises(Forbidden):
            world.members.rename(*mine, "C", actor=actor)
    with pytest.raises(Forbidden):
        world.members.rename(mine[0], world.owner_id, "C", actor=actors["admin"])
    assert world.members.get(*mine).name == "B"


def test_removing_ends_all_access_and_keeps_the_name(world: World) -> None:
    member_id = world.join(EMAIL, "admin")
    mine = (world.organization_id, member_id)
    enrolled = [world.enrolled(EMAIL, agent) for agent in ("codex", "opencode")]
    login, link = world.sign_in(EMAIL), world.logins.make_sign_in_token(*mine)
    [reset] = world.passwords.make_reset(EMAIL)
    with world.store.directory.changing() as change:
        change.add_access_token(
            AccessTokenRecord(
                token_id="tok_1", organization_id=world.organization_id, member_id=member_id,
                name="CI", secret_hash="e" * 64, prefix="tgp_ab", scope="read", created_us=1,
            )
        )  # fmt: skip
    before = world.store.directory.version()
    world.members.rename(*mine, "Dev", actor=world.owner)
    world.members.remove(*mine, by_role="owner", actor=world.owner)

    removed = world.members.get(*mine)
    assert (removed.name, removed.removed_us) == ("Dev", world.clock.now_us)
    assert not world.passwords.has(*mine)
    assert removed.password_us == 0
    assert world.logins.viewer(login) is None
    assert world.logins.list(*mine) == []
    for code in (link, *(e.login_code for e in enrolled)):
        with pytest.raises(InvalidCode):
            world.logins.redeem_sign_in(code)
        with pytest.raises(InvalidCode):
            world.enrolment.exchange(code)
    with pytest.raises(InvalidCode):
        world.passwords.redeem_reset(reset.token, PASSWORD, address="", user_agent="")
    with pytest.raises(InvalidCode):
        world.sign_in(EMAIL)
    assert [world.enrolment.authenticate(e.key) for e in enrolled] == [None, None]
    with world.store.directory.reading() as reads:
        assert reads.access_token_by_hash("e" * 64) is None
        link_hash = hash_code(world.subkeys.login, Purpose.SIGN_IN, link)
        assert reads.code(link_hash, Purpose.SIGN_IN, 0) is None
    snapshot = world.store.directory.snapshot()
    assert snapshot.version > before  # so that every gateway refuses the keys
    assert (snapshot.keys, snapshot.secrets) == ((), ())
    assert world.actions()[-3:] == ["key.unenroll", "key.unenroll", "member.remove"]


def test_removing_leaves_other_organizations_alone(world: World) -> None:
    member_id = world.join(EMAIL)
    world.other_organization(EMAIL)
    secret = world.sign_in(EMAIL)
    world.members.remove(world.organization_id, member_id, by_role="owner", actor=world.owner)
    assert [m.organization_name for m in world.viewer(secret).memberships] == ["Other"]
    assert world.viewer(secret).organization_name == "Other"
    assert world.sign_in(EMAIL)


def test_a_removed_member_is_not_changed(world: World) -> None:
    mine = (world.organization_id, world.join(EMAIL))
    world.members.remove(*mine, by_role="owner", actor=world.owner)
    with pytest.raises(NotFound):
        world.members.remove(*mine, by_role="owner", actor=world.owner)
    with pytest.raises(NotFound):
        world.members.set_role(*mine, "admin", by_role="owner", actor=world.owner)
    with pytest.raises(NotFound):
        world.members.rename(*mine, "x", actor=world.owner)


def test_members_of_others_are_not_changed(world: World) -> None:
    other_id, other_member_id = world.other_organization("x@example.com")
    for mine in ((world.organization_id, other_member_id), (other_id, world.owner_id)):
        for actor in (world.owner, COMMAND_LINE):
            with pytest.raises(NotFound):
                world.members.remove(*mine, by_role="owner", actor=actor)
            with pytest.raises(NotFound):
                world.members.set_role(*mine, "member", by_role="owner", actor=actor)
            with pytest.raises(NotFound):
                world.members.rename(*mine, "x", actor=actor)


def test_an_owner_of_another_organization_is_nobody_here(world: World) -> None:
    member_id = world.join(EMAIL)
    _, foreign_id = world.other_organization("x@example.com")
    with pytest.raises(Forbidden):
        world.members.remove(
            world.organization_id, member_id, by_role="owner", actor=Actor(foreign_id)
        )


@pytest.mark.parametrize(
    ("by_role", "from_role", "to_role", "allowed"),
    [
        ("owner", "member", "owner", True),
        ("owner", "owner", "member", True),
        ("owner", "admin", "member", True),
        ("admin", "member", "admin", True),
        ("admin", "admin", "member", True),
        ("admin", "member", "owner", False),
        ("admin", "owner", "member", False),
        ("admin", "owner", "owner", False),
        ("member", "member", "admin", False),
        ("member", "member", "member", False),
        ("", "member", "admin", False),
    ],
)
def test_who_may_change_which_role(
    world: World, by_role: str, from_role: str, to_role: str, allowed: bool
) -> None:
    mine = (world.organization_id, world.join(EMAIL, from_role))
    actor = Actor(world.join("actor@example.com", by_role or "member"))
    if allowed:
        world.members.set_role(*mine, to_role, by_role=by_role, actor=actor)
    else:
        with pytest.raises(Forbidden):
            world.members.set_role(*mine, to_role, by_role=by_role, actor=actor)
    assert world.members.get(*mine).role == (to_role if allowed else from_role)


@pytest.mark.parametrize(
    ("by_role", "role", "allowed"),
    [
        ("owner", "owner", True),
        ("owner", "member", True),
        ("admin", "owner", False),
        ("admin", "admin", True),
        ("member", "member", False),
    ],
)
def test_who_may_remove_whom(world: World, by_role: str, role: str, allowed: bool) -> None:
    mine = (world.organization_id, world.join(EMAIL, role))
    actor = Actor(world.join("actor@example.com", by_role))
    if allowed:
        world.members.remove(*mine, by_role=by_role, actor=actor)
    else:
        with pytest.raises(Forbidden):
            world.members.remove(*mine, by_role=by_role, actor=actor)
    assert bool(world.members.get(*mine).removed_us) is allowed


def test_a_page_that_is_older_than_the_role_does_not_count(world: World) -> None:
    mine = (world.organization_id, world.join(EMAIL))
    stale = Actor(world.join("actor@example.com", "admin"))
    world.members.set_role(
        world.organization_id, stale.who, "member", by_role="owner", actor=world.owner
    )
    with pytest.raises(Forbidden):
        world.members.remove(*mine, by_role="admin", actor=stale)
    with pytest.raises(Forbidden):
        world.members.set_role(*mine, "admin", by_role="owner", actor=stale)


def test_the_last_owner_stays(world: World) -> None:
    mine = (world.organization_id, world.owner_id)
    for actor in (world.owner, COMMAND_LINE):
        with pytest.raises(Conflict, match="last owner"):
            world.members.remove(*mine, by_role="owner", actor=actor)
        for role in ("admin", "member"):
            with pytest.raises(Conflict, match="last owner"):
                world.members.set_role(*mine, role, by_role="owner", actor=actor)
    assert world.members.set_role(*mine, "owner", by_role="owner", actor=world.owner)
    world.join(EMAIL, "owner")
    world.members.remove(*mine, by_role="owner", actor=world.owner)
    assert world.members.owner(world.organization_id).email == EMAIL


def test_a_demoted_admin_sees_less_at_once(world: World) -> None:
    mine = (world.organization_id, world.join(EMAIL, "admin"))
    secret = world.sign_in(EMAIL)
    assert world.viewer(secret).is_admin
    world.members.set_role(*mine, "member", by_role="owner", actor=world.owner)
    assert not world.viewer(secret).is_admin


@pytest.mark.parametrize("role", ["", "Owner", "root", "member "])
def test_roles_that_there_are_not(world: World, role: str) -> None:
    mine = (world.organization_id, world.join(EMAIL))
    with pytest.raises(InvalidField) as caught:
        world.members.set_role(*mine, role, by_role="owner", actor=world.owner)
    assert caught.value.field == "role"


def test_nothing_is_written_down_when_nothing_changes(world: World) -> None:
    mine = (world.organization_id, world.join(EMAIL))
    before = world.actions()
    world.members.set_role(*mine, "member", by_role="owner", actor=world.owner)
    world.members.rename(*mine, "", actor=world.owner)
    assert world.actions() == before


def test_self_enrolment_is_switched(world: World) -> None:
    secret = world.logins.redeem_sign_in(world.sign_in_token)
    assert not world.viewer(secret).self_enrolment
    world.organizations.update(
        world.organization_id, self_enrolment=True, week_start=7, actor=world.owner
    )
    viewer = world.viewer(secret)
    assert (viewer.self_enrolment, viewer.week_start) == (True, 7)
