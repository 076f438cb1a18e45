"""The settings of a mail server as an admin types them: checked field by field."""

import re
from typing import Final

import msgspec

from tidegate.services import fields
from tidegate.services.errors import InvalidField
from tidegate.services.mail import MailServer, Security, ascii_address

_LABEL: Final = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_HOST: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_IPV6: Final = re.compile(r"[0-9a-f:.]*:[0-9a-f:.]*")
_MAX_HOST_CHARS: Final = 253
_MAX_SIGN_IN_CHARS: Final = 1000
_ASCII: Final = re.compile(r"[\x20-\x7e]*")


class MailForm(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed. Without a password (None) the present one stays; an empty one is none."""

    host: str
    port: int | str = 587
    security: str = "starttls"
    user_name: str = ""
    password: str | None = None
    sender: str

    def __repr__(self) -> str:
        return f"MailForm({self.host!r})"


class CheckedForm(msgspec.Struct, frozen=True):
    """The server, its password empty where the present one is kept, and the sender."""

    server: MailServer
    sender: str


def checked(form: MailForm) -> CheckedForm:
    """The form's values as they are stored. Raises InvalidField."""
    security = _security(form.security)
    user_name = _sign_in(form.user_name.strip(), "user_name", "user name")
    if user_name and security is Security.NONE:
        raise InvalidField(
            "A password is not sent over an open connection. Choose STARTTLS or TLS, or leave"
            " user name and password empty.",
            field="security",
        )
    password = _sign_in(form.password or "", "password", "password")
    if password and not user_name:
        raise InvalidField("A password needs a user name.", field="user_name")
    server = MailServer(
        host=_host(form.host),
        port=_port(form.port),
        security=security,
        user_name=user_name,
        password=password,
    )
    return CheckedForm(server, _sender(form.sender))


def _host(text: str) -> str:
    host = ascii_address(text.strip().strip("[]").rstrip(".").lower())
    if len(host) > _MAX_HOST_CHARS or not (_HOST.fullmatch(host) or _IPV6.fullmatch(host)):
        raise InvalidField(
            "Write the server's name like smtp.example.com, without port or https://.",
            field="host",
        )
    return host


def _port(given: int | str) -> int:
    text = str(given).strip()
    port = int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else 0
    if not 1 <= port <= 65535:
        raise InvalidField("The port is a number from 1 to 65535, usually 587.", field="port")
    return port


def _security(text: str) -> Security:
    if text not in list(Security):
        raise InvalidField("Choose starttls, tls or none.", field="security")
    return Security(text)


def _sign_in(text: str, field: str, what: str) -> str:
    if len(text) > _MAX_SIGN_IN_CHARS:
        raise InvalidField(f"The {what} is too long.", field=field)
    if not _ASCII.fullmatch(text):
        raise InvalidField(f"The {what} holds characters that mail servers refuse.", field=field)
    return text


def _sender(text: str) -> str:
    try:
        return fields.email_address(text)
    except InvalidField as fault:
        raise InvalidField(fault.message, field="sender") from None
