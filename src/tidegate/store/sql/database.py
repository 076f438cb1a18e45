"""Opening the store: a SQLite file each for directory, usage and holds, or one PostgreSQL."""

from pathlib import Path

import sqlalchemy as sa

from tidegate.store.sql.directory import SqlDirectoryStore
from tidegate.store.sql.engines import postgresql_engine, sqlite_engine
from tidegate.store.sql.holds import SqlHolds
from tidegate.store.sql.migrate import Schema, migrate_to_head
from tidegate.store.sql.past import SqlPast
from tidegate.store.sql.usage import SqlUsageStore


class SqlStore:
    """All of persistence on SQL."""

    def __init__(self, directory: sa.Engine, usage: sa.Engine, holds: sa.Engine) -> None:
        self.engines: dict[Schema, sa.Engine] = {
            "directory": directory,
            "usage": usage,
            "holds": holds,
        }
        self.directory = SqlDirectoryStore(directory)
        self.usage = SqlUsageStore(usage)
        self.holds = SqlHolds(holds, usage)
        self.past = SqlPast(usage)

    def migrate(self) -> None:
        """Bring all schemas to this release's; safe when several processes do it at once."""
        for schema, engine in self.engines.items():
            migrate_to_head(engine, schema)

    def close(self) -> None:
        """Close every connection."""
        self.holds.close()
        self.past.close()
        for engine in self.engines.values():
            engine.dispose()


def open_store(
    *,
    data_dir: Path | None = None,
    database_url: str | None = None,
    migrate: bool = True,
    connections: int = 4,
    process: str = "tidegate",
) -> SqlStore:
    """Open the store in PostgreSQL if a URL is given, else in files of the data directory.

    `connections` is the most that PostgreSQL sees of this process, `process` the name it sees.
    """
    if database_url:
        engine = postgresql_engine(database_url, connections=connections, process=process)
        store = SqlStore(engine, engine, engine)
    elif data_dir is not None:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        names = ("directory", "usage", "holds")
        store = SqlStore(*(sqlite_engine(data_dir / f"{name}.db") for name in names))
    else:
        raise ValueError("a data directory or a database URL is needed")
    if migrate:
        try:
            store.migrate()
        except BaseException:
            store.close()
            raise
    return store
