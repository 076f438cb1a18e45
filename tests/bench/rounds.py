"""Interleaved rounds: in each, every workload visits every target once, from a rotating start.

What other programs do to the machine meanwhile then falls on all targets alike. CPU time per
request is the primary figure; read medians and ratios.
"""

import asyncio
import os
import statistics
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from tests.bench import replies
from tests.bench.load import Result, fetch, run_phase
from tests.bench.processes import cpu_time, pss_mb
from tests.bench.targets import Target
from tests.bench.workloads import Workload

_PSS_AT: Final = 0.7  # of a paced answer's length: all streams are open
_SLOW_WARM_UPS: Final = 10


class Sample(NamedTuple):
    """One phase of one workload on one target. CPU in µs a request."""

    target: str
    workload: str
    connections: int
    result: Result
    cpu_us: float
    console_us: float
    supervisor_us: float
    pss_mb: float
    load: float  # the machine's load average over the last minute, afterwards


class Plan(NamedTuple):
    rounds: int
    paced_rounds: int  # of the workloads whose upstream takes its time
    seconds: float  # of each phase that is not paced
    workloads: Sequence[Workload]


async def warm_up(targets: Iterable[Target], workloads: Iterable[Workload]) -> None:
    """A request each, or a few; the whole body must be the upstream's, byte by byte."""
    for target in targets:
        for workload in workloads:
            if workload.rate:
                continue
            events = workload.events
            expected = b"".join(replies.stream(events)) if events else replies.json_body()
            if target.renames:
                expected = expected.replace(replies.MODEL_SERVED.encode(), workload.model.encode())
            for _ in range(_SLOW_WARM_UPS if target.slow else 1):
                if await fetch(target.address, workload) != expected:
                    raise ValueError(f"{target.name} changes the answer of {workload.name}")


async def run_rounds(targets: Sequence[Target], plan: Plan) -> list[Sample]:
    """All phases of all rounds, in the order in which they ran."""
    samples = []
    for number in range(plan.rounds):
        start = number % len(targets)
        for workload in plan.workloads:
            if workload.rate and number >= plan.paced_rounds:
                continue
            for target in [*targets[start:], *targets[:start]]:
                for sample in await _visit(target, workload, plan.seconds):
                    samples.append(sample)
                    _say(number, sample)
    return samples


async def _visit(target: Target, workload: Workload, seconds: float) -> list[Sample]:
    if workload.rate:
        return [await _measure(target, workload, workload.connections, workload.least, 0)]
    least = workload.least // 2 if target.slow else workload.least
    alone = await _measure(target, workload, 1, max(5, least // 4), seconds / 2)
    many = await _measure(target, workload, workload.connections, least, seconds)
    return [alone, many]


async def _measure(
    target: Target, workload: Workload, connections: int, least: int, seconds: float
) -> Sample:
    parts = (target.pids(), target.console(), target.supervisor())
    memory = 0.0

    def look_at_memory() -> None:
        nonlocal memory
        memory = pss_mb(parts[0])

    loop = asyncio.get_running_loop()
    looking = loop.call_later(workload.stream_s * _PSS_AT, look_at_memory)
    before = [cpu_time(pids) for pids in parts]
    result = await run_phase(
        target.address, workload, connections=connections, least=least, seconds=seconds
    )
    spent = [cpu_time(pids).since(earlier) for pids, earlier in zip(parts, before, strict=True)]
    looking.cancel()
    own_us, console_us, supervisor_us = (ns / 1e3 / max(1, result.requests) for ns in spent)
    return Sample(
        target.name,
        workload.name,
        connections,
        result,
        own_us,
        console_us,
        supervisor_us,
        memory,
        os.getloadavg()[0],
    )


def _say(number: int, sample: Sample) -> None:
    result = sample.result
    failed = f"  FAILED {len(result.failures)}: {result.failures[0]}" if result.failures else ""
    sys.stderr.write(
        f"round {number + 1}  {sample.workload:<3} {sample.connections:>3} conn."
        f"  {sample.target:<14} {sample.cpu_us:9.1f} us CPU"
        f"  p50 {quantile(result.latencies, 0.5):9.2f} ms"
        f"  {result.requests / result.wall_s:8.1f} req/s{failed}\n"
    )
    sys.stderr.flush()


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which that share of the values lies; 0 without values."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def summary(samples: Sequence[Sample], target: str, workload: Workload) -> dict[str, Any]:
    """The medians over the rounds for one target and workload."""
    mine = [s for s in samples if (s.target, s.workload) == (target, workload.name)]
    many = [s for s in mine if s.connections == workload.connections]
    alone = [s for s in mine if s.connections == 1]
    delays = [delay for s in many for delay in s.result.delays]
    cpu = [s.cpu_us for s in many]
    return {
        "target": target,
        "workload": workload.name,
        "cpu_us": statistics.median(cpu),
        "cpu_us_rounds": [round(c, 1) for c in cpu],
        "console_us": statistics.median(s.console_us for s in many),
        "supervisor_us": statistics.median(s.supervisor_us for s in many),
        "requests_per_s": statistics.median(s.result.requests / s.result.wall_s for s in many),
        "latency_p50_ms": _median(quantile(s.result.latencies, 0.5) for s in alone),
        "latency_p99_ms": _median(quantile(s.result.latencies, 0.99) for s in alone),
        "delay_p50_ms": quantile(delays, 0.5),
        "delay_p99_ms": quantile(delays, 0.99),
        "pss_mb": statistics.median(s.pss_mb for s in many),
        "requests": sum(s.result.requests for s in mine),
        "failures": sum(len(s.result.failures) for s in mine),
    }


def _median(values: Iterable[float]) -> float:
    found = list(values)
    return statistics.median(found) if found else 0.0
