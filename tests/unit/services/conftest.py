import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.services.world import World

from tidegate.store.sql.database import open_store


@pytest.fixture(scope="session")
def empty_installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of this release's schema; making one takes longer than most tests."""
    data_dir = tmp_path_factory.mktemp("empty") / "installation"
    open_store(data_dir=data_dir).close()
    return data_dir


@pytest.fixture
def world(empty_installation: Path, tmp_path: Path) -> Iterator[World]:
    made = World(Path(shutil.copytree(empty_installation, tmp_path / "installation")))
    yield made
    made.store.close()
