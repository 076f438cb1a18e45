"""Sending mail: one message, one connection, and for each fault a sentence that says what to do.

The connection itself is made by whoever composes the program, who knows which addresses may be
called. What a server says is shown only where it explains something, cleaned and cut.
"""

import base64
import contextlib
import smtplib
import socket
import ssl
import threading
import unicodedata
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from enum import StrEnum
from typing import Any, Final

import msgspec

from tidegate.services.deadline import Deadline

ANSWER_S: Final = 10.0  # for the connection, and for each answer of the server
WHOLE_S: Final = 30.0  # for everything together
TURN_S: Final = 5.0  # until others have sent theirs
_AT_ONCE: Final = 12  # messages on their way: a stuck server must not take every thread
_SHOWN_CHARS: Final = 160

Connect = Callable[[str, int, float], socket.socket]
"""Connect to a checked address of a host within so many seconds, or raise Unreachable."""


class Security(StrEnum):
    """How a connection to a mail server is protected."""

    STARTTLS = "starttls"  # plain at first, usually port 587
    TLS = "tls"  # from the first byte on, usually port 465
    NONE = "none"  # not at all, usually port 25


class MailServer(msgspec.Struct, frozen=True, kw_only=True):
    """The server that takes an organization's mail. Never printed with its password."""

    host: str
    port: int
    security: str = "starttls"  # Security
    user_name: str = ""  # empty: no sign-in
    password: str = ""

    def __repr__(self) -> str:
        return f"MailServer({self.host}:{self.port}, {self.security})"


class Unreachable(Exception):
    """No connection to a server; the message is a sentence for an admin."""


class MailFault(Exception):
    """A message did not go out; the message is a sentence for an admin."""


class MailSender:
    """Hands messages to mail servers."""

    def __init__(
        self,
        connect: Connect,
        tls: Callable[[], ssl.SSLContext] = ssl.create_default_context,
        *,
        answer_s: float = ANSWER_S,
        whole_s: float = WHOLE_S,
        turn_s: float = TURN_S,
    ) -> None:
        self._connect = connect
        self._tls = tls
        self._answer_s = answer_s
        self._whole_s = whole_s
        self._turn_s = turn_s
        self._turns = threading.BoundedSemaphore(_AT_ONCE)

    def send(self, server: MailServer, message: EmailMessage) -> None:
        """Hand over the message, or raise MailFault. Takes seconds: not for an event loop."""
        if not self._turns.acquire(timeout=self._turn_s):
            raise MailFault("Too much mail is on its way. Try again in a minute.")
        try:
            self._send(server, message)
        finally:
            self._turns.release()

    def _send(self, server: MailServer, message: EmailMessage) -> None:
        deadline = Deadline(self._whole_s)
        try:
            with deadline:
                self._deliver(server, message, deadline)
        except MailFault:
            raise
        except (OSError, smtplib.SMTPException, UnicodeError) as fault:
            slow = deadline.passed or isinstance(fault.__context__, TimeoutError)
            cause = TimeoutError() if slow else fault
            raise MailFault(fault_sentence(server, cause)) from None

    def _deliver(self, server: MailServer, message: EmailMessage, deadline: Deadline) -> None:
        try:
            opened = self._connect(server.host, server.port, self._answer_s)
        except Unreachable as fault:
            raise MailFault(str(fault)) from None
        with contextlib.closing(opened):
            opened.settimeout(self._answer_s)
            deadline.watch(opened)
            context = self._tls() if server.security != Security.NONE else None
            if context is not None and server.security == Security.TLS:
                opened = context.wrap_socket(opened, server_hostname=server.host)
            own_name = ascii_address(str(message["From"].addresses[0].addr_spec)).partition("@")[2]
            with contextlib.closing(opened), _conversation(opened, server.host, own_name) as smtp:
                if context is not None and server.security == Security.STARTTLS:
                    smtp.starttls(context=context)
                if server.user_name:
                    smtp.login(server.user_name, server.password)
                smtp.send_message(message)


class _Smtp(smtplib.SMTP):
    """Speaks on a connection that is there already."""

    def __init__(self, opened: socket.socket, host: str, own_name: str) -> None:
        super().__init__(local_hostname=own_name)  # else the machine's is looked up, and told
        self._opened = opened
        self._host = host  # what STARTTLS checks the certificate for

    def greet(self) -> None:
        code, said = self.connect(self._host)
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)

    def _get_socket(self, host: str, port: int, timeout: Any) -> socket.socket:
        return self._opened


@contextlib.contextmanager
def _conversation(opened: socket.socket, host: str, own_name: str) -> Iterator[_Smtp]:
    smtp = _Smtp(opened, host, own_name)
    try:
        smtp.greet()
        yield smtp
        with contextlib.suppress(smtplib.SMTPException, OSError):
            smtp.quit()  # the message is with the server already
    finally:
        smtp.close()


def ascii_address(address: str) -> str:
    """The address with its domain in the ASCII form that every server takes."""
    local, at, domain = address.rpartition("@")
    with contextlib.suppress(UnicodeError):
        domain = domain.encode("idna").decode()
    return f"{local}{at}{domain}"


def fault_sentence(server: MailServer, fault: Exception) -> str:
    """What went wrong, and what to do about it."""
    place = f"{server.host} (port {server.port})"
    if isinstance(fault, smtplib.SMTPException):
        return _refusal(server, fault, place)
    if isinstance(fault, ssl.SSLCertVerificationError):
        reason = fault.verify_message.rstrip(".")
        return f"The certificate of {place} cannot be trusted: {reason}. No password was sent."
    if isinstance(fault, ssl.SSLError):
        return (
            f"{place} did not agree on TLS. Choose the security that its provider names:"
            " TLS is usual on port 465, STARTTLS on port 587."
        )
    if isinstance(fault, TimeoutError):
        return f"{place} did not answer in time. Check server name, port and security."
    if isinstance(fault, UnicodeError):
        return "The user name or the password holds letters that mail servers do not take."
    return f"The connection to {place} broke off. Try again; if it stays, check port and security."


def _refusal(server: MailServer, fault: smtplib.SMTPException, place: str) -> str:
    sentence = f"{place} did not take the message"
    reply: tuple[int, bytes | str] | None = None
    if isinstance(fault, smtplib.SMTPRecipientsRefused):
        sentence = f"{place} refused the recipient"
        reply = next(iter(fault.recipients.values()), None)
    elif isinstance(fault, smtplib.SMTPResponseException):
        reply = fault.smtp_code, fault.smtp_error
        if isinstance(fault, smtplib.SMTPAuthenticationError):
            sentence = f"{place} refused user name and password"
        elif isinstance(fault, smtplib.SMTPSenderRefused):
            sentence = f"{place} refused the sender address"
    elif isinstance(fault, smtplib.SMTPNotSupportedError):
        return _not_supported(server, str(fault), place)
    elif isinstance(fault, smtplib.SMTPServerDisconnected):
        return f"{place} closed the connection. Check port and security."
    said = _said(server, *reply) if reply else ""
    return f"{sentence}: {said}" if said else f"{sentence}."


def _not_supported(server: MailServer, what: str, place: str) -> str:
    if "STARTTLS" in what:
        return (
            f"{place} does not offer STARTTLS, so nothing was sent. Choose TLS, usually with"
            " port 465, or ask its provider."
        )
    if "SMTPUTF8" in what:
        return f"{place} cannot deliver to addresses with letters beyond ASCII before the @."
    return f"{place} offers no sign-in that we know. Leave user name and password empty."


def _said(server: MailServer, code: int, reply: bytes | str) -> str:
    """A server's own words: cleaned, cut, and left out where they hold the password."""
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    pair = base64.b64encode(f"\0{server.user_name}\0{server.password}".encode()).decode()
    alone = base64.b64encode(server.password.encode()).decode()
    if server.password and any(secret in text for secret in (server.password, pair, alone)):
        text = ""
    clean = "".join(" " if unicodedata.category(c)[0] == "C" else c for c in text)
    clean = " ".join(clean.split())
    cut = f"{clean[:_SHOWN_CHARS]}…" if len(clean) > _SHOWN_CHARS else clean
    return f"{code} {cut}".strip()
