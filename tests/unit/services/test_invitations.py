"""Invitations: made once, good once, for seven days, for their own organization."""

from collections.abc import Callable

import pytest
from tests.unit.services.world import DAY_US, PASSWORD, World

from tidegate.services.audit import COMMAND_LINE, Actor
from tidegate.services.errors import (
    Conflict,
    Forbidden,
    InvalidCode,
    InvalidField,
    NotFound,
    Refused,
)
from tidegate.services.invitations import Invited, Offer

pytestmark = pytest.mark.slow

EMAIL = "new@example.com"


def invite(
    world: World, email: str = EMAIL, role: str = "member", by_role: str = "owner"
) -> Invited:
    return world.invitations.invite(
        world.organization_id, email, role, by_role=by_role, actor=world.owner
    )


def accept(
    world: World, token: str, *, name: str = "Nia", password: str = PASSWORD, login: str = ""
) -> str:
    return world.invitations.accept(
        token,
        name=name,
        password=password,
        address="10.0.0.7",
        user_agent="Firefox",
        login_secret=login,
    )


def test_who_accepts_is_a_member_and_signed_in(world: World) -> None:
    invited = invite(world, " New@Example.com", "admin")
    assert world.invitations.pending(world.organization_id) == [invited.invitation]
    assert world.invitations.peek(invited.token) == Offer(
        organization_name="Acme",
        email=EMAIL,
        role="admin",
        inviter="owner@example.com",
        has_membership=False,
    )
    viewer = world.viewer(accept(world, invited.token, name=" <b>Nia 🚀</b> "))
    assert (viewer.email, viewer.name, viewer.role) == (EMAIL, "<b>Nia 🚀</b>", "admin")
    assert world.invitations.pending(world.organization_id) == []
    accepted = world.invitations.get(world.organization_id, invited.invitation.invitation_id)
    assert accepted.member_id == viewer.member_id
    assert world.viewer(world.sign_in(EMAIL)).member_id == viewer.member_id
    assert world.actions()[-4:] == [
        "invitation.create", "invitation.accept", "login.create", "login.create",
    ]  # fmt: skip


def test_without_a_password_there_are_mailed_links(world: World) -> None:
    viewer = world.viewer(accept(world, invite(world).token, name="", password=""))
    assert viewer.name == ""
    assert not world.passwords.has(world.organization_id, viewer.member_id)
    [link] = world.passwords.make_links(EMAIL)
    assert world.logins.redeem_sign_in(link.token)


def test_an_accepted_invitation_joins_the_browsers_login(world: World) -> None:
    world.other_organization("nia@elsewhere.com")
    before = world.sign_in("nia@elsewhere.com")
    after = accept(world, invite(world).token, login=before)
    assert world.logins.viewer(before) is None
    viewer = world.viewer(after)
    assert viewer.organization_name == "Acme"
    assert [m.organization_name for m in viewer.memberships] == ["Acme", "Other"]


def wrong(_world: World, invited: Invited) -> str:
    return invited.token[:-1] + ("a" if invited.token[-1] != "a" else "b")


def bare_id(_world: World, invited: Invited) -> str:
    return invited.invitation.invitation_id


def with_nothing_signed(_world: World, invited: Invited) -> str:
    return f"{invited.invitation.invitation_id}."


def with_another_ids_signature(world: World, invited: Invited) -> str:
    signature = invite(world, "else@example.com").token.partition(".")[2]
    return f"{invited.invitation.invitation_id}.{signature}"


def expired(world: World, invited: Invited) -> str:
    world.clock.now_us += 7 * DAY_US
    return invited.token


def used(world: World, invited: Invited) -> str:
    accept(world, invited.token)
    return invited.token


def withdrawn(world: World, invited: Invited) -> str:
    mine = (world.organization_id, invited.invitation.invitation_id)
    world.invitations.withdraw(*mine, actor=world.owner)
    return invited.token


def sent_anew(world: World, invited: Invited) -> str:
    mine = (world.organization_id, invited.invitation.invitation_id)
    world.invitations.resend(*mine, actor=world.owner)
    return invited.token


def sign_in_link(world: World, _invited: Invited) -> str:
    return world.sign_in_token


def reset_link(world: World, _invited: Invited) -> str:
    return world.passwords.make_reset("owner@example.com")[0].token


def setup_link(world: World, _invited: Invited) -> str:
    return world.logins.make_setup_token()


def login_code(world: World, _invited: Invited) -> str:
    return world.enrolled().login_code


def login_cookie(world: World, _invited: Invited) -> str:
    return world.logins.redeem_sign_in(world.sign_in_token)


def huge(_world: World, invited: Invited) -> str:
    return invited.token + "x" * 1_000_000


def strange(_world: World, invited: Invited) -> str:
    return f"{invited.invitation.invitation_id}.\udcff\0é"


def empty(_world: World, _invited: Invited) -> str:
    return ""


@pytest.mark.parametrize(
    "spoil",
    [wrong, bare_id, with_nothing_signed, with_another_ids_signature, expired, used, withdrawn,
     sent_anew, sign_in_link, reset_link, setup_link, login_code, login_cookie, huge, strange,
     empty],
)  # fmt: skip
def test_links_that_open_nothing(world: World, spoil: Callable[[World, Invited], str]) -> None:
    invited = invite(world)
    token = spoil(world, invited)
    before = world.members.list(world.organization_id)
    assert world.invitations.peek(token) is None
    with pytest.raises(InvalidCode, match="new link"):
        accept(world, token)
    assert world.members.list(world.organization_id) == before


def test_an_invitations_link_opens_nothing_else(world: World) -> None:
    token = invite(world).token
    for part in (token, token.partition(".")[2]):
        assert world.logins.peek_sign_in(part) is None
        assert not world.logins.setup_open(part)
        assert world.passwords.peek_reset(part) is None
        assert world.logins.viewer(part) is None


def test_a_link_is_sent_anew_for_seven_days(world: World) -> None:
    invited = invite(world)
    mine = (world.organization_id, invited.invitation.invitation_id)
    world.invitations.mailed(*mine, "The server said no.")
    world.clock.now_us += 8 * DAY_US
    again = world.invitations.resend(*mine, actor=world.owner)
    assert again.token != invited.token
    assert again.invitation.sent_us == world.clock.now_us
    assert again.invitation.mail == again.invitation.mail_fault == ""
    world.clock.now_us += 7 * DAY_US - 1
    assert world.invitations.token(*mine, actor=world.owner) == again.token
    assert accept(world, again.token)


def test_what_became_of_the_mail_is_noted(world: World) -> None:
    mine = (world.organization_id, invite(world).invitation.invitation_id)
    world.invitations.mailed(*mine, "x" * 1000)
    failed = world.invitations.get(*mine)
    assert (failed.mail, failed.mail_fault) == ("failed", "x" * 500)
    world.invitations.mailed(*mine, "")
    sent = world.invitations.get(*mine)
    assert (sent.mail, sent.mail_fault) == ("sent", "")


def test_a_double_click_makes_one_invitation(world: World) -> None:
    invite(world)
    with pytest.raises(Conflict, match="is invited already") as caught:
        invite(world, "NEW@example.com", "admin")
    assert caught.value.field == "email"
    assert len(world.invitations.pending(world.organization_id)) == 1


def test_a_member_is_not_invited(world: World) -> None:
    with pytest.raises(Conflict, match="is a member already") as caught:
        invite(world, "OWNER@example.com")
    assert caught.value.field == "email"


def test_a_removed_member_is_invited_again(world: World) -> None:
    member_id = world.join(EMAIL)
    world.members.remove(world.organization_id, member_id, by_role="owner", actor=world.owner)
    viewer = world.viewer(accept(world, invite(world).token))
    assert viewer.member_id != member_id


@pytest.mark.parametrize(
    ("email", "role", "field"),
    [
        ("", "member", "email"),
        ("nobody", "member", "email"),
        ("a@b\u202e.c", "member", "email"),
        ("a\u200bb@c.d", "member", "email"),
        ("a@b.c\nBcc: x@y.z", "member", "email"),
        ("x" * 1_000_000 + "@b.c", "member", "email"),
        (EMAIL, "", "role"),
        (EMAIL, "OWNER", "role"),
        (EMAIL, "god", "role"),
    ],
)
def test_fields_that_are_not_taken(world: World, email: str, role: str, field: str) -> None:
    with pytest.raises(InvalidField) as caught:
        invite(world, email, role)
    assert caught.value.field == field
    assert world.invitations.pending(world.organization_id) == []


@pytest.mark.parametrize(
    ("name", "password", "field"),
    [("x" * 101, PASSWORD, "name"), ("\x07", PASSWORD, "name"), ("Nia", "short", "password"),
     ("Nia", EMAIL.upper(), "password"), ("Nia", "x" * 1_000_000, "password")],
)  # fmt: skip
def test_a_refused_name_or_password_leaves_the_link_usable(
    world: World, name: str, password: str, field: str
) -> None:
    token = invite(world).token
    with pytest.raises(InvalidField) as caught:
        accept(world, token, name=name, password=password)
    assert caught.value.field == field
    assert accept(world, token)


@pytest.mark.parametrize(
    ("by_role", "role", "allowed"),
    [
        ("owner", "owner", True),
        ("owner", "member", True),
        ("admin", "owner", False),
        ("admin", "admin", True),
        ("admin", "member", True),
        ("member", "member", False),
        ("", "member", False),
    ],
)
def test_who_may_invite_to_which_role(world: World, by_role: str, role: str, allowed: bool) -> None:
    actor_id = world.join("actor@example.com", by_role or "member", password="")
    refusal: type[Refused] | None = None
    try:
        world.invitations.invite(
            world.organization_id, EMAIL, role, by_role=by_role, actor=Actor(actor_id)
        )
    except Forbidden as refused:
        refusal = type(refused)
    assert refusal is (None if allowed else Forbidden)


def test_a_role_that_was_lost_meanwhile_does_not_count(world: World) -> None:
    actor = Actor(world.join("actor@example.com", "member"))
    with pytest.raises(Forbidden):
        world.invitations.invite(
            world.organization_id, EMAIL, "member", by_role="admin", actor=actor
        )
    world.members.remove(world.organization_id, actor.who, by_role="owner", actor=world.owner)
    with pytest.raises(Forbidden):
        world.invitations.invite(
            world.organization_id, EMAIL, "member", by_role="owner", actor=actor
        )


def test_an_admin_does_not_get_an_owners_link(world: World) -> None:
    """Whoever holds the link becomes what it says."""
    mine = (world.organization_id, invite(world, role="owner").invitation.invitation_id)
    admin = Actor(world.join("admin@example.com", "admin"))
    for handle in (world.invitations.token, world.invitations.resend, world.invitations.withdraw):
        with pytest.raises(Forbidden):
            handle(*mine, actor=admin)
        with pytest.raises(Forbidden):
            handle(*mine, actor=Actor(""))
    assert world.invitations.token(*mine, actor=world.owner)


def test_another_organizations_invitation_is_not_there(world: World) -> None:
    invited = invite(world)
    other_id, other_owner_id = world.other_organization("x@example.com")
    theirs = (other_id, invited.invitation.invitation_id)
    actor = Actor(other_owner_id)
    with pytest.raises(NotFound):
        world.invitations.get(*theirs)
    for handle in (world.invitations.token, world.invitations.resend, world.invitations.withdraw):
        with pytest.raises(NotFound):
            handle(*theirs, actor=actor)
    with pytest.raises(NotFound):
        world.invitations.mailed(*theirs, "no")
    assert world.invitations.pending(other_id) == []
    assert world.invitations.peek(invited.token)
    with pytest.raises(NotFound):
        world.invitations.invite("org_x", EMAIL, "member", by_role="owner", actor=COMMAND_LINE)


@pytest.mark.parametrize("end", [used, withdrawn])
def test_a_stale_page_is_told_what_happened(
    world: World, end: Callable[[World, Invited], str]
) -> None:
    invited = invite(world)
    end(world, invited)
    mine = (world.organization_id, invited.invitation.invitation_id)
    for handle in (world.invitations.token, world.invitations.resend, world.invitations.withdraw):
        with pytest.raises(Conflict, match="already"):
            handle(*mine, actor=world.owner)


def test_a_link_does_not_open_a_membership_that_was_made_meanwhile(world: World) -> None:
    """Else whoever still has the link would get in as someone else."""
    token = invite(world).token
    member_id = world.enrolled(EMAIL).member_id
    assert world.invitations.pending(world.organization_id) == []
    with pytest.raises(InvalidCode):
        accept(world, token)
    assert not world.passwords.has(world.organization_id, member_id)


def test_who_is_removed_or_demoted_leaves_no_way_back_in(world: World) -> None:
    admin = Actor(world.join("admin@example.com", "owner"))
    for email, role in (("a@x.de", "owner"), ("b@x.de", "admin"), ("c@x.de", "member")):
        world.invitations.invite(world.organization_id, email, role, by_role="owner", actor=admin)
    kept = invite(world, "kept@x.de", "owner")

    def pending() -> list[str]:
        return [i.email for i in world.invitations.pending(world.organization_id)]

    mine = (world.organization_id, admin.who)
    world.members.set_role(*mine, "admin", by_role="owner", actor=world.owner)
    assert pending() == ["b@x.de", "c@x.de", "kept@x.de"]
    world.members.remove(*mine, by_role="owner", actor=world.owner)
    assert pending() == ["kept@x.de"]
    assert world.invitations.peek(kept.token)


def test_no_link_is_written_down(world: World) -> None:
    invited = invite(world)
    mine = (world.organization_id, invited.invitation.invitation_id)
    world.invitations.token(*mine, actor=world.owner)
    told = repr(world.audit()) + repr(world.invitations.get(*mine))
    assert "invitation.link" in told
    assert invited.token.partition(".")[2] not in told
