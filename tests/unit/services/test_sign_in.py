"""Signing in by address and password, to one or several organizations."""

import time
from collections.abc import Callable
from statistics import median

import pytest
from tests.unit.services.world import CHEAP, DAY_US, MINUTE_US, PASSWORD, World

from tidegate.services.audit import COMMAND_LINE, Actor
from tidegate.services.errors import InvalidCode, NotFound, TooMany
from tidegate.services.logins import Logins
from tidegate.services.password_hashing import PasswordHashing
from tidegate.services.passwords import Passwords

pytestmark = pytest.mark.slow

EMAIL = "dev@example.com"


class Counting(PasswordHashing):
    """Counts what it compares."""

    def __init__(self) -> None:
        super().__init__(rounds=1, memory_kib=8)
        self.compared = 0

    def matches(self, password_hash: str, password: str) -> bool:
        self.compared += 1
        return super().matches(password_hash, password)


def test_a_right_password_signs_in(world: World) -> None:
    member_id = world.join(EMAIL)
    secret = world.sign_in("  DEV@example.com ")
    viewer = world.viewer(secret)
    assert (viewer.member_id, viewer.role, viewer.is_admin) == (member_id, "member", False)
    assert [m.organization_name for m in viewer.memberships] == ["Acme"]
    [login] = world.logins.list(world.organization_id, member_id)
    assert (login.address, login.user_agent) == ("10.0.0.1", "Firefox")


@pytest.mark.parametrize(
    ("email", "password"),
    [
        (EMAIL, PASSWORD + "x"),
        (EMAIL, ""),
        (EMAIL, PASSWORD.upper()),
        ("nobody@example.com", PASSWORD),
        ("nobody@example.com", ""),
        ("owner@example.com", ""),  # has none
        ("owner@example.com", PASSWORD),
        ("no address", PASSWORD),
        ("", ""),
        ("d\u0435v@example.com", PASSWORD),  # a Cyrillic look-alike
        ("dev\u200b@example.com", PASSWORD),
        ("a" * 1_000_000, PASSWORD),
        (EMAIL, "p" * 1_000_000),
        (EMAIL, "\udcff\0" * 10),
        (EMAIL + "' OR 1=1 --", PASSWORD),
    ],
)
def test_whatever_is_wrong_is_answered_alike(world: World, email: str, password: str) -> None:
    world.join(EMAIL)
    before = world.actions()
    with pytest.raises(InvalidCode) as caught:
        world.sign_in(email, password)
    assert caught.value.message == "The email address or the password is wrong."
    assert caught.value.field == ""
    assert world.actions() == before


def test_what_is_stored_is_no_credential(world: World) -> None:
    member_id = world.join(EMAIL)
    world.sign_in(EMAIL)
    with world.store.directory.reading() as reads:
        stored = reads.password_hash(world.organization_id, member_id)
        [login] = reads.logins(world.organization_id, member_id)
    assert stored.startswith("$argon2id$")
    with pytest.raises(InvalidCode):
        world.sign_in(EMAIL, stored)
    for stolen in (login.login_hash, login.login_id, stored):
        assert world.logins.viewer(stolen) is None


def test_as_much_is_compared_for_the_unknown_as_for_the_known(world: World) -> None:
    world.join(EMAIL)
    world.other_organization(EMAIL)
    counting = Counting()
    logins = Logins(world.store, world.subkeys, world.clock, counting)
    compared = []
    for email in (EMAIL, "nobody@example.com", "owner@example.com", "no address"):
        counting.compared = 0
        with pytest.raises(InvalidCode):
            logins.sign_in(email, "wrong wrong wrong", address="", user_agent="")
        compared.append(counting.compared)
    assert compared == [2, 2, 2, 2]


@pytest.mark.slow
def test_the_time_does_not_tell_whether_an_address_is_known(world: World) -> None:
    hashing = PasswordHashing(rounds=2)
    Passwords(world.store, world.subkeys, world.clock, hashing).set(
        world.organization_id, world.owner_id, PASSWORD, current=None, actor=COMMAND_LINE
    )
    times: dict[str, list[float]] = {"owner@example.com": [], "nobody@example.com": []}
    for _ in range(15):
        logins = Logins(world.store, world.subkeys, world.clock, hashing)
        for email, taken in times.items():
            started = time.thread_time()
            with pytest.raises(InvalidCode):
                logins.sign_in(email, "wrong wrong wrong", address="", user_agent="")
            taken.append(time.thread_time() - started)
    known, unknown = (median(taken) for taken in times.values())
    assert 0.5 < known / unknown < 2


def test_only_so_many_passwords_are_tried_for_an_address(world: World) -> None:
    world.join(EMAIL)
    for _ in range(10):
        with pytest.raises(InvalidCode):
            world.sign_in(EMAIL, "wrong wrong wrong")
    for password in (PASSWORD, "wrong wrong wrong"):
        with pytest.raises(TooMany, match=r"Wait a minute") as caught:
            world.sign_in(" Dev@Example.com", password)
        assert caught.value.wait_s == 60
    with pytest.raises(InvalidCode):
        world.sign_in("other@example.com", "wrong wrong wrong")
    world.clock.now_us += MINUTE_US
    assert world.sign_in(EMAIL)


def test_an_unknown_address_is_limited_like_a_known_one(world: World) -> None:
    for _ in range(10):
        with pytest.raises(InvalidCode):
            world.sign_in("nobody@example.com")
    with pytest.raises(TooMany):
        world.sign_in("nobody@example.com")


def test_right_passwords_cost_nothing(world: World) -> None:
    world.join(EMAIL)
    for _ in range(30):
        assert world.sign_in(EMAIL)


def test_one_password_opens_every_organization_that_it_is_right_for(world: World) -> None:
    world.join(EMAIL)
    other_id, _ = world.other_organization(EMAIL)
    third = world.organizations.bootstrap("Third", EMAIL)  # no password there
    viewer = world.viewer(secret := world.sign_in(EMAIL))
    assert viewer.organization_name == "Acme"
    assert {m.organization_name for m in viewer.memberships} == {"Acme", "Other"}
    world.logins.switch(secret, other_id)
    assert world.viewer(secret).organization_name == "Other"
    assert world.viewer(secret).role == "owner"
    for elsewhere in (third.organization_id, "org_x", ""):
        with pytest.raises(NotFound):
            world.logins.switch(secret, elsewhere)
    with pytest.raises(NotFound):
        world.logins.switch("no login", other_id)


def test_another_organizations_password_opens_nothing_here(world: World) -> None:
    """Whoever runs another organization can invite any address there and set a password for it."""
    world.join(EMAIL, "admin")
    world.other_organization(EMAIL, "a password of the attacker")
    viewer = world.viewer(world.sign_in(EMAIL, "a password of the attacker"))
    assert [m.organization_name for m in viewer.memberships] == ["Other"]
    with pytest.raises(NotFound):
        world.logins.switch(
            world.sign_in(EMAIL, "a password of the attacker"), world.organization_id
        )


def test_a_second_sign_in_adds_to_the_login_and_voids_its_old_secret(world: World) -> None:
    world.join(EMAIL)
    world.other_organization("second@example.com", "another password")
    one = world.sign_in(EMAIL)
    login_id = world.viewer(one).login_id
    both = world.sign_in("second@example.com", "another password", login_secret=one)
    assert world.logins.viewer(one) is None
    viewer = world.viewer(both)
    assert viewer.login_id == login_id
    assert viewer.email == "second@example.com"
    assert [m.organization_name for m in viewer.memberships] == ["Acme", "Other"]


def test_a_login_that_is_over_is_not_added_to(world: World) -> None:
    world.join(EMAIL)
    one = world.sign_in(EMAIL)
    login_id = world.viewer(one).login_id
    world.clock.now_us += 30 * DAY_US
    two = world.sign_in(EMAIL, login_secret=one)
    assert world.viewer(two).login_id != login_id
    assert len(world.logins.list(world.organization_id, world.viewer(two).member_id)) == 1


def test_someone_else_of_the_organization_takes_the_browser_over(world: World) -> None:
    first_id, second_id = world.join(EMAIL), world.join("second@example.com")
    secret = world.sign_in("second@example.com", login_secret=world.sign_in(EMAIL))
    assert world.viewer(secret).member_id == second_id
    assert len(world.viewer(secret).memberships) == 1
    assert world.logins.list(world.organization_id, first_id) == []
    ended = [entry for entry in world.audit() if entry.action == "login.end"]
    assert [entry.actor for entry in ended] == [first_id]


def sign_out(world: World, secret: str) -> None:
    world.logins.sign_out(secret)


def revoke(world: World, secret: str) -> None:
    viewer = world.viewer(secret)
    actor = Actor(viewer.member_id)
    world.logins.revoke(viewer.organization_id, viewer.member_id, viewer.login_id, actor=actor)


@pytest.mark.parametrize(("end", "left"), [(sign_out, []), (revoke, ["Other"])])
def test_revoking_ends_one_membership_and_signing_out_all(
    world: World, end: Callable[[World, str], None], left: list[str]
) -> None:
    world.join(EMAIL)
    other_id, other_member_id = world.other_organization(EMAIL)
    secret = world.sign_in(EMAIL)
    end(world, secret)
    viewer = world.logins.viewer(secret)
    assert [m.organization_name for m in viewer.memberships] == left if viewer else not left
    assert len(world.logins.list(other_id, other_member_id)) == len(left)
    assert world.actions()[-1] == "login.end"


def test_all_other_logins_are_revoked(world: World) -> None:
    member_id = world.join(EMAIL)
    secrets = [world.sign_in(EMAIL) for _ in range(3)]
    keep = world.viewer(secrets[1]).login_id
    ended = world.logins.revoke_others(
        world.organization_id, member_id, keep, actor=Actor(member_id)
    )
    assert ended == 2
    assert [world.logins.viewer(secret) is not None for secret in secrets] == [False, True, False]


def test_a_foreign_login_is_not_revoked(world: World) -> None:
    world.join(EMAIL)
    other_id, other_member_id = world.other_organization("x@example.com")
    secret = world.sign_in(EMAIL)
    login_id = world.viewer(secret).login_id
    with pytest.raises(NotFound):
        world.logins.revoke(other_id, other_member_id, login_id, actor=Actor(other_member_id))
    assert world.logins.revoke_others(other_id, other_member_id, "", actor=COMMAND_LINE) == 0
    assert world.logins.viewer(secret)


def test_hashes_of_other_costs_are_made_anew(world: World) -> None:
    member_id = world.join(EMAIL)
    set_us = world.members.get(world.organization_id, member_id).password_us
    world.clock.now_us += 1
    costlier = PasswordHashing(rounds=2, memory_kib=16)
    logins = Logins(world.store, world.subkeys, world.clock, costlier)
    assert logins.sign_in(EMAIL, PASSWORD, address="", user_agent="")
    with world.store.directory.reading() as reads:
        stored = reads.password_hash(world.organization_id, member_id)
    assert not costlier.is_outdated(stored)
    assert CHEAP.is_outdated(stored)
    assert world.sign_in(EMAIL)
    assert world.members.get(world.organization_id, member_id).password_us == set_us


def test_a_browsers_name_is_cut_and_cleaned(world: World) -> None:
    member_id = world.join(EMAIL)
    world.logins.sign_in(EMAIL, PASSWORD, address="", user_agent="\x1b[31m" + "x" * 5000)
    [login] = world.logins.list(world.organization_id, member_id)
    assert len(login.user_agent) < 301
    assert login.user_agent.startswith("[31mx")


def test_what_is_no_address_does_not_use_up_the_attempts_of_another(world: World) -> None:
    for n in range(30):
        with pytest.raises(InvalidCode):
            world.sign_in(f"no address {n}")


def test_an_attempt_that_was_turned_away_is_not_counted(world: World) -> None:
    class Busy(PasswordHashing):
        def matches(self, password_hash: str, password: str) -> bool:
            raise TooMany(10)

    world.join(EMAIL)
    logins = Logins(world.store, world.subkeys, world.clock, Busy(rounds=1, memory_kib=8))
    for _ in range(30):
        with pytest.raises(TooMany) as caught:
            logins.sign_in(EMAIL, PASSWORD, address="", user_agent="")
        assert caught.value.wait_s == 10
