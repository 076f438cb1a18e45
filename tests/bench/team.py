"""What the Team page costs with millions of events stored: each report, and the page itself.

    python -m tests.bench.team --events 10000000 --keep DIRECTORY

CPU time is what counts: the machine may be busy with other things.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
from tests.bench.team_store import NOW_US, ORGANIZATION, fill_sums, make_store

from tidegate.core.periods import PRESETS, Period
from tidegate.services.team import Metric, TeamReports
from tidegate.store.sql.database import SqlStore, open_store

EVENTS: Final = 10_000_000
MOST_MS: Final = 100
_TODAY: Final = date(2026, 11, 22)
_CUSTOM: Final = (11, 60)  # days
_ROUNDS: Final = 9
_MARK: Final = "made"


class Timing(msgspec.Struct, frozen=True):
    """Median times of one sort and range."""

    range_name: str
    metric: str
    parts: dict[str, float]  # ms of processor time, by report
    cpu_ms: float  # of all reports together
    wall_ms: float


def measure(
    events: int = EVENTS, *, rounds: int = _ROUNDS, keep: Path | None = None
) -> list[Timing]:
    """Times of all reports of the page, by sort and range."""
    with tempfile.TemporaryDirectory() as scratch:
        store = _store(keep or Path(scratch) / "store", events)
        try:
            return list(_timings(store, rounds))
        finally:
            store.close()


def table(timings: list[Timing], events: int) -> str:
    """The times as Markdown."""
    names = list(timings[0].parts)
    head = f"| range | sort | all, CPU ms | all, ms | {' | '.join(names)} |"
    rows = [
        f"| {t.range_name} | {t.metric} | {t.cpu_ms:.1f} | {t.wall_ms:.1f} |"
        f" {' | '.join(f'{t.parts[name]:.1f}' for name in names)} |"
        for t in timings
    ]
    worst = max(timing.cpu_ms for timing in timings)
    verdict = f"At most {worst:.1f} ms of processor time for a page's reports (allowed: {MOST_MS})."
    title = f"## Team page with {events:,} events stored"
    return "\n".join([title, "", head, "|---" * (len(names) + 4) + "|", *rows, "", verdict])


def _store(place: Path, events: int) -> SqlStore:
    if (place / _MARK).exists():
        return open_store(data_dir=place)
    store = make_store(place, events)
    fill_sums(store)
    (place / _MARK).touch()
    return store


def _timings(store: SqlStore, rounds: int) -> Iterator[Timing]:
    for period in _periods(TeamReports(store)):
        for metric in Metric:
            looks = [_look(store, period, metric) for _ in range(rounds + 1)][1:]
            parts = {name: statistics.median(look[name][0] for look in looks) for name in looks[0]}
            cpu_ms = statistics.median(sum(cpu for cpu, _ in look.values()) for look in looks)
            wall_ms = statistics.median(sum(wall for _, wall in look.values()) for look in looks)
            name = (
                period.name if period.first is None else f"{len(period.starts)} x {period.bucket}"
            )
            yield Timing(name, metric.value, parts, cpu_ms, wall_ms)


def _periods(reports: TeamReports) -> Iterator[Period]:
    for name in PRESETS:
        yield reports.period(ORGANIZATION, name, NOW_US)
    for days in _CUSTOM:
        first = _TODAY - timedelta(days=days - 1)
        yield reports.period(ORGANIZATION, "custom", NOW_US, first, _TODAY)


def _look(store: SqlStore, period: Period, metric: Metric) -> dict[str, tuple[float, float]]:
    """CPU and wall ms of each report of one page, by one who remembers nothing of the last."""
    reports = TeamReports(store)
    asked: dict[str, Callable[[], Any]] = {
        "version": lambda: reports.version(ORGANIZATION),
        "overview": lambda: reports.overview(ORGANIZATION, period),
        "members": lambda: reports.members(ORGANIZATION, period, metric),
        "top": lambda: reports.top_repositories(ORGANIZATION, period),
        "repositories": lambda: reports.repositories(ORGANIZATION, period, metric, 12),
        "pull requests": lambda: reports.pull_requests(ORGANIZATION, period, metric, 12),
    }
    return {name: _timed(ask) for name, ask in asked.items()}


def _timed(ask: Callable[[], Any]) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    ask()
    return 1e3 * (time.process_time() - cpu), 1e3 * (time.perf_counter() - wall)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.team", description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS, help="default %(default)s")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="default %(default)s")
    parser.add_argument("--keep", type=Path, metavar="DIRECTORY", help="make the store there, once")
    options = parser.parse_args()
    timings = measure(options.events, rounds=options.rounds, keep=options.keep)
    sys.stdout.write(table(timings, options.events) + "\n")
    return int(max(timing.cpu_ms for timing in timings) > MOST_MS)


if __name__ == "__main__":
    sys.exit(main())
