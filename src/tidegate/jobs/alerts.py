"""Looks every few seconds whether alerts are due, makes digests, and sends what is in the outbox.

The two do not wait for each other: an endpoint that hangs delays messages, not the looking.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from tidegate.jobs.passes import again
from tidegate.services.alert_delivery import AlertDelivery
from tidegate.services.alert_digest import AlertDigest
from tidegate.services.alert_watch import AlertWatch
from tidegate.services.log import Log

POLL_S: Final = 15.0
SEND_S: Final = 2.0
_CLEAN_S: Final = 3600.0


class AlertsJob:
    """Runs beside the console's pages; a pass that fails is tried again."""

    def __init__(
        self,
        watch: AlertWatch,
        digest: AlertDigest,
        delivery: AlertDelivery,
        log: Log,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watch = watch
        self._digest = digest
        self._delivery = delivery
        self._log = log
        self._clock_s = clock_s
        self._clean_due_s = 0.0

    async def run(
        self, stop: asyncio.Event, poll_s: float = POLL_S, send_s: float = SEND_S
    ) -> None:
        """Watch and send until told to stop."""
        await asyncio.gather(
            again(stop, poll_s, self.look, "alerts.look_failed", self._log),
            again(stop, send_s, lambda: self.send(stop), "alerts.send_failed", self._log),
        )

    def look(self) -> None:
        """Look once, if it is this console's turn. One organization's fault is not another's."""
        self._watch.note_backlog()
        if not self._watch.may_look():
            return
        for organization_id in self._watch.organizations():
            try:
                self._look_at(organization_id)
            except Exception as fault:  # noqa: BLE001 - the others are to be looked at
                self._log.error(
                    "alerts.look_failed", organization=organization_id, error=str(fault)
                )

    def _look_at(self, organization_id: str) -> None:
        if fired := self._watch.look(organization_id):
            self._log.info("alerts.fired", organization=organization_id, alerts=fired)
        if self._digest.make(organization_id):
            self._log.info("alerts.digest", organization=organization_id)

    def send(self, stop: asyncio.Event) -> None:
        """Send what is due; now and then forget what was sent long ago."""
        if sent := self._delivery.run(lambda: not stop.is_set()):
            self._log.info("alerts.sent", messages=sent)
        if self._clock_s() >= self._clean_due_s:
            self._delivery.clean()
            self._clean_due_s = self._clock_s() + _CLEAN_S
