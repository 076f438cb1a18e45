"""Schema migrations: forward only, one history each for directory, usage and holds.

Most processes find the schema as it should be, so that Alembic is loaded only to change it.
"""

from importlib import import_module
from typing import Final, Literal

import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError

from tidegate.store.sql.engines import (
    Lock,
    one_line,
    transaction,
    without_time_limit,
    writing,
)

Schema = Literal["directory", "usage", "holds"]
HEADS: Final[dict[Schema, str]] = {"directory": "0008", "usage": "0009", "holds": "0001"}
"""This release's revisions; a test compares them with the scripts."""


class DatabaseUnfit(RuntimeError):
    """The database cannot hold our schema. The message says why."""


class SchemaTooNew(DatabaseUnfit):
    """The database was written by a newer release."""


def migrate_to_head(engine: sa.Engine, schema: Schema) -> None:
    """Bring one schema to this release's; others that try at the same time wait."""
    with transaction(engine) as connection:
        if _revision(connection, schema) == HEADS[schema]:
            return
    upgrade = import_module("tidegate.store.sql.upgrade")  # 0.2 s of every start otherwise
    if engine.dialect.name == "sqlite":
        _use_wal(engine)
    try:
        with transaction(writing(engine, Lock.MIGRATIONS)) as connection:
            _require_utf8(connection)
            without_time_limit(connection)
            revision = _revision(connection, schema)
            if revision is not None and revision not in upgrade.revisions(schema):
                raise SchemaTooNew(
                    f"the database has schema {revision}, which this release does not know;"
                    " start the release that wrote it, or a newer one"
                )
            upgrade.run(connection, schema, version_table(schema))
    except ProgrammingError as fault:
        raise DatabaseUnfit(
            f"the database refuses the tables: {one_line(fault.orig)}; its user must be allowed to"
            " make tables in it"
        ) from fault


def version_table(schema: Schema) -> str:
    """The table that holds a schema's revision."""
    return f"{schema}_revision"


def _revision(connection: sa.Connection, schema: Schema) -> str | None:
    name = version_table(schema)
    if not sa.inspect(connection).has_table(name):
        return None
    query = sa.select(sa.column("version_num", sa.String)).select_from(sa.table(name))
    return connection.execute(query).scalar_one_or_none()


def _require_utf8(connection: sa.Connection) -> None:
    """Any other encoding would refuse what people and agents write."""
    if connection.dialect.name == "postgresql":
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
        if encoding != "UTF8":
            raise DatabaseUnfit(f"the database has the encoding {encoding}; make it with UTF8")


def _use_wal(engine: sa.Engine) -> None:
    """Readers and the writer do not wait for each other; a property of the file, set once."""
    with engine.connect() as connection:
        cursor = connection.connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.close()
