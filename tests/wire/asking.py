"""Requests in raw bytes that several test modules send, and what they compare answers with."""

from collections.abc import Callable

from tests.wire.answers import Answer
from tests.wire.bills import Bill
from tests.wire.book import Exchange
from tests.wire.http1 import Message
from tests.wire.local_gateway import KEY, LocalGateway
from tests.wire.raw import RawClient, message_body, request
from tests.wire.scripts import converse

from tidegate.core.model import UsageEvent

WITH_KEY = f"Authorization: Bearer {KEY}"
STREAMED = request("/v1/messages", message_body(stream=True), WITH_KEY)
WHOLE = request("/v1/messages", message_body(stream=False), WITH_KEY)
TERMINAL = b'data: {"type":"message_stop"}\n\n'


def spoiled(change: Callable[[Answer], Answer]) -> Callable[[Exchange], Answer]:
    return lambda exchange: change(converse(exchange))


def always(answer: Answer) -> Callable[[Exchange], Answer]:
    return lambda exchange: answer


def as_bill(event: UsageEvent) -> Bill:
    """The event's tokens in the form of the upstream's book."""
    counts = event.tokens
    return Bill(
        event.model_served,
        input=counts.input,
        cache_write_5m=counts.cache_write_5m,
        cache_write_1h=counts.cache_write_1h,
        cache_read=counts.cache_read,
        output=counts.output,
        reasoning=counts.reasoning,
    )


def ask(gateway: LocalGateway, data: bytes) -> Message:
    with RawClient(gateway.port) as client:
        return client.send(data).response()
