"""How long functions take, on a machine that does other things meanwhile."""

import statistics
import time
from collections.abc import Callable
from typing import Final

_REPEATS: Final = 9
_REPEAT_NS: Final = 30_000_000


def cpu_us(call: Callable[[], object], *, repeats: int = _REPEATS) -> float:
    """CPU time of one call in µs: the best of several repeats, each of about 30 ms."""
    calls = _calls_in(call, _REPEAT_NS)
    return min(_spent_ns(call, calls) for _ in range(repeats)) / calls / 1e3


def median_ms(run: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median CPU ms and ms, after a first run."""
    run()
    found = []
    for _ in range(rounds):
        cpu_s, real_s = time.process_time(), time.perf_counter()
        run()
        found.append((time.process_time() - cpu_s, time.perf_counter() - real_s))
    cpu, real = zip(*found, strict=True)
    return statistics.median(cpu) * 1000, statistics.median(real) * 1000


def _calls_in(call: Callable[[], object], budget_ns: int) -> int:
    calls = 1
    while (spent := _spent_ns(call, calls)) < budget_ns / 8:
        calls *= 4
    return max(1, int(calls * budget_ns / spent))


def _spent_ns(call: Callable[[], object], calls: int) -> int:
    began = time.thread_time_ns()
    for _ in range(calls):
        call()
    return time.thread_time_ns() - began
