"""What compression costs a worker: CPU time of a 150 KB turn with it off, and with it on.

On, old results are remembered from the session's last request; a growing session has one new result
of some 5 KB a turn. Threads are in it; the process that counts tokens is not.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import uvloop
from tests.bench.in_memory import SocketlessGateway, answer_pieces, pieces_of
from tests.bench.workloads import WORKLOADS
from tests.tool_requests import Turn, body, reading, source

from tidegate.core.model import Dialect
from tidegate.core.price_book import PriceBook
from tidegate.services.price_book import load_or_compile
from tidegate.store.pins import Pin

_B: Final = next(workload for workload in WORKLOADS if workload.name == "B")
_SIZE_BYTES: Final = 150_000
_LINES: Final = 70  # of each read
_REQUESTS: Final = 40
_ROUNDS: Final = 9
_LEVELS: Final = ("", "lossless", "references", "trims")
AT_MOST: Final = 1.5


class _Pins:
    """Every session is pinned to one level."""

    def __init__(self, level: str) -> None:
        self._level = level

    def pin(
        self, organization_id: str, session_id: str, wanted: Pin, started_us: int
    ) -> tuple[Pin, bool]:
        return Pin(self._level, 1), False

    def give_up(self, organization_id: str, session_id: str, pin: Pin) -> None:
        raise NotImplementedError


class Cost(NamedTuple):
    """CPU of one request in µs: medians of the rounds."""

    again_us: float  # the same turn again
    growing_us: float  # one more result in each
    sent_bytes: float


def turns() -> list[Turn]:
    """As many reads as make a turn of 150 KB, and those that are to come."""
    made = [reading(n, source(f"m{n}", _LINES)) for n in range(_REQUESTS)]
    while len(body(Dialect.MESSAGES, made)) < _SIZE_BYTES + _REQUESTS * 5000:
        made.append(reading(len(made), source(f"m{len(made)}", _LINES)))
    return made


def measure() -> dict[str, Cost]:
    """All levels take turns, round by round."""
    with tempfile.TemporaryDirectory() as scratch:
        book = load_or_compile(Path(scratch) / "prices", None)
        found: dict[str, list[Cost]] = {level: [] for level in _LEVELS}
        requests = _requests()
        for number in range(_ROUNDS):
            for level in _LEVELS:
                place = Path(scratch) / f"{number}-{level}"
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    found[level].append(runner.run(_round(place, book, level, requests)))
        return {level: _median(costs) for level, costs in found.items()}


def _requests() -> list[list[bytes]]:
    """A session's requests, the first of 150 KB."""
    made = turns()
    first = next(n for n in range(len(made)) if len(body(Dialect.MESSAGES, made[:n])) > _SIZE_BYTES)
    return [
        pieces_of(body(Dialect.MESSAGES, made[:count]))
        for count in range(first, min(first + _REQUESTS, len(made)))
    ]


async def _round(place: Path, book: PriceBook, level: str, requests: list[list[bytes]]) -> Cost:
    gateway = SocketlessGateway(place, book)
    if level:
        gateway.gateway.compress_with(_Pins(level), _by_size)
    await gateway.start()
    answer = answer_pieces(_B)
    for _ in range(3):
        sent = await gateway.take_patiently(requests[0], answer)
    began = time.process_time()
    for _ in range(_REQUESTS):
        gateway.take(requests[0], answer)
    again = (time.process_time() - began) / _REQUESTS
    began = time.process_time()
    for request in requests[1:]:
        await gateway.take_patiently(request, answer)
    growing = (time.process_time() - began) / len(requests[1:])
    gateway.stop()
    return Cost(again * 1e6, growing * 1e6, sent)


def _by_size(texts: Sequence[str]) -> list[int]:
    return [len(text) // 4 for text in texts]


def _median(costs: list[Cost]) -> Cost:
    return Cost(*(statistics.median(values) for values in zip(*costs, strict=True)))


def table(found: dict[str, Cost]) -> str:
    """For the document."""
    off = found[""]
    lines = [
        f"| {level or 'off'} | {cost.again_us:.0f} ({cost.again_us / off.again_us:.2f} x)"
        f" | {cost.growing_us:.0f} ({cost.growing_us / off.growing_us:.2f} x)"
        f" | {cost.sent_bytes / 1000:.0f} |"
        for level, cost in found.items()
    ]
    return (
        "\n## Compression\n\n"
        "The 150 KB turn in memory, CPU of the worker with its threads. Old results come again to "
        f"the byte: at most {AT_MOST} x. A growing session has one new result of 5 KB a turn.\n\n"
        "| level | CPU µs/request, nothing new | growing session | KB sent |\n|---|---|---|---|\n"
        + "\n".join(lines)
        + "\n"
    )


if __name__ == "__main__":
    print(table(measure()))  # noqa: T201
