"""Webhooks of GitHub: believed only if signed, counted once, in whatever order they come."""

import hmac
import re
from enum import Enum
from hashlib import sha256
from typing import Final

import msgspec

from tidegate.services.context import Clock, Service, now_us
from tidegate.services.github import GithubConnection
from tidegate.services.github_branches import BranchLinks
from tidegate.services.github_calls import GithubFault, host_of
from tidegate.services.github_events import EVENTS, Told, Unreadable, read_event
from tidegate.services.github_installations import GithubInstallations
from tidegate.services.vault import Subkeys
from tidegate.store.forge import Delivery
from tidegate.store.github import GithubApp
from tidegate.store.ports import Store

MOST_BYTES: Final = 25 << 20  # what GitHub sends at most
_DELIVERY: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
_SIGNATURE: Final = re.compile(r"sha256=([0-9a-f]{64})")
_RESYNC: Final = frozenset(("installation", "installation_repositories"))


class Taken(Enum):
    """What became of a delivery."""

    UNKNOWN = 404  # there is no such address of webhooks
    FORGED = 401
    UNREADABLE = 400
    IGNORED = 202
    SEEN = 200  # before
    DONE = 204


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """The headers of a delivery."""

    hook_id: str
    signature: str
    delivery_id: str
    event: str


class GithubHooks(Service):
    """Takes deliveries in. Blocks: not for an event loop."""

    def __init__(
        self,
        store: Store,
        subkeys: Subkeys,
        clock: Clock = now_us,
        *,
        connection: GithubConnection,
        installations: GithubInstallations,
        branches: BranchLinks,
    ) -> None:
        super().__init__(store, subkeys, clock)
        self._connection = connection
        self._installations = installations
        self._branches = branches

    def expects(self, hook_id: str) -> bool:
        """Whether there is such an address, before a body is read."""
        return self._app(hook_id) is not None

    def receive(self, hook: Hook, body: bytes) -> Taken:
        """Check, then read, then keep. Raises what the store raises: GitHub shows it as failed."""
        app = self._app(hook.hook_id)
        if app is None:
            return Taken.UNKNOWN
        if not self._is_signed(app, hook.signature, body):
            return Taken.FORGED
        if not _DELIVERY.fullmatch(hook.delivery_id):
            return Taken.UNREADABLE
        if hook.event not in EVENTS:
            return Taken.IGNORED
        try:
            told = read_event(hook.event, body, host_of(app.web_url))
        except Unreadable:
            return Taken.UNREADABLE
        if told.app_id not in {0, app.app_id}:
            return Taken.FORGED
        return self._take(app, hook, told)

    def _take(self, app: GithubApp, hook: Hook, told: Told) -> Taken:
        if told.account is not None:
            with self._directory.changing() as change:
                self._installations.note(change, app, told.account)
        if hook.event != "ping" and not self._is_read(app, told.installation_id):
            told = Told(action=told.action)  # noted, for the page shows that GitHub reaches us
        organization_id, at_us = app.organization_id, self._clock()
        delivery = Delivery(
            delivery_id=hook.delivery_id, event=hook.event, action=told.action, received_us=at_us
        )
        if not self._store.usage.forge.take(organization_id, told.facts, delivery):
            return Taken.SEEN
        if told.heads:
            self._branches.link(organization_id, told.heads)
        if hook.event in _RESYNC:
            self._store.usage.forge.request_sync(organization_id, at_us)
        return Taken.DONE

    def _is_read(self, app: GithubApp, installation_id: int) -> bool:
        """Removed ones too: what they tell of before may come after."""
        with self._directory.reading() as reads:
            found = reads.github_installation(app.web_url, installation_id)
        return found is not None and found.approved and found.organization_id == app.organization_id

    def _is_signed(self, app: GithubApp, signature: str, body: bytes) -> bool:
        try:
            secret = self._connection.webhook_secret(app)
        except GithubFault:
            return False
        match = _SIGNATURE.fullmatch(signature)
        if not secret or match is None:
            return False
        digest = hmac.new(secret.encode(), body, sha256).hexdigest()
        return hmac.compare_digest(digest, match[1])

    def _app(self, hook_id: str) -> GithubApp | None:
        with self._directory.reading() as reads:
            return reads.github_app_by_hook(hook_id)
