"""What debug mode costs: CPU time of the whole worker, its threads included, and the first byte."""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

import uvloop
from tests.bench.in_memory import SocketlessGateway, answer_pieces, request_pieces
from tests.bench.workloads import WORKLOADS, Workload

from tidegate.core.capture_records import FILES
from tidegate.core.price_book import PriceBook
from tidegate.services.price_book import load_or_compile

_TURN: Final = next(workload for workload in WORKLOADS if workload.name == "B")
_REQUESTS: Final = 60
_ROUNDS: Final = 9


class Cost(NamedTuple):
    """Of one request, in µs: medians of the rounds."""

    cpu_us: float
    first_byte_us: float  # from the upstream's first bytes to the client's


class DebugMode(NamedTuple):
    off: Cost
    on: Cost

    @property
    def ratio(self) -> float:
        return self.on.cpu_us / self.off.cpu_us


def measure(workload: Workload = _TURN) -> DebugMode:
    """Rounds with debug mode off and on take turns."""
    with tempfile.TemporaryDirectory() as scratch:
        book = load_or_compile(Path(scratch) / "prices", None)
        rounds: dict[bool, list[Cost]] = {False: [], True: []}
        for number in range(_ROUNDS):
            for is_debugged in (False, True):
                place = Path(scratch) / f"{number}-{is_debugged}"
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    rounds[is_debugged].append(
                        runner.run(_round(workload, place, book, is_debugged=is_debugged))
                    )
                for path in place.glob(FILES):
                    path.unlink()
        return DebugMode(_median(rounds[False]), _median(rounds[True]))


async def _round(workload: Workload, place: Path, book: PriceBook, *, is_debugged: bool) -> Cost:
    gateway = SocketlessGateway(place, book, is_debugged=is_debugged)
    await gateway.start()
    request, answer = request_pieces(workload), answer_pieces(workload)
    firsts = []
    for _ in range(5):
        gateway.take(request, answer)
    await _caught_up(gateway)
    began = time.process_time()
    for _ in range(_REQUESTS):
        firsts.append(gateway.take(request, answer))
        await asyncio.sleep(0)
    await _caught_up(gateway)
    spent = time.process_time() - began
    kept = gateway.captures.counters()["captures_kept"]
    gateway.stop()
    assert kept == (_REQUESTS + 5 if is_debugged else 0)
    return Cost(spent / _REQUESTS * 1e6, statistics.median(firsts) * 1e6)


async def _caught_up(gateway: SocketlessGateway) -> None:
    """Wait until all captures are written."""
    while gateway.captures.counters()["capture_bytes_held"]:  # noqa: ASYNC110  a thread does it
        await asyncio.sleep(0.002)


def _median(costs: list[Cost]) -> Cost:
    return Cost(*(statistics.median(values) for values in zip(*costs, strict=True)))


def table(found: DebugMode) -> str:
    """For the document."""
    return (
        "\n## Debug mode\n\n"
        "The 150 KB turn in memory, CPU of the worker with all its threads: redaction, encryption "
        "and the file included.\n\n"
        "| | CPU µs/request | first byte after µs |\n|---|---|---|\n"
        f"| off | {found.off.cpu_us:.0f} | {found.off.first_byte_us:.0f} |\n"
        f"| on | {found.on.cpu_us:.0f} ({found.ratio:.2f} x; at most 2) "
        f"| {found.on.first_byte_us:.0f} |\n"
    )


if __name__ == "__main__":
    print(table(measure()))  # noqa: T201
