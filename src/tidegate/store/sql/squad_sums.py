"""Sums of squads and of their members there, of requests that began while they were."""

from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from tidegate.core.spans import Span
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.ledger import Row, cost_nusd
from tidegate.store.sql.rollups import Sums, start_of
from tidegate.store.sql.upserts import add_up

_KEY = ("organization_id", "span", "bucket_start_us", "squad_id", "member_id")


def add_squad_sums(
    connection: sa.Connection, rows: Iterable[Row], zones: Mapping[str, str]
) -> None:
    """Add ledger rows of members of squads."""
    sums: Sums = {}
    for row in rows:
        if row["squad_id"]:
            _add(sums, row, zones[row["organization_id"]])
    add_up(connection, t.by_squad, [sums[key] for key in sorted(sums)])


def _add(sums: Sums, row: Row, zone: str) -> None:
    figures = _figures(row)
    for span in Span:
        bucket_us = start_of(span, row["started_us"], zone)
        key = (row["organization_id"], span.value, bucket_us, row["squad_id"], row["member_id"])
        total = sums.get(key)
        if total is None:
            total = sums[key] = {**dict(zip(_KEY, key, strict=True)), **dict.fromkeys(figures, 0)}
        for name, number in figures.items():
            total[name] += number


def _figures(row: Row) -> dict[str, int]:
    cost, saved = cost_nusd(row), row["saved_nano"]
    is_subscription = row["billing"] == "subscription"
    return {
        "cost_nusd": 0 if is_subscription else cost,
        "subscription_nusd": cost if is_subscription else 0,
        "tokens": sum(row[name] for name in t.COUNTED_TOKENS),
        "requests": 1,
        "saved_tokens": row["saved_tokens_new"] + row["saved_tokens_again"],
        "saved_nusd": 0 if is_subscription else saved,
        "saved_subscription_nusd": saved if is_subscription else 0,
    }
