"""One suite against every backend; PostgreSQL joins by another parameter of `store`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.store.sql.database import SqlStore, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    made = open_store(data_dir=tmp_path)
    yield made
    made.close()
