"""To whom a message goes: one entry of the outbox for each channel and receiver."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from tidegate.core.model import Role
from tidegate.services.alert_messages import ChannelKind, Event, Message
from tidegate.services.ids import new_id
from tidegate.store.alerts import AlertRecord, ChannelRecord, DeliveryRecord
from tidegate.store.ports import DirectoryReads

ADMINS: Final = "admins"
"""As the target of a channel of mail: every admin and owner there is when a message is made."""
BY_MAIL: Final = ""
"""As the channel of an entry: the organization's mail server, whatever channels there are."""


def address(
    reads: DirectoryReads,
    message: Message,
    source: str,
    about: AlertRecord | None = None,
    *,
    now_us: int,
) -> list[DeliveryRecord]:
    """The entries of a message by every channel that takes it; source and event name it."""
    critical = about is not None and about.critical
    entry = _entry(message, source, critical=critical, now_us=now_us)
    return [
        msgspec.structs.replace(
            entry,
            delivery_id=new_id("dlv"),
            channel_id=channel.channel_id,
            receiver=receiver,
        )
        for channel in reads.channels(message.organization_id)
        if _takes(channel, message.event)
        for receiver in dict.fromkeys(_receivers(reads, channel, about))
    ]


def mail(
    reads: DirectoryReads,
    message: Message,
    source: str,
    receivers: Iterable[str],
    *,
    critical: bool = False,
    now_us: int,
) -> list[DeliveryRecord]:
    """The entries of a message to people; none where the organization has no mail server."""
    if reads.mail_settings(message.organization_id) is None:
        return []
    entry = _entry(message, source, critical=critical, now_us=now_us)
    return [
        msgspec.structs.replace(entry, delivery_id=new_id("dlv"), receiver=receiver)
        for receiver in dict.fromkeys(receivers)
    ]


def admins(reads: DirectoryReads, organization_id: str) -> list[str]:
    """The addresses of admins and owners."""
    return [
        member.email
        for member in reads.members(organization_id)
        if not member.removed_us and member.role in {Role.ADMIN, Role.OWNER}
    ]


def _entry(message: Message, source: str, *, critical: bool, now_us: int) -> DeliveryRecord:
    return DeliveryRecord(
        delivery_id="",
        organization_id=message.organization_id,
        channel_id=BY_MAIL,
        event=message.event,
        source=source,
        message=msgspec.json.encode(message),
        critical=critical,
        created_us=now_us,
        next_us=now_us,
    )


def _takes(channel: ChannelRecord, event: str) -> bool:
    if not channel.enabled or (event == Event.ENDED and not channel.sends_ended):
        return False
    return event != Event.DIGEST or channel.kind != ChannelKind.WEBHOOK


def _receivers(
    reads: DirectoryReads, channel: ChannelRecord, about: AlertRecord | None
) -> Iterator[str]:
    if channel.kind != ChannelKind.EMAIL:
        yield ""
        return
    if channel.target == ADMINS:
        yield from admins(reads, channel.organization_id)
    else:
        yield from channel.target.split(", ")
    if channel.to_members and about is not None and about.member_id:
        member = reads.member(channel.organization_id, about.member_id)
        if member is not None and not member.removed_us:
            yield member.email
