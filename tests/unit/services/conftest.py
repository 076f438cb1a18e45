from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.services.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "installation")
    yield made
    made.store.close()
