"""Copies a whole store into an empty one, from any database to any, and compares the two.

All of the target is one transaction per database, and the directory's is committed last: a copy
that fails leaves an empty target, or at worst a ledger without an installation around it.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from tidegate.store.sql import directory_tables, usage_tables
from tidegate.store.sql.database import SqlStore
from tidegate.store.sql.engines import Lock, reading, transaction, without_time_limit, writing
from tidegate.store.sql.migrate import Schema
from tidegate.store.sql.texts import StoredText

_BATCH_ROWS: Final = 1000
_HALVES: Final[tuple[tuple[Schema, Lock, sa.MetaData], ...]] = (
    ("directory", Lock.DIRECTORY, directory_tables.directory),
    ("usage", Lock.USAGE, usage_tables.usage),
)
_TOKENS: Final = [name for name in usage_tables.TOKEN_COLUMNS if name != "reasoning_tokens"]
# Sums are taken in two parts, because SQLite's do not exceed 64 bits.
_PART: Final = 1 << 31

Totals = dict[str, int]


class CopyRefused(Exception):
    """Nothing was copied. The message says why."""


class Copied(msgspec.Struct, frozen=True):
    """What the target now holds, as counted there: rows of each table, and sums of the ledger."""

    rows: dict[str, int]
    tokens: int
    cost_nusd: int


def copy_store(source: SqlStore, target: SqlStore) -> Copied:
    """Copy everything. CopyRefused if the target is not empty, or came out other than the source.

    What is written to the source meanwhile is not part of the copy.
    """
    found: dict[str, Totals] = {}
    with ExitStack() as stack:
        halves = [
            (tables, *stack.enter_context(_connected(source, target, schema, lock)))
            for schema, lock, tables in _HALVES
        ]
        for tables, _, put in halves:
            _require_empty(tables, put)
        for tables, got, put in halves:
            for table in tables.sorted_tables:
                _copy_table(table, got, put)
                found[table.name] = _compared(table, got, put)
    events = found[usage_tables.events.name]
    return Copied(
        rows={name: totals[""] for name, totals in found.items()},
        tokens=sum(events[name] for name in _TOKENS),
        cost_nusd=sum(events[name] for name in usage_tables.COST_COLUMNS),
    )


def servers_on(store: SqlStore) -> int:
    """How many processes of servers are connected to a PostgreSQL; SQLite does not tell."""
    engine = store.engines["directory"]
    if engine.dialect.name == "sqlite":
        return 0
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND (application_name LIKE 'tidegate worker%%' OR application_name = 'tidegate console')"
    )
    with transaction(engine) as connection:
        return int(connection.exec_driver_sql(query).scalar_one())


@contextmanager
def _connected(
    source: SqlStore, target: SqlStore, schema: Schema, lock: Lock
) -> Iterator[tuple[sa.Connection, sa.Connection]]:
    with (
        transaction(reading(source.engines[schema])) as got,
        transaction(writing(target.engines[schema], lock)) as put,
    ):
        without_time_limit(got)
        without_time_limit(put)
        yield got, put


def _require_empty(tables: sa.MetaData, put: sa.Connection) -> None:
    for table in tables.sorted_tables:
        has_rows = put.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first()
        if has_rows and table is not directory_tables.versions:
            raise CopyRefused(
                f"the target is not empty: its table {table.name} has rows;"
                " copy into a new database or data directory"
            )


def _copy_table(table: sa.Table, got: sa.Connection, put: sa.Connection) -> None:
    if table is directory_tables.versions:
        put.execute(sa.delete(table))  # a new store has its own
    query = sa.select(table).execution_options(yield_per=_BATCH_ROWS)
    for rows in got.execute(query).mappings().partitions():
        put.execute(sa.insert(table), [dict(row) for row in rows])


def _compared(table: sa.Table, got: sa.Connection, put: sa.Connection) -> Totals:
    expected, copied = _totals(table, got), _totals(table, put)
    differing = [name or "rows" for name in expected if expected[name] != copied[name]]
    if differing:
        raise CopyRefused(
            f"the copy of the table {table.name} differs from the original in"
            f" {', '.join(differing)}; nothing was kept of it"
        )
    return copied


def _totals(table: sa.Table, connection: sa.Connection) -> Totals:
    """The number of rows, under the name "", and for each column a sum that shows a difference."""
    measured = {c.name: m for c in table.c if (m := _measure(c)) is not None}
    parts = [f(m) for m in measured.values() for f in (_high, _low)]
    count, *sums = connection.execute(sa.select(sa.func.count(), *parts).select_from(table)).one()
    pairs = zip(sums[::2], sums[1::2], strict=True)
    whole = [int(high or 0) * _PART + int(low or 0) for high, low in pairs]
    return {"": count, **dict(zip(measured, whole, strict=True))}


def _measure(column: "sa.Column[Any]") -> "sa.ColumnElement[int] | None":
    """A number for a column's value: itself, or its length."""
    match column.type:
        case sa.Boolean():
            number: sa.ColumnElement[Any] = sa.case((column, 1), else_=0)
        case sa.Integer():
            number = column
        case sa.String() | StoredText() | sa.LargeBinary():
            number = sa.func.length(column)
        case _:
            return None
    return sa.cast(number, sa.BigInteger)


def _high(number: "sa.ColumnElement[int]") -> "sa.ColumnElement[int]":
    return sa.func.sum(number // _PART)


def _low(number: "sa.ColumnElement[int]") -> "sa.ColumnElement[int]":
    return sa.func.sum(number % _PART)
