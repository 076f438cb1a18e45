"""Access tokens: shown once, found by hash, and dead with their time, their member or by hand."""

import msgspec
import pytest
from tests.unit.services.world import DAY_US, MINUTE_US, World

from tidegate.services.access_tokens import AccessTokens, MadeToken
from tidegate.services.audit import Actor
from tidegate.services.errors import Conflict, InvalidField, NotFound
from tidegate.store.people import AccessTokenRecord

pytestmark = pytest.mark.slow


@pytest.fixture
def tokens(world: World) -> AccessTokens:
    return AccessTokens(world.store, world.subkeys, world.clock)


def make(world: World, tokens: AccessTokens, name: str = "CI", **given: object) -> MadeToken:
    who = {"member_id": world.owner_id, "scope": "write", "actor": Actor(world.owner_id)} | given
    return tokens.create(world.organization_id, name=name, **who)  # type: ignore[arg-type]


def stored(world: World, token_id: str) -> AccessTokenRecord:
    with world.store.directory.reading() as reads:
        [found] = [t for t in reads.access_tokens(world.organization_id) if t.token_id == token_id]
    return found


def test_a_token_acts_for_its_member(world: World, tokens: AccessTokens) -> None:
    made = make(world, tokens)
    viewer = tokens.authenticate(made.secret)
    assert viewer is not None
    assert (viewer.organization_id, viewer.member_id) == (world.organization_id, world.owner_id)
    assert (viewer.role, viewer.scope, viewer.login_id) == ("owner", "write", "")


def test_a_token_may_only_read(world: World, tokens: AccessTokens) -> None:
    viewer = tokens.authenticate(make(world, tokens, scope="read").secret)
    assert viewer is not None
    assert viewer.scope == "read"


def test_the_secret_is_stored_and_printed_nowhere(world: World, tokens: AccessTokens) -> None:
    made = make(world, tokens)
    assert made.secret.startswith("tgp_")
    assert len(made.secret) == 4 + 43
    record = stored(world, made.record.token_id)
    assert made.secret not in str(msgspec.to_builtins(record))
    assert record.prefix == made.secret[:8]
    assert made.secret not in repr(made)
    assert made.secret not in str(world.audit())
    assert tokens.authenticate(record.secret_hash) is None
    assert tokens.authenticate("tgp_" + record.secret_hash) is None


@pytest.mark.parametrize("secret", ["", "tgp_", "tg_abc", "tgp_" + "x" * 9000, "tgp_\ud800\0"])
def test_no_token_of_ours(tokens: AccessTokens, secret: str) -> None:
    assert tokens.authenticate(secret) is None


def test_a_token_ends_with_its_days(world: World, tokens: AccessTokens) -> None:
    short, long = make(world, tokens, days=1), make(world, tokens, name="B", days=None)
    world.clock.now_us += DAY_US - 1
    assert tokens.authenticate(short.secret) is not None
    world.clock.now_us += 1
    assert tokens.authenticate(short.secret) is None
    world.clock.now_us += 3660 * DAY_US
    assert tokens.authenticate(long.secret) is not None


def test_a_token_ends_with_its_member(world: World, tokens: AccessTokens) -> None:
    member = world.members.add(world.organization_id, "dev@example.com")
    made = make(world, tokens, member_id=member.member_id)
    assert tokens.authenticate(made.secret) is not None
    world.members.remove(
        world.organization_id, member.member_id, by_role="owner", actor=Actor(world.owner_id)
    )
    assert tokens.authenticate(made.secret) is None
    with pytest.raises(NotFound):
        make(world, tokens, member_id=member.member_id)


def test_a_role_counts_as_it_is_now(world: World, tokens: AccessTokens) -> None:
    member = world.members.add(world.organization_id, "dev@example.com", "admin")
    made = make(world, tokens, member_id=member.member_id)
    world.members.set_role(
        world.organization_id,
        member.member_id,
        "member",
        by_role="owner",
        actor=Actor(world.owner_id),
    )
    viewer = tokens.authenticate(made.secret)
    assert viewer is not None
    assert viewer.role == "member"


def test_revoking_is_final_and_written_down(world: World, tokens: AccessTokens) -> None:
    made = make(world, tokens)
    actor = Actor(world.owner_id, "203.0.113.7")
    tokens.revoke(world.organization_id, made.record.token_id, by=world.owner_id, actor=actor)
    assert tokens.authenticate(made.secret) is None
    assert tokens.list(world.organization_id, world.owner_id) == []
    with pytest.raises(NotFound):
        tokens.revoke(world.organization_id, made.record.token_id, by=world.owner_id, actor=actor)
    entries = [e for e in world.audit() if e.action.startswith("access_token.")]
    assert [(e.action, e.target) for e in entries] == [
        ("access_token.create", made.record.token_id),
        ("access_token.revoke", made.record.token_id),
    ]
    assert entries[0].detail == {"name": "CI", "scope": "write", "days": "no end"}
    assert entries[1].address == "203.0.113.7"


def test_a_member_revokes_only_own_tokens_an_admin_all(world: World, tokens: AccessTokens) -> None:
    member = world.members.add(world.organization_id, "dev@example.com")
    made = make(world, tokens)
    with pytest.raises(NotFound):
        tokens.revoke(world.organization_id, made.record.token_id, by=member.member_id)
    other = world.organizations.bootstrap("Other", "a@b.c").organization_id
    with pytest.raises(NotFound):
        tokens.revoke(other, made.record.token_id)
    assert tokens.authenticate(made.secret) is not None
    tokens.revoke(world.organization_id, made.record.token_id)
    assert tokens.authenticate(made.secret) is None


def test_use_is_noted_by_the_minute(world: World, tokens: AccessTokens) -> None:
    made = make(world, tokens)
    begun = world.clock.now_us
    used = []
    for seconds in (0, 30, 59, 60, 90):
        world.clock.now_us = begun + seconds * 1_000_000
        tokens.authenticate(made.secret)
        used.append((stored(world, made.record.token_id).last_used_us - begun) // 1_000_000)
    assert used == [0, 0, 0, 60, 60]


def test_use_is_no_news_to_the_gateways(world: World, tokens: AccessTokens) -> None:
    made = make(world, tokens)
    before = world.store.directory.version()
    world.clock.now_us += MINUTE_US
    tokens.authenticate(made.secret)
    assert world.store.directory.version() == before


def test_the_newest_stands_first_and_expired_ones_are_shown(
    world: World, tokens: AccessTokens
) -> None:
    for name in ("A", "B"):
        make(world, tokens, name=name, days=1)
        world.clock.now_us += DAY_US
    listed = tokens.list(world.organization_id, world.owner_id)
    assert [token.name for token in listed] == ["B", "A"]
    assert tokens.list(world.organization_id, "mem_other") == []


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"scope": "admin"}, "scope"),
        ({"days": 0}, "days"),
        ({"days": -1}, "days"),
        ({"days": 367}, "days"),
        ({"days": 10**30}, "days"),
    ],
)
def test_refused_fields_are_named(
    world: World, tokens: AccessTokens, given: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidField) as refusal:
        make(world, tokens, **given)  # type: ignore[arg-type]
    assert refusal.value.field == field
    assert tokens.list(world.organization_id, world.owner_id) == []


def test_a_double_click_makes_one_token(world: World, tokens: AccessTokens) -> None:
    made = make(world, tokens)
    with pytest.raises(Conflict, match="already") as refusal:
        make(world, tokens)
    assert refusal.value.field == "name"
    tokens.revoke(world.organization_id, made.record.token_id)
    make(world, tokens)  # the name is free again


def test_there_is_an_end_to_tokens(world: World, tokens: AccessTokens) -> None:
    for number in range(50):
        make(world, tokens, name=f"T{number}")
    with pytest.raises(Conflict, match="At most 50"):
        make(world, tokens, name="one more")
