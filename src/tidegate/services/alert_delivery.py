"""Sending what is in the outbox: again with growing pauses where it fails, and given up visibly.

A message is claimed before it is sent and marked after, so that two consoles do not send the same
one. One that a console was at when it died is sent again; its id tells a receiver that it is.
"""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from tidegate.core.quiet_hours import QuietHours
from tidegate.core.signatures import DELIVERY, EVENT, SIGNATURE, TIMESTAMP, signature
from tidegate.services.alert_channels import ChannelSecret, open_secret
from tidegate.services.alert_messages import ChannelKind, Message, letter, slack, teams, webhook
from tidegate.services.context import Clock, Service, now_us
from tidegate.services.mail_settings import MailSettings
from tidegate.services.vault import SealBroken, Subkeys
from tidegate.services.webhooks import WebhookFault, WebhookSender
from tidegate.store.alerts import ChannelRecord, DeliveryRecord
from tidegate.store.ports import DirectoryReads, Store

ATTEMPTS: Final = 8
FIRST_PAUSE_S: Final = 30
LONGEST_PAUSE_S: Final = 3600
_CLAIM_US: Final = 300_000_000  # longer than a pass can take
_AT_ONCE: Final = 8
_OF_ONE: Final = 10  # messages of an organization in a pass
_IN_A_PASS: Final = 24  # three rounds, of about a minute where every server hangs
_SECOND_US: Final = 1_000_000
_KEPT_US: Final = 90 * 86_400 * _SECOND_US
_OFF: Final = "The channel is switched off."
_NO_MAIL: Final = "There is no mail server. Set one up under Settings, Email."
_UNREADABLE: Final = "The channel's secret cannot be read with this master key. Set it anew."


class AlertDelivery(Service):
    """Sends messages by their channels. Takes seconds: not for an event loop."""

    def __init__(
        self,
        store: Store,
        subkeys: Subkeys,
        clock: Clock = now_us,
        *,
        mail: MailSettings,
        webhooks: WebhookSender,
        chance: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(store, subkeys, clock)
        self._mail = mail
        self._webhooks = webhooks
        self._chance = chance

    def run(self, may_go_on: Callable[[], bool] = lambda: True) -> int:
        """Send all that is due: how many messages were taken."""
        taken = 0
        while may_go_on():
            claimed = self._claim()
            if not claimed:
                break
            with ThreadPoolExecutor(_AT_ONCE, "alerts") as threads:
                taken += sum(threads.map(self._deliver, claimed))
        return taken

    def clean(self) -> None:
        """Forget messages that were sent or given up long ago."""
        with self._directory.changing() as change:
            change.delete_old_deliveries(self._clock() - _KEPT_US)

    def send(
        self, channel: ChannelRecord, message: Message, *, receiver: str = "", delivery_id: str
    ) -> str:
        """Send a message now: what went wrong, as a sentence, or nothing."""
        kind = ChannelKind(channel.kind)
        if kind is ChannelKind.EMAIL:
            return self._send_mail(message, receiver, delivery_id)
        try:
            secret = open_secret(self._subkeys, channel)
            body, headers = self._request(kind, message, secret, delivery_id)
            self._webhooks.post(secret.url, body, headers)
        except SealBroken:
            return _UNREADABLE
        except WebhookFault as fault:
            return str(fault)
        return ""

    def _send_mail(self, message: Message, receiver: str, delivery_id: str) -> str:
        """A mail that is sent again has the id that it had: servers may drop it."""
        sent = self._mail.send(
            message.organization_id, receiver, letter(message), message_id=delivery_id
        )
        return "" if sent.sent else sent.fault or _NO_MAIL

    def _request(
        self, kind: ChannelKind, message: Message, secret: ChannelSecret, delivery_id: str
    ) -> tuple[bytes, dict[str, str]]:
        headers = {"content-type": "application/json", "user-agent": "tidegate"}
        if kind is not ChannelKind.WEBHOOK:
            make = slack if kind is ChannelKind.SLACK else teams
            return msgspec.json.encode(make(message)), headers
        body = msgspec.json.encode(webhook(message, delivery_id))
        at_s = self._clock() // _SECOND_US
        return body, headers | {
            EVENT: message.event,
            DELIVERY: delivery_id,
            TIMESTAMP: str(at_s),
            SIGNATURE: signature(secret.signing, at_s, body),
        }

    def _claim(self) -> list[tuple[ChannelRecord | None, DeliveryRecord]]:
        now_us = self._clock()
        latest_us = now_us + 2 * LONGEST_PAUSE_S * _SECOND_US
        with self._directory.reading() as reads:
            due = reads.due_organizations(now_us, latest_us)
            quiet = {each: _is_quiet(reads, each, now_us) for each in due}
            quiet = {each: held for each, held in quiet.items() if due[each] or not held}
        found: list[tuple[ChannelRecord | None, DeliveryRecord]] = []
        for organization_id, is_quiet in quiet.items():
            if len(found) >= _IN_A_PASS:
                break
            with self._directory.changing() as change:
                channels = {c.channel_id: c for c in change.channels(organization_id)}
                claimed = change.claim_deliveries(
                    organization_id,
                    now_us,
                    latest_us=latest_us,
                    until_us=now_us + _CLAIM_US,
                    only_critical=is_quiet,
                    limit=min(_OF_ONE, _IN_A_PASS - len(found)),
                )
                found += [(channels.get(each.channel_id), each) for each in claimed]
        return found

    def _deliver(self, claimed: tuple[ChannelRecord | None, DeliveryRecord]) -> bool:
        channel, record = claimed
        try:
            message = msgspec.json.decode(record.message, type=Message)
            receiver, delivery_id = record.receiver, record.delivery_id
            if channel is None:
                fault = self._send_mail(message, receiver, delivery_id)
            elif not channel.enabled:
                fault = _OFF
            else:
                fault = self.send(channel, message, receiver=receiver, delivery_id=delivery_id)
        except Exception as broken:  # noqa: BLE001 - one message must not keep others
            fault = f"The message could not be made: {type(broken).__name__}."
        self._note(record, fault)
        return not fault

    def _note(self, record: DeliveryRecord, fault: str) -> None:
        """Write down what came of an attempt, where the channel's page shows it."""
        now_us = self._clock()
        if not fault:
            after = msgspec.structs.replace(record, done_us=now_us, fault="")
        elif record.attempts >= ATTEMPTS:
            after = msgspec.structs.replace(record, failed_us=now_us, fault=fault)
        else:
            pause_us = int(pause_s(record.attempts, self._chance()) * _SECOND_US)
            after = msgspec.structs.replace(record, next_us=now_us + pause_us, fault=fault)
        with self._directory.changing() as change:
            change.update_delivery(after)
            channel = change.channel(record.organization_id, record.channel_id)
            if channel is not None:
                noted = {"failed_us": now_us, "fault": fault} if fault else {"sent_us": now_us}
                change.put_channel(msgspec.structs.replace(channel, **noted))


def pause_s(attempts: int, chance: float) -> float:
    """How long to wait after so many attempts: twice as long each time, and never in step."""
    whole = min(FIRST_PAUSE_S * 2 ** min(attempts - 1, 20), LONGEST_PAUSE_S)
    return float(whole * (0.5 + chance / 2))


def _is_quiet(reads: DirectoryReads, organization_id: str, now_us: int) -> bool:
    settings = reads.alert_settings(organization_id)
    organization = reads.organization(organization_id)
    if settings is None or organization is None:
        return False
    hours = QuietHours(settings.quiet_from, settings.quiet_to)
    return hours.has(now_us, ZoneInfo(organization.time_zone))
