"""One set-up for all tests that need a whole server: agents and SDKs only add members to it."""

from collections.abc import Iterator

import pytest
from tests.wire.site import Site, running_site


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as running:
        yield running
