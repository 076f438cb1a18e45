"""Which mail says what, and by whose server it goes."""

import socket
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from tests.mail_server import MailServer as Server
from tests.unit.services.world import World

from tidegate.services.invitations import Invited
from tidegate.services.mail import MailSender
from tidegate.services.mail_form import MailForm
from tidegate.services.mail_settings import MailSettings
from tidegate.services.notices import Notices
from tidegate.services.organizations import Organizations
from tidegate.services.passwords import Reset, SignInLink

pytestmark = pytest.mark.slow

URL = "https://tidegate.example"


def connect(_host: str, port: int, timeout_s: float) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout_s)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        yield made


@pytest.fixture
def notices(world: World, server: Server) -> Notices:
    settings = MailSettings(world.store, world.subkeys, world.clock, sender=MailSender(connect))
    settings.set(world.organization_id, form(server))
    return Notices(world.organizations, settings, URL + "/")


def form(server: Server) -> MailForm:
    return MailForm(
        host="mail.test", port=server.port, security="none", sender="noreply@acme.example"
    )


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def invited(world: World, role: str = "admin") -> Invited:
    return world.invitations.invite(
        world.organization_id, "Ada@Example.com", role, by_role="owner", actor=world.owner
    )


def test_an_invitation(world: World, notices: Notices, server: Server) -> None:
    made = invited(world)
    delivery = notices.invitation(world.organization_id, made, "Maya Lindqvist")
    assert (delivery.sent, delivery.configured, delivery.fault) == (True, True, "")
    [message] = server.messages
    assert message["To"] == "ada@example.com"
    assert message["Subject"] == "Maya Lindqvist invited you to Acme on Tidegate"
    assert text_of(message) == (
        "Maya Lindqvist invited you to join Acme on Tidegate as an admin.\n\n"
        "Tidegate is the gateway between the team's coding agents and their providers.\n\n"
        f"Accept the invitation:\n{URL}/join/{made.token}\n\n"
        "The link works once, until 8 March 2026, 00:00 UTC.\n\n"
        "If you do not know what this is about, you need not do anything.\n"
    )


def test_a_password_reset(world: World, notices: Notices, server: Server) -> None:
    [reset] = world.passwords.make_reset("owner@example.com")
    assert notices.reset(reset).sent
    [message] = server.messages
    assert (message["To"], message["Subject"]) == (
        "owner@example.com",
        "Set a new password for Acme on Tidegate",
    )
    assert f"{URL}/reset/{reset.token}\n" in text_of(message)
    assert "The link works once, for an hour." in text_of(message)


def test_a_link_to_sign_in(world: World, notices: Notices, server: Server) -> None:
    [link] = world.passwords.make_links("owner@example.com")
    assert notices.sign_in_link(link).sent
    [message] = server.messages
    assert message["Subject"] == "Sign in to Acme on Tidegate"
    assert f"{URL}/sign-in/{link.token}\n" in text_of(message)
    assert "The link works once, for 15 minutes." in text_of(message)
    html = message.get_body(("html",))
    assert html is not None
    assert f'href="{URL}/sign-in/{link.token}"' in html.get_content()


def test_without_a_mail_server_nothing_is_sent(world: World, server: Server) -> None:
    settings = MailSettings(world.store, world.subkeys, world.clock, sender=MailSender(connect))
    notices = Notices(world.organizations, settings, URL)
    delivery = notices.invitation(world.organization_id, invited(world), "Maya")
    assert (delivery.sent, delivery.configured, delivery.fault) == (False, False, "")
    assert server.messages == []


def test_each_link_goes_by_its_own_organizations_server(
    world: World, notices: Notices, server: Server
) -> None:
    other = world.organizations.bootstrap("Other", "owner@example.com").organization_id
    resets = world.passwords.make_reset("owner@example.com")
    sent = {r.organization_id: notices.reset(r).sent for r in resets}
    assert sent == {world.organization_id: True, other: False}
    assert "Acme" in server.messages[0]["Subject"]
    assert len(server.messages) == 1


def test_names_are_names(server: Server, world: World) -> None:
    settings = MailSettings(world.store, world.subkeys, world.clock, sender=MailSender(connect))
    organizations = Organizations(world.store, world.subkeys, world.clock)
    organizations.update(world.organization_id, name="<b>Acme</b> =?utf-8?q?x=0ABcc:_a@b.c?=")
    settings.set(world.organization_id, form(server))
    notices = Notices(organizations, settings, URL)
    assert notices.invitation(world.organization_id, invited(world), "<i>Maya\u2028Bcc: x").sent
    [message] = server.messages
    assert message["Bcc"] is None
    assert server.envelopes[0].rcpt_tos == ["ada@example.com"]
    html = message.get_body(("html",))
    assert html is not None
    assert "<b>" not in html.get_content()
    assert "<i>" not in html.get_content()


@pytest.mark.parametrize("kind", [Reset, SignInLink])
def test_a_token_stays_within_its_path(
    world: World, notices: Notices, server: Server, kind: type[Reset] | type[SignInLink]
) -> None:
    made = kind(
        organization_id=world.organization_id,
        organization_name="Acme",
        email="ada@example.com",
        token='a/../b?"><script>',
    )
    if isinstance(made, Reset):
        notices.reset(made)
    else:
        notices.sign_in_link(made)
    assert "/a%2F..%2Fb%3F%22%3E%3Cscript%3E\n" in text_of(server.messages[0])
