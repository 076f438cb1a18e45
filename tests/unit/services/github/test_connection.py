"""Connecting with GitHub: by a manifest, by hand, and what is refused."""

import base64
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.fake_github import FakeGithub, pem_of, rsa_key
from tests.github_payloads import SECRET
from tests.unit.services.github.conftest import Connected

from tidegate.services.errors import Conflict, InvalidCode, InvalidField, NotFound
from tidegate.services.github import AppForm
from tidegate.services.github_addresses import addresses, manifest
from tidegate.services.github_calls import Access
from tidegate.store.github import GithubApp

pytestmark = pytest.mark.slow


def state_of(address: str) -> str:
    return parse_qs(urlsplit(address).query)["state"][0]


def made_app(connected: Connected, *, member_id: str = "") -> tuple[str, str]:
    """What GitHub sends the browser back with after a manifest: state, code."""
    begun = connected.github.connection.begin(
        connected.organization_id,
        connected.world.owner_id,
        web_url=connected.fake.url,
        owner="",
    )
    connected.fake.add_app(7, secret=SECRET)
    connected.fake.codes["c0de"] = 7
    return state_of(begun.action), "c0de"


def test_the_manifest_asks_for_the_least() -> None:
    made = manifest(
        organization_name="Brightwater Research and Development",
        public_url="https://tidegate.example/",
        hook_url="https://tidegate.example/webhooks/github/1",
        web_url="https://github.com",
    )
    assert made["default_permissions"] == {"metadata": "read", "pull_requests": "read"}
    assert made["public"] is False
    assert made["hook_attributes"] == {
        "url": "https://tidegate.example/webhooks/github/1",
        "active": True,
    }
    assert len(made["name"]) <= 34


def test_a_server_on_loopback_asks_for_no_webhooks() -> None:
    made = manifest(
        organization_name="B",
        public_url="http://localhost:4180",
        hook_url="http://localhost:4180/webhooks/github/1",
        web_url="https://github.com",
    )
    assert "hook_attributes" not in made


@pytest.mark.parametrize(
    ("typed", "web_url", "api_url"),
    [
        ("", "https://github.com", "https://api.github.com"),
        ("github.com", "https://github.com", "https://api.github.com"),
        ("https://github.com/", "https://github.com", "https://api.github.com"),
        ("https://git.acme.dev", "https://git.acme.dev", "https://git.acme.dev/api/v3"),
        (
            "https://Git.Acme.dev:8443/",
            "https://git.acme.dev:8443",
            "https://git.acme.dev:8443/api/v3",
        ),
        ("acme.ghe.com", "https://acme.ghe.com", "https://api.acme.ghe.com"),
    ],
)
def test_addresses(typed: str, web_url: str, api_url: str) -> None:
    found = addresses(typed)
    assert (found.web_url, found.api_url) == (web_url, api_url)


@pytest.mark.parametrize(
    "typed",
    ["http://git.acme.dev", "https://u:p@git.acme.dev", "https://git.acme.dev/x", "ftp://x", "a b"],
)
def test_addresses_that_are_refused(typed: str) -> None:
    with pytest.raises(InvalidField) as refused:
        addresses(typed)
    assert refused.value.field == "web_url"


def test_a_manifest_connects(connected: Connected) -> None:
    state, code = made_app(connected)
    connection, organization_id = connected.github.connection, connected.organization_id
    app = connection.finish(
        organization_id,
        connected.world.owner_id,
        state=state,
        code=code,
        actor=connected.world.owner,
    )
    assert (app.app_id, app.slug) == (7, "tidegate-7")
    assert connection.webhook_secret(app) == SECRET
    assert pem_of(rsa_key()).encode() not in msgspec.json.encode(
        {name: base64.b64encode(getattr(app, name)).decode() for name in ("private_key",)}
    )
    assert "PRIVATE" not in repr(app)
    assert connection.test(organization_id, actor=connected.world.owner).ok
    assert connected.world.actions()[-2:] == ["github_app.connect", "github_app.test"]


def test_a_state_is_good_once_and_for_who_began(connected: Connected) -> None:
    connection, world = connected.github.connection, connected.world
    state = connection.make_state(connected.organization_id, world.owner_id, "x")
    other = world.join("other@example.com", "admin")
    for member_id in (other, world.owner_id):  # asked for by another it is gone, too
        with pytest.raises(InvalidCode):
            connection.use_state(connected.organization_id, member_id, state)
    fresh = connection.make_state(connected.organization_id, world.owner_id, "told")
    assert connection.use_state(connected.organization_id, world.owner_id, fresh) == "told"
    with pytest.raises(InvalidCode):
        connection.use_state(connected.organization_id, world.owner_id, fresh)
    altered = connection.make_state(connected.organization_id, world.owner_id, "a").split(".")[0]
    with pytest.raises(InvalidCode):
        connection.use_state(connected.organization_id, world.owner_id, f"{altered}.aGk")


def test_a_code_that_github_does_not_know(connected: Connected) -> None:
    state, _ = made_app(connected)
    with pytest.raises(Conflict, match="Begin again"):
        connected.github.connection.finish(
            connected.organization_id,
            connected.world.owner_id,
            state=state,
            code="nope",
            actor=connected.world.owner,
        )
    assert connected.github.connection.app(connected.organization_id) is None


def hand(connected: Connected, **changes: str) -> AppForm:
    connected.fake.add_app(7)
    typed = {"web_url": connected.fake.url, "app_id": "7", "private_key": pem_of(rsa_key())}
    return AppForm(**(typed | changes))


def other_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"app_id": "seven"}, "app_id"),
        ({"app_id": "0"}, "app_id"),
        ({"app_id": "9" * 30}, "app_id"),
        ({"private_key": "-----BEGIN RSA PRIVATE KEY-----"}, "private_key"),
        ({"private_key": other_key()}, "private_key"),
        ({"webhook_secret": "short"}, "webhook_secret"),
        ({"app_id": "8"}, "app_id"),  # GitHub knows no such App, or not by this key
    ],
    ids=["word", "zero", "huge", "cut", "elliptic", "secret", "unknown"],
)
def test_what_is_typed_wrong(connected: Connected, changes: dict[str, str], field: str) -> None:
    form = hand(connected, **changes)
    with pytest.raises(InvalidField) as refused:
        connected.github.connection.connect(
            connected.organization_id, form, actor=connected.world.owner
        )
    assert refused.value.field == field
    assert connected.github.connection.app(connected.organization_id) is None


def test_an_app_belongs_to_one_organization(connected: Connected) -> None:
    connected.connect()
    other_id, member_id = connected.world.other_organization("else@example.com", "")
    form = hand(connected)
    with pytest.raises(Conflict, match="Another organization"):
        connected.github.connection.connect(other_id, form, actor=connected.world.owner)
    with pytest.raises(Conflict, match="connected already"):
        connected.github.connection.begin(
            connected.organization_id, member_id, web_url="", owner=""
        )


def test_an_address_of_the_inner_network_is_not_asked(connected: Connected) -> None:
    form = hand(connected, web_url="https://10.1.2.3")
    with pytest.raises(InvalidField, match="--allow-upstream"):
        connected.github.connection.connect(
            connected.organization_id, form, actor=connected.world.owner
        )


def test_no_redirect_is_followed(connected: Connected) -> None:
    connected.connect()
    connected.fake.mode = "moved"
    tried = connected.github.connection.test(connected.organization_id, actor=connected.world.owner)
    assert not tried.ok
    assert "not followed" in tried.sentence


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("limit", "rate limit"),
        ("secondary", "rate limit"),
        ("forbidden", "forbids"),
        ("broken", "trouble of its own (502)"),
    ],
)
def test_each_fault_has_a_sentence(connected: Connected, mode: str, told: str) -> None:
    connected.connect()
    connected.fake.mode = mode
    tried = connected.github.connection.test(connected.organization_id, actor=connected.world.owner)
    assert not tried.ok
    assert told in tried.sentence


def test_a_github_that_is_slow_or_gone(connected: Connected) -> None:
    connected.connect()
    connected.whole_s = 0.2
    connected.fake.mode = "slow"
    connection = connected.replica().connection
    tried = connection.test(connected.organization_id, actor=connected.world.owner)
    assert "in time" in tried.sentence
    with FakeGone(connected) as gone:
        assert "could not be reached" in gone.test()


class FakeGone:
    """A port that nobody listens on."""

    def __init__(self, connected: Connected) -> None:
        self._connected = connected

    def __enter__(self) -> "FakeGone":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def test(self) -> str:
        with self._connected.world.store.directory.changing() as change:
            app = change.github_app(self._connected.organization_id)
            assert app is not None
            nobody = "http://127.0.0.1:1"
            change.put_github_app(msgspec.structs.replace(app, api_url=f"{nobody}/api/v3"))
        connection = self._connected.replica().connection
        actor = self._connected.world.owner
        return connection.test(self._connected.organization_id, actor=actor).sentence


def test_disconnecting_forgets_the_secrets(connected: Connected) -> None:
    connected.install()
    connected.github.sync.run(connected.organization_id)
    connection = connected.github.connection
    connection.disconnect(connected.organization_id, keep=True, actor=connected.world.owner)
    assert connection.app(connected.organization_id) is None
    assert connected.github.installations.list(connected.organization_id) == []
    assert len(connected.forge.repositories(connected.organization_id)) == 2
    with pytest.raises(NotFound):
        connection.disconnect(connected.organization_id, keep=True)
    connected.connect()
    connection.disconnect(connected.organization_id, keep=False, actor=connected.world.owner)
    assert connected.forge.repositories(connected.organization_id) == []


def test_an_app_under_another_master_key(connected: Connected, fake: FakeGithub) -> None:
    connected.connect()
    with connected.world.store.directory.changing() as change:
        app = change.github_app(connected.organization_id)
        assert isinstance(app, GithubApp)
        change.put_github_app(msgspec.structs.replace(app, private_key=b"\x01" * 40))
    tried = connected.github.connection.test(connected.organization_id, actor=connected.world.owner)
    assert "connect it anew" in " ".join(tried.sentence.split())
    assert "PRIVATE" not in repr(Access(fake.url, 7, pem_of(rsa_key())))
