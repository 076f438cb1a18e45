"""What debug mode costs: CPU time of the whole worker, its threads included, and the first byte.

Once as it is served, on real sockets, and once in memory, which is our own code alone.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import sqlalchemy as sa
import uvloop
from tests.bench.in_memory import SocketlessGateway, answer_pieces, request_pieces
from tests.bench.load import Address, run_phase
from tests.bench.processes import cpu_time
from tests.bench.targets import Target, run_upstream, tidegate_target
from tests.bench.workloads import WORKLOADS, Workload
from tests.wire.serving import RunningServer

from tidegate.core.capture_records import FILES
from tidegate.core.price_book import PriceBook
from tidegate.services.price_book import load_or_compile
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.database import open_store

_TURN: Final = next(workload for workload in WORKLOADS if workload.name == "B")
_REQUESTS: Final = 60
_ROUNDS: Final = 9
_PAUSED: Final = 20
_PAUSE_S: Final = 0.02
_SETTLE_S: Final = 1.0  # until the last captures are written


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


def measure_served(workload: Workload = _TURN) -> DebugMode:
    """The same of a server's worker, by two keys. First bytes are from the request's begin."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        run_upstream() as upstream,
        tidegate_target(Path(scratch) / "server", upstream) as (target, server),
    ):
        keys = {False: target.address.key, True: _debugged_key(server)}
        rounds: dict[bool, list[Cost]] = {False: [], True: []}
        for _ in range(_ROUNDS):
            for is_debugged, key in keys.items():
                address = Address(target.address.port, key)
                cost = asyncio.run(_visit(target, address, workload))
                rounds[is_debugged].append(cost)
        _check_kept(server, _ROUNDS * _REQUESTS)
        return DebugMode(*(_median(rounds[each][1:]) for each in (False, True)))


async def _visit(target: Target, address: Address, workload: Workload) -> Cost:
    before = cpu_time(target.pids())
    result = await run_phase(address, workload, connections=1, least=_REQUESTS, seconds=0)
    await asyncio.sleep(_SETTLE_S)
    assert not result.failures, result.failures
    spent = cpu_time(target.pids()).since(before)
    firsts = []
    for _ in range(_PAUSED):  # turns of an agent have pauses between them
        await asyncio.sleep(_PAUSE_S)
        one = await run_phase(address, workload, connections=1, least=1, seconds=0)
        firsts += one.first_bytes
    return Cost(spent / result.requests / 1e3, statistics.median(firsts) * 1e3)


def _debugged_key(server: RunningServer) -> str:
    enrolment = ("--email", "grace@bench.example", "--agent", "claude_code")
    found = server.admin("enroll", *enrolment)
    store = open_store(data_dir=server.data_dir, database_url=None)
    with store.directory.changing() as change:
        [organization] = change.organizations()
        keys = change.keys(organization.organization_id)
        [stored] = [each for each in keys if each.record.key_id == found["key_id"]]
        record = msgspec.structs.replace(stored.record, debug_until_us=1 << 60)
        change.update_key(msgspec.structs.replace(stored, record=record))
    store.close()
    time.sleep(2 * _SETTLE_S)  # the worker's directory
    return str(found["key"])


def _check_kept(server: RunningServer, least: int) -> None:
    """Whether the captures are in the store: one that was dropped would have cost nothing."""
    store = open_store(data_dir=server.data_dir, database_url=None)
    query = sa.select(sa.func.count()).select_from(t.captures)
    deadline = time.monotonic() + 30 * _SETTLE_S
    kept = 0
    while kept < least and time.monotonic() < deadline:
        time.sleep(_SETTLE_S / 4)
        with store.engines["usage"].begin() as connection:
            kept = connection.execute(query).scalar_one()
    store.close()
    assert kept >= least, f"{kept} captures of {least}"


def table(served: DebugMode, found: DebugMode) -> str:
    """For the document."""
    return (
        "\n## Debug mode\n\n"
        "The 150 KB turn, CPU of the worker with all its threads: redaction, encryption and the "
        "file included. In memory there is no kernel's share, which debug mode adds little to.\n\n"
        "| | CPU µs/request | |\n|---|---|---|\n"
        f"| served, off | {served.off.cpu_us:.0f} "
        f"| first byte after {served.off.first_byte_us:.0f} µs |\n"
        f"| served, on | {served.on.cpu_us:.0f} ({served.ratio:.2f} x; at most 2) "
        f"| first byte after {served.on.first_byte_us:.0f} µs |\n"
        f"| in memory, off | {found.off.cpu_us:.0f} "
        f"| first byte after {found.off.first_byte_us:.0f} µs |\n"
        f"| in memory, on | {found.on.cpu_us:.0f} ({found.ratio:.2f} x) "
        f"| first byte after {found.on.first_byte_us:.0f} µs |\n"
    )


if __name__ == "__main__":
    print(table(measure_served(), measure()))  # noqa: T201
