from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from tests.unit.services.world import DAY_US, MINUTE_US, FakeClock, World

from tidegate.services.audit import Actor
from tidegate.services.errors import InvalidCode, InvalidField, NotFound
from tidegate.services.logins import Logins
from tidegate.services.organizations import Organizations
from tidegate.services.vault import derive
from tidegate.store.sql.database import SqlStore, open_store

pytestmark = pytest.mark.slow


class Fresh:
    """A store without an organization."""

    def __init__(self, data_dir: Path) -> None:
        self.clock = FakeClock()
        self.store = open_store(data_dir=data_dir)
        self.logins = Logins(self.store, derive(bytes(32)), self.clock)
        self.organizations = Organizations(self.store, derive(bytes(32)), self.clock)


@pytest.fixture
def fresh(tmp_path: Path) -> Fresh:
    return Fresh(tmp_path)


def test_setup_founds_the_organization_and_signs_in(fresh: Fresh) -> None:
    token = fresh.logins.make_setup_token()
    assert fresh.logins.setup_open(token)
    secret = fresh.logins.redeem_setup(token, "🚀 <b>", "Ana@x.de", address="10.0.0.1")
    viewer = fresh.logins.viewer(secret)
    assert viewer is not None
    assert (viewer.organization_name, viewer.email, viewer.role) == ("🚀 <b>", "ana@x.de", "owner")
    assert not fresh.logins.setup_open(token)


def test_setup_takes_the_owners_name_password_and_zone(fresh: Fresh) -> None:
    token = fresh.logins.make_setup_token()
    for wrong in ({"password": "short"}, {"name": "x" * 101}, {"time_zone": "Mars/Base"}):
        with pytest.raises(InvalidField):
            fresh.logins.redeem_setup(token, "Acme", "a@b.c", **wrong)
    secret = fresh.logins.redeem_setup(
        token, "Acme", "a@b.c", name=" Ana ", password="twelve letters", time_zone="Europe/Berlin"
    )
    viewer = fresh.logins.viewer(secret)
    assert viewer is not None
    assert (viewer.name, viewer.time_zone) == ("Ana", "Europe/Berlin")
    again = fresh.logins.sign_in("A@b.c", "twelve letters", address="", user_agent="")
    assert fresh.logins.viewer(again) is not None


def test_a_refused_field_leaves_the_setup_link_usable(fresh: Fresh) -> None:
    token = fresh.logins.make_setup_token()
    for name, email in [("", "a@b.c"), ("Acme", "nobody")]:
        with pytest.raises(InvalidField):
            fresh.logins.redeem_setup(token, name, email)
    assert not fresh.organizations.exists()
    assert fresh.logins.redeem_setup(token, "Acme", "a@b.c")


def wrong(_fresh: Fresh, token: str) -> str:
    return token + "x"


def expired(fresh: Fresh, token: str) -> str:
    fresh.clock.now_us += 15 * MINUTE_US
    return token


def too_late(fresh: Fresh, token: str) -> str:
    fresh.organizations.bootstrap("First", "a@b.c")
    return token


def used(fresh: Fresh, token: str) -> str:
    fresh.logins.redeem_setup(token, "First", "a@b.c")
    return token


@pytest.mark.parametrize("spoil", [wrong, expired, too_late, used])
def test_setup_links_that_open_nothing(fresh: Fresh, spoil: Callable[[Fresh, str], str]) -> None:
    token = spoil(fresh, fresh.logins.make_setup_token())
    before = len(fresh.organizations.list())
    assert not fresh.logins.setup_open(token)
    with pytest.raises(InvalidCode):
        fresh.logins.redeem_setup(token, "Second", "b@b.c")
    assert len(fresh.organizations.list()) == before


def test_a_sign_in_link_works_once(world: World) -> None:
    seen = world.logins.peek_sign_in(world.sign_in_token)
    assert seen is not None
    assert seen.email == "owner@example.com"
    secret = world.logins.redeem_sign_in(world.sign_in_token, address="10.0.0.1")
    viewer = world.viewer(secret)
    assert (viewer.member_id, viewer.organization_id) == (seen.member_id, seen.organization_id)
    assert viewer.login_id
    assert not seen.login_id
    assert world.logins.peek_sign_in(world.sign_in_token) is None
    with pytest.raises(InvalidCode):
        world.logins.redeem_sign_in(world.sign_in_token)
    [login] = world.logins.list(world.organization_id, world.owner_id)
    assert login.address == "10.0.0.1"
    assert world.audit()[-1].address == "10.0.0.1"


def test_a_sign_in_link_lasts_fifteen_minutes(world: World) -> None:
    token = world.logins.make_sign_in_token(world.organization_id, world.owner_id)
    world.clock.now_us += 15 * MINUTE_US - 1
    assert world.logins.peek_sign_in(token)
    world.clock.now_us += 1
    assert world.logins.peek_sign_in(token) is None
    with pytest.raises(InvalidCode):
        world.logins.redeem_sign_in(token)


def test_a_setup_token_is_no_sign_in_token(world: World) -> None:
    with pytest.raises(InvalidCode):
        world.logins.redeem_sign_in(world.logins.make_setup_token())


def test_links_are_made_for_members_of_the_organization(world: World) -> None:
    other = world.organizations.bootstrap("Other", "a@b.c").organization_id
    with pytest.raises(NotFound):
        world.logins.make_sign_in_token(other, world.owner_id)


def test_a_login_lasts_thirty_days_since_it_was_seen(world: World) -> None:
    secret = world.logins.redeem_sign_in(world.sign_in_token)
    for _ in range(3):
        world.clock.now_us += 29 * DAY_US
        assert world.logins.viewer(secret)
    world.clock.now_us += 30 * DAY_US
    assert world.logins.viewer(secret) is None
    assert world.logins.list(world.organization_id, world.owner_id) == []


def test_sign_out_and_revoke(world: World) -> None:
    one = world.logins.redeem_sign_in(world.sign_in_token)
    token = world.logins.make_sign_in_token(world.organization_id, world.owner_id)
    world.clock.now_us += 1
    two = world.logins.redeem_sign_in(token)
    world.logins.sign_out(one)
    world.logins.sign_out(one)
    assert world.logins.viewer(one) is None
    assert world.logins.viewer(two)
    [login] = world.logins.list(world.organization_id, world.owner_id)
    from_owner = audit_actor(world)
    world.logins.revoke(world.organization_id, world.owner_id, login.login_id, actor=from_owner)
    assert world.logins.viewer(two) is None
    with pytest.raises(NotFound):
        world.logins.revoke(world.organization_id, world.owner_id, login.login_id, actor=from_owner)


def audit_actor(world: World) -> Actor:
    return Actor(world.owner_id, "10.0.0.9")


@pytest.mark.parametrize("secret", ["", "x", "\0", "\ud800", "é" * 10000])
def test_cookies_that_are_no_login(world: World, secret: str) -> None:
    assert world.logins.viewer(secret) is None
    world.logins.sign_out(secret)


def test_sign_ins_do_not_stir_the_gateways(world: World) -> None:
    version = world.store.directory.version()
    world.logins.sign_out(world.logins.redeem_sign_in(world.sign_in_token))
    world.logins.make_setup_token()
    assert world.store.directory.version() == version


def test_of_racing_redemptions_one_wins(world: World, tmp_path: Path) -> None:
    stores = [open_store(data_dir=tmp_path / "installation") for _ in range(4)]
    start = Barrier(len(stores))

    def redeem(store: SqlStore) -> bool:
        logins = Logins(store, world.subkeys, world.clock)
        start.wait()
        try:
            logins.redeem_sign_in(world.sign_in_token)
        except InvalidCode:
            return False
        return True

    with ThreadPoolExecutor(len(stores)) as pool:
        assert sorted(pool.map(redeem, stores)) == [False, False, False, True]
    for store in stores:
        store.close()
