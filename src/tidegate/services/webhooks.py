"""Posting a message to an address that an admin gave: one request, one connection, no redirect.

The connection itself is made by whoever composes the program, who knows which addresses may be
called. Of what a server answers only its status is told, and a word of an error where it is one.
"""

import contextlib
import http.client
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

from tidegate.services.deadline import Deadline
from tidegate.services.errors import InvalidField
from tidegate.services.fields import web_address
from tidegate.services.mail import Connect, Unreachable

ANSWER_S: Final = 10.0  # for the connection, and for each answer of the server
WHOLE_S: Final = 15.0  # for everything together
_READ_BYTES: Final = 4096
_MAX_URL_CHARS: Final = 2000
_ERROR_WORD: Final = re.compile(r"[a-z][a-z_]{2,59}")


class WebhookFault(Exception):
    """A message was not taken; the message is a sentence for an admin."""


class WebhookSender:
    """Posts JSON documents."""

    def __init__(
        self,
        connect: Connect,
        tls: Callable[[], ssl.SSLContext] = ssl.create_default_context,
        *,
        answer_s: float = ANSWER_S,
        whole_s: float = WHOLE_S,
    ) -> None:
        self._connect = connect
        self._tls = tls
        self._answer_s = answer_s
        self._whole_s = whole_s

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Post a body, or raise WebhookFault. Takes seconds: not for an event loop."""
        parts = urlsplit(url)
        deadline = Deadline(self._whole_s)
        try:
            with deadline:
                status, answer = self._exchange(parts, body, headers, deadline)
        except Unreachable as fault:
            raise WebhookFault(str(fault)) from None
        except (OSError, http.client.HTTPException, ValueError) as fault:
            raise WebhookFault(_fault(place(url), fault, slow=deadline.passed)) from None
        if not 200 <= status < 300:
            raise WebhookFault(_refusal(place(url), status, answer))

    def _exchange(
        self, parts: SplitResult, body: bytes, headers: Mapping[str, str], deadline: Deadline
    ) -> tuple[int, bytes]:
        host, is_tls = parts.hostname or "", parts.scheme == "https"
        opened = self._connect(host, parts.port or (443 if is_tls else 80), self._answer_s)
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.closing(opened))
            opened.settimeout(self._answer_s)
            deadline.watch(opened)
            if is_tls:
                opened = self._tls().wrap_socket(opened, server_hostname=host)
                stack.enter_context(contextlib.closing(opened))
            connection = _Connection(parts.netloc, opened)
            stack.callback(connection.close)
            path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
            connection.request("POST", path, body, {**headers, "connection": "close"})
            answer = connection.getresponse()
            stack.callback(answer.close)
            return answer.status, answer.read(_READ_BYTES)


class _Connection(http.client.HTTPConnection):
    """Speaks on a connection that is there already."""

    def __init__(self, authority: str, opened: socket.socket) -> None:
        super().__init__(authority)
        self.sock = opened
        self.auto_open = 0


def webhook_url(text: str, *, field: str = "url") -> str:
    """An address that messages may be posted to."""
    url = text.strip()
    if web_address(url, _MAX_URL_CHARS) is None:
        raise InvalidField(
            "Give a whole address, such as https://hooks.example.com/services/…, without user name"
            " and fragment.",
            field=field,
        )
    return url


def place(url: str) -> str:
    """What may be told of an address: its path and query are often a secret."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _fault(where: str, fault: Exception, *, slow: bool) -> str:
    if slow or isinstance(fault, TimeoutError):
        return f"{where} did not answer in time."
    if isinstance(fault, ssl.SSLCertVerificationError):
        reason = fault.verify_message.rstrip(".")
        return f"The certificate of {where} cannot be trusted: {reason}. Nothing was sent."
    if isinstance(fault, ssl.SSLError):
        return f"{where} did not agree on TLS. Check https:// and the port."
    if isinstance(fault, http.client.HTTPException | ValueError):
        return f"{where} did not answer as an HTTP server should. Check scheme and port."
    return f"The connection to {where} broke off."


def _refusal(where: str, status: int, answer: bytes) -> str:
    if 300 <= status < 400:
        return (
            f"{where} redirects to another address ({status}), and messages follow no redirect."
            " Give the final address."
        )
    word = answer.strip().decode("ascii", "replace")
    told = f" It said: {word}." if _ERROR_WORD.fullmatch(word) else ""
    if status >= 500:
        return f"{where} has trouble of its own ({status}).{told}"
    return f"{where} refused the message ({status}).{told}"
