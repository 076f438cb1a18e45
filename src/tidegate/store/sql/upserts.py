"""Inserts that add to the row that is there already, straight to the driver.

For the many rows of a batch the usual way costs several times the CPU.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from operator import itemgetter
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import Dialect

_EARLIEST: Final = "first_us"
_LATEST: Final = "last_us"

Times = sa.ColumnElement[Any]


class Statement(NamedTuple):
    """A statement in the driver's words, and the order of its values where they have one."""

    text: str
    order: "itemgetter[Any] | None"


def insert_into(dialect: str, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that can say what to do on a conflict."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def add_up(connection: sa.Connection, table: sa.Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add the rows' numbers to those of the same key; of times the first or last is kept."""
    execute(connection, rows, _adding(connection.dialect, table))


def replace(connection: sa.Connection, table: sa.Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Put the rows in the place of those of the same key."""
    execute(connection, rows, _replacing(connection.dialect, table))


def compiled(dialect: Dialect, table: sa.Table, insert: sa.Insert) -> Statement:
    """An insert of all columns in the driver's words."""
    return _in_words(insert.compile(dialect=dialect, column_keys=list(table.c.keys())))


def worded(dialect: Dialect, statement: sa.ClauseElement) -> Statement:
    """A statement of several bound values in the driver's words."""
    return _in_words(statement.compile(dialect=dialect))


def execute(
    connection: sa.Connection, rows: Iterable[Mapping[str, Any]], statement: Statement
) -> None:
    """Run a statement once for each row."""
    order = statement.order
    values: list[Any] = [order(row) for row in rows] if order else list(rows)
    if values:
        connection.exec_driver_sql(statement.text, values)


def earlier(one: Times, other: Times) -> Times:
    """The lesser of two columns, in every dialect."""
    return sa.case((one < other, one), else_=other)


def later(one: Times, other: Times) -> Times:
    """The greater of two columns, in every dialect."""
    return sa.case((one > other, one), else_=other)


@cache
def _adding(dialect: Dialect, table: sa.Table) -> Statement:
    insert = insert_into(dialect.name, table)
    new, old = insert.excluded, table.c
    changes: dict[str, Any] = {name: old[name] + new[name] for name in _values(table)}
    if _EARLIEST in changes:
        changes[_EARLIEST] = earlier(old[_EARLIEST], new[_EARLIEST])
    if _LATEST in changes:
        changes[_LATEST] = later(old[_LATEST], new[_LATEST])
    return compiled(
        dialect, table, insert.on_conflict_do_update(index_elements=_key(table), set_=changes)
    )


@cache
def _replacing(dialect: Dialect, table: sa.Table) -> Statement:
    insert = insert_into(dialect.name, table)
    changes = {name: insert.excluded[name] for name in _values(table)}
    return compiled(
        dialect, table, insert.on_conflict_do_update(index_elements=_key(table), set_=changes)
    )


def _in_words(text: sa.Compiled) -> Statement:
    names = getattr(text, "positiontup", None)
    return Statement(str(text), itemgetter(*names) if names else None)


def _values(table: sa.Table) -> list[str]:
    return [column.name for column in table.c if not column.primary_key]


def _key(table: sa.Table) -> list[str]:
    return [column.name for column in table.primary_key]
