"""Transactions straight on the driver, for what each request waits for.

On SQLite the pool and the wrapping of a connection cost several times what the statements do, so
that connections are kept here. PostgreSQL's come from the pool as ever. Values' marks are `?`.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Protocol

import sqlalchemy as sa

from tidegate.store.ports import StoreUnavailable
from tidegate.store.sql.engines import (
    Lock,
    one_line,
    reading,
    sqlite_connection,
    transaction,
    writing,
)

_MOST_KEPT: Final = 4


class Statements(Protocol):
    """A transaction to run statements in."""

    def rows(self, query: str, values: Sequence[object] = ()) -> list[Any]: ...
    def run(self, statement: str, values: Sequence[object] = ()) -> None: ...
    def each(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        """Run it once for each row of values."""
        ...


class Transactions(Protocol):
    """A database. StoreUnavailable if it does not play along."""

    @property
    def dialect(self) -> str: ...
    def read(self) -> AbstractContextManager[Statements]:
        """All of it from one snapshot."""
        ...

    def write(self) -> AbstractContextManager[Statements]:
        """One after another."""
        ...

    def close(self) -> None: ...


def transactions_on(engine: sa.Engine, lock: Lock) -> Transactions:
    """Transactions on an engine; those that write take turns by a lock."""
    return _OnSqlite(engine) if engine.dialect.name == "sqlite" else _OnPostgresql(engine, lock)


class _SqliteStatements:
    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        return self._connection.execute(query, values).fetchall()

    def run(self, statement: str, values: Sequence[object] = ()) -> None:
        self._connection.execute(statement, values)

    def each(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        self._connection.executemany(statement, rows)


class _OnSqlite:
    dialect = "sqlite"

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._free: list[sqlite3.Connection] = []

    def read(self) -> AbstractContextManager[Statements]:
        return self._transaction("BEGIN")

    def write(self) -> AbstractContextManager[Statements]:
        return self._transaction("BEGIN IMMEDIATE")

    def close(self) -> None:
        while self._free:
            self._free.pop().close()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Statements]:
        connection = None
        try:
            connection = self._taken()
            connection.execute(begin)
            yield _SqliteStatements(connection)
            connection.execute("COMMIT")
        except BaseException as fault:
            if connection is not None:
                connection.close()  # rolls back
            if isinstance(fault, sqlite3.OperationalError):
                raise StoreUnavailable(one_line(fault)) from fault
            raise
        if len(self._free) < _MOST_KEPT:
            self._free.append(connection)
        else:
            connection.close()

    def _taken(self) -> sqlite3.Connection:
        try:
            return self._free.pop()
        except IndexError:
            pass
        return sqlite_connection(self._engine)


class _PostgresqlStatements:
    __slots__ = ("_connection",)

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def rows(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        return list(self._connection.exec_driver_sql(_marked(query), tuple(values)))

    def run(self, statement: str, values: Sequence[object] = ()) -> None:
        self._connection.exec_driver_sql(_marked(statement), tuple(values))

    def each(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        if rows:
            self._connection.exec_driver_sql(_marked(statement), [tuple(row) for row in rows])


class _OnPostgresql:
    dialect = "postgresql"

    def __init__(self, engine: sa.Engine, lock: Lock) -> None:
        self._reading = reading(engine)
        self._writing = writing(engine, lock)

    def read(self) -> AbstractContextManager[Statements]:
        return self._transaction(self._reading)

    def write(self) -> AbstractContextManager[Statements]:
        return self._transaction(self._writing)

    def close(self) -> None:
        """The pool is the engine's."""

    @contextmanager
    def _transaction(self, engine: sa.Engine) -> Iterator[Statements]:
        with transaction(engine) as connection:
            yield _PostgresqlStatements(connection)


def _marked(query: str) -> str:
    """The query with the driver's marks for values."""
    return query.replace("?", "%s")
