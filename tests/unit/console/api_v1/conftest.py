"""Programs of people, on a fresh organization."""

import pytest
from starlette.testclient import TestClient
from tests.browser.world import World
from tests.unit.console.api_v1.programs import Programs


@pytest.fixture
def programs(world: World) -> Programs:
    """Of every role."""
    return Programs(world, world.app, {"owner": world.owner_id})


@pytest.fixture
def api(programs: Programs) -> TestClient:
    """A program of the owner."""
    return programs.of("owner")
