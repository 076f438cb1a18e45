"""The channels of alerts, quiet hours and the weekly digest."""

import re
from collections.abc import Sequence
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from tidegate.console.access import Need, page
from tidegate.console.alerts import CURRENT
from tidegate.console.dialogs import actor_of
from tidegate.console.settings import SettingsView
from tidegate.console.web import Web
from tidegate.services.alert_channels import ChannelForm, MadeChannel
from tidegate.services.alert_messages import ChannelKind
from tidegate.services.alert_outbox import ADMINS, BY_MAIL
from tidegate.services.alerts import TestDelivery
from tidegate.services.errors import InvalidField, Refused
from tidegate.services.logins import Viewer
from tidegate.store.alerts import ChannelRecord, DeliveryRecord

PATH: Final = "/alerts/channels"
_TIME: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_ABOUT: Final = {
    ChannelKind.EMAIL: "Mail by the organization's mail server",
    ChannelKind.SLACK: "A message in a Slack channel, by an incoming webhook",
    ChannelKind.TEAMS: "A card in Microsoft Teams, by a Workflows webhook",
    ChannelKind.WEBHOOK: "Signed JSON to a program of yours",
}
_FIELDS: Final = ("name", "url", "addresses", "enabled", "sends_ended", "to_members")


class AlertChannelsPage:
    def __init__(self, web: Web) -> None:
        self._web = web
        self._view = SettingsView(web)
        self._alerts = web.services.alerts

    def routes(self) -> list[BaseRoute]:
        one, admin, post = f"{PATH}/{{channel_id}}", Need.ADMIN, ["POST"]
        return [
            page(PATH, self.show, need=admin),
            page(PATH, self.create, methods=post, need=admin),
            page(f"{PATH}/new", self.new, need=admin),
            page("/alerts/settings", self.save_settings, methods=post, need=admin),
            page(one, self.edit, need=admin),
            page(one, self.save, methods=post, need=admin),
            page(f"{one}/test", self.test, methods=post, need=admin),
            page(f"{one}/secret", self.renew_secret, methods=post, need=admin),
            page(f"{one}/remove", self.ask_remove, need=admin),
            page(f"{one}/remove", self.remove, methods=post, need=admin),
        ]

    async def show(self, request: Request, viewer: Viewer) -> Response:
        return await self._list(request, viewer)

    async def save_settings(self, request: Request, viewer: Viewer) -> Response:
        """Quiet hours and digest."""
        fields: dict[str, str] = request.state.form
        try:
            on = fields.get("quiet") == "yes"
            from_, to = (_minute(fields, name) if on else 0 for name in ("quiet_from", "quiet_to"))
            if on and from_ == to:
                raise InvalidField("They end when they begin.", field="quiet_to")
            await run_in_threadpool(
                self._alerts.rules.set_settings,
                viewer.organization_id,
                quiet_from=from_,
                quiet_to=to,
                digest=fields.get("digest") == "yes",
                actor=actor_of(request, viewer),
            )
        except InvalidField as refused:
            return await self._list(
                request, viewer, errors={refused.field: refused.message}, typed=fields
            )
        return self._web.done(request, PATH, "Saved.", leave=True)

    async def new(self, request: Request, viewer: Viewer) -> Response:
        kind = request.query_params.get("kind", "")
        if kind not in list(ChannelKind):
            kinds = [(each.value, each.label, _ABOUT[each]) for each in ChannelKind]
            return self._page(request, viewer, "alert_channel_kinds.html", kinds=kinds)
        return self._form(request, viewer, kind, {"sends_ended": "yes", "addresses": ADMINS})

    async def create(self, request: Request, viewer: Viewer) -> Response:
        fields: dict[str, str] = request.state.form
        kind = fields.get("kind", "")
        try:
            made = await run_in_threadpool(
                self._alerts.channels.create,
                viewer.organization_id,
                _channel_form(kind, fields, enabled=True),
                actor=actor_of(request, viewer),
            )
        except Refused as refused:
            if kind not in list(ChannelKind):
                raise
            errors = {refused.field: refused.message}
            return self._form(request, viewer, kind, fields, errors=errors)
        if made.signing_secret:
            return self._made(request, viewer, made)
        return self._web.done(request, PATH, "Made. Send a test message now.", leave=True)

    async def edit(self, request: Request, viewer: Viewer) -> Response:
        channel = await run_in_threadpool(self._channel, request, viewer)
        typed = {name: "yes" if getattr(channel, name) else "" for name in _FIELDS[3:]}
        typed |= {"name": channel.name, "addresses": channel.target}
        return self._form(request, viewer, channel.kind, typed, channel=channel)

    async def save(self, request: Request, viewer: Viewer) -> Response:
        fields: dict[str, str] = request.state.form
        channel = await run_in_threadpool(self._channel, request, viewer)
        form = _channel_form(channel.kind, fields, enabled=fields.get("enabled") == "yes")
        try:
            await run_in_threadpool(
                self._alerts.channels.update,
                viewer.organization_id,
                channel.channel_id,
                form,
                actor=actor_of(request, viewer),
            )
        except InvalidField as refused:
            errors = {refused.field: refused.message}
            return self._form(request, viewer, channel.kind, fields, errors=errors, channel=channel)
        return self._web.done(request, PATH, "Saved.", leave=True)

    async def test(self, request: Request, viewer: Viewer) -> Response:
        """Send a test message; what came of it stands at the channel."""
        channel_id = request.path_params["channel_id"]
        tested = await run_in_threadpool(
            self._alerts.history.test,
            viewer.organization_id,
            channel_id,
            to=viewer.email,
            actor=actor_of(request, viewer),
        )
        return await self._list(request, viewer, tested={channel_id: tested})

    async def renew_secret(self, request: Request, viewer: Viewer) -> Response:
        made = await run_in_threadpool(
            self._alerts.channels.renew_secret,
            viewer.organization_id,
            request.path_params["channel_id"],
            actor=actor_of(request, viewer),
        )
        return self._made(request, viewer, made)

    async def ask_remove(self, request: Request, viewer: Viewer) -> Response:
        channel = await run_in_threadpool(self._channel, request, viewer)
        return self._view.confirm(
            request,
            viewer,
            f"Remove the channel “{channel.name}”?",
            "Nothing is sent by it any more, also not what is waiting now.",
            verb="Remove the channel",
            home=PATH,
        )

    async def remove(self, request: Request, viewer: Viewer) -> Response:
        await run_in_threadpool(
            self._alerts.channels.delete,
            viewer.organization_id,
            request.path_params["channel_id"],
            actor=actor_of(request, viewer),
        )
        return self._web.done(request, PATH, "The channel is removed.", leave=True)

    def _channel(self, request: Request, viewer: Viewer) -> ChannelRecord:
        channel_id = request.path_params["channel_id"]
        return self._alerts.channels.get(viewer.organization_id, channel_id)

    def _made(self, request: Request, viewer: Viewer, made: MadeChannel) -> Response:
        return self._view.dialog(
            request,
            viewer,
            "alert_secret.html",
            home=PATH,
            name=made.record.name,
            secret=made.signing_secret,
        )

    async def _list(
        self,
        request: Request,
        viewer: Viewer,
        *,
        tested: dict[str, TestDelivery] | None = None,
        errors: dict[str, str] | None = None,
        typed: dict[str, str] | None = None,
    ) -> Response:
        settings = await run_in_threadpool(self._alerts.rules.settings, viewer.organization_id)
        rows = await run_in_threadpool(self._rows, viewer, tested or {})
        on = settings.quiet_from != settings.quiet_to
        values = {
            "quiet": "yes" if on else "",
            "quiet_from": _time(settings.quiet_from if on else 22 * 60),
            "quiet_to": _time(settings.quiet_to if on else 7 * 60),
            "digest": "yes" if settings.digest else "",
        }
        if typed is not None:
            values = {name: typed.get(name, "") for name in values}
        return self._page(
            request,
            viewer,
            "alert_channels.html",
            status=422 if errors else 200,
            errors=errors or {},
            rows=rows,
            requests=await run_in_threadpool(self._requests, viewer),
            values=values,
        )

    def _rows(self, viewer: Viewer, tested: dict[str, TestDelivery]) -> list[dict[str, Any]]:
        mail = self._web.services.mail_settings.configured(viewer.organization_id)
        channels = self._alerts.channels
        return [
            {
                "id": each.channel_id,
                "name": each.name,
                "kind": ChannelKind(each.kind).label,
                "target": "all admins and owners" if each.target == ADMINS else each.target,
                "enabled": each.enabled,
                "no_mail": each.kind == ChannelKind.EMAIL and not mail,
                "sent": self._view.moment(viewer, each.sent_us) if each.sent_us else None,
                "failed": self._view.moment(viewer, each.failed_us)
                if each.failed_us > each.sent_us
                else None,
                "fault": each.fault,
                "waiting": _count(channels.deliveries(viewer.organization_id, each.channel_id)),
                "tested": tested.get(each.channel_id),
            }
            for each in channels.list(viewer.organization_id)
        ]

    def _requests(self, viewer: Viewer) -> dict[str, Any]:
        """The mails about budgets that somebody asked for more of: they need no channel."""
        configured = self._web.services.mail_settings.configured(viewer.organization_id)
        newest = self._alerts.channels.deliveries(viewer.organization_id, BY_MAIL)
        sent_us = max((each.done_us for each in newest), default=0)
        failed = next((each for each in newest if each.fault), None)
        if failed and 0 < failed.failed_us < sent_us:
            failed = None  # mail goes out again
        return {
            "no_mail": not configured,
            "sent": self._view.moment(viewer, sent_us) if sent_us else None,
            "fault": failed.fault if failed else "",
            "given_up": self._view.moment(viewer, failed.failed_us)
            if failed and failed.failed_us
            else None,
            "waiting": _count(newest),
        }

    def _form(
        self,
        request: Request,
        viewer: Viewer,
        kind: str,
        typed: dict[str, str],
        *,
        errors: dict[str, str] | None = None,
        channel: ChannelRecord | None = None,
    ) -> Response:
        return self._page(
            request,
            viewer,
            "alert_channel.html",
            status=422 if errors else 200,
            errors=errors or {},
            kind=kind,
            kind_title=ChannelKind(kind).label,
            channel=channel,
            values={name: typed.get(name, "") for name in _FIELDS},
        )

    def _page(
        self, request: Request, viewer: Viewer, template: str, *, status: int = 200, **context: Any
    ) -> Response:
        return self._web.page(
            request,
            template,
            status=status,
            viewer=viewer,
            current=CURRENT,
            section="channels",
            **context,
        )


def _channel_form(kind: str, fields: dict[str, str], *, enabled: bool) -> ChannelForm:
    return ChannelForm(
        kind=kind,
        name=fields.get("name", ""),
        url=fields.get("url", ""),
        addresses=fields.get("addresses", ""),
        enabled=enabled,
        sends_ended=fields.get("sends_ended") == "yes",
        to_members=fields.get("to_members") == "yes",
    )


def _minute(fields: dict[str, str], name: str) -> int:
    found = _TIME.fullmatch(fields.get(name, "").strip())
    if found is None:
        raise InvalidField("Write a time of day like 22:00.", field=name)
    return int(found[1]) * 60 + int(found[2])


def _time(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _count(deliveries: Sequence[DeliveryRecord]) -> int:
    """How many of the newest messages wait to be sent."""
    return sum(not (each.done_us or each.failed_us) for each in deliveries)
