"""`python -m tests.bench`: CPU per request of Tidegate beside nginx and LiteLLM, its parts, and the
Team page with millions of events stored."""

import argparse
import asyncio
import contextlib
import json
import shlex
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import uvloop
from tests.bench import micro, pages, report, targets, team
from tests.bench.litellm import NoLiteLLM
from tests.bench.nginx import NoNginx
from tests.bench.processes import host_time
from tests.bench.rounds import Plan, Sample, run_rounds, summary, warm_up
from tests.bench.targets import Target
from tests.bench.workloads import WORKLOADS, Workload, shortened

_DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "benchmarks.md"
_WRONG: Final = "The ledger is wrong"
_NAMES: Final = [workload.name for workload in WORKLOADS]


def main() -> int:
    options = _options()
    plan = _plan(options)
    notes: list[str] = []
    summaries: list[dict[str, Any]] = []
    before = host_time()
    if options.only in {None, "load"}:
        summaries = _measure_targets(plan, notes)
    parts = micro.measure() if options.only in {None, "parts"} else []
    sections = _measure_console(options)
    after = host_time()
    notes.append(report.disturbance(after.foreign_since(before), after.stolen_since(before)))
    command = shlex.join(["python", "-m", "tests.bench", *sys.argv[1:]])
    text = report.document(plan.workloads, summaries, parts, notes=notes, command=command)
    text += "".join(f"\n{section}\n" for section in sections)
    sys.stdout.write(text)
    if options.write:
        _DOCUMENT.write_text(text)
    if options.json:
        options.json.write_text(json.dumps({"load": summaries, "parts": parts}, indent=1))
    failed = any(found["failures"] for found in summaries)
    return int(failed or any(note.startswith(_WRONG) for note in notes))


def _measure_console(options: argparse.Namespace) -> list[str]:
    """The Team page's times, and the pages in a browser, both with the same events stored."""
    wanted = {"team", "pages"} if options.only is None else {options.only}
    sections = []
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / "store"
        if "team" in wanted:
            sections.append(team.table(team.measure(options.events, keep=place), options.events))
        if "pages" in wanted:
            sections.append(
                pages.section(pages.measure(options.events, keep=place), options.events)
            )
    return sections


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--short", action="store_true", help="two rounds of short phases")
    parser.add_argument("--rounds", type=int, help="default 5")
    parser.add_argument("--paced-rounds", type=int, help="of BP and D; default as many")
    parser.add_argument("--workloads", default=",".join(_NAMES), help="default %(default)s")
    parser.add_argument(
        "--only", choices=("load", "parts", "team", "pages"), help="measure only that"
    )
    parser.add_argument(
        "--events",
        type=int,
        default=team.EVENTS,
        help="stored for the console's pages, default %(default)s",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    return parser.parse_args()


def _plan(options: argparse.Namespace) -> Plan:
    wanted = options.workloads.split(",")
    if unknown := set(wanted) - set(_NAMES):
        raise SystemExit(f"no such workload: {', '.join(sorted(unknown))}")
    chosen: Sequence[Workload] = [each for each in WORKLOADS if each.name in wanted]
    rounds: int = options.rounds or (2 if options.short else 5)
    paced = min(rounds, options.paced_rounds or rounds)
    if options.short:
        return Plan(rounds, paced, 0.4, [shortened(each) for each in chosen])
    return Plan(rounds, paced, 1.0, chosen)


def _measure_targets(plan: Plan, notes: list[str]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as running:
        place = Path(scratch)
        upstream = running.enter_context(targets.run_upstream())
        chosen: list[Target] = [targets.direct(upstream)]
        try:
            chosen.append(running.enter_context(targets.nginx_target(place / "nginx", upstream)))
        except NoNginx as why:
            notes.append(f"nginx is left out: {why}.")
        ours, server = running.enter_context(targets.tidegate_target(place / "tidegate", upstream))
        chosen.append(ours)
        try:
            peer = targets.litellm_target(place / "litellm", upstream, plan.workloads)
            chosen.append(running.enter_context(peer))
        except NoLiteLLM as why:
            notes.append(f"LiteLLM is left out: {why}.")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(warm_up(chosen, plan.workloads))
            samples = runner.run(run_rounds(chosen, plan))
        faults = targets.check_ledger(server, _answered(samples, plan.workloads, ours.name))
        notes += [f"{_WRONG}: {fault}." for fault in faults]
        notes.append(report.extent(plan, samples))
    return [summary(samples, t.name, w) for w in plan.workloads for t in chosen]


def _answered(
    samples: Sequence[Sample], workloads: Sequence[Workload], target: str
) -> dict[int, int]:
    """How many requests a target answered, by the events of the answer; warm-ups included."""
    events = {workload.name: workload.events for workload in workloads}
    answered: Counter[int] = Counter(w.events for w in workloads if not w.rate)
    for sample in samples:
        if sample.target == target:
            answered[events[sample.workload]] += len(sample.result.latencies)
    return dict(answered)


if __name__ == "__main__":
    sys.exit(main())
