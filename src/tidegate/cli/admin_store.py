"""`tidegate admin copy-store`: moving an installation to another database."""

import sys
import time
from typing import Annotated

import typer

from tidegate.cli.admin_command import Report, Task, dollars
from tidegate.wiring.copying import shown_place


def copy_store(
    task: Task,
    *,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="TARGET",
            help="postgresql://… or a data directory, without an installation in it. - reads it "
            "from standard input: other users of the machine can read a command line.",
        ),
    ],
    live: Annotated[
        bool, typer.Option("--live", help="Copy although a server runs, as of this moment.")
    ] = False,
) -> Report:
    """Copy directory and ledger into another database and compare the two."""
    began = time.monotonic()
    target = sys.stdin.readline().strip() if to == "-" else to
    copied = task.admin.copy_store(target, live=live)
    place = shown_place(target)
    fields = {
        "to": place,
        "rows": copied.rows,
        "requests": copied.rows["usage_events"],
        "tokens": copied.tokens,
        "cost_nusd": copied.cost_nusd,
        "seconds": round(time.monotonic() - began, 1),
    }
    lines = [
        f"Copied to {place}: {copied.rows['organizations']} organizations, {copied.rows['keys']}"
        f" keys, {copied.rows['usage_events']:,} requests, {copied.tokens:,} tokens,"
        f" {dollars(copied.cost_nusd)}. Counts and sums are equal.",
        "It opens with the same master key only. The original is unchanged.",
    ]
    return Report(fields, lines)
