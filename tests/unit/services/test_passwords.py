"""Setting and resetting passwords, and the links that are mailed."""

from collections.abc import Callable

import pytest
from tests.unit.services.test_sign_in import EMAIL
from tests.unit.services.world import DAY_US, MINUTE_US, PASSWORD, World

from tidegate.services.audit import COMMAND_LINE, Actor
from tidegate.services.errors import Forbidden, InvalidCode, InvalidField, NotFound, TooMany

pytestmark = pytest.mark.slow

NEW = "another correct horse"


def test_a_password_is_changed_by_who_knows_it(world: World) -> None:
    member_id = world.join(EMAIL)
    mine = Actor(member_id, "10.0.0.1")
    keep, end = world.sign_in(EMAIL), world.sign_in(EMAIL)
    login_id = world.viewer(keep).login_id
    world.passwords.set(
        world.organization_id, member_id, NEW, current=PASSWORD, actor=mine, keep_login_id=login_id
    )
    assert world.logins.viewer(keep)
    assert world.logins.viewer(end) is None
    assert world.sign_in(EMAIL, NEW)
    with pytest.raises(InvalidCode):
        world.sign_in(EMAIL, PASSWORD)
    assert world.members.get(world.organization_id, member_id).password_us == world.clock.now_us
    assert "password.set" in world.actions()


@pytest.mark.parametrize("current", [None, "", "wrong wrong wrong", "x" * 1_000_000])
def test_a_stolen_browser_does_not_change_the_password(world: World, current: str | None) -> None:
    member_id = world.join(EMAIL)
    with pytest.raises(InvalidField, match="not your present") as caught:
        world.passwords.set(
            world.organization_id, member_id, NEW, current=current, actor=Actor(member_id)
        )
    assert caught.value.field == "current"
    assert world.sign_in(EMAIL)


@pytest.mark.parametrize("password", ["", PASSWORD])
def test_nobody_sets_the_password_of_another(world: World, password: str) -> None:
    member_id = world.join(EMAIL, password=password)
    for actor in (world.owner, Actor("")):
        with pytest.raises(Forbidden):
            world.passwords.set(
                world.organization_id, member_id, NEW, current=password, actor=actor
            )
    assert world.passwords.has(world.organization_id, member_id) is bool(password)


def test_present_passwords_are_not_guessed_in_a_stolen_browser(world: World) -> None:
    member_id = world.join(EMAIL)

    def guess() -> None:
        world.passwords.set(
            world.organization_id, member_id, NEW, current="wrong", actor=Actor(member_id)
        )

    for _ in range(10):
        with pytest.raises(InvalidField):
            guess()
    with pytest.raises(TooMany):
        guess()


def test_a_first_password_needs_none_before(world: World) -> None:
    mine = (world.organization_id, world.owner_id)
    assert not world.passwords.has(*mine)
    world.passwords.set(*mine, NEW, current=None, actor=world.owner)
    assert world.passwords.has(*mine)
    assert not world.passwords.has("org_x", world.owner_id)
    assert world.sign_in("owner@example.com", NEW)


@pytest.mark.parametrize(
    "password",
    ["", "x" * 11, "correct hor", "x" * 257, "aaaaaaaaaaaaaaaa", "abcabcabcabcabc",
     "very.long.name@example.com", " Very.Long.Name@Example.com "],
)  # fmt: skip
def test_passwords_that_are_not_taken(world: World, password: str) -> None:
    email = "very.long.name@example.com"
    member_id = world.join(email, password="")
    with pytest.raises(InvalidField) as caught:
        world.passwords.set(
            world.organization_id, member_id, password, current=None, actor=COMMAND_LINE
        )
    assert caught.value.field == "password"
    assert not world.passwords.has(world.organization_id, member_id)


@pytest.mark.parametrize(
    ("chosen", "typed"),
    [
        ("  spaces are kept  ", "  spaces are kept  "),
        ("pässwörter zählen", "pa\u0308sswo\u0308rter za\u0308hlen"),  # another keyboard's
        ("🐎🔋📎✅ and some text", "🐎🔋📎✅ and some text"),
        ("nul \0 byte and more", "nul \0 byte and more"),
        ("xyzab" * 51, "xyzab" * 51),
    ],
)
def test_any_text_makes_a_password(world: World, chosen: str, typed: str) -> None:
    member_id = world.join(EMAIL, password="")
    world.set_password(member_id, chosen)
    assert world.sign_in(EMAIL, typed)
    with pytest.raises(InvalidCode):
        world.sign_in(EMAIL, typed.strip() + "x")


def test_the_command_line_sets_a_password_without_the_present_one(world: World) -> None:
    member_id = world.join(EMAIL)
    secret = world.sign_in(EMAIL)
    world.set_password(member_id, NEW)
    assert world.logins.viewer(secret) is None
    assert world.sign_in(EMAIL, NEW)


def test_a_reset_sets_the_password_of_one_membership_and_ends_what_was_open(world: World) -> None:
    member_id = world.join(EMAIL)
    world.other_organization(EMAIL)
    before = world.sign_in(EMAIL)
    link = world.logins.make_sign_in_token(world.organization_id, member_id)
    resets = world.passwords.make_reset(" DEV@example.com")
    assert [(r.organization_name, r.email) for r in resets] == [("Acme", EMAIL), ("Other", EMAIL)]
    token = resets[0].token
    assert world.passwords.peek_reset(token) == resets[0]
    secret = world.passwords.redeem_reset(token, NEW, address="10.0.0.9", user_agent="x")
    assert world.viewer(secret).member_id == member_id
    assert [m.organization_name for m in world.viewer(before).memberships] == ["Other"]
    with pytest.raises(InvalidCode):
        world.logins.redeem_sign_in(link)
    opened = {p: world.viewer(world.sign_in(EMAIL, p)).organization_name for p in (NEW, PASSWORD)}
    assert opened == {NEW: "Acme", PASSWORD: "Other"}


def test_a_reset_through_the_browser_that_is_signed_in_keeps_its_other_organization(
    world: World,
) -> None:
    world.join(EMAIL)
    world.other_organization(EMAIL)
    both = world.sign_in(EMAIL)
    [reset, _] = world.passwords.make_reset(EMAIL)
    after = world.passwords.redeem_reset(
        reset.token, NEW, address="", user_agent="", login_secret=both
    )
    assert len(world.viewer(after).memberships) == 2
    assert world.viewer(after).organization_name == "Acme"


def spoiled(_world: World, token: str) -> str:
    return token[:-1]


def expired(world: World, token: str) -> str:
    world.clock.now_us += 60 * MINUTE_US
    return token


def used(world: World, token: str) -> str:
    world.passwords.redeem_reset(token, NEW, address="", user_agent="")
    return token


def replaced(world: World, token: str) -> str:
    [later] = world.passwords.make_reset(EMAIL)
    world.passwords.redeem_reset(later.token, NEW, address="", user_agent="")
    return token


def removed(world: World, token: str) -> str:
    member_id = world.members.by_email(world.organization_id, EMAIL).member_id
    world.members.remove(world.organization_id, member_id, by_role="owner", actor=world.owner)
    return token


def of_a_sign_in_link(world: World, _token: str) -> str:
    return world.passwords.make_links(EMAIL)[0].token


def of_an_invitation(world: World, _token: str) -> str:
    invited = world.invitations.invite(
        world.organization_id, "new@example.com", "member", by_role="owner", actor=world.owner
    )
    return invited.token


def of_setup(world: World, _token: str) -> str:
    return world.logins.make_setup_token()


def of_enrolment(world: World, _token: str) -> str:
    return world.enrolled(EMAIL).login_code


def empty(_world: World, _token: str) -> str:
    return ""


@pytest.mark.parametrize(
    "spoil",
    [spoiled, expired, used, replaced, removed, of_a_sign_in_link, of_an_invitation, of_setup,
     of_enrolment, empty],
)  # fmt: skip
def test_links_that_reset_nothing(world: World, spoil: Callable[[World, str], str]) -> None:
    world.join(EMAIL)
    [reset] = world.passwords.make_reset(EMAIL)
    token = spoil(world, reset.token)
    assert world.passwords.peek_reset(token) is None
    with pytest.raises(InvalidCode):
        world.passwords.redeem_reset(token, "a third password", address="", user_agent="")


def test_a_refused_password_leaves_the_link_usable(world: World) -> None:
    world.join(EMAIL)
    [reset] = world.passwords.make_reset(EMAIL)
    with pytest.raises(InvalidField):
        world.passwords.redeem_reset(reset.token, "short", address="", user_agent="")
    assert world.passwords.redeem_reset(reset.token, NEW, address="", user_agent="")


def test_links_go_to_the_stored_address_only(world: World) -> None:
    """What was typed may only look like the address, or be the same to a lax comparison."""
    world.join("strasse@example.com")
    [reset] = world.passwords.make_reset("STRASSE@example.com")
    assert reset.email == "strasse@example.com"
    [folded] = world.passwords.make_reset("straße@example.com")
    assert folded.email == "strasse@example.com"
    assert world.passwords.make_reset("str\u0430sse@example.com") == []


def test_nobody_is_flooded_with_links(world: World) -> None:
    world.join(EMAIL)
    made = [len(world.passwords.make_reset(EMAIL)) for _ in range(8)]
    assert made == [1] * 5 + [0] * 3
    assert len(world.passwords.make_links(EMAIL)) == 1
    world.clock.now_us += 10 * MINUTE_US
    assert len(world.passwords.make_reset(EMAIL)) == 1


@pytest.mark.parametrize("email", ["nobody@example.com", "", "x" * 1_000_000, "a\u202e@b.c"])
def test_the_unknown_get_no_links(world: World, email: str) -> None:
    assert world.passwords.make_reset(email) == []
    assert world.passwords.make_links(email) == []


def test_a_mailed_link_signs_in_once(world: World) -> None:
    member_id = world.join(EMAIL, password="")
    [link] = world.passwords.make_links(EMAIL)
    assert (link.organization_name, link.email) == ("Acme", EMAIL)
    assert world.viewer(world.logins.redeem_sign_in(link.token)).member_id == member_id
    with pytest.raises(InvalidCode):
        world.logins.redeem_sign_in(link.token)


def test_a_reset_link_does_not_sign_in_without_a_password(world: World) -> None:
    world.join(EMAIL)
    [reset] = world.passwords.make_reset(EMAIL)
    assert world.logins.peek_sign_in(reset.token) is None
    with pytest.raises(InvalidCode):
        world.logins.redeem_sign_in(reset.token)
    assert world.invitations.peek(reset.token) is None
    assert world.logins.viewer(reset.token) is None


@pytest.mark.parametrize("organization", ["mine", "other"])
def test_passwords_of_others_are_not_set(world: World, organization: str) -> None:
    member_id = world.join(EMAIL)
    other_id, other_member_id = world.other_organization("x@example.com")
    mine = (other_id, member_id)
    if organization == "mine":
        mine = (world.organization_id, other_member_id)
    with pytest.raises(NotFound):
        world.passwords.set(*mine, NEW, current=None, actor=COMMAND_LINE)
    assert world.sign_in(EMAIL)


def test_no_secret_is_written_down(world: World) -> None:
    member_id = world.join(EMAIL)
    [reset] = world.passwords.make_reset(EMAIL)
    login = world.passwords.redeem_reset(reset.token, NEW, address="", user_agent="")
    world.passwords.set(
        world.organization_id, member_id, PASSWORD, current=NEW, actor=Actor(member_id)
    )
    world.clock.now_us += DAY_US
    [link] = world.passwords.make_links(EMAIL)
    with world.store.directory.reading() as reads:
        stored = reads.password_hash(world.organization_id, member_id)
    told = repr(world.audit())
    for secret in (NEW, PASSWORD, reset.token, link.token, login, stored):
        assert secret not in told
