"""Filters of the log as conditions on the ledger's rows."""

from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa

from tidegate.store.log import NO_REPOSITORY, LogFilter
from tidegate.store.sql import usage_tables as t

_FOREVER_US: Final = 1 << 62
_STATUSES: Final = {"2xx": 200, "3xx": 300, "4xx": 400, "5xx": 500}
_PLAIN: Final = (
    "member_ids", "agents", "key_id", "session_id", "outcomes", "billing", "repository",
)  # fmt: skip

Condition = sa.ColumnElement[bool]
columns = t.events.c


def conditions(organization_id: str, only: LogFilter) -> list[Condition]:
    """What a row of the ledger must fulfil."""
    return [columns.organization_id == organization_id, *_range(only), *_chosen(only)]


def storable(value: str) -> str:
    """The text as every database takes it; what is changed by that is in no row."""
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _range(only: LogFilter) -> Iterator[Condition]:
    if only.start_us > 0:
        yield columns.started_us >= min(only.start_us, _FOREVER_US)
    if only.end_us > 0:
        yield columns.started_us < min(only.end_us, _FOREVER_US)


def _chosen(only: LogFilter) -> Iterator[Condition]:
    for name, values in (
        ("member_id", only.member_ids),
        ("agent", only.agents),
        ("outcome", only.outcomes),
        ("key_id", only.key_id and (only.key_id,)),
        ("session_id", only.session_id and (only.session_id,)),
        ("billing", only.billing and (only.billing,)),
    ):
        if values:
            yield _any_of(columns[name], tuple(values))
    if only.models:
        yield _any_of(t.MODEL, only.models)
    if only.repository:
        name = "" if only.repository == NO_REPOSITORY else only.repository
        yield columns.repository == storable(name)
    if only.status_class:
        least = _STATUSES[only.status_class]
        yield columns.status.between(least, least + 99)
    for flag in ("captured", "estimated", "price_unknown"):
        wanted = getattr(only, flag)
        if wanted is not None:
            yield columns[flag] if wanted else sa.not_(columns[flag])
    if only.ids.strip():
        yield columns.event_id.in_(_named(storable(only.ids.strip())))


def _any_of(column: "sa.ColumnElement[Any]", values: tuple[str, ...]) -> Condition:
    if len(values) == 1:
        return column == storable(values[0])
    return column.in_([storable(value) for value in values])


def _named(text: str) -> "sa.CompoundSelect[tuple[str]]":
    """The events that have an id of that text."""
    event_ids = sa.select(columns.event_id)
    return sa.union(
        event_ids.where(columns.event_id == text),
        event_ids.where(columns.upstream_request_id == text, columns.upstream_request_id != ""),
        event_ids.where(columns.session_id == text),
        event_ids.where(columns.launch_id == text, columns.launch_id != ""),
        event_ids.where(
            columns.session_id.in_(
                sa.select(t.sessions.c.session_id).where(t.sessions.c.client_session == text)
            )
        ),
    )
