"""Schema migrations: forward only, one history for the directory and one for usage.

Most processes find the schema as it should be, so that Alembic is loaded only to change it.
"""

from importlib import import_module
from typing import Final, Literal

import sqlalchemy as sa

from tidegate.store.sql.engines import writing

Schema = Literal["directory", "usage"]
HEADS: Final[dict[Schema, str]] = {"directory": "0001", "usage": "0001"}
"""This release's revisions; a test compares them with the scripts."""
_ADVISORY_LOCK: Final = 0x7469_6465  # any number, the same in every replica


class SchemaTooNew(RuntimeError):
    """The database was written by a newer release."""


def migrate_to_head(engine: sa.Engine, schema: Schema) -> None:
    """Bring one schema to this release's; others that try at the same time wait."""
    with engine.begin() as connection:
        if _revision(connection, schema) == HEADS[schema]:
            return
    upgrade = import_module("tidegate.store.sql.upgrade")  # 0.2 s of every start otherwise
    if engine.dialect.name == "sqlite":
        _use_wal(engine)
    with writing(engine).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        revision = _revision(connection, schema)
        if revision is not None and revision not in upgrade.revisions(schema):
            raise SchemaTooNew(
                f"the database has schema {revision}, which this release does not know;"
                " start the release that wrote it, or a newer one"
            )
        upgrade.run(connection, schema, version_table(schema))


def version_table(schema: Schema) -> str:
    """The table that holds a schema's revision."""
    return f"{schema}_revision"


def _revision(connection: sa.Connection, schema: Schema) -> str | None:
    name = version_table(schema)
    if not sa.inspect(connection).has_table(name):
        return None
    query = sa.select(sa.column("version_num", sa.String)).select_from(sa.table(name))
    return connection.execute(query).scalar_one_or_none()


def _use_wal(engine: sa.Engine) -> None:
    """Readers and the writer do not wait for each other; a property of the file, set once."""
    with engine.connect() as connection:
        cursor = connection.connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.close()
