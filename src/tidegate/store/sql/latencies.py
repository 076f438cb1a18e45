"""Counts of requests by how long they took, by little enough that a page reads them at once."""

from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from tidegate.core.latency import bin_of
from tidegate.core.spans import Span
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.ledger import Row
from tidegate.store.sql.rollups import Sums, start_of
from tidegate.store.sql.upserts import add_up

_SPANS = (Span.HOUR, Span.DAY)


def add_latencies(connection: sa.Connection, rows: Iterable[Row], zones: Mapping[str, str]) -> None:
    """Count new ledger rows."""
    sums: Sums = {}
    for row in rows:
        organization_id, started_us = row["organization_id"], row["started_us"]
        zone = zones[organization_id]
        model = row["model_served"] or row["model_asked"]
        number, failed = bin_of(row["duration_us"]), int(row["outcome"] != "ok")
        for span in _SPANS:
            values = (
                organization_id, span.value, start_of(span, started_us, zone), row["agent"],
                model, number,
            )  # fmt: skip
            counts = sums.get(values)
            if counts is None:
                names = t.LATENCY_KEY
                sums[values] = {
                    **dict(zip(names, values, strict=True)), "requests": 1, "failed": failed,
                }  # fmt: skip
            else:
                counts["requests"] += 1
                counts["failed"] += failed
    add_up(connection, t.latencies, [sums[key] for key in sorted(sums)])
