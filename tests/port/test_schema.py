"""The schema: migrations make what the tables say, files are private, the audit log stays."""

import sqlite3
import stat
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from tidegate.store.sql import upgrade
from tidegate.store.sql.database import SqlStore, open_store
from tidegate.store.sql.directory_tables import directory
from tidegate.store.sql.engines import postgresql_engine, sqlite_engine
from tidegate.store.sql.migrate import HEADS, Schema, SchemaTooNew, version_table
from tidegate.store.sql.usage_tables import usage


@pytest.mark.parametrize(("schema", "tables"), [("directory", directory), ("usage", usage)])
def test_migrations_make_the_tables(
    store: SqlStore, tmp_path: Path, schema: Schema, tables: sa.MetaData
) -> None:
    options = {
        "version_table": version_table(schema),
        "compare_type": True,
        "compare_server_default": True,
    }
    with sqlite_engine(tmp_path / f"{schema}.db").connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert context.get_current_revision() == HEADS[schema]
        assert compare_metadata(context, tables) == []
    assert HEADS[schema] in upgrade.revisions(schema)


def test_files_are_private(store: SqlStore, tmp_path: Path) -> None:
    with store.directory.changing() as change:
        assert change.organizations() == []
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}
    assert {"directory.db", "directory.db-wal", "usage.db"} <= set(modes)


def test_the_database_is_set_up_for_several_processes(store: SqlStore, tmp_path: Path) -> None:
    with sqlite_engine(tmp_path / "usage.db").connect() as connection:
        values = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert values == {
        "journal_mode": "wal",
        "synchronous": 1,
        "foreign_keys": 1,
        "busy_timeout": 10_000,
    }


def test_a_newer_schema_is_refused(store: SqlStore, tmp_path: Path) -> None:
    store.close()
    with sqlite3.connect(tmp_path / "usage.db") as connection:
        connection.execute("UPDATE usage_revision SET version_num = '9999'")
    connection.close()
    with pytest.raises(SchemaTooNew, match="9999"):
        open_store(data_dir=tmp_path)


@pytest.mark.parametrize("verb", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"])
def test_the_audit_log_is_append_only(store: SqlStore, tmp_path: Path, verb: str) -> None:
    row = "('aud_1', 'org_1', 1, 'cli', 'a.b', 'x', '{}', '')"
    with sqlite_engine(tmp_path / "directory.db").begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO audit VALUES {row}")
    with (
        pytest.raises(sa.exc.IntegrityError, match="append-only"),
        sqlite_engine(tmp_path / "directory.db").begin() as connection,
    ):
        connection.exec_driver_sql(verb)


def test_a_place_is_needed() -> None:
    with pytest.raises(ValueError, match="data directory or a database URL"):
        open_store()


@pytest.mark.parametrize("url", ["sqlite:///x", "mysql://x/y"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="postgresql://"):
        postgresql_engine(url)
