"""Two people at once, on every backend: exactly one of what excludes each other happens."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from tests.port.conftest import Place

from tidegate.services.audit import Actor
from tidegate.services.errors import Refused
from tidegate.services.invitations import Invitations
from tidegate.services.members import Members
from tidegate.services.organizations import Organizations
from tidegate.services.password_hashing import PasswordHashing
from tidegate.services.passwords import Passwords
from tidegate.services.vault import derive
from tidegate.store.sql.database import SqlStore

pytestmark = pytest.mark.slow

SUBKEYS = derive(bytes(32))
CHEAP = PasswordHashing(rounds=1, memory_kib=8)
AT_ONCE = 4


class Side:
    """Services on a store of their own, as each process has them."""

    def __init__(self, store: SqlStore) -> None:
        self.store = store
        self.organizations = Organizations(store, SUBKEYS)
        self.members = Members(store, SUBKEYS)
        self.invitations = Invitations(store, SUBKEYS, hashing=CHEAP)
        self.passwords = Passwords(store, SUBKEYS, hashing=CHEAP)


@pytest.fixture
def sides(place: Place) -> Iterator[list[Side]]:
    made = [Side(place.open()) for _ in range(AT_ONCE)]
    yield made
    for side in made:
        side.store.close()


def outcomes(sides: list[Side], act: Callable[[Side, int], object]) -> list[bool]:
    """Who succeeds, when all act at once."""
    barrier = Barrier(len(sides))

    def one(n: int) -> bool:
        barrier.wait()
        try:
            act(sides[n], n)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(len(sides)) as pool:
        return list(pool.map(one, range(len(sides))))


def test_a_double_click_makes_one_invitation(sides: list[Side]) -> None:
    founded = sides[0].organizations.bootstrap("Acme", "a@b.c")
    mine, owner = founded.organization_id, Actor(founded.member_id)

    def invite(side: Side, _n: int) -> None:
        side.invitations.invite(mine, "new@b.c", "member", by_role="owner", actor=owner)

    assert outcomes(sides, invite).count(True) == 1
    assert len(sides[0].invitations.pending(mine)) == 1


def test_an_invitation_is_accepted_once(sides: list[Side]) -> None:
    founded = sides[0].organizations.bootstrap("Acme", "a@b.c")
    mine, owner = founded.organization_id, Actor(founded.member_id)
    invited = sides[0].invitations.invite(mine, "new@b.c", "member", by_role="owner", actor=owner)

    def accept(side: Side, n: int) -> None:
        side.invitations.accept(invited.token, name=f"N{n}", password="", address="", user_agent="")

    won = outcomes(sides, accept)
    assert won.count(True) == 1
    [member] = [m for m in sides[0].members.list(mine) if m.email == "new@b.c"]
    assert member.name == f"N{won.index(True)}"


@pytest.mark.parametrize("what", ["remove", "demote", "each the next", "each oneself"])
def test_one_owner_is_left(sides: list[Side], what: str) -> None:
    founded = sides[0].organizations.bootstrap("Acme", "owner0@b.c")
    mine = founded.organization_id
    owners = [founded.member_id]
    owners += [
        sides[0].members.add(mine, f"owner{n}@b.c", "owner").member_id for n in range(1, AT_ONCE)
    ]

    def act(side: Side, n: int) -> None:
        target = owners[n if what == "each oneself" else (n + 1) % AT_ONCE]
        actor = Actor(owners[n])
        if what == "demote" or (what == "each the next" and n % 2):
            side.members.set_role(mine, target, "member", by_role="owner", actor=actor)
        else:
            side.members.remove(mine, target, by_role="owner", actor=actor)

    assert not all(outcomes(sides, act))
    left = [m for m in sides[0].members.list(mine) if m.role == "owner" and not m.removed_us]
    assert len(left) >= 1


def test_a_reset_link_is_used_once(sides: list[Side]) -> None:
    sides[0].organizations.bootstrap("Acme", "a@b.c")
    [reset] = sides[0].passwords.make_reset("a@b.c")

    def redeem(side: Side, n: int) -> None:
        side.passwords.redeem_reset(reset.token, f"password number {n}", address="", user_agent="")

    assert outcomes(sides, redeem).count(True) == 1
