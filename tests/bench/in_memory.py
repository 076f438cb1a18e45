"""A gateway worker without sockets: what our own code costs, apart from the kernel's share."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.bench import replies
from tests.bench.load import Address, request_head
from tests.bench.workloads import Workload, request_body

from tidegate.core.model import (
    CredentialRecord,
    DirectorySnapshot,
    KeyRecord,
    OrganizationRecord,
    SecretRecord,
)
from tidegate.core.pricing import PriceBook
from tidegate.core.routing import parse_base_url
from tidegate.gateway.capture import CaptureKeeper
from tidegate.gateway.client import ClientConnection
from tidegate.gateway.directory import Directory
from tidegate.gateway.options import GatewayOptions
from tidegate.gateway.server import Gateway
from tidegate.gateway.spool import SpoolWriter
from tidegate.gateway.upstream import UpstreamConnection
from tidegate.services.log import NoLog
from tidegate.services.vault import Subkeys, derive, hash_secret, seal

KEY: Final = "tg_bench0000000000000000000000000000000000000"
SUBKEYS: Final[Subkeys] = derive(bytes(32))
_READ_BYTES: Final = 256_000  # what uvloop reads at once
_BASE_URL: Final = "http://127.0.0.1:9"


class NullTransport(asyncio.Transport):
    """Takes everything and counts the writes, each of which would be a system call."""

    first_write_at = 0.0  # since this was set to 0

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.written = 0

    def write(self, data: Any) -> None:
        self.first_write_at = self.first_write_at or time.perf_counter()
        self.writes += 1
        self.written += len(data)

    def writelines(self, list_of_data: Any) -> None:
        self.first_write_at = self.first_write_at or time.perf_counter()
        self.writes += 1
        self.written += sum(map(len, list_of_data))

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        """Nothing is open."""

    def pause_reading(self) -> None:
        """What is to be read comes as one calls."""

    def resume_reading(self) -> None:
        """The same."""


class OneKey:
    """A store whose directory holds one organization with one key and one credential."""

    def __init__(self, *, is_debugged: bool = False) -> None:
        self._debug_until_us = 1 << 60 if is_debugged else 0

    def version(self) -> int:
        return 1

    def snapshot(self) -> DirectorySnapshot:
        sealed = seal(SUBKEYS.credential, "sk-ant-api03-bench", context="org_bench:cred_bench")
        return DirectorySnapshot(
            version=1,
            organizations=(OrganizationRecord(organization_id="org_bench", name="Bench"),),
            keys=(
                KeyRecord(
                    key_id="key_bench",
                    organization_id="org_bench",
                    member_id="mem_bench",
                    agent="claude_code",
                    debug_until_us=self._debug_until_us,
                ),
            ),
            secrets=(SecretRecord(hash_secret(SUBKEYS.lookup, KEY), "key_bench"),),
            credentials=(
                CredentialRecord(
                    credential_id="cred_bench",
                    organization_id="org_bench",
                    provider="anthropic",
                    base_url=_BASE_URL,
                    ciphertext=sealed,
                    is_default=True,
                ),
            ),
        )


class SocketlessGateway:
    """A gateway that listens nowhere, with a real spool, one client and one upstream."""

    def __init__(self, place: Path, book: PriceBook, *, is_debugged: bool = False) -> None:
        self.client_transport = NullTransport()
        self.upstream_transport = NullTransport()
        self._directory = Directory(
            OneKey(is_debugged=is_debugged), lookup=SUBKEYS.lookup, credential=SUBKEYS.credential
        )
        self._spool = SpoolWriter(place, "bench")
        self.captures = CaptureKeeper(place, "bench", SUBKEYS.capture, NoLog())
        self.gateway = Gateway(
            GatewayOptions(console_socket=""),
            directory=self._directory,
            spool=self._spool,
            price_book=book,
            log=NoLog(),
            captures=self.captures,
        )
        self._client = ClientConnection(self.gateway)
        self._upstream = UpstreamConnection(self.gateway.pool, parse_base_url(_BASE_URL).origin)

    async def start(self) -> None:
        await self._directory.refresh()
        await self.gateway.start([], None)
        self._client.connection_made(self.client_transport)
        self._upstream.connection_made(self.upstream_transport)
        self.gateway.pool.put_back(self._upstream)

    def stop(self) -> None:
        self.gateway.abort()

    def take(self, request: list[bytes], answer: list[bytes]) -> float:
        """Take one request; how long the answer's first bytes were here, in seconds."""
        for piece in request:
            self._client.data_received(piece)
        return self._answer(answer)

    async def take_patiently(self, request: list[bytes], answer: list[bytes]) -> int:
        """The same where the request goes out later; how many bytes did."""
        before = self.upstream_transport.written
        for piece in request:
            self._client.data_received(piece)
        while self.upstream_transport.written == before:  # noqa: ASYNC110  a thread does it
            await asyncio.sleep(0.0005)
        sent = self.upstream_transport.written - before
        self._answer(answer)
        while self.gateway.counters()["requests_running"]:  # noqa: ASYNC110
            await asyncio.sleep(0.0005)
        return sent

    def _answer(self, answer: list[bytes]) -> float:
        self.client_transport.first_write_at = 0.0
        began = time.perf_counter()
        for piece in answer:
            self._upstream.data_received(piece)
        return self.client_transport.first_write_at - began

    def request(self, workload: Workload) -> Callable[[], None]:
        """A function that takes one request of this workload from its first byte to its last."""
        requests, answers = request_pieces(workload), answer_pieces(workload)

        def call() -> None:
            for piece in requests:
                self._client.data_received(piece)
            for piece in answers:
                self._upstream.data_received(piece)

        return call


def request_pieces(workload: Workload) -> list[bytes]:
    """A request as the reads bring it."""
    return pieces_of(request_body(workload))


def pieces_of(body: bytes) -> list[bytes]:
    """A request with that body, of a session."""
    whole = request_head(Address(80, KEY), len(body), "bench-session") + body
    return [whole[at : at + _READ_BYTES] for at in range(0, len(whole), _READ_BYTES)]


def answer_pieces(workload: Workload) -> list[bytes]:
    """The upstream's answer as the reads bring it: in large pieces, or one event a piece."""
    if not workload.events:
        body = replies.json_body()
        return [
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: req_bench\r\n"
            b"content-length: %d\r\n\r\n%b" % (len(body), body)
        ]
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
        b"cache-control: no-cache\r\nrequest-id: req_bench\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    events = [b"%x\r\n%b\r\n" % (len(e), e) for e in replies.stream(workload.events)]
    if workload.rate:
        opening, deltas, closing = events[:3], events[3:-3], events[-3:]
        return [head + b"".join(opening), *deltas, b"".join(closing) + b"0\r\n\r\n"]
    whole = head + b"".join(events) + b"0\r\n\r\n"
    return [whole[at : at + _READ_BYTES] for at in range(0, len(whole), _READ_BYTES)]
