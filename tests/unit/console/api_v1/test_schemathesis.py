"""A stranger's view: what the OpenAPI document promises, tried against the API itself."""

from collections.abc import Iterator
from typing import Any
from zlib import crc32

import pytest
import schemathesis
from schemathesis.engine import events, from_schema
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.browser.world import PUBLIC_URL, World
from tests.effort import EFFORT, examples

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
OWNER = b"Bearer of-the-owner"
# A value may fit its schema and still be none: a time zone that is not there, a made-up cursor.
TAKEN = ["2xx", "401", "403", "404", "409", "422"]


class WithToken:
    """Puts a valid token of the owner where the caller says so: its tokens get revoked at times."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._app: ASGIApp = world.app
        self._made = 0
        self._secret = self._make()
        self.requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.requests += 1
            headers = [(name, self._real(value)) for name, value in scope["headers"]]
            scope = {**scope, "headers": headers}
        await self._app(scope, receive, send)

    def _real(self, value: bytes) -> bytes:
        if value != OWNER:
            return value
        if self._world.services.access_tokens.authenticate(self._secret) is None:
            self._secret = self._make()
        return b"Bearer " + self._secret.encode()

    def _make(self) -> str:
        self._made += 1
        tokens = self._world.services.access_tokens
        name = f"schemathesis {self._made}"
        return tokens.create(
            self._world.organization_id, self._world.owner_id, name, "write"
        ).secret


def faults(schema: Any) -> Iterator[str]:
    """What every phase finds: examples, boundaries, unspecified methods, made-up data, links."""
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            yield str(event)
        if isinstance(event, events.ScenarioFinished):
            checks = [check for each in event.recorder.checks.values() for check in each]
            for found in (check.failure_info for check in checks if check.failure_info):
                yield f"{found.failure.title}: {found.failure.message} {found.code_sample}"


def _number(label: str) -> int:
    """The same on every machine and in every run."""
    return crc32(label.encode())


def test_the_api_keeps_what_its_description_promises(world: World) -> None:
    config = schemathesis.Config.from_dict(
        {
            "base-url": PUBLIC_URL,
            "headers": {"Authorization": OWNER.decode()},
            "seed": 1,
            "continue-on-failure": True,
            "generation": {"max-examples": examples(10), "deterministic": True},
            "checks": {"positive_data_acceptance": {"expected-statuses": TAKEN}},
        }
    )
    app = WithToken(world)
    host = PUBLIC_URL.removeprefix("http://")
    schema = schemathesis.openapi.from_asgi(
        "/api/v1/openapi.json", app, config=config, headers={"host": host}
    )
    tried: Any = schema
    if EFFORT < 1:  # every third operation; the soak takes all
        tried = schema.include(lambda context: _number(context.operation.label) % 3 == 0)
    assert list(faults(tried)) == []
    assert app.requests > (1000 if EFFORT >= 1 else 300)
