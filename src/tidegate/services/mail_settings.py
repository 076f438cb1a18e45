"""By which server an organization's mail goes out. The password is sealed and never shown again."""

from typing import Final

import msgspec

from tidegate.services import fields
from tidegate.services.audit import COMMAND_LINE, Actor
from tidegate.services.context import Clock, Service, now_us
from tidegate.services.errors import InvalidField, NotFound
from tidegate.services.letters import Envelope, Letter, make_message
from tidegate.services.mail import MailFault, MailSender, MailServer
from tidegate.services.mail_form import MailForm, checked
from tidegate.services.vault import SealBroken, Subkeys, seal, unseal
from tidegate.store.people import MailSettingsRecord
from tidegate.store.ports import Store

_TEST: Final = Letter(
    subject="Tidegate can send mail",
    paragraphs=("This is the test message that you asked for. Mail from Tidegate arrives here.",),
)


class MailView(msgspec.Struct, frozen=True, kw_only=True):
    """The settings as they may be shown."""

    host: str
    port: int
    security: str  # Security
    user_name: str
    has_password: bool
    sender: str
    updated_us: int


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a message; `fault` is a sentence where it could not be sent."""

    sent: bool = False
    configured: bool = True  # whether there is a mail server at all
    fault: str = ""


class MailSettings(Service):
    """One mail server per organization, or none."""

    def __init__(
        self, store: Store, subkeys: Subkeys, clock: Clock = now_us, *, sender: MailSender
    ) -> None:
        super().__init__(store, subkeys, clock)
        self._sender = sender

    def get(self, organization_id: str) -> MailView | None:
        """The settings without the password."""
        with self._directory.reading() as reads:
            record = reads.mail_settings(organization_id)
        return _view(record) if record else None

    def configured(self, organization_id: str) -> bool:
        """Whether mail can go out at all."""
        return self.get(organization_id) is not None

    def set(self, organization_id: str, form: MailForm, *, actor: Actor = COMMAND_LINE) -> MailView:
        """Keep new settings. A kept password goes to no other server than it was given for."""
        wanted = checked(form)
        with self._directory.changing() as change:
            if change.organization(organization_id) is None:
                raise NotFound("There is no such organization.")
            before = change.mail_settings(organization_id)
            if form.password is None and wanted.server.user_name:
                ciphertext = _kept(before, wanted.server.host)
            else:
                ciphertext = self._sealed(organization_id, wanted.server.password)
            if wanted.server.user_name and not ciphertext:
                raise InvalidField("The user name needs its password.", field="password")
            record = MailSettingsRecord(
                organization_id=organization_id,
                host=wanted.server.host,
                port=wanted.server.port,
                security=wanted.server.security,
                user_name=wanted.server.user_name,
                password_ciphertext=ciphertext,
                sender=wanted.sender,
                updated_us=self._clock(),
            )
            change.put_mail_settings(record)
            detail = _detail(record) | {"new_password": "yes" if form.password else "no"}
            self._audit_organization(change, actor, "mail_settings.set", organization_id, detail)
        return _view(record)

    def remove(self, organization_id: str, *, actor: Actor = COMMAND_LINE) -> None:
        """Forget the server and its password."""
        with self._directory.changing() as change:
            if change.mail_settings(organization_id) is None:
                raise NotFound("There is no mail server to remove.")
            change.delete_mail_settings(organization_id)
            self._audit_organization(change, actor, "mail_settings.remove", organization_id, {})

    def test(self, organization_id: str, to: str, *, actor: Actor = COMMAND_LINE) -> Delivery:
        """Send a test message. Takes seconds: not for an event loop."""
        address = fields.email_address(to)
        delivery = self.send(organization_id, address, _TEST)
        if delivery.configured:
            detail = {"to": address, "sent": "yes" if delivery.sent else "no"}
            with self._directory.changing() as change:
                self._audit_organization(
                    change, actor, "mail_settings.test", organization_id, detail
                )
        return delivery

    def send(
        self, organization_id: str, to: str, letter: Letter, *, message_id: str = ""
    ) -> Delivery:
        """Send a letter in the organization's name. Takes seconds: not for an event loop."""
        with self._directory.reading() as reads:
            record = reads.mail_settings(organization_id)
            organization = reads.organization(organization_id)
        if record is None or organization is None:
            return Delivery(configured=False)
        envelope = Envelope(
            name=organization.name,
            sender=record.sender,
            to=to,
            at_us=self._clock(),
            id=message_id,
        )
        try:
            self._sender.send(self._server(record), make_message(envelope, letter))
        except MailFault as fault:
            return Delivery(fault=str(fault))
        return Delivery(sent=True)

    def _server(self, record: MailSettingsRecord) -> MailServer:
        return MailServer(
            host=record.host,
            port=record.port,
            security=record.security,
            user_name=record.user_name,
            password=self._password(record),
        )

    def _password(self, record: MailSettingsRecord) -> str:
        if not record.password_ciphertext:
            return ""
        context = _context(record.organization_id)
        try:
            return unseal(self._subkeys.credential, record.password_ciphertext, context=context)
        except SealBroken:
            raise MailFault(
                "The mail server's password cannot be read with this master key."
                " Type it in again in the settings."
            ) from None

    def _sealed(self, organization_id: str, password: str) -> bytes:
        context = _context(organization_id)
        return seal(self._subkeys.credential, password, context=context) if password else b""


def _kept(before: MailSettingsRecord | None, host: str) -> bytes:
    if before is None or not before.password_ciphertext:
        return b""
    if before.host != host:
        raise InvalidField(
            f"Type the password in again: the present one was given for {before.host}.",
            field="password",
        )
    return before.password_ciphertext


def _view(record: MailSettingsRecord) -> MailView:
    return MailView(
        host=record.host,
        port=record.port,
        security=record.security,
        user_name=record.user_name,
        has_password=bool(record.password_ciphertext),
        sender=record.sender,
        updated_us=record.updated_us,
    )


def _detail(record: MailSettingsRecord) -> dict[str, str]:
    return {
        "host": record.host,
        "port": str(record.port),
        "security": record.security,
        "user_name": record.user_name,
        "sender": record.sender,
    }


def _context(organization_id: str) -> str:
    return f"mail:{organization_id}"
