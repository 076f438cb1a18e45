"""Mail against a real server: each way of protecting it, and each way that it can fail."""

import asyncio
import base64
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path

import pytest
from tests.mail_server import MailServer as Server
from tests.mail_server import PlayedServer, Script
from tests.wire.authority import Authority

from tidegate.services.letters import Envelope, Letter, make_message
from tidegate.services.mail import MailFault, MailSender, MailServer, Security, Unreachable

pytestmark = pytest.mark.slow

SECRET = "correct horse"
AT_US = 1_795_348_800_000_000  # 22 Nov 2026, 12:00 UTC
LETTER = Letter(subject="Hello", paragraphs=("Some words.",))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def connect(host: str, port: int, timeout_s: float) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout_s)


def sender(authority: Authority | None = None, **times: float) -> MailSender:
    tls = authority.client_context if authority else ssl.create_default_context
    return MailSender(connect, tls, **times)


def to(address: str = "ada@example.com") -> EmailMessage:
    envelope = Envelope(name="Acme", sender="noreply@acme.example", to=address, at_us=AT_US)
    return make_message(envelope, LETTER)


def server_at(port: int, **given: object) -> MailServer:
    named = {"host": "localhost", "port": port, "security": Security.NONE, **given}
    return MailServer(**named)  # type: ignore[arg-type]


def fault_of(post: MailSender, server: MailServer, message: EmailMessage | None = None) -> str:
    with pytest.raises(MailFault) as fault:
        post.send(server, message or to())
    return str(fault.value)


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_a_message_arrives_by_every_security(authority: Authority, security: str) -> None:
    tls = authority.server_context(())
    with Server(security, tls=tls) as server:  # type: ignore[arg-type]
        sender(authority).send(server_at(server.port, security=security), to())
    [message] = server.messages
    assert (message["To"], message["Subject"]) == ("ada@example.com", "Hello")
    assert message["From"] == '"Acme (Tidegate)" <noreply@acme.example>'
    assert server.envelopes[0].mail_from == "noreply@acme.example"
    assert server.hellos == ["acme.example"]  # and not the name of this machine


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_it_signs_in_over_tls(authority: Authority, security: str) -> None:
    pair = ("ada", SECRET)
    with Server(security, tls=authority.server_context(()), sign_in=pair) as server:  # type: ignore[arg-type]
        given = {"security": security, "user_name": "ada", "password": SECRET}
        sender(authority).send(server_at(server.port, **given), to())
    assert server.attempts == [pair]
    assert len(server.messages) == 1


def test_a_wrong_password_is_told_and_not_repeated(authority: Authority) -> None:
    with Server("starttls", tls=authority.server_context(()), sign_in=("ada", "other")) as server:
        given = {"security": "starttls", "user_name": "ada", "password": SECRET}
        said = fault_of(sender(authority), server_at(server.port, **given))
    assert said.startswith(f"localhost (port {server.port}) refused user name and password: 535")
    assert SECRET not in said
    assert server.messages == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_of_nobody_we_trust_gets_no_password(
    authority: Authority, security: str
) -> None:
    with Server(security, tls=authority.server_context(()), sign_in=("ada", SECRET)) as server:  # type: ignore[arg-type]
        given = {"security": security, "user_name": "ada", "password": SECRET}
        said = fault_of(sender(), server_at(server.port, **given))
    assert "certificate of localhost" in said
    assert "cannot be trusted" in said
    assert server.attempts == []


def test_the_certificate_must_be_the_named_servers(tmp_path: Path) -> None:
    other = Authority(tmp_path, names=("mail.other.example",))
    with Server("starttls", tls=other.server_context(())) as server:
        said = fault_of(sender(other), server_at(server.port, security="starttls"))
    assert "cannot be trusted: Hostname mismatch" in said


def test_starttls_is_not_given_up_where_it_is_not_offered() -> None:
    with Server("none") as server:
        said = fault_of(sender(), server_at(server.port, security="starttls"))
    assert "does not offer STARTTLS, so nothing was sent" in said
    assert server.messages == []


def test_tls_with_a_server_that_speaks_plainly(authority: Authority) -> None:
    with Server("none") as server:
        said = fault_of(sender(authority), server_at(server.port, security="tls"))
    assert "did not agree on TLS" in said


def test_a_sign_in_that_is_not_offered() -> None:
    given = {"user_name": "ada", "password": SECRET}
    with PlayedServer(lines(b"250 mail.test")) as server:
        said = fault_of(sender(), server_at(server.port, **given))
    assert "offers no sign-in" in said


def test_a_refused_recipient_is_told_in_the_servers_words() -> None:
    with Server(refused="ada@example.com") as server:
        said = fault_of(sender(), server_at(server.port))
    assert said.endswith("refused the recipient: 550 5.1.1 no such mailbox here")
    assert server.messages == []


def test_a_domain_of_any_script_needs_nothing_of_the_server() -> None:
    with Server() as server:
        sender().send(server_at(server.port), to("ada@bücher.example"))
    assert server.envelopes[0].rcpt_tos == ["ada@xn--bcher-kva.example"]


def test_a_name_of_any_script_needs_a_server_that_knows_it() -> None:
    with Server() as server:
        assert "beyond ASCII" in fault_of(sender(), server_at(server.port), to("адам@example.com"))
    with Server(unicode_addresses=True) as server:
        sender().send(server_at(server.port), to("адам@example.com"))
        assert server.envelopes[0].rcpt_tos == ["адам@example.com"]


def test_nobody_there() -> None:
    def unreachable(host: str, port: int, timeout_s: float) -> socket.socket:
        raise Unreachable("Nobody is there.")

    assert fault_of(MailSender(unreachable), server_at(25)) == "Nobody is there."


def lines(*replies: bytes) -> Script:
    """Greets, then answers each line with the next reply, the last one for ever."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test\r\n")
        left = list(replies)
        while await reader.readline():
            writer.write((left.pop(0) if len(left) > 1 else left[0]) + b"\r\n")

    return script


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def talkative(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while not writer.is_closing():
        writer.write(b"220-and another thing\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def hanging_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await reader.read()


async def busy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"421 4.3.2 too many \x1b[31mconnections\x07\r\n")
    await reader.read()


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (silent, "did not answer in time"),
        (talkative, "did not answer in time"),
        (hanging_up, "closed the connection"),
        (nonsense, "did not take the message"),
        (busy, "did not take the message: 421 4.3.2 too many [31mconnections"),
        (lines(b"250 ok", b"553 not you"), "refused the sender address: 553 not you"),
        (lines(b"250 ok", b"250 ok", b"250 ok", b"552 too big"), "552 too big"),
        (lines(b"x" * 10_000), "did not take the message: 500 Line too long"),
    ],
)
def test_servers_that_do_not_take_it(script: Script, told: str) -> None:
    with PlayedServer(script) as server:
        said = fault_of(sender(answer_s=0.3, whole_s=0.6), server_at(server.port))
    assert said.startswith(f"localhost (port {server.port})")
    assert told in said
    assert "\x1b" not in said


@pytest.mark.parametrize("shown", [str, lambda text: base64.b64encode(text.encode()).decode()])
def test_a_server_that_repeats_the_password_is_not_quoted(shown: Callable[[str], str]) -> None:
    reply = f"535 {'padding ' * 18}you said {shown(SECRET)}".encode()
    given = {"user_name": "ada", "password": SECRET}
    greeting = b"250-mail.test\r\n250 AUTH PLAIN LOGIN"
    with PlayedServer(lines(greeting, reply)) as server:
        said = fault_of(sender(), server_at(server.port, **given))
    assert said == f"localhost (port {server.port}) refused user name and password: 535"


def test_a_message_is_sent_though_the_goodbye_fails() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test\r\n")
        for reply in (b"250 ok", b"250 ok", b"250 ok", b"354 go on"):
            await reader.readline()
            writer.write(reply + b"\r\n")
        await reader.readuntil(b"\r\n.\r\n")
        writer.write(b"250 taken\r\n")

    with PlayedServer(script) as server:
        sender().send(server_at(server.port), to())


def test_a_stuck_server_does_not_take_every_thread() -> None:
    with PlayedServer(silent) as stuck, ThreadPoolExecutor(20) as threads:
        post = sender(answer_s=3.0, whole_s=0.5, turn_s=0.05)
        sent = [threads.submit(fault_of, post, server_at(stuck.port)) for _ in range(20)]
        told = Counter("Too much mail" in future.result(30) for future in sent)
    assert set(told) == {False, True}
    with Server() as server:
        post.send(server_at(server.port), to())  # when they are through, it goes on


def test_a_server_is_not_printed_with_its_password() -> None:
    assert SECRET not in repr(server_at(25, user_name="ada", password=SECRET))
