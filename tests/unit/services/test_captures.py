"""Who reads captures, what is written down of it, and when they end."""

import msgspec
import pytest
from tests.unit.services.test_key_switches import viewer
from tests.unit.services.world import DAY_US, World

from tidegate.core.captures import Capture, Part, compressed, pack
from tidegate.services.audit import Actor
from tidegate.services.captures import Captures
from tidegate.services.errors import NotFound
from tidegate.services.vault import seal_capture
from tidegate.store.captures import StoredCapture

ADA = Actor("mem_ada", "203.0.113.7")
CAPTURE = Capture("req_1", "POST", "/v1/messages", Part(body=b"{}"), None, 400, Part(body=b"no"))


@pytest.fixture
def captures(world: World) -> Captures:
    put(world, "req_1")
    return Captures(world.store, world.subkeys, world.clock)


def put(world: World, event_id: str, *, age_us: int = 0, days: int = 3) -> None:
    sealed = seal_capture(
        world.subkeys.capture, world.organization_id, event_id, compressed(pack(CAPTURE))
    )
    at_us = world.clock.now_us - age_us
    world.store.usage.captures.put_capture(
        StoredCapture(
            event_id=event_id,
            organization_id=world.organization_id,
            key_id="key_1",
            member_id="mem_ada",
            at_us=at_us,
            expires_us=at_us + days * DAY_US,
            size_bytes=len(sealed),
            truncated=False,
            ciphertext=sealed,
        )
    )


@pytest.mark.parametrize(
    ("role", "member_id"), [("owner", "mem_bo"), ("admin", "mem_bo"), ("member", "mem_ada")]
)
def test_admins_and_the_keys_owner_read_and_it_is_written_down(
    world: World, captures: Captures, role: str, member_id: str
) -> None:
    who = viewer(role, organization_id=world.organization_id, member_id=member_id)
    assert captures.get(world.organization_id, "req_1", who, ADA) == CAPTURE
    entry = world.audit()[-1]
    assert (entry.action, entry.target, entry.actor) == ("capture.read", "req_1", "mem_ada")
    assert entry.detail == {"key": "key_1", "member": "mem_ada"}
    assert entry.address == "203.0.113.7"


def test_others_learn_not_even_that_there_is_one(world: World, captures: Captures) -> None:
    own = world.organization_id
    before = len(world.audit())
    for event_id, who in (
        ("req_1", viewer("member", organization_id=own, member_id="mem_bo")),
        ("req_1", viewer("owner", organization_id="org_other")),
        ("req_none", viewer("owner", organization_id=own)),
    ):
        with pytest.raises(NotFound, match="no capture"):
            captures.get(own, event_id, who, ADA)
        with pytest.raises(NotFound, match="no capture"):
            captures.delete(own, event_id, who, ADA)
    with pytest.raises(NotFound):
        captures.get("org_other", "req_1", viewer("owner", organization_id="org_other"), ADA)
    assert len(world.audit()) == before
    assert captures.exists(own, "req_1")


def test_one_that_cannot_be_decrypted(world: World, captures: Captures) -> None:
    stored = world.store.usage.captures.capture(world.organization_id, "req_1")
    assert stored is not None
    moved = msgspec.structs.replace(stored, event_id="req_2")
    world.store.usage.captures.put_capture(moved)
    who = viewer("owner", organization_id=world.organization_id)
    with pytest.raises(NotFound, match="cannot be decrypted"):
        captures.get(world.organization_id, "req_2", who, ADA)


def test_deleting_before_its_time(world: World, captures: Captures) -> None:
    own = world.organization_id
    who = viewer("member", organization_id=own)
    assert captures.count(own) == 1
    assert captures.size_bytes(own) > 0
    captures.delete(own, "req_1", who, ADA)
    assert not captures.exists(own, "req_1")
    assert world.audit()[-1].action == "capture.delete"
    put(world, "req_2")
    assert captures.delete_all(own, ADA) == 1
    assert captures.count(own) == 0


def test_purging_what_is_older_than_is_kept_now(world: World, captures: Captures) -> None:
    put(world, "req_2", age_us=2 * DAY_US)
    put(world, "req_3", age_us=3 * DAY_US)
    put(world, "req_4", age_us=5 * DAY_US, days=30)  # stored when it was kept for longer
    assert captures.purge() == 2
    left = [n for n in range(1, 5) if captures.exists(world.organization_id, f"req_{n}")]
    assert left == [1, 2]
