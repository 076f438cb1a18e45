"""The results as text, in Markdown: for the terminal and for docs/benchmarks.md."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from tests.bench.workloads import Workload

_TARGETS: Final = {"A": 3.0, "B": 3.0, "C": 5.0, "D": 2.0}
_PACKAGES: Final = ("tidegate", "uvloop", "httptools", "msgspec", "zstandard", "sqlalchemy")
_COLUMNS: Final = (
    "| target | CPU µs/request | x nginx | rounds | beside µs | requests/s | p50 / p99 ms alone |"
    " event delay p50 / p99 ms | PSS MB | requests | failed |\n" + "|---" * 11 + "|"
)
_LEGEND: Final = """\
CPU is the on-CPU time of the processes that carry requests (Tidegate: its one worker), median of
the rounds; *rounds* is their range. *Beside* is the time of Tidegate's console (which drains the
spool) and supervisor for the same requests. *Alone* is latency at one connection. *Event delay* is
from the upstream's writing of an event to its arrival at the client. Requests/s is capped by the
mock upstream and the load generator, which share the machine. Read ratios, not times."""


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
    """CPU time against nginx's, and the ratio that we allow ourselves."""
    rows = ["| workload | Tidegate / nginx | at most |", "|---|---|---|"]
    for workload in workloads:
        ratio = _ratio(summaries, "Tidegate", workload.name)
        allowed = _TARGETS.get(workload.name)
        limit = f"{allowed:.0f}" if allowed else "-"
        missed = " **missed**" if allowed and ratio and ratio > allowed else ""
        rows.append(f"| {workload.name}: {workload.title} | {_times(ratio)}{missed} | {limit} |")
    return "\n".join(rows)


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
        f"{found['beside_us']:.0f}" if found["beside_us"] else "-",
        f"{found['requests_per_s']:.0f}",
        _pair(found["latency_p50_ms"], found["latency_p99_ms"]),
        _pair(found["delay_p50_ms"], found["delay_p99_ms"]),
        f"{found['pss_mb']:.0f}" if measured else "-",
        str(found["requests"]),
        str(found["failures"]),
    )
    return f"| {' | '.join(cells)} |"


def _ratio(summaries: Sequence[dict[str, Any]], target: str, workload: str) -> float:
    """CPU against nginx's; 0 where either is missing."""
    cpu = {s["target"].split()[0]: s["cpu_us"] for s in summaries if s["workload"] == workload}
    reference = cpu.get("nginx", 0.0)
    return cpu.get(target.split(maxsplit=1)[0], 0.0) / reference if reference else 0.0


def _times(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio else "-"


def _pair(one: float, other: float) -> str:
    return f"{one:.2f} / {other:.2f}" if other else "-"
