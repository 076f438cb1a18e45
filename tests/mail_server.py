"""A real mail server on loopback that keeps what it is given, and one that a test plays by hand."""

import asyncio
import email
import ssl
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from email.policy import SMTP as POLICY
from typing import Any, Literal

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from tests.wire.loop_thread import LoopThread, close, port_of

Security = Literal["none", "starttls", "tls"]


class MailServer(LoopThread):
    """Takes mail for everyone but `refused`, from those who sign in if `sign_in` is given."""

    def __init__(
        self,
        security: Security = "none",
        *,
        tls: ssl.SSLContext | None = None,
        sign_in: tuple[str, str] | None = None,
        refused: str = "",
        unicode_addresses: bool = False,
    ) -> None:
        super().__init__()
        self.port = 0
        self.messages: list[EmailMessage] = []
        self.envelopes: list[Envelope] = []
        self.hellos: list[str] = []
        self.attempts: list[tuple[str, str]] = []
        self._protocols: list[SMTP] = []
        self._security = security
        self._tls = tls
        self._sign_in = sign_in
        self._refused = refused
        self._unicode = unicode_addresses

    async def start(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(
            self._protocol, "127.0.0.1", 0, ssl=self._tls if self._security == "tls" else None
        )
        self.port = port_of(self._server)

    async def stop(self) -> None:
        self._server.close()
        for transport in [p.transport for p in self._protocols if p.transport is not None]:
            assert isinstance(transport, asyncio.Transport)
            transport.abort()
        await asyncio.sleep(0.01)  # the loop lets them go

    def _protocol(self) -> SMTP:
        self._protocols.append(made := self._made())
        return made

    def _made(self) -> SMTP:
        return SMTP(
            self,
            hostname="mail.test",
            enable_SMTPUTF8=self._unicode,
            tls_context=self._tls if self._security == "starttls" else None,
            require_starttls=self._security == "starttls",
            auth_required=self._sign_in is not None and self._security == "starttls",
            auth_require_tls=self._security == "starttls",
            authenticator=self._authenticate,
            loop=asyncio.get_running_loop(),
        )

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any
    ) -> AuthResult:
        del server, session, envelope, mechanism
        assert isinstance(given, LoginPassword)
        pair = given.login.decode(), given.password.decode()
        self.attempts.append(pair)
        return AuthResult(success=pair == self._sign_in, handled=False)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server, session
        if address == self._refused:
            return "550 5.1.1 no such mailbox here"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        del server
        assert isinstance(envelope.content, bytes)
        self.hellos.append(str(session.host_name))
        self.envelopes.append(envelope)
        self.messages.append(email.message_from_bytes(envelope.content, policy=POLICY))
        return "250 taken"


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class PlayedServer(LoopThread):
    """Plays `script` on each connection."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.port = 0
        self._script = script
        self._tls = tls

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._play, "127.0.0.1", 0, ssl=self._tls)
        self.port = port_of(self._server)

    async def stop(self) -> None:
        self._server.close()

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.track()
        try:
            await self._script(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            await close(writer)
