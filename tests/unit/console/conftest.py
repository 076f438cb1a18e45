"""A console on a fresh store, and a browser-like client for it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.browser.world import PUBLIC_URL, World, made_world


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store, to be copied: making one anew takes longer than most tests."""
    data_dir = tmp_path_factory.mktemp("store") / "data"
    with made_world(data_dir):
        return data_dir


@pytest.fixture
def empty_world(migrated: Path, tmp_path: Path) -> Iterator[World]:
    """A server without an organization."""
    shutil.copytree(migrated, tmp_path / "data")
    with made_world(tmp_path / "data", migrate=False) as world:
        yield world


@pytest.fixture
def world(empty_world: World) -> World:
    """A server with the organization Brightwater and its owner."""
    empty_world.found()
    return empty_world


@pytest.fixture
def client(empty_world: World) -> TestClient:
    """A visitor without a login."""
    return TestClient(
        empty_world.app,
        base_url=PUBLIC_URL,
        follow_redirects=False,
        headers={"x-tidegate-peer": "203.0.113.7", "x-tidegate-proto": "http"},
    )


@pytest.fixture
def owner(world: World, client: TestClient) -> TestClient:
    """The owner, signed in."""
    client.cookies.set("tidegate_login", world.login())
    return client
