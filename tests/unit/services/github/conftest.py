"""An organization, and a GitHub on loopback that its services ask."""

from collections.abc import Iterator

import pytest
from tests.fake_github import App, FakeGithub, Installation, pem_of, serving
from tests.github_payloads import SECRET, at_us, body_of, repository, signature
from tests.unit.services.world import World

from tidegate.gateway.options import GatewayOptions
from tidegate.services.github import AppForm
from tidegate.services.github_hooks import Hook, Taken
from tidegate.services.github_parts import Github, make_github
from tidegate.store.forge import ForgeStore
from tidegate.wiring.github_transport import UpstreamTransport

PUBLIC_URL = "https://tidegate.example"


class Connected:
    """Acme with an App by hand, installed in one account with two repositories."""

    def __init__(self, world: World, fake: FakeGithub, *, whole_s: float = 5.0) -> None:
        self.world = world
        self.fake = fake
        self.whole_s = whole_s
        self.organization_id = world.organization_id
        self.github = self.replica()
        self.app: App | None = None
        world.clock.now_us = at_us(10_000)

    def replica(self) -> Github:
        """Another process of the same installation."""
        options = GatewayOptions(console_socket="", allow_upstreams=("127.0.0.1:*",))
        made = (self.world.store, self.world.subkeys, self.world.clock)
        return make_github(
            *made,
            public_url=PUBLIC_URL,
            transport=lambda: UpstreamTransport(options, whole_s=self.whole_s),
        )

    @property
    def forge(self) -> ForgeStore:
        return self.world.store.usage.forge

    @property
    def host(self) -> str:
        return self.fake.url.removeprefix("http://")

    def connect(self, app_id: int = 7) -> App:
        self.app = self.fake.add_app(app_id, secret=SECRET)
        form = AppForm(
            web_url=self.fake.url,
            app_id=str(app_id),
            private_key=pem_of(self.app.key),
            webhook_secret=SECRET,
        )
        self.github.connection.connect(self.organization_id, form, actor=self.world.owner)
        return self.app

    def install(self) -> Installation:
        """Installed by the owner, who began it here."""
        app = self.connect()
        for number, name in ((1, "acme/app"), (2, "acme/site")):
            self.fake.repositories[number] = repository(number, name, 10)
        installation = self.fake.install(app, "acme", 1, 2)
        installations = self.github.installations
        begun = installations.begin(self.organization_id, self.world.owner_id)
        assert installations.finish(
            self.organization_id,
            self.world.owner_id,
            installation_id=installation.installation_id,
            state=begun.partition("state=")[2],
            actor=self.world.owner,
        )
        return installation

    def hook(
        self, event: str, payload: dict[str, object], delivery_id: str, **changes: str
    ) -> Taken:
        """A delivery, signed as it should be unless changed."""
        body = body_of(payload)
        hook_url = self.github.connection.hook_url(self.organization_id)
        fields = {
            "hook_id": hook_url.rpartition("/")[2],
            "signature": signature(body),
            "delivery_id": delivery_id,
            "event": event,
        }
        return self.github.hooks.receive(Hook(**(fields | changes)), body)


@pytest.fixture
def fake() -> Iterator[FakeGithub]:
    with serving(FakeGithub()) as github:
        yield github


@pytest.fixture
def connected(world: World, fake: FakeGithub) -> Connected:
    return Connected(world, fake)
