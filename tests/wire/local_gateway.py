"""A gateway worker in a thread of the test, with a directory of one organization and its keys."""

import asyncio
import contextlib
import functools
import socket
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
import uvloop
from tests.spools import ListSpool
from tests.wire.book import DEADLINE_S
from tests.wire.loop_thread import LoopThread
from tests.wire.upstream import Upstream

from tidegate.core.model import (
    CredentialRecord,
    DirectorySnapshot,
    KeyRecord,
    OrganizationRecord,
    SecretRecord,
    UsageEvent,
)
from tidegate.core.pricing import PriceBook
from tidegate.gateway.directory import Directory
from tidegate.gateway.hold_thread import HoldSource
from tidegate.gateway.options import GatewayOptions
from tidegate.gateway.rate_counters import SharedCounters
from tidegate.gateway.server import Gateway
from tidegate.services.log import NoLog
from tidegate.services.price_book import compile_price_book
from tidegate.services.vault import derive, hash_secret, seal

ORGANIZATION = "org_1"
KEY = "tg_" + "a" * 40
PROVIDER_SECRETS = {"anthropic": "sk-ant-api03-organization", "openai": "sk-organization"}
SUBKEYS = derive(b"k" * 32)


@functools.cache
def price_book() -> PriceBook:
    return compile_price_book()


def key_record(**changes: Any) -> KeyRecord:
    plain = KeyRecord(
        key_id="key_1", organization_id=ORGANIZATION, member_id="mem_1", agent="claude_code"
    )
    return msgspec.structs.replace(plain, **changes)


def credential(provider: str, base_url: str) -> CredentialRecord:
    """The organization's default credential for a provider."""
    credential_id = f"cred_{provider}"
    return CredentialRecord(
        credential_id=credential_id,
        organization_id=ORGANIZATION,
        provider=provider,
        base_url=base_url,
        ciphertext=seal(
            SUBKEYS.credential,
            PROVIDER_SECRETS[provider],
            context=f"{ORGANIZATION}:{credential_id}",
        ),
        is_default=True,
    )


class FixedDirectory:
    """A directory that a test writes down."""

    def __init__(self, snapshot: DirectorySnapshot) -> None:
        self.current = snapshot

    def version(self) -> int:
        return self.current.version

    def snapshot(self) -> DirectorySnapshot:
        return self.current


class EventList(ListSpool):
    """A spool that keeps the events and lets a test wait for them, or make it slow."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()
        self.reached = threading.Event()
        self.open = threading.Event()
        self.open.set()

    def append(self, event: UsageEvent) -> None:
        self.reached.set()
        self.open.wait(DEADLINE_S)
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait(self, count: int) -> list[UsageEvent]:
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.events) >= count, DEADLINE_S):
                raise TimeoutError(f"only {len(self.events)} usage events")
            return list(self.events)


class LocalGateway(LoopThread):
    """Leads both providers to one scripted upstream."""

    def __init__(
        self,
        upstream: Upstream | str,
        *,
        key: KeyRecord | None = None,
        organization: OrganizationRecord | None = None,
        providers: tuple[str, ...] = ("anthropic", "openai"),
        console_socket: str = "",
        loop: asyncio.AbstractEventLoop | None = None,
        holds: HoldSource | None = None,
        rates: SharedCounters | None = None,
        records: Mapping[str, Any] = MappingProxyType({}),
        **options: Any,
    ) -> None:
        super().__init__(loop or uvloop.new_event_loop())
        base = upstream if isinstance(upstream, str) else upstream.url
        self.spool = EventList()
        self.port = 0
        key = key or key_record()
        self._source = FixedDirectory(
            DirectorySnapshot(
                version=1,
                organizations=(
                    organization or OrganizationRecord(organization_id=ORGANIZATION, name="Acme"),
                ),
                keys=(key,),
                secrets=(SecretRecord(hash_secret(SUBKEYS.lookup, KEY), key.key_id),),
                credentials=tuple(credential(provider, base) for provider in providers),
                **records,
            )
        )
        self._limits = (holds, rates)
        self._options = GatewayOptions(
            console_socket=console_socket,
            **{"allow_upstreams": ("127.0.0.1:*", "localhost:*"), **options},
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def events(self) -> list[UsageEvent]:
        return self.spool.events

    async def start(self) -> None:
        log = NoLog()
        directory = Directory(
            self._source, lookup=SUBKEYS.lookup, credential=SUBKEYS.credential, log=log
        )
        await directory.refresh()
        self.gateway = Gateway(
            self._options,
            directory=directory,
            spool=self.spool,
            price_book=price_book(),
            log=log,
        )
        self.gateway.limit_with(*self._limits)
        listener = _listener()
        self.port = int(listener.getsockname()[1])
        await self.gateway.start([listener], None)
        self._polling = asyncio.ensure_future(directory.run())

    async def stop(self) -> None:
        self._polling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._polling
        self.gateway.abort()

    def call(self, action: Callable[[Gateway], Any]) -> Any:
        """Run something in the gateway's loop."""

        async def act() -> Any:
            return action(self.gateway)

        return self.run(act())


def _listener() -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    listener.setblocking(False)
    return listener
