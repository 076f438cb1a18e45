"""Usage events as rows of the ledger, and back."""

from collections.abc import Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine.interfaces import Dialect

from tidegate.core.model import Cost, TokenCounts, ToolSaving, UsageEvent
from tidegate.store.sql import usage_tables as t

_MAX_TIME_US: Final = 250_000_000_000_000_000  # year 9892; calendars end soon after
_MAX_COUNT: Final = 1 << 50  # absurd for one request, and thousands of them still add up
_PLAIN_TEXT_CHARS: Final = 2000  # of all texts of a row together, usually a quarter of it
_TEXT_BYTES: Final = 4000
# What is part of an index: PostgreSQL takes 2,704 bytes in all for an entry.
_INDEXED_BYTES: Final = {
    **dict.fromkeys(("event_id", "organization_id", "member_id", "key_id", "squad_id"), 128),
    **dict.fromkeys(("session_id", "parent_session_id"), 128),
    **dict.fromkeys(("agent", "billing", "outcome"), 64),
    **dict.fromkeys(("model_asked", "model_served", "launch_id"), 400),
    **dict.fromkeys(("upstream_request_id", "client_session"), 400),
    **{"repository": 800, "branch": 800, "commit": 400, "subagent_id": 400},
}
_TOKENS: Final = {name: f"{name}_tokens" for name in TokenCounts.__struct_fields__}
_COSTS: Final = {name: f"{name}_nusd" for name in Cost.__struct_fields__}
_NUMBERS: Final = {*t.EVENT_NUMBERS, *t.COMPRESSION_NUMBERS}
_APART: Final = {"tokens", "cost", "tool_savings", "links", "calls"}
_PLAIN: Final = [n for n in UsageEvent.__struct_fields__ if n not in _APART]
COLUMNS: Final = (*_PLAIN, *_TOKENS.values(), *_COSTS.values(), "tool_savings")
_plain_values: Final = itemgetter(*(UsageEvent.__struct_fields__.index(n) for n in _PLAIN))
_decode_savings: Final = msgspec.json.Decoder(list[tuple[str, int, int, int]]).decode
_texts: Final = itemgetter(
    *(i for i, field in enumerate(COLUMNS) if isinstance(t.events.c[field].type, sa.Text))
)
_times: Final = itemgetter(*map(COLUMNS.index, ("started_us", "first_byte_us", "duration_us")))
_counts: Final = itemgetter(
    *(i for i, field in enumerate(COLUMNS) if field in _NUMBERS and field[-3:] != "_us")
)
_costs: Final = itemgetter(*_COSTS.values())

Row = dict[str, Any]


def row_of(event: UsageEvent) -> Row:
    """The ledger's row of an event, with nothing in it that a database refuses."""
    plain = _plain_values(msgspec.structs.astuple(event))
    tokens, cost = msgspec.structs.astuple(event.tokens), msgspec.structs.astuple(event.cost)
    savings = savings_text(event.tool_savings) if event.tool_savings else ""
    values = (*plain, *tokens, *cost, savings)
    counts, times = _counts(values), _times(values)
    fits = min(*counts, *times) >= 0 and max(counts) <= _MAX_COUNT and max(times) <= _MAX_TIME_US
    if not fits or not _is_plain("".join(_texts(values))):
        values = tuple(map(_storable, COLUMNS, values))
    row = dict(zip(COLUMNS, values, strict=True))
    row["unsaid"] = 0
    return row


def event_of(row: Mapping[str, Any]) -> UsageEvent:
    """The event that a row was made from."""
    return event_from([row[name] for name in COLUMNS])


def event_from(values: Sequence[Any]) -> UsageEvent:
    """The same from the values of COLUMNS, for many rows."""
    plain, tokens_end = len(_PLAIN), len(_PLAIN) + len(_TOKENS)
    return UsageEvent(
        **dict(zip(_PLAIN, values, strict=False)),
        tokens=TokenCounts(*values[plain:tokens_end]),
        cost=Cost(*values[tokens_end:-1]),
        tool_savings=savings_of(values[-1]) if values[-1] else (),
    )


def savings_text(savings: Sequence[ToolSaving]) -> str:
    """Savings as the ledger stores them; none with a name that is no text."""
    try:
        return msgspec.json.encode([msgspec.structs.astuple(each) for each in savings]).decode()
    except UnicodeEncodeError:
        return ""


def savings_of(text: str) -> tuple[ToolSaving, ...]:
    """Savings as they were stored; none of a text that was too long to be stored whole."""
    try:
        found = _decode_savings(text)
    except msgspec.DecodeError:
        return ()
    return tuple(ToolSaving(*values) for values in found)


def cost_nusd(row: Mapping[str, Any]) -> int:
    """The total cost of a row."""
    return sum(_costs(row))


def unknown(connection: sa.Connection, rows: Sequence[Row]) -> list[Row]:
    """What the ledger does not hold yet.

    No other transaction inserts meanwhile: writers hold the lock of their half of the store.
    """
    unique = {row["event_id"]: row for row in rows}
    known = sa.select(t.events.c.event_id).where(t.events.c.event_id.in_(list(unique)))
    for event_id in connection.execute(known).scalars():
        del unique[event_id]
    return list(unique.values())


def insert(connection: sa.Connection, rows: Sequence[Row]) -> None:
    """Insert rows, straight to the driver: for some as wide the usual way takes four times the
    CPU."""
    statement, order = _insert(connection.dialect)
    connection.exec_driver_sql(statement, [order(row) for row in rows] if order else list(rows))


def _is_plain(text: str) -> bool:
    return len(text) <= _PLAIN_TEXT_CHARS and text.isascii() and "\0" not in text


def storable_text(value: str, limit: int = _TEXT_BYTES) -> str:
    """The text within every database's limits: no NUL, no lone surrogate, not endless."""
    encoded = value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace")
    return encoded[:limit].decode("utf-8", "ignore")


def _storable(column: str, value: str | int) -> str | int:
    if isinstance(value, str):
        return storable_text(value, _INDEXED_BYTES.get(column, _TEXT_BYTES))
    return min(max(value, 0), _MAX_TIME_US if column.endswith("_us") else _MAX_COUNT)


@cache
def _insert(dialect: Dialect) -> tuple[str, "itemgetter[Any] | None"]:
    """The statement in the driver's words, and the order of its values where they have one."""
    columns = [*COLUMNS, "unsaid"]
    compiled = t.events.insert().compile(dialect=dialect, column_keys=columns)
    names = compiled.positiontup
    return str(compiled), itemgetter(*names) if names else None
