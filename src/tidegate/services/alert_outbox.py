"""To whom a message goes: one entry of the outbox for each channel and receiver."""

from collections.abc import Iterator
from typing import Final

import msgspec

from tidegate.core.model import Role
from tidegate.services.alert_messages import ChannelKind, Event, Message
from tidegate.services.ids import new_id
from tidegate.store.alerts import AlertRecord, ChannelRecord, DeliveryRecord
from tidegate.store.ports import DirectoryReads

ADMINS: Final = "admins"
"""As the target of a channel of mail: every admin and owner there is when a message is made."""


def address(
    reads: DirectoryReads,
    message: Message,
    source: str,
    about: AlertRecord | None = None,
    *,
    now_us: int,
) -> list[DeliveryRecord]:
    """The entries of a message; source and event name it."""
    packed = msgspec.json.encode(message)
    found = []
    for channel in reads.channels(message.organization_id):
        if not _takes(channel, message.event):
            continue
        for receiver in dict.fromkeys(_receivers(reads, channel, about)):
            record = DeliveryRecord(
                delivery_id=new_id("dlv"),
                organization_id=message.organization_id,
                channel_id=channel.channel_id,
                event=message.event,
                source=source,
                receiver=receiver,
                message=packed,
                critical=about is not None and about.critical,
                created_us=now_us,
                next_us=now_us,
            )
            found.append(record)
    return found


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
    members = {m.member_id: m for m in reads.members(channel.organization_id) if not m.removed_us}
    if channel.target == ADMINS:
        yield from (m.email for m in members.values() if m.role in {Role.ADMIN, Role.OWNER})
    else:
        yield from channel.target.split(", ")
    if channel.to_members and about is not None and about.member_id in members:
        yield members[about.member_id].email
