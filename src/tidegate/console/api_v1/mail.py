"""The mail server that the organization's mail goes out by. Its password is never shown again."""

from typing import Annotated

import msgspec

from tidegate.console.access import Need
from tidegate.console.api_v1.operation import Call, NoBody, NoQuery
from tidegate.console.api_v1.table import act, delete, get, put
from tidegate.console.api_v1.texts import Email
from tidegate.console.api_v1.times import Time, time
from tidegate.services.errors import NotFound
from tidegate.services.mail import Security
from tidegate.services.mail_form import MailForm
from tidegate.services.mail_settings import MailView

Host = Annotated[str, msgspec.Meta(min_length=1, max_length=253, examples=["smtp.example.com"])]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
SignIn = Annotated[str, msgspec.Meta(max_length=1000)]


class MailServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    host: str
    port: Port
    security: Security
    user_name: str  # empty: no sign-in
    has_password: bool
    sender: str
    updated_at: Time


class MailServerReplace(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`password` left out or null keeps the present one, if the host is the same."""

    host: Host
    port: Port = 587
    security: Security = Security.STARTTLS
    user_name: SignIn = ""
    password: SignIn | None = None
    sender: Email


class TestMail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    to: Email


class MailDelivery(msgspec.Struct, frozen=True):
    sent: bool
    fault: str  # why not


def get_mail_settings(call: Call[NoQuery, NoBody]) -> MailServerSettings:
    """The mail server, without its password."""
    view = call.services.mail_settings.get(call.organization_id)
    if view is None:
        raise NotFound("There is no mail server.")
    return _settings(view)


def replace_mail_settings(call: Call[NoQuery, MailServerReplace]) -> MailServerSettings:
    """Set the mail server."""
    body = call.body
    form = MailForm(
        host=body.host,
        port=body.port,
        security=body.security,
        user_name=body.user_name,
        password=body.password,
        sender=body.sender,
    )
    return _settings(call.services.mail_settings.set(call.organization_id, form, actor=call.actor))


def delete_mail_settings(call: Call[NoQuery, NoBody]) -> None:
    """Forget the mail server; no mail goes out any more."""
    call.services.mail_settings.remove(call.organization_id, actor=call.actor)


def test_mail_settings(call: Call[NoQuery, TestMail]) -> MailDelivery:
    """Send a test message."""
    delivery = call.services.mail_settings.test(
        call.organization_id, call.body.to, actor=call.actor
    )
    if not delivery.configured:
        raise NotFound("There is no mail server.")
    return MailDelivery(delivery.sent, delivery.fault)


def _settings(view: MailView) -> MailServerSettings:
    return MailServerSettings(
        host=view.host,
        port=view.port,
        security=Security(view.security),
        user_name=view.user_name,
        has_password=view.has_password,
        sender=view.sender,
        updated_at=time(view.updated_us),
    )


_PATH = "/mail-settings"
_TAG = "Mail settings"
OPERATIONS = (
    get(_PATH, get_mail_settings, need=Need.ADMIN, tag=_TAG, may_lack=True),
    put(_PATH, replace_mail_settings, need=Need.ADMIN, tag=_TAG),
    delete(_PATH, delete_mail_settings, need=Need.ADMIN, tag=_TAG, may_lack=True),
    act(
        f"{_PATH}/test",
        test_mail_settings,
        need=Need.ADMIN,
        tag=_TAG,
        may_lack=True,
        fields={"email": "to"},
    ),
)
