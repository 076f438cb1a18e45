"""The schema: migrations make what the tables say, files are private, the audit log stays."""

import stat

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from tests.port.conftest import Place
from tests.postgresql import PASSWORD, Postgresql

from tidegate.store.ports import StoreUnavailable
from tidegate.store.sql import upgrade
from tidegate.store.sql.database import SqlStore, open_store
from tidegate.store.sql.directory_tables import directory
from tidegate.store.sql.engines import postgresql_engine
from tidegate.store.sql.holds_tables import holds_metadata
from tidegate.store.sql.migrate import HEADS, DatabaseUnfit, Schema, SchemaTooNew, version_table
from tidegate.store.sql.usage_tables import usage

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("schema", "tables"),
    [("directory", directory), ("usage", usage), ("holds", holds_metadata)],
)
def test_migrations_make_the_tables(
    store: SqlStore, place: Place, schema: Schema, tables: sa.MetaData
) -> None:
    of_schema = {*tables.tables, version_table(schema)}
    options = {
        "version_table": version_table(schema),
        "compare_type": True,
        "compare_server_default": True,
        "include_name": lambda name, kind, _: kind != "table" or name in of_schema,
    }
    with place.connected(schema) as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert context.get_current_revision() == HEADS[schema]
        assert compare_metadata(context, tables) == []
    assert HEADS[schema] in upgrade.revisions(schema)


def test_files_are_private(sqlite_place: Place) -> None:
    store = sqlite_place.open()
    assert sqlite_place.data_dir is not None
    with store.directory.changing() as change:
        assert change.organizations() == []
        files = list(sqlite_place.data_dir.iterdir())
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in files}
    assert set(modes.values()) == {0o600}
    assert {"directory.db", "directory.db-wal", "usage.db"} <= set(modes)
    store.close()


def test_sqlite_is_set_up_for_several_processes(sqlite_place: Place) -> None:
    sqlite_place.open().close()
    with sqlite_place.connected("usage") as connection:
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


def test_postgresql_waits_for_nothing_without_end(postgresql_place: Place) -> None:
    with postgresql_place.connected() as connection:
        values = {
            name: connection.exec_driver_sql(f"SHOW {name}").scalar_one()
            for name in (
                "lock_timeout",
                "statement_timeout",
                "idle_in_transaction_session_timeout",
                "client_encoding",
                "application_name",
            )
        }
    assert values == {
        "lock_timeout": "10s",
        "statement_timeout": "30s",
        "idle_in_transaction_session_timeout": "1min",
        "client_encoding": "UTF8",
        "application_name": "tidegate",
    }


def test_what_the_url_says_wins(postgresql_place: Place) -> None:
    place = Place(database_url=f"{postgresql_place.database_url}&application_name=mine")
    with place.connected() as connection:
        assert connection.exec_driver_sql("SHOW application_name").scalar_one() == "mine"


def test_a_newer_schema_is_refused(store: SqlStore, place: Place) -> None:
    with place.connected("usage") as connection:
        connection.exec_driver_sql("UPDATE usage_revision SET version_num = '9999'")
    with pytest.raises(SchemaTooNew, match="9999"):
        place.open()


@pytest.mark.parametrize("verb", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"])
def test_the_audit_log_is_append_only(store: SqlStore, place: Place, verb: str) -> None:
    row = "('aud_1', 'org_1', 1, 'cli', 'a.b', 'x', '{}', '')"
    with place.connected() as connection:
        connection.exec_driver_sql(f"INSERT INTO audit VALUES {row}")
    with (
        pytest.raises(sa.exc.IntegrityError, match="append-only"),
        place.connected() as connection,
    ):
        connection.exec_driver_sql(verb)


def test_the_audit_log_is_not_truncated(postgresql_place: Place) -> None:
    postgresql_place.open().close()
    with (
        pytest.raises(sa.exc.IntegrityError, match="append-only"),
        postgresql_place.connected() as connection,
    ):
        connection.exec_driver_sql("TRUNCATE audit")


def test_a_place_is_needed() -> None:
    with pytest.raises(ValueError, match="data directory or a database URL"):
        open_store()


@pytest.mark.parametrize("url", ["sqlite:///x", "mysql://x/y"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="postgresql://"):
        postgresql_engine(url)


def test_a_database_of_another_encoding_is_refused(postgresql: Postgresql) -> None:
    with (
        postgresql.database("template0 ENCODING SQL_ASCII LOCALE 'C'") as url,
        pytest.raises(DatabaseUnfit, match="SQL_ASCII; make it with UTF8"),
    ):
        open_store(database_url=url)


def test_a_user_who_may_not_make_tables_is_told_so(postgresql: Postgresql) -> None:
    postgresql.execute("CREATE ROLE guest LOGIN")
    with (
        postgresql.database() as url,
        pytest.raises(DatabaseUnfit, match=r"permission denied.*must be allowed to make tables"),
    ):
        open_store(database_url=url.replace("//tidegate:", "//guest:"))


def test_a_missing_database_is_told_in_one_line_without_the_password(
    postgresql: Postgresql,
) -> None:
    with pytest.raises(StoreUnavailable, match='"nowhere" does not exist') as caught:
        open_store(database_url=postgresql.url("nowhere"))
    assert "\n" not in str(caught.value)
    assert PASSWORD not in repr(caught.getrepr())
