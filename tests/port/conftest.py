"""One suite against every backend: a data directory for SQLite, a database for PostgreSQL."""

import contextlib
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


@pytest.fixture
def sqlite_place(tmp_path: Path) -> Place:
    return Place(data_dir=tmp_path / "data")


@pytest.fixture
def postgresql_place(postgresql: Postgresql) -> Iterator[Place]:
    with postgresql.database() as url:
        yield Place(database_url=url)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest) -> Place:
    """A place without anything in it."""
    made = request.getfixturevalue(f"{request.param}_place")
    assert isinstance(made, Place)
    return made


@pytest.fixture
def store(place: Place) -> Iterator[SqlStore]:
    """A store of this release's schema."""
    made = place.open()
    yield made
    made.close()
