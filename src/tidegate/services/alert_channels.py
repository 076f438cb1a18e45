"""Where alerts are sent: mail, Slack, Microsoft Teams, signed webhooks. Addresses of the latter
three are secrets: they are sealed, and only their host is shown again."""

from collections.abc import Sequence
from typing import Final

import msgspec

from tidegate.services import audit, fields
from tidegate.services.alert_messages import ChannelKind
from tidegate.services.alert_outbox import ADMINS
from tidegate.services.audit import Action, Actor
from tidegate.services.context import Service
from tidegate.services.errors import Conflict, InvalidField, NotFound
from tidegate.services.ids import new_id
from tidegate.services.vault import Subkeys, new_token, seal, unseal
from tidegate.services.webhooks import place, webhook_url
from tidegate.store.alerts import ChannelRecord, DeliveryRecord
from tidegate.store.ports import DirectoryChange

MAX_CHANNELS: Final = 20
_MAX_ADDRESSES: Final = 20
_GONE: Final = "There is no such channel in this organization."
_SIGNING_PREFIX: Final = "tgw_"


class ChannelSecret(msgspec.Struct, frozen=True):
    """What is sealed of a channel."""

    url: str = ""
    signing: str = ""  # what webhooks are signed with

    def __repr__(self) -> str:
        return "ChannelSecret()"


class ChannelForm(msgspec.Struct, frozen=True, kw_only=True):
    """A channel as someone wants it."""

    kind: str
    name: str = ""
    url: str = ""  # of a present channel: empty keeps it
    addresses: str = ADMINS  # of mail, separated by commas
    enabled: bool = True
    sends_ended: bool = True
    to_members: bool = False

    def __repr__(self) -> str:
        return f"ChannelForm({self.kind})"


class MadeChannel(msgspec.Struct, frozen=True):
    """A channel, and the secret that its webhooks are signed with: shown this once."""

    record: ChannelRecord
    signing_secret: str = ""

    def __repr__(self) -> str:
        return f"MadeChannel({self.record.channel_id})"


class AlertChannels(Service):
    """An organization's channels."""

    def list(self, organization_id: str) -> list[ChannelRecord]:
        """Oldest first."""
        with self._directory.reading() as reads:
            return reads.channels(organization_id)

    def get(self, organization_id: str, channel_id: str) -> ChannelRecord:
        """One of them."""
        with self._directory.reading() as reads:
            return _known(reads.channel(organization_id, channel_id))

    def deliveries(self, organization_id: str, channel_id: str) -> Sequence[DeliveryRecord]:
        """The newest messages of one."""
        with self._directory.reading() as reads:
            return reads.deliveries(organization_id, channel_id, 20)

    def create(self, organization_id: str, form: ChannelForm, *, actor: Actor) -> MadeChannel:
        """Make a channel."""
        if form.kind not in list(ChannelKind):
            raise InvalidField(f"Choose one of {', '.join(ChannelKind)}.", field="kind")
        kind, channel_id = ChannelKind(form.kind), new_id("chan")
        target, secret = _target(kind, form, ChannelSecret())
        if kind is ChannelKind.WEBHOOK:
            secret = ChannelSecret(secret.url, _SIGNING_PREFIX + new_token())
        now_us = self._clock()
        record = ChannelRecord(
            channel_id=channel_id,
            organization_id=organization_id,
            kind=kind,
            name=_name(form, kind),
            target=target,
            ciphertext=self._sealed(organization_id, channel_id, secret),
            enabled=form.enabled,
            sends_ended=form.sends_ended,
            to_members=form.to_members and kind is ChannelKind.EMAIL,
            created_us=now_us,
            updated_us=now_us,
        )
        with self._directory.changing() as change:
            if change.organization(organization_id) is None:
                raise NotFound("There is no such organization.")
            if len(change.channels(organization_id)) >= MAX_CHANNELS:
                raise Conflict(f"There are {MAX_CHANNELS} channels. Remove one first.")
            change.put_channel(record)
            self._audit(change, actor, "alert_channel.create", record)
        return MadeChannel(record, secret.signing)

    def update(
        self, organization_id: str, channel_id: str, form: ChannelForm, *, actor: Actor
    ) -> ChannelRecord:
        """Change a channel. Without a new address it keeps the present one."""
        with self._directory.changing() as change:
            before = _known(change.channel(organization_id, channel_id))
            kind = ChannelKind(before.kind)
            target, ciphertext = before.target, before.ciphertext
            if kind is ChannelKind.EMAIL:
                target, _ = _target(kind, form, ChannelSecret())
            elif form.url.strip():
                target, secret = _target(kind, form, open_secret(self._subkeys, before))
                ciphertext = self._sealed(organization_id, channel_id, secret)
            after = msgspec.structs.replace(
                before,
                name=_name(form, kind),
                target=target,
                ciphertext=ciphertext,
                enabled=form.enabled,
                sends_ended=form.sends_ended,
                to_members=form.to_members and kind is ChannelKind.EMAIL,
                updated_us=self._clock(),
            )
            change.put_channel(after)
            self._audit(change, actor, "alert_channel.update", after)
        return after

    def renew_secret(self, organization_id: str, channel_id: str, *, actor: Actor) -> MadeChannel:
        """Sign by a new secret from now on."""
        with self._directory.changing() as change:
            before = _known(change.channel(organization_id, channel_id))
            if before.kind != ChannelKind.WEBHOOK:
                raise Conflict("Only webhooks are signed.")
            secret = ChannelSecret(
                open_secret(self._subkeys, before).url, _SIGNING_PREFIX + new_token()
            )
            after = msgspec.structs.replace(
                before,
                ciphertext=self._sealed(organization_id, channel_id, secret),
                updated_us=self._clock(),
            )
            change.put_channel(after)
            self._audit(change, actor, "alert_channel.renew_secret", after)
        return MadeChannel(after, secret.signing)

    def delete(self, organization_id: str, channel_id: str, *, actor: Actor) -> None:
        """Remove a channel, with what was still to be sent by it."""
        with self._directory.changing() as change:
            record = _known(change.channel(organization_id, channel_id))
            change.delete_channel(organization_id, channel_id)
            self._audit(change, actor, "alert_channel.delete", record)

    def _sealed(self, organization_id: str, channel_id: str, secret: ChannelSecret) -> bytes:
        if not secret.url:
            return b""
        text = msgspec.json.encode(secret).decode()
        return seal(self._subkeys.credential, text, context=_context(organization_id, channel_id))

    def _audit(
        self, change: DirectoryChange, actor: Actor, name: str, record: ChannelRecord
    ) -> None:
        detail = {
            "kind": record.kind,
            "name": record.name,
            "to": record.target,
            "enabled": "yes" if record.enabled else "no",
        }
        action = Action(name, record.organization_id, record.channel_id, detail)
        audit.record(change, actor, action, self._clock())


def open_secret(subkeys: Subkeys, channel: ChannelRecord) -> ChannelSecret:
    """What is sealed of a channel. Raises SealBroken."""
    context = _context(channel.organization_id, channel.channel_id)
    text = unseal(subkeys.credential, channel.ciphertext, context=context)
    return msgspec.json.decode(text, type=ChannelSecret)


def _known(record: ChannelRecord | None) -> ChannelRecord:
    if record is None:
        raise NotFound(_GONE)
    return record


def _target(
    kind: ChannelKind, form: ChannelForm, before: ChannelSecret
) -> tuple[str, ChannelSecret]:
    if kind is not ChannelKind.EMAIL:
        url = webhook_url(form.url)
        return place(url), ChannelSecret(url, before.signing)
    if form.addresses.strip() == ADMINS:
        return ADMINS, before
    words = [word for word in form.addresses.replace(",", " ").split() if word]
    if not 1 <= len(words) <= _MAX_ADDRESSES:
        raise InvalidField(
            f"Give one to {_MAX_ADDRESSES} addresses, or the word {ADMINS}.", field="addresses"
        )
    try:
        found = [fields.email_address(word) for word in words]
    except InvalidField as fault:
        raise InvalidField(fault.message, field="addresses") from None
    return ", ".join(dict.fromkeys(found)), before


def _name(form: ChannelForm, kind: ChannelKind) -> str:
    return fields.display_name(form.name, field="name") if form.name.strip() else kind.label


def _context(organization_id: str, channel_id: str) -> str:
    return f"alerts:{organization_id}:{channel_id}"
