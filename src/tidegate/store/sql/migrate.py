"""Schema migrations: forward only, one history for the directory and one for usage."""

from pathlib import Path
from typing import Final, Literal

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from tidegate.store.sql.engines import writing

Schema = Literal["directory", "usage"]
_SCRIPTS: Final = Path(__file__).parent / "migrations"
_ADVISORY_LOCK: Final = 0x7469_6465  # any number, the same in every replica


class SchemaTooNew(RuntimeError):
    """The database was written by a newer release."""


def migrate_to_head(engine: sa.Engine, schema: Schema) -> None:
    """Bring one schema to this release's; others that try at the same time wait."""
    config = _config(schema)
    head = ScriptDirectory.from_config(config).get_current_head()
    with engine.begin() as connection:
        if _current(connection, schema) == head:
            return
    if engine.dialect.name == "sqlite":
        _use_wal(engine)
    with writing(engine).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        current = _current(connection, schema)
        _refuse_unknown(config, current)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def version_table(schema: Schema) -> str:
    """The table that holds a schema's revision."""
    return f"{schema}_revision"


def _config(schema: Schema) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("version_locations", str(_SCRIPTS / schema).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.attributes["version_table"] = version_table(schema)
    return config


def _current(connection: sa.Connection, schema: Schema) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": version_table(schema)})
    return context.get_current_revision()


def _refuse_unknown(config: Config, current: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise SchemaTooNew(
            f"the database has schema {current}, which this release does not know;"
            " start the release that wrote it, or a newer one"
        )


def _use_wal(engine: sa.Engine) -> None:
    """Readers and the writer do not wait for each other; a property of the file, set once."""
    with engine.connect() as connection:
        raw = connection.connection.cursor()
        raw.execute("PRAGMA journal_mode = WAL")
        raw.close()
