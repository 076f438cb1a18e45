"""The book of the scripted upstream: every request as it came, every byte that was sent."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import zstandard
from tests.wire.bills import Bill
from tests.wire.http1 import Message

DEADLINE_S = 30.0
METERED = ("/messages", "/responses", "/responses/compact", "/chat/completions")


@dataclass
class Exchange:
    """One request and what it was answered."""

    number: int  # of the request, from 1
    connection: int
    tls: bool
    alpn: str
    request: Message
    sent: bytearray = field(default_factory=bytearray)
    sent_body: bytearray = field(default_factory=bytearray)  # without chunk framing
    bill: Bill | None = None  # what has been reported so far
    ended: Literal["", "whole", "cut", "client_left"] = ""

    @property
    def path(self) -> str:
        return self.request.target.partition("?")[0]

    @property
    def metered(self) -> bool:
        return self.request.method == "POST" and self.path.endswith(METERED)

    @property
    def payload(self) -> dict[str, Any]:
        return payload(self.request)

    @property
    def is_main(self) -> bool:
        return is_turn(self.request)


def payload(request: Message) -> dict[str, Any]:
    """A request's body as JSON, or nothing if it is something else."""
    body = request.body
    if request.header("content-encoding") == "zstd":
        body = zstandard.ZstdDecompressor().decompressobj().decompress(body)
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def is_turn(request: Message) -> bool:
    """Whether this is a turn of the conversation, not a title or a probe: it offers tools."""
    body = payload(request)
    items = body.get("input")
    lite = isinstance(items, list) and any(
        isinstance(item, dict) and item.get("type") == "additional_tools" for item in items
    )
    return request.method == "POST" and (bool(body.get("tools")) or lite)


class Book:
    """Filled by the upstream's thread, read by the test."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.exchanges: list[Exchange] = []

    def add(self, exchange: Exchange) -> None:
        with self._changed:
            self.exchanges.append(exchange)
            self._changed.notify_all()

    def end(self, exchange: Exchange, how: Literal["whole", "cut", "client_left"]) -> None:
        with self._changed:
            exchange.ended = how
            self._changed.notify_all()

    def wait(self, ready: Callable[["Book"], bool], timeout_s: float = DEADLINE_S) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: ready(self), timeout_s):
                raise TimeoutError(f"the upstream's book stayed at {self.summary()}")

    @property
    def metered(self) -> list[Exchange]:
        return [exchange for exchange in self.exchanges if exchange.metered]

    @property
    def turns(self) -> list[Exchange]:
        """The requests of the main conversation."""
        return [exchange for exchange in self.exchanges if exchange.is_main]

    @property
    def bills(self) -> list[Bill]:
        return [exchange.bill for exchange in self.metered if exchange.bill is not None]

    def summary(self) -> list[str]:
        return [
            f"{exchange.number}: {exchange.request.start} {exchange.ended or 'open'}"
            for exchange in self.exchanges
        ]
