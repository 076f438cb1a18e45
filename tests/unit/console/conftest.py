"""A console on a fresh store, and a browser-like client for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.browser.world import PUBLIC_URL, World, made_world


@pytest.fixture
def empty_world(tmp_path: Path) -> Iterator[World]:
    """A server without an organization."""
    with made_world(tmp_path / "data") as world:
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
