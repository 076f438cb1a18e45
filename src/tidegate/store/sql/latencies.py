"""Counts of requests by how long they took, by little enough that a page reads them at once."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import sqlalchemy as sa

from tidegate.core.latency import bin_of
from tidegate.core.spans import Span
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.ledger import Row
from tidegate.store.sql.rollups import start_of
from tidegate.store.sql.upserts import add_up

_NOTHING: Final = (0, 0)

Counts = dict[tuple[Any, ...], tuple[int, int]]  # requests and failed ones


def add_latencies(connection: sa.Connection, rows: Iterable[Row], zones: Mapping[str, str]) -> None:
    """Count new ledger rows."""
    hours: Counts = {}
    for row in rows:
        organization_id = row["organization_id"]
        key = (
            organization_id,
            start_of(Span.HOUR, row["started_us"], zones[organization_id]),
            row["agent"],
            row["model_served"] or row["model_asked"],
            bin_of(row["duration_us"]),
        )
        requests, failed = hours.get(key, _NOTHING)
        hours[key] = (requests + 1, failed + (row["outcome"] != "ok"))
    days: Counts = {}
    for (organization_id, hour_us, *rest), (requests, failed) in hours.items():
        day_us = start_of(Span.DAY, hour_us, zones[organization_id])
        key = (organization_id, day_us, *rest)
        before = days.get(key, _NOTHING)
        days[key] = (before[0] + requests, before[1] + failed)
    add_up(connection, t.latencies, [*_rows(Span.DAY, days), *_rows(Span.HOUR, hours)])


def _rows(span: Span, counts: Counts) -> Iterator[Row]:
    """In the order of the key, as all writers add them."""
    for organization_id, bucket_start_us, agent, model, number in sorted(counts):
        requests, failed = counts[organization_id, bucket_start_us, agent, model, number]
        yield {
            "organization_id": organization_id,
            "span": span.value,
            "bucket_start_us": bucket_start_us,
            "agent": agent,
            "model": model,
            "bin": number,
            "requests": requests,
            "failed": failed,
        }
