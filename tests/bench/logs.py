"""What the log costs with millions of events stored: pages, histograms, look-ups, an export.

python -m tests.bench.logs --events 10000000 --keep DIRECTORY

"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from tests.bench.team import EVENTS, ready_store
from tests.bench.team_store import NOW_US, ORGANIZATION, ZONE
from tests.bench.timing import median_ms

from tidegate.core.model import UsageEvent
from tidegate.core.periods import Period
from tidegate.services.log_export import LogExport
from tidegate.services.log_table import CSV
from tidegate.services.price_book import compile_price_book
from tidegate.services.request_log import LogFilter, RequestLog
from tidegate.services.team import TeamReports
from tidegate.store.ports import SpoolBatch
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.database import SqlStore

_PAGE_MS: Final = 150
_SUMMED_MS: Final = 150
_COUNTED_MS: Final = 2000
_ID_MS: Final = 50
_DETAIL_MS: Final = 20
_ROUNDS: Final = 5
_EXPORTED: Final = 200_000
_EXPORT_PER_S: Final = 40_000
_BATCH: Final = 500
_BATCHES: Final = 20
_LEGEND: Final = """\
Medians over ninety days of CPU time and of time, since the machine does other things meanwhile.
*older* is the page after a thousand rows, *newer* the way back. A histogram marked with * is of
stored sums, the others count rows."""


class Timing(msgspec.Struct, frozen=True):
    """One filter's times, as (CPU ms, ms)."""

    name: str
    is_summed: bool
    parts: dict[str, tuple[float, float]]


class Rates(msgspec.Struct, frozen=True):
    """Rows in a second, of CPU time and of time."""

    exported: tuple[float, float]
    export_grew_kb: int
    drained: tuple[float, float]


class Found(msgspec.Struct, frozen=True):
    timings: list[Timing]
    single: dict[str, tuple[float, float]]
    rates: Rates


def measure(events: int = EVENTS, *, rounds: int = _ROUNDS, keep: Path | None = None) -> Found:
    """Times of every filter, of single rows, and of many."""
    with tempfile.TemporaryDirectory() as scratch:
        store = ready_store(keep or Path(scratch) / "store", events)
        try:
            book = compile_price_book()
            log = RequestLog(store, lambda: book)
            period = TeamReports(store).period(ORGANIZATION, "90d", NOW_US)
            sample = _sample(store)
            timings = list(_timings(log, period, sample, rounds))
            single = {
                "by id": median_ms(
                    lambda: log.page(ORGANIZATION, LogFilter(ids=sample.event_id)), 9
                ),
                "by session": median_ms(
                    lambda: log.page(ORGANIZATION, LogFilter(ids=sample.session_id)), 9
                ),
                "detail": median_ms(lambda: log.detail(ORGANIZATION, sample.event_id), 9),
            }
            return Found(timings, single, _rates(store, log, period, sample))
        finally:
            store.close()


def table(found: Found, events: int) -> str:
    """The times as Markdown."""
    names = list(found.timings[0].parts)
    lines = [
        f"## The log with {events:,} events stored",
        "",
        f"| filter | {' | '.join(f'{name}, CPU ms | ms' for name in names)} |",
        "|---" * (2 * len(names) + 1) + "|",
    ]
    for timing in found.timings:
        cells = [f"{cpu:.0f} | {real:.0f}" for cpu, real in timing.parts.values()]
        lines.append(f"| {timing.name}{' *' * timing.is_summed} | {' | '.join(cells)} |")
    lines += ["", *(f"- {name}: {c:.1f} CPU ms, {r:.1f} ms" for name, (c, r) in _singles(found))]
    rates = found.rates
    lines += [
        f"- export as CSV: {rates.exported[0]:,.0f} rows for a second of CPU,"
        f" {rates.exported[1]:,.0f} in a second,"
        f" {rates.export_grew_kb:,} KB more memory at its end",
        f"- drain: {rates.drained[0]:,.0f} events for a second of CPU, {rates.drained[1]:,.0f} in"
        " a second",
    ]
    return "\n".join([*lines, "", verdict(found), "", _LEGEND])


def verdict(found: Found) -> str:
    """Whether everything is within what we allow ourselves, by CPU time."""
    limits = [
        ("first page", _PAGE_MS, _worst(found.timings, ("first", "older", "newer"))),
        ("histogram of sums", _SUMMED_MS, _worst([x for x in found.timings if x.is_summed])),
        ("histogram of rows", _COUNTED_MS, _worst([x for x in found.timings if not x.is_summed])),
        ("look-up by id", _ID_MS, found.single["by id"][0]),
        ("detail", _DETAIL_MS, found.single["detail"][0]),
    ]
    sentences = [
        f"{name} at most {most} ms: {worst:.0f}, {'met' if worst <= most else '**missed**'}"
        for name, most, worst in limits
    ]
    rate = found.rates.exported[0]
    met = "met" if rate >= _EXPORT_PER_S else "**missed**"
    return "; ".join([*sentences, f"export at least {_EXPORT_PER_S:,}/s: {met}"]) + "."


def _singles(found: Found) -> list[tuple[str, tuple[float, float]]]:
    return list(found.single.items())


def _worst(timings: list[Timing], names: tuple[str, ...] = ("histogram",)) -> float:
    return max(timing.parts[name][0] for timing in timings for name in names)


def _sample(store: SqlStore) -> UsageEvent:
    """An event from the middle of the ledger, with a repository."""
    columns = t.events.c
    query = (
        sa.select(columns.event_id)
        .where(columns.organization_id == ORGANIZATION, columns.repository != "")
        .where(columns.started_us > NOW_US - 45 * 86_400_000_000)
        .order_by(columns.started_us)
        .limit(1)
    )
    with store.engines["usage"].begin() as connection:
        event_id = connection.execute(query).scalar_one()
    event = store.usage.log.event(ORGANIZATION, event_id)
    assert event is not None
    return event


def _filters(sample: UsageEvent) -> dict[str, tuple[LogFilter, bool]]:
    """Each filter, and whether stored sums know it."""
    member, model = (sample.member_id,), (sample.model_served,)
    return {
        "none": (LogFilter(), True),
        "member": (LogFilter(member_ids=member), True),
        "agent": (LogFilter(agents=("codex",)), True),
        "agent that nobody has": (LogFilter(agents=("opencode",)), True),
        "key": (LogFilter(key_id=sample.key_id), True),
        "model": (LogFilter(models=model), True),
        "session": (LogFilter(session_id=sample.session_id), False),
        "repository": (LogFilter(repository=sample.repository), True),
        "no repository": (LogFilter(repository="-"), True),
        "outcome ok": (LogFilter(outcomes=("ok",)), False),
        "outcome cancelled": (LogFilter(outcomes=("cancelled",)), False),
        "outcome crashed": (LogFilter(outcomes=("crashed",)), False),
        "status 2xx": (LogFilter(status_class="2xx"), False),
        "status 5xx": (LogFilter(status_class="5xx"), False),
        "captured": (LogFilter(captured=True), False),
        "not captured": (LogFilter(captured=False), False),
        "estimated": (LogFilter(estimated=True), False),
        "price unknown": (LogFilter(price_unknown=True), False),
        "member, model, ok": (
            LogFilter(member_ids=member, models=model, outcomes=("ok",)),
            False,
        ),
        "member, model, cancelled": (
            LogFilter(member_ids=member, models=model, outcomes=("cancelled",)),
            False,
        ),
    }


def _timings(log: RequestLog, period: Period, sample: UsageEvent, rounds: int) -> Iterator[Timing]:
    for name, (only, is_summed) in _filters(sample).items():
        within = msgspec.structs.replace(only, start_us=period.start_us, end_us=period.end_us)

        def page(cursor: str = "", limit: int = 50, within: LogFilter = within) -> Any:
            return log.page(ORGANIZATION, within, cursor=cursor, limit=limit)

        older = page(limit=1000).older
        newer = page(older).newer if older else ""
        parts = {
            "first": page,
            "older": lambda older=older: page(older),
            "newer": lambda newer=newer: page(newer),
            "histogram": lambda only=only: log.histogram(ORGANIZATION, only, period),
        }
        times = {part: median_ms(run, rounds) for part, run in parts.items()}
        yield Timing(name, is_summed, times)


def _rates(store: SqlStore, log: RequestLog, period: Period, sample: UsageEvent) -> Rates:
    within = LogFilter(start_us=period.start_us, end_us=period.end_us)
    parts = LogExport(store, log).parts(ORGANIZATION, within, CSV, zone=ZONE)
    next(parts), next(parts)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cpu_s, real_s, count = time.process_time(), time.perf_counter(), 0
    for part in parts:
        count += part.count(b"\r\n")
        if count >= _EXPORTED:
            break
    exported = (count / (time.process_time() - cpu_s), count / (time.perf_counter() - real_s))
    grew_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    return Rates(exported, grew_kb, _drained(store, sample))


def _drained(store: SqlStore, sample: UsageEvent) -> tuple[float, float]:
    """Events that a drain records in a second, of many members and repositories."""
    newest = [one for part in _some(store, _BATCHES * _BATCH) for one in part]
    mark = str(time.time_ns())
    batches = [
        [
            msgspec.structs.replace(
                one,
                event_id=f"{one.event_id[:-12]}{mark[-8:]}{number % 10_000:04d}",
                started_us=NOW_US + number,
                upstream_request_id=f"req_{hash((mark, number)) & (1 << 60) - 1:016x}",
            )
            for number, one in enumerate(newest[start : start + _BATCH], start)
        ]
        for start in range(0, len(newest), _BATCH)
    ]
    cpu_s, real_s = time.process_time(), time.perf_counter()
    count = 0
    for number, batch in enumerate(batches):
        file = f"bench-{mark}-{number}"
        count += store.usage.record(SpoolBatch(file=file, start=0, end=1, events=batch))
    return count / (time.process_time() - cpu_s), count / (time.perf_counter() - real_s)


def _some(store: SqlStore, most: int) -> Iterator[list[UsageEvent]]:
    within = LogFilter(end_us=NOW_US - 3 * 86_400_000_000)
    for part in store.usage.log.rows(ORGANIZATION, within):
        yield part[:most]
        most -= len(part)
        if most <= 0:
            return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--rounds", type=int, default=_ROUNDS)
    parser.add_argument("--keep", type=Path, help="use the store there; make it if there is none")
    options = parser.parse_args()
    found = measure(options.events, rounds=options.rounds, keep=options.keep)
    sys.stdout.write(table(found, options.events) + "\n")


if __name__ == "__main__":
    main()
