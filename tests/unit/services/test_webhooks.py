"""Posting to endpoints that do not play along; what addresses are taken."""

from asyncio import StreamReader, StreamWriter

import pytest
from tests.browser.world import LOOPBACK
from tests.mail_server import PlayedServer
from tests.webhook_receiver import Receiver

from tidegate.services.errors import InvalidField
from tidegate.services.webhooks import WebhookFault, WebhookSender, webhook_url
from tidegate.wiring.outbound import Outbound

pytestmark = pytest.mark.slow


def sender(answer_s: float = 0.2, whole_s: float = 5.0) -> WebhookSender:
    return WebhookSender(Outbound(LOOPBACK).connect, answer_s=answer_s, whole_s=whole_s)


def test_an_endpoint_that_hangs_is_left() -> None:
    with Receiver([None]) as receiver, pytest.raises(WebhookFault, match="answer in time"):
        sender().post(receiver.url, b"{}", {})


def test_an_endpoint_that_answers_for_ever_is_left() -> None:
    async def trickle(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while not reader.at_eof():
            writer.write(b"x: y\r\n" * 2)
            await writer.drain()
            await reader.read(10)

    with PlayedServer(trickle) as server, pytest.raises(WebhookFault):
        sender(0.2, 0.4).post(f"http://127.0.0.1:{server.port}/", b"{}" * 1000, {})


def test_an_endpoint_that_is_not_there() -> None:
    with Receiver() as receiver:
        url = receiver.url
    with pytest.raises(WebhookFault, match="takes no connection"):
        sender().post(url, b"{}", {})


def test_plain_http_where_tls_is_asked_for() -> None:
    with PlayedServer(_plain) as server, pytest.raises(WebhookFault, match="TLS"):
        sender(2).post(f"https://127.0.0.1:{server.port}/", b"{}", {})


async def _plain(reader: StreamReader, writer: StreamWriter) -> None:
    await reader.read(10)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hooks.example.com/x",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "https://",
        "https://user:secret@hooks.example.com/",
        "https://hooks.example.com/#x",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/\r\nx: y",
        "https://[::1/",
        "https://hooks.example.com/" + "x" * 2000,
    ],
)
def test_addresses_that_are_not_taken(text: str) -> None:
    with pytest.raises(InvalidField):
        webhook_url(text)


def test_an_address_may_have_a_query() -> None:
    url = "https://prod-1.westus.logic.azure.com:443/workflows/x?api-version=1&sig=a%2Bb"
    assert webhook_url(f" {url} ") == url
