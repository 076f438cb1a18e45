"""What tests of several kinds share."""

from collections.abc import Iterator

import pytest
from tests.postgresql import Postgresql, running_postgresql


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """A PostgreSQL server; each test makes a database of its own in it."""
    with running_postgresql() as server:
        yield server
