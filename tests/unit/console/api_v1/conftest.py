"""Programs of people, on a fresh organization."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.browser.world import World, made_world
from tests.unit.console.api_v1.programs import Programs


@pytest.fixture
def programs(world: World) -> Programs:
    """Of every role."""
    return Programs(world, world.app, {"owner": world.owner_id})


@pytest.fixture(scope="module")
def stage(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    """The same for all tests of a module: what is refused changes nothing."""
    data_dir = tmp_path_factory.mktemp("stage") / "data"
    shutil.copytree(migrated, data_dir)
    with made_world(data_dir, migrate=False) as world:
        world.found()
        yield Programs(world, world.app, {"owner": world.owner_id})


@pytest.fixture
def api(programs: Programs) -> TestClient:
    """A program of the owner."""
    return programs.of("owner")
