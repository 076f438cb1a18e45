"""One GET with a credential: what it sends, what it follows (nothing), and when it gives up."""

import asyncio
import time

import pytest
from tests.mail_server import PlayedServer, Script
from tests.wire.authority import Authority

from tidegate.core.routing import Base, parse_base_url
from tidegate.gateway.options import GatewayOptions
from tidegate.services.credential_test import Probed, Trouble
from tidegate.wiring.probe import BODY_BYTES, UpstreamProbe

SECRET = (b"x-api-key", b"sk-secret")
LOOPBACK = ("127.0.0.1:*", "localhost:*")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def probe(
    *, whole_s: float = 5.0, allowed: tuple[str, ...] = LOOPBACK, **given: str
) -> UpstreamProbe:
    options = GatewayOptions(console_socket="", allow_upstreams=allowed, **given)  # type: ignore[arg-type]
    return UpstreamProbe(options, whole_s=whole_s)


def base(port: int, scheme: str = "http", host: str = "localhost") -> Base:
    return parse_base_url(f"{scheme}://{host}:{port}")


def answering(answer: bytes, asked: list[bytes] | None = None) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if asked is not None:
            asked.append(head)
        writer.write(answer)
        await writer.drain()

    return script


def get(script: Script, given: UpstreamProbe | None = None) -> Probed:
    with PlayedServer(script) as server:
        return (given or probe()).get(base(server.port), "/v1/models", [SECRET])


def test_it_sends_one_plain_get_and_reads_the_answer() -> None:
    asked: list[bytes] = []
    answer = b'HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{"data":[]}'
    with PlayedServer(answering(answer, asked)) as server:
        probed = probe().get(base(server.port), "/v1/models", [SECRET])
    [head] = asked
    assert head.split(b"\r\n")[:2] == [
        b"GET /v1/models HTTP/1.1",
        b"host: localhost:%d" % server.port,
    ]
    assert b"\r\nx-api-key: sk-secret\r\n" in head
    assert (probed.status, probed.body, probed.whole) == (200, b'{"data":[]}', True)
    assert probed.trouble is None
    assert 0 <= probed.milliseconds < 5000


def test_an_answer_may_end_with_the_connection() -> None:
    probed = get(answering(b'HTTP/1.1 200 OK\r\n\r\n{"data":[]}'))
    assert (probed.body, probed.whole) == (b'{"data":[]}', True)


def test_it_follows_no_redirect() -> None:
    asked: list[bytes] = []
    with PlayedServer(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", asked)) as other:
        answer = b"HTTP/1.1 307 T\r\nlocation: http://localhost:%d/\r\n\r\n" % other.port
        probed = get(answering(answer))
    assert probed.status == 307
    assert asked == []


def test_a_long_body_is_read_in_part() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 65536)
            await writer.drain()

    probed = get(endless)
    assert (probed.status, len(probed.body), probed.whole) == (200, BODY_BYTES, False)


async def _silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("script", [_silent, _dripping])
def test_it_gives_up(script: Script) -> None:
    began = time.monotonic()
    assert get(script, probe(whole_s=0.3)).trouble is Trouble.SLOW
    assert time.monotonic() - began < 5


async def _hanging_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


@pytest.mark.parametrize(
    ("script", "trouble"),
    [
        (answering(b"SSH-2.0-OpenSSH_9\r\n"), Trouble.GARBLED),
        (answering(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 600_000), Trouble.GARBLED),
        (_hanging_up, Trouble.UNREACHED),
    ],
)
def test_what_is_no_answer(script: Script, trouble: Trouble) -> None:
    assert get(script).trouble is trouble


def test_addresses_are_guarded_as_those_of_upstreams() -> None:
    asked: list[bytes] = []
    with PlayedServer(answering(b"HTTP/1.1 200 OK\r\n\r\n", asked)) as server:
        for host in ("localhost", "127.0.0.1"):
            place = base(server.port, host=host)
            probed = probe(allowed=()).get(place, "/v1/models", [SECRET])
            assert probed.trouble is Trouble.FORBIDDEN
            assert "not a public address" in probed.detail
    metadata = parse_base_url("http://169.254.169.254")
    assert "metadata" in probe().get(metadata, "/", [SECRET]).detail
    assert asked == []


def test_a_certificate_of_nobody_we_trust_gets_no_secret(authority: Authority) -> None:
    asked: list[bytes] = []
    answer = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", asked)
    with PlayedServer(answer, authority.server_context(("http/1.1",))) as server:
        place = base(server.port, "https")
        probed = probe().get(place, "/", [SECRET])
        assert probed.trouble is Trouble.CERTIFICATE
        assert "certificate" in probed.detail
        assert asked == []
        assert probe(upstream_ca=str(authority.ca_file)).get(place, "/", [SECRET]).status == 200


async def _plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_tls_with_a_server_that_speaks_plainly() -> None:
    with PlayedServer(_plain) as server:
        assert probe().get(base(server.port, "https"), "/", [SECRET]).trouble is Trouble.TLS


def test_nobody_listens() -> None:
    with PlayedServer(_silent) as server:
        place = base(server.port)
    probed = probe().get(place, "/", [SECRET])
    assert (probed.trouble, probed.detail) == (Trouble.UNREACHED, "it takes no connection")


def test_a_name_that_leads_nowhere() -> None:
    place = parse_base_url("https://nobody.invalid")
    assert probe().get(place, "/", [SECRET]).trouble is Trouble.UNKNOWN


def test_the_operators_proxy_is_used_and_its_refusal_told() -> None:
    asked: list[bytes] = []
    with PlayedServer(answering(b"HTTP/1.1 403 Forbidden\r\n\r\n", asked)) as proxy:
        given = probe(https_proxy=f"http://127.0.0.1:{proxy.port}")
        probed = given.get(parse_base_url("https://api.example.com"), "/", [SECRET])
    assert asked[0].startswith(b"CONNECT api.example.com:443 ")
    assert b"sk-secret" not in asked[0]
    assert probed.trouble is Trouble.UNREACHED
    assert probed.detail == "the proxy answered 403 Forbidden"
