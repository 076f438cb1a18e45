"""What single parts cost: CPU time of one call, in this process, without sockets."""

import asyncio
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import uvloop
from tests.bench import replies
from tests.bench.budget_checks import budget_checks
from tests.bench.holding import holding
from tests.bench.in_memory import KEY, SUBKEYS, SocketlessGateway
from tests.bench.timing import cpu_us
from tests.bench.workloads import WORKLOADS, request_body

from tidegate.core.dialects import RequestFacts, read_members, read_request, usage_reader
from tidegate.core.exchange import (
    Event,
    Exchange,
    Record,
    RequestReceived,
    UpstreamBytes,
    UpstreamConnected,
    UpstreamEnded,
    UpstreamHead,
)
from tidegate.core.identity import ClientFacts
from tidegate.core.model import (
    Billing,
    Dialect,
    KeyRecord,
    Provider,
    RequestStart,
    TokenCounts,
    Usage,
    UsageEvent,
)
from tidegate.core.pricing import PriceBook, price
from tidegate.core.routing import Route, parse_base_url
from tidegate.core.ticket import Ticket
from tidegate.core.tool_traffic import look
from tidegate.gateway.spool import SpoolWriter
from tidegate.services.price_book import load_or_compile
from tidegate.services.vault import hash_secret

Part = tuple[str, Callable[[], object]]

_STARTED_US: Final = 1_760_000_000_000_000
_FACTS: Final = RequestFacts(
    model=replies.MODEL_SERVED,
    stream=True,
    max_tokens=32_000,
    is_title=False,
    service_tier="",
    include_usage=False,
)


def measure() -> list[tuple[str, float]]:
    """Name and µs of each part."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        book = load_or_compile(place / "prices", None)
        parts = [*_reading(), *_looking(), *_observing(), *_accounting(book, place / "spool")]
        parts += holding(place / "holds")
        times = [(name, cpu_us(call)) for name, call in parts]
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return times + runner.run(_whole(book, place / "whole"))


def _reading() -> Iterator[Part]:
    for workload in WORKLOADS:
        if workload.name in {"A", "B", "C"}:
            body = request_body(workload)
            title = f"read a request's body, {workload.name} ({len(body):,} bytes)"
            yield title, _with(read_request, Dialect.MESSAGES, body)


def _looking() -> Iterator[Part]:
    """Whether the newest tool calls say something of the session; mostly they do not."""
    turn = json.loads(request_body(WORKLOADS[1]))
    yield _look("nothing there", turn)
    given = {"command": "git add -A && git commit -m 'Fix the login' && git push"}
    use = {"type": "tool_use", "id": "toolu_x", "name": "Bash", "input": given}
    shown = "[main 1a2b3c4] Fix\n" + "x\n" * 200 + "To github.com:acme/app.git\n"
    result = {"type": "tool_result", "tool_use_id": "toolu_x", "content": shown}
    turn["messages"] += [
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    yield _look("a commit and a push", turn)


def _look(what: str, turn: dict[str, Any]) -> Part:
    body = json.dumps(turn, separators=(",", ":")).encode()
    members = read_members(Dialect.MESSAGES, body)[1]
    title = f"look for signs of the session's work, B, {what}"
    return title, _with(look, body, members, Dialect.MESSAGES)


def _observing() -> Iterator[Part]:
    for events in (300, 1000):
        stream = replies.stream(events)
        whole = b"".join(stream)
        pieces = [whole[at : at + 16_384] for at in range(0, len(whole), 16_384)]
        yield f"read the usage of {events:,} events, in one piece", _with(_observe, [whole])
        yield f"read the usage of {events:,} events, in pieces of 16 KB", _with(_observe, pieces)
        yield f"read the usage of {events:,} events, one a piece", _with(_observe, stream)
    body = [replies.json_body()]
    yield "read the usage of a JSON body of 1 KB", _with(_observe, body, event_stream=False)


def _observe(pieces: list[bytes], *, event_stream: bool = True) -> object:
    """As the exchange does it: ask whether a piece may end the answer, then feed it."""
    reader = usage_reader(Dialect.MESSAGES, event_stream=event_stream)
    for piece in pieces:
        reader.may_end(piece)
        reader.feed(piece)
    reader.finish()
    assert reader.done
    return reader.reported()


def _accounting(book: PriceBook, place: Path) -> Iterator[Part]:
    usage = Usage(tokens=TokenCounts(37_000, 900, 0, 35_000, 300), model_served=_FACTS.model)
    terms = {"provider": "anthropic", "model": _FACTS.model, "usage": usage}
    yield "price a request", _with(price, book, at_us=_STARTED_US, **terms)
    yield "find a key: keyed hash of its secret", _with(hash_secret, SUBKEYS.lookup, KEY)
    for title, pieces in (
        ("an exchange with 300 events in one piece", [b"".join(replies.stream(300))]),
        ("an exchange with 300 events, one a piece", replies.stream(300)),
    ):
        yield title, _with(_exchange, book, pieces)
    spool = SpoolWriter(place, "bench")
    event = _exchange(book, [whole_reply()])
    yield "begin a request in the spool and record its end", _with(_spooled, spool, event)


def _spooled(spool: SpoolWriter, event: UsageEvent) -> None:
    spool.begin(RequestStart(event))
    spool.append(event)


def whole_reply() -> bytes:
    return b"".join(replies.stream(300))


def _exchange(book: PriceBook, pieces: list[bytes]) -> UsageEvent:
    """Take one exchange from its request to its usage event."""
    exchange = Exchange(_ticket(), book)
    events: list[Event] = [
        RequestReceived(),
        UpstreamConnected(),
        UpstreamHead(200, event_stream=True),
        *map(UpstreamBytes, pieces),
        UpstreamEnded(),
    ]
    found = [
        command.event
        for event in events
        for command in exchange.handle(event, 1_000_000)
        if isinstance(command, Record)
    ]
    return found[0]


def _ticket() -> Ticket:
    return Ticket(
        event_id="req_0190a1b2c3d47e5f8a9b0c1d2e3f4a5b",
        key=KeyRecord(key_id="key_b", organization_id="org_b", member_id="mem_b", agent="codex"),
        client=ClientFacts(session="bench-session"),
        dialect=Dialect.MESSAGES,
        facts=_FACTS,
        route=Route(
            origin=parse_base_url("https://api.anthropic.com").origin,
            path="/v1/messages",
            provider=Provider.ANTHROPIC,
            billing=Billing.API,
        ),
        request_bytes=150_000,
        started_us=_STARTED_US,
        started_mono_us=1,
    )


async def _whole(book: PriceBook, place: Path) -> list[tuple[str, float]]:
    """All that a worker does for a request, without the kernel's part of it."""
    gateway = SocketlessGateway(place, book)
    await gateway.start()
    times = [
        (f"a whole request of workload {workload.name}", cpu_us(gateway.request(workload)))
        for workload in WORKLOADS
    ]
    gateway.stop()
    times += [(name, cpu_us(call)) for name, call in budget_checks(book, _ticket())]
    return times


def _with(function: Callable[..., object], *given: object, **named: object) -> Callable[[], object]:
    return lambda: function(*given, **named)
