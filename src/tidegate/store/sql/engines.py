"""Database engines: how SQLite and PostgreSQL are opened so that the same statements serve both.

Several processes write at once: console, command line, other replicas. So a writing transaction
takes one lock at its beginning and waits for it, instead of failing later: SQLite's own, or in
PostgreSQL an advisory lock per half of the store. Each writer then sees what all before it have
committed, and none can deadlock with another. Readers never wait: they see one snapshot.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.pool import ConnectionPoolEntry

from tidegate.store.ports import StoreUnavailable

BUSY_TIMEOUT_S: Final = 10
"""How long to wait for a lock."""
STATEMENT_TIMEOUT_S: Final = 30
_IDLE_IN_TRANSACTION_S: Final = 60
_CONNECT_TIMEOUT_S: Final = 5
_RECYCLE_S: Final = 1800
_WRITES: Final = "tidegate_writes"

# So that a server that vanished is noticed within seconds, in the middle of a statement too.
_POSTGRESQL_OPTIONS: Final[dict[str, str | int]] = {
    "connect_timeout": _CONNECT_TIMEOUT_S,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "client_encoding": "utf8",
}


class Lock(IntEnum):
    """What a writing transaction holds: numbers of advisory locks, the same in every release."""

    MIGRATIONS = 0x7469_6465
    DIRECTORY = 0x7469_6466
    USAGE = 0x7469_6467
    PINS = 0x7469_6468
    HOLDS = 0x7469_6469


def sqlite_engine(path: Path) -> sa.Engine:
    """An engine on a file that only its owner can read."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def sqlite_connection(engine: sa.Engine) -> sqlite3.Connection:
    """A connection of one's own to an engine's file. Transactions are begun by hand."""
    connection = sqlite3.connect(
        str(engine.url.database), timeout=BUSY_TIMEOUT_S, check_same_thread=False
    )
    _set_up_sqlite(connection)
    return connection


def postgresql_engine(url: str, *, connections: int = 4, process: str = "tidegate") -> sa.Engine:
    """An engine on a PostgreSQL server, by a `postgresql+psycopg://` or `postgresql://` URL.

    What the URL says in its query wins over what is set here.
    """
    parsed = sa.make_url(url)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername != "postgresql+psycopg":
        raise ValueError("the database URL must begin with postgresql:// or postgresql+psycopg://")
    options = {**_POSTGRESQL_OPTIONS, "application_name": process}
    engine = sa.create_engine(
        parsed,
        connect_args={name: options[name] for name in options.keys() - parsed.query.keys()},
        hide_parameters=True,  # errors are logged
        isolation_level="READ COMMITTED",
        max_overflow=0,
        pool_pre_ping=True,
        pool_recycle=_RECYCLE_S,
        pool_size=connections,
        pool_timeout=BUSY_TIMEOUT_S,
        pool_use_lifo=True,
    )
    event.listen(engine, "connect", _prepare_postgresql)
    event.listen(engine, "begin", _begin_postgresql)
    return engine


def reading(engine: sa.Engine) -> sa.Engine:
    """The same engine and pool, for transactions that only read, all of it from one snapshot."""
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def writing(engine: sa.Engine, lock: Lock) -> sa.Engine:
    """The same engine and pool, for transactions that write, one after another."""
    return engine.execution_options(**{_WRITES: lock})


@contextmanager
def transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction, committed at the end. StoreUnavailable if the database does not play along."""
    try:
        with engine.begin() as connection:
            yield connection
    except (OperationalError, InterfaceError) as fault:
        raise StoreUnavailable(one_line(fault.orig)) from fault
    except NoConnectionFree as fault:
        raise StoreUnavailable("all connections to the database are in use") from fault


def without_time_limit(connection: sa.Connection) -> None:
    """For a transaction that touches every row of a table. Waiting for a lock stays limited."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")


def one_line(fault: object) -> str:
    """A driver's message as one line; PostgreSQL's tend to span several."""
    return " ".join(str(fault).split())


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    _set_up_sqlite(connection)


def _set_up_sqlite(connection: Any) -> None:
    connection.isolation_level = None  # we begin transactions ourselves
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = _lock_of(connection) is not None
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare_postgresql(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    limits = {
        "lock_timeout": BUSY_TIMEOUT_S,
        "statement_timeout": STATEMENT_TIMEOUT_S,
        "idle_in_transaction_session_timeout": _IDLE_IN_TRANSACTION_S,
    }
    cursor = connection.cursor()
    cursor.execute("; ".join(f"SET {name} = '{limit_s}s'" for name, limit_s in limits.items()))
    cursor.close()
    connection.commit()


def _begin_postgresql(connection: sa.Connection) -> None:
    if (lock := _lock_of(connection)) is not None:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({int(lock)})")


def _lock_of(connection: sa.Connection) -> Any:
    return connection.get_execution_options().get(_WRITES)
