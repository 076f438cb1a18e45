"""One suite against every backend: a data directory for SQLite, a database for PostgreSQL."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.postgresql import Postgresql

from tidegate.store.sql.database import SqlStore, open_store
from tidegate.store.sql.engines import postgresql_engine, sqlite_engine
from tidegate.store.sql.migrate import Schema


class Place(msgspec.Struct, frozen=True):
    """Where a test's store is."""

    data_dir: Path | None = None
    database_url: str | None = None

    @property
    def is_postgresql(self) -> bool:
        return self.database_url is not None

    def open(self, **options: Any) -> SqlStore:
        return open_store(data_dir=self.data_dir, database_url=self.database_url, **options)

    @contextlib.contextmanager
    def connected(self, schema: Schema = "directory") -> Iterator[sa.Connection]:
        """A transaction behind the ports."""
        if self.data_dir is not None:
            engine = sqlite_engine(self.data_dir / f"{schema}.db")
        else:
            engine = postgresql_engine(self.database_url or "")
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()


@pytest.fixture(scope="session")
def migrated_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store, to be copied: making one anew takes longer than most tests."""
    data_dir = tmp_path_factory.mktemp("migrated") / "data"
    open_store(data_dir=data_dir).close()
    return data_dir


@pytest.fixture(scope="session")
def migrated_database(postgresql: Postgresql) -> Iterator[str]:
    """The same on PostgreSQL: the name of a database."""
    with postgresql.database() as url:
        open_store(database_url=url).close()
        yield str(sa.make_url(url).database)


@pytest.fixture
def sqlite_place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    data_dir = tmp_path / "data"
    if "store" in request.fixturenames:
        shutil.copytree(request.getfixturevalue("migrated_dir"), data_dir)
    return Place(data_dir=data_dir)


@pytest.fixture
def postgresql_place(request: pytest.FixtureRequest, postgresql: Postgresql) -> Iterator[Place]:
    templates = []
    if "store" in request.fixturenames:
        templates.append(request.getfixturevalue("migrated_database"))
    with postgresql.database(*templates) as url:
        yield Place(database_url=url)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest) -> Place:
    """Where the test's store is; without a store, a place without anything in it."""
    made = request.getfixturevalue(f"{request.param}_place")
    assert isinstance(made, Place)
    return made


@pytest.fixture
def store(place: Place) -> Iterator[SqlStore]:
    """A store of this release's schema."""
    made = place.open(migrate=False)
    yield made
    made.close()
