"""An organization's mail server: checked, sealed, never shown, and used for its own mail alone."""

import socket
from collections.abc import Iterator

import msgspec
import pytest
from tests.mail_server import MailServer as Server
from tests.unit.services.world import World
from tests.wire.authority import Authority

from tidegate.services.audit import Actor
from tidegate.services.errors import InvalidField, NotFound
from tidegate.services.letters import Letter
from tidegate.services.mail import MailSender
from tidegate.services.mail_form import MailForm, checked
from tidegate.services.mail_settings import MailSettings
from tidegate.services.vault import derive, unseal

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"
FORM = MailForm(
    host="smtp.example.com", user_name="ada", password=PASSWORD, sender="Noreply@Example.com "
)
ADA = Actor("mem_ada", "203.0.113.7")
LETTER = Letter(subject="Hello", paragraphs=("Words.",))


def connect(_host: str, port: int, timeout_s: float) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout_s)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def settings(world: World, authority: Authority) -> MailSettings:
    sender = MailSender(connect, authority.client_context)
    return MailSettings(world.store, world.subkeys, world.clock, sender=sender)


@pytest.fixture
def server(authority: Authority) -> Iterator[Server]:
    tls = authority.server_context(())
    with Server("starttls", tls=tls, sign_in=("ada", PASSWORD)) as made:
        yield made


def changed(**given: object) -> MailForm:
    return msgspec.structs.replace(FORM, **given)


def test_settings_are_shown_without_the_password(world: World, settings: MailSettings) -> None:
    assert settings.get(world.organization_id) is None
    assert not settings.configured(world.organization_id)
    shown = settings.set(world.organization_id, FORM, actor=ADA)
    assert shown == settings.get(world.organization_id)
    assert msgspec.to_builtins(shown) == {
        "host": "smtp.example.com",
        "port": 587,
        "security": "starttls",
        "user_name": "ada",
        "has_password": True,
        "sender": "noreply@example.com",
        "updated_us": world.clock(),
    }
    assert settings.configured(world.organization_id)


def test_the_password_is_sealed_for_its_organization(world: World, settings: MailSettings) -> None:
    settings.set(world.organization_id, FORM)
    with world.store.directory.reading() as reads:
        record = reads.mail_settings(world.organization_id)
    assert record is not None
    assert PASSWORD.encode() not in record.password_ciphertext
    context = f"mail:{world.organization_id}"
    assert unseal(world.subkeys.credential, record.password_ciphertext, context=context) == PASSWORD
    assert PASSWORD not in repr(FORM)


def test_every_change_is_written_down_without_the_password(
    world: World, settings: MailSettings
) -> None:
    settings.set(world.organization_id, FORM, actor=ADA)
    settings.set(world.organization_id, changed(password=None, port=2525), actor=ADA)
    settings.remove(world.organization_id, actor=ADA)
    entries = [e for e in world.audit() if e.action.startswith("mail_settings.")]
    assert [e.action for e in entries] == [
        "mail_settings.set",
        "mail_settings.set",
        "mail_settings.remove",
    ]
    assert {(e.actor, e.address, e.target) for e in entries} == {
        ("mem_ada", "203.0.113.7", world.organization_id)
    }
    assert [e.detail.get("new_password") for e in entries] == ["yes", "no", None]
    assert entries[1].detail["port"] == "2525"
    assert PASSWORD not in str(entries)


def test_the_password_stays_when_none_is_typed(
    world: World, settings: MailSettings, server: Server
) -> None:
    settings.set(world.organization_id, changed(host="localhost", port=server.port))
    kept = changed(host="localhost", port=server.port, password=None, sender="post@acme.example")
    assert settings.set(world.organization_id, kept).has_password
    assert settings.send(world.organization_id, "ada@example.com", LETTER).sent
    assert server.messages[0]["From"].addresses[0].addr_spec == "post@acme.example"


def test_a_kept_password_goes_to_no_other_server(world: World, settings: MailSettings) -> None:
    settings.set(world.organization_id, FORM)
    with pytest.raises(InvalidField, match="given for smtp") as refusal:
        settings.set(world.organization_id, changed(host="smtp.evil.example", password=None))
    assert refusal.value.field == "password"
    shown = settings.get(world.organization_id)
    assert shown is not None
    assert shown.host == "smtp.example.com"


def test_a_user_name_needs_a_password(world: World, settings: MailSettings) -> None:
    for password in (None, ""):
        with pytest.raises(InvalidField, match="needs its password") as refusal:
            settings.set(world.organization_id, changed(password=password))
        assert refusal.value.field == "password"
    assert settings.get(world.organization_id) is None


def test_without_a_user_name_the_password_is_forgotten(
    world: World, settings: MailSettings
) -> None:
    settings.set(world.organization_id, FORM)
    assert not settings.set(
        world.organization_id, changed(user_name="", password=None)
    ).has_password
    with pytest.raises(InvalidField, match="needs its password"):
        settings.set(world.organization_id, changed(password=None))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"host": ""}, "host"),
        ({"host": "https://smtp.example.com"}, "host"),
        ({"host": "smtp.example.com:587"}, "host"),
        ({"host": "smtp example.com"}, "host"),
        ({"host": "smtp.example.com\r\nX"}, "host"),
        ({"host": "-x.example.com"}, "host"),
        ({"host": "x" * 300}, "host"),
        ({"port": 0}, "port"),
        ({"port": 65536}, "port"),
        ({"port": "abc"}, "port"),
        ({"port": "-1"}, "port"),
        ({"port": "\u0665"}, "port"),
        ({"port": "1" * 5000}, "port"),
        ({"security": "ssl"}, "security"),
        ({"security": "none"}, "security"),  # with a password
        ({"user_name": "a" * 1001}, "user_name"),
        ({"user_name": "a\r\nb"}, "user_name"),
        ({"user_name": ""}, "user_name"),  # with a password
        ({"password": "пароль"}, "password"),
        ({"password": "a\nb"}, "password"),
        ({"sender": ""}, "sender"),
        ({"sender": "nobody"}, "sender"),
        ({"sender": "a@b.c\r\nBcc: d@e.f"}, "sender"),
    ],
)
def test_refused_fields_are_named(
    world: World, settings: MailSettings, given: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidField) as refusal:
        settings.set(world.organization_id, changed(**given))
    assert refusal.value.field == field
    assert PASSWORD not in refusal.value.message
    assert settings.get(world.organization_id) is None


@pytest.mark.parametrize(
    ("host", "kept"),
    [
        (" SMTP.Example.com. ", "smtp.example.com"),
        ("smtp.bücher.example", "smtp.xn--bcher-kva.example"),
        ("192.0.2.7", "192.0.2.7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("localhost", "localhost"),
    ],
)
def test_hosts_that_are_taken(host: str, kept: str) -> None:
    assert checked(changed(host=host, port=" 25 ")).server.host == kept


def test_a_test_message(world: World, settings: MailSettings, server: Server) -> None:
    unset = settings.test(world.organization_id, "ada@example.com", actor=ADA)
    assert (unset.sent, unset.configured, unset.fault) == (False, False, "")
    settings.set(world.organization_id, changed(host="localhost", port=server.port))
    delivery = settings.test(world.organization_id, "Ada@Example.com", actor=ADA)
    assert (delivery.sent, delivery.configured, delivery.fault) == (True, True, "")
    assert server.messages[0]["To"] == "ada@example.com"
    assert server.messages[0]["From"].addresses[0].display_name == "Acme (Tidegate)"
    [entry] = [e for e in world.audit() if e.action == "mail_settings.test"]
    assert entry.detail == {"to": "ada@example.com", "sent": "yes"}
    with pytest.raises(InvalidField):
        settings.test(world.organization_id, "nobody")


def test_what_went_wrong_is_told(world: World, settings: MailSettings, server: Server) -> None:
    form = changed(host="localhost", port=server.port, password="wrong")
    settings.set(world.organization_id, form)
    delivery = settings.send(world.organization_id, "ada@example.com", LETTER)
    assert not delivery.sent
    assert "refused user name and password" in delivery.fault


def test_another_master_key_cannot_open_the_password(world: World, settings: MailSettings) -> None:
    settings.set(world.organization_id, FORM)
    other = MailSettings(world.store, derive(b"o" * 32), world.clock, sender=MailSender(connect))
    delivery = other.send(world.organization_id, "ada@example.com", LETTER)
    assert "cannot be read with this master key" in delivery.fault


def test_another_organization_has_none_of_it(world: World, settings: MailSettings) -> None:
    other = world.organizations.bootstrap("Other", "a@b.c").organization_id
    settings.set(world.organization_id, FORM)
    assert settings.get(other) is None
    assert not settings.send(other, "ada@example.com", LETTER).configured
    with pytest.raises(NotFound):
        settings.remove(other)
    with pytest.raises(NotFound):
        settings.set("org_none", FORM)
