"""The results as text, in Markdown: for the terminal and for docs/benchmarks.md."""

import os
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from tests.bench.rounds import Plan, Sample
from tests.bench.workloads import Workload

_MOST_OF_NGINX: Final = {"A": 3.0, "B": 3.0, "C": 5.0, "D": 2.0}
_LEAST_OF_LITELLM: Final = {"B": 100.0}
_PACKAGES: Final = ("tidegate", "uvloop", "httptools", "msgspec", "zstandard", "sqlalchemy")
_COLUMNS: Final = (
    "| target | CPU µs/request | x nginx | rounds | console / supervisor µs | requests/s |"
    " p50 / p99 ms alone | event delay p50 / p99 ms | PSS MB | requests | failed |\n"
    + "|---" * 11
    + "|"
)
_LEGEND: Final = """\
CPU is the on-CPU time of the processes that carry requests (nginx and Tidegate: one worker each;
LiteLLM: its whole process tree, one worker), median of the rounds; *rounds* is their range.
*Console / supervisor* is the time of Tidegate's console (which drains the spool into the ledger)
and supervisor for the same requests. *Alone* is latency at one connection. *Event delay* is from
the upstream's writing of an event to its arrival at the client. Requests/s is capped by the mock
upstream and the load generator, which share the machine. Read ratios, not times.

Tidegate checks keys, parses, meters, prices and spools. nginx relays only, unbuffered, upstream
connections kept alive. LiteLLM runs in its production mode with a master key, its models on the
`anthropic/` provider, without a database (so it writes no spend), access log and telemetry; being
slow it gets fewer requests a phase, hence its p99 rests on few."""


def document(
    workloads: Sequence[Workload],
    summaries: Sequence[dict[str, Any]],
    parts: Sequence[tuple[str, float]],
    *,
    notes: Sequence[str],
    command: str,
) -> str:
    """All of it, as one Markdown text."""
    sections = ["# Benchmarks", machine(), f"Command: `{command}`"]
    sections += [f"> {note}" for note in notes]
    if summaries:
        sections += [ratios(workloads, summaries), _LEGEND]
        sections += [workload_table(workload, summaries) for workload in workloads]
    if parts:
        rows = "\n".join(f"| {name} | {us:.1f} |" for name, us in parts)
        sections.append(f"## Parts\n\n| part | CPU µs |\n|---|---|\n{rows}")
    return "\n\n".join(sections) + "\n"


def machine() -> str:
    """Where and with what this was measured."""
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"Measured {datetime.now(UTC):%d %b %Y} on {os.cpu_count()} cores of {_processor()},"
        f" {platform.system()} {platform.release()}, Python {platform.python_version()};"
        f" {packages}. Load generator, mock upstream and target share the machine."
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def ratios(workloads: Sequence[Workload], summaries: Sequence[dict[str, Any]]) -> str:
    """CPU time against nginx's and LiteLLM's, and whether it is within what we allow ourselves."""
    rows = [
        "| workload | Tidegate / nginx | at most | | LiteLLM / Tidegate | at least | |",
        "|---|---|---|---|---|---|---|",
    ]
    for workload in workloads:
        cost = _ratio(summaries, "Tidegate", workload.name)
        gain = _ratio(summaries, "LiteLLM", workload.name, to="Tidegate")
        most, least = _MOST_OF_NGINX.get(workload.name), _LEAST_OF_LITELLM.get(workload.name)
        cells = (
            f"{workload.name}: {workload.title}",
            _times(cost),
            f"{most:.0f}" if most else "-",
            _verdict(cost, most, met=not most or cost <= most),
            _times(gain),
            f"{least:.0f}" if least else "-",
            _verdict(gain, least, met=not least or gain >= least),
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _verdict(ratio: float, gate: float | None, *, met: bool) -> str:
    if not gate:
        return ""
    if not ratio:
        return "not measured"
    return "met" if met else "**missed**"


def extent(plan: Plan, samples: Sequence[Sample]) -> str:
    """How much was measured, and the machine's load meanwhile."""
    names = ", ".join(w.name for w in plan.workloads if w.rate)
    fewer = f" ({names}: {plan.paced_rounds})" if names and plan.paced_rounds < plan.rounds else ""
    loads = [sample.load for sample in samples]
    return (
        f"{plan.rounds} interleaved rounds{fewer}. Load average {min(loads):.1f} to"
        f" {max(loads):.1f} meanwhile, median {statistics.median(loads):.1f}."
    )


def disturbance(foreign: float, stolen: float) -> str:
    """What took processor time beside the bench."""
    return (
        f"Other programs used the machine at the same time: {foreign:.0%} of its processor time;"
        f" its host took {stolen:.1%}. They disturb all targets alike, since rounds interleave."
    )


def workload_table(workload: Workload, summaries: Sequence[dict[str, Any]]) -> str:
    rows = [
        _row(found, _ratio(summaries, found["target"], workload.name))
        for found in summaries
        if found["workload"] == workload.name
    ]
    return "\n".join([f"## {workload.name}: {workload.title}\n", _COLUMNS, *rows])


def _row(found: dict[str, Any], ratio: float) -> str:
    rounds = found["cpu_us_rounds"]
    measured = bool(found["cpu_us"])
    cells = (
        found["target"],
        f"{found['cpu_us']:.0f}" if measured else "-",
        _times(ratio),
        f"{min(rounds):.0f} to {max(rounds):.0f}" if measured else "-",
        _beside(found["console_us"], found["supervisor_us"]),
        f"{found['requests_per_s']:.0f}",
        _pair(found["latency_p50_ms"], found["latency_p99_ms"]),
        _pair(found["delay_p50_ms"], found["delay_p99_ms"]),
        f"{found['pss_mb']:.0f}" if measured else "-",
        str(found["requests"]),
        str(found["failures"]),
    )
    return f"| {' | '.join(cells)} |"


def _ratio(
    summaries: Sequence[dict[str, Any]], target: str, workload: str, *, to: str = "nginx"
) -> float:
    """One target's CPU against another's; 0 where either is missing."""
    cpu = {s["target"].split()[0]: s["cpu_us"] for s in summaries if s["workload"] == workload}
    reference = cpu.get(to, 0.0)
    return cpu.get(target.split(maxsplit=1)[0], 0.0) / reference if reference else 0.0


def _times(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio else "-"


def _beside(console_us: float, supervisor_us: float) -> str:
    return f"{console_us:.0f} / {supervisor_us:.0f}" if console_us or supervisor_us else "-"


def _pair(one: float, other: float) -> str:
    return f"{one:.2f} / {other:.2f}" if other else "-"
