"""The machine and the server of every test of the command line."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.cli.world import FakeServer, Machine, fake_server


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with fake_server() as fake:
        yield fake


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)
