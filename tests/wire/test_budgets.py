"""A strict budget under a rush: exactly what fits passes, whoever of several processes decides."""

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.postgresql import Postgresql
from tests.wire.answers import Answer, Gate
from tests.wire.book import Exchange
from tests.wire.http1 import take_response
from tests.wire.loop_thread import LoopThread
from tests.wire.raw import message_body, request
from tests.wire.scripts import converse
from tests.wire.serving import RunningServer, isolated_environment, start_server
from tests.wire.upstream import Upstream

from tidegate.config import load
from tidegate.core.budgets import Budget, Envelope, Standing, Subject, Window
from tidegate.core.dialects import read_members
from tidegate.core.holds import Priceable, bound
from tidegate.core.model import Dialect
from tidegate.services.price_book import compile_price_book
from tidegate.store.sql.database import SqlStore, open_store
from tidegate.wiring.admin import open_administration

MASTER_KEY = "5e" * 32
BODY = message_body()
EVERYTHING = Envelope("bud_1", Subject("organization"), Window(0, 0))
PATIENCE_S = 60.0
SHORT, FULL = (200, 20), (1000, 100)
SOAK = [pytest.mark.soak, pytest.mark.timeout(300)]


class Rush(LoopThread):
    """Sends equal requests at once, each on a connection of its own, and counts the answers."""

    def __init__(self, ports: list[int], key: str, count: int) -> None:
        super().__init__()
        self.statuses: Counter[int] = Counter()
        self.bodies: set[bytes] = set()
        self._ports = ports
        self._request = request("/v1/messages", BODY, f"x-tidegate-key: {key}")
        self._count = count
        self._clients: list[asyncio.Task[None]] = []
        self._changed = threading.Condition()

    async def start(self) -> None:
        self._clients = [
            asyncio.ensure_future(self._ask(self._ports[number % len(self._ports)]))
            for number in range(self._count)
        ]

    async def stop(self) -> None:
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    def wait(self, count: int) -> None:
        """Wait until so many are answered or broken off."""
        with self._changed:
            done = self._changed.wait_for(lambda: self.statuses.total() >= count, PATIENCE_S)
            assert done, f"{self.statuses} of {count}"

    async def _ask(self, port: int) -> None:
        status, buffer = 0, bytearray()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.closing(writer):
                writer.write(self._request)
                while (taken := take_response(buffer, "POST")) is None:
                    data = await reader.read(1 << 16)
                    if not data:
                        break
                    buffer += data
                if taken is not None:
                    status = int(buffer[9:12])
        except OSError:
            status = 0  # its worker was killed
        with self._changed:
            self.statuses[status] += 1
            self._changed.notify_all()


def held() -> tuple[Callable[[Exchange], Answer], Gate]:
    """A script whose answers wait for one gate."""
    gate = Gate()

    def script(exchange: Exchange) -> Answer:
        return replace(converse(exchange), hold_before={-1: gate})

    return script, gate


def hold_nusd() -> int:
    """What a strict budget holds for a request."""
    facts, members = read_members(Dialect.MESSAGES, BODY)
    what = Priceable(
        provider="anthropic",
        model=facts.model,
        price_table="",
        at_us=time.time_ns() // 1000,
    )
    amount = bound(compile_price_book(), what, Dialect.MESSAGES, BODY, members).amount_nusd
    assert amount
    return amount


@contextlib.contextmanager
def store_of(data_dir: Path, url: str) -> Iterator[SqlStore]:
    store = open_store(data_dir=data_dir, database_url=url or None, migrate=False)
    try:
        yield store
    finally:
        store.close()


def set_up(home: Path, env: dict[str, str], upstream: Upstream, fitting: int, **terms: Any) -> str:
    """An organization with a strict budget that so many holds fit; its key."""
    data_dir = home / "data"
    settings = load({"data_dir": str(data_dir)}, isolated_environment(home / "home") | env)
    with open_administration(settings, may_create=True) as admin:
        organization_id = admin.organizations.bootstrap("Acme", "ada@acme.example").organization_id
        admin.credentials.set(organization_id, "anthropic", upstream.url, "sk-ant-the-companys")
        made = admin.enrolment.enroll(organization_id, "ada@acme.example", "claude_code")
    budget = Budget(
        budget_id="bud_1",
        organization_id=organization_id,
        amount_nusd=hold_nusd() * fitting + hold_nusd() - 1,
        window="lifetime",
        hard=True,
        mode="strict",
        **terms,
    )
    url = env.get("TIDEGATE_DATABASE_URL", "")
    with store_of(data_dir, url) as store, store.directory.changing() as change:
        change.add_budget(budget)
    return made.key


def settled(server: RunningServer, url: str) -> int:
    """After all ended, nothing is held and what is spent is the ledger's sum: that sum."""
    deadline = time.monotonic() + PATIENCE_S
    with store_of(server.data_dir, url) as store:
        with store.directory.reading() as reads:
            [organization] = reads.organizations()
        while True:
            [standing] = store.holds.standings(organization.organization_id, [EVERYTHING])
            ledger = _ledger(store)
            if standing == Standing(ledger, 0, 0) and not _rows(store):
                return ledger
            assert time.monotonic() < deadline, (standing, ledger, _rows(store))
            time.sleep(0.05)


def _rows(store: SqlStore) -> int:
    with store.engines["holds"].connect() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM holds").scalar_one())


def _ledger(store: SqlStore) -> int:
    parts = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output", "extras")
    total = " + ".join(f"{part}_nusd" for part in parts)
    query = f"SELECT coalesce(sum({total}), 0) FROM usage_events"
    with store.engines["usage"].connect() as connection:
        return int(connection.exec_driver_sql(query).scalar_one())


@contextlib.contextmanager
def servers(
    folder: Path, url: str, fitting: int, upstream: Upstream, *options: str, **terms: Any
) -> Iterator[tuple[list[RunningServer], str]]:
    """One server of 4 workers on SQLite, or two of 2 on PostgreSQL, that know the budget."""
    env = {"TIDEGATE_MASTER_KEY": MASTER_KEY}
    names, workers = (("one", "two"), 2) if url else (("one",), 4)
    if url:
        env["TIDEGATE_DATABASE_URL"] = url
    for name in names:
        (folder / name).mkdir()
    key = set_up(folder / "one", env, upstream, fitting, **terms)
    with contextlib.ExitStack() as stack:
        yield (
            [
                stack.enter_context(
                    start_server(folder / name, env=env, workers=workers, arguments=options)
                )
                for name in names
            ],
            key,
        )


@pytest.fixture
def url(engine: str, request: pytest.FixtureRequest) -> Iterator[str]:
    if engine == "sqlite":
        yield ""
        return
    postgresql: Postgresql = request.getfixturevalue("postgresql")
    with postgresql.database() as found:
        yield found


@pytest.mark.parametrize(
    ("engine", "count", "fitting"),
    [
        pytest.param("postgresql", *SHORT, id="postgresql"),
        pytest.param("sqlite", *FULL, id="sqlite, in full", marks=SOAK),
        pytest.param("postgresql", *FULL, id="postgresql, in full", marks=SOAK),
    ],
)
def test_exactly_as_many_pass_as_fit(count: int, fitting: int, url: str, tmp_path: Path) -> None:
    script, gate = held()
    with (
        Upstream(script) as upstream,
        servers(tmp_path, url, fitting, upstream, "--hold-wait", "30s") as (running, key),
        Rush([server.port for server in running], key, count) as rush,
    ):
        rush.wait(count - fitting)
        assert rush.statuses == {429: count - fitting}
        upstream.book.wait(lambda book: len(book.metered) >= fitting)  # the last is on its way
        gate.open()
        rush.wait(count)
        assert rush.statuses == {429: count - fitting, 200: fitting}
        assert settled(running[0], url) > 0
        assert len(upstream.book.metered) == fitting


@pytest.mark.parametrize(
    ("engine", "count", "fitting"),
    [
        pytest.param("sqlite", *SHORT, id="sqlite"),
        pytest.param("postgresql", *SHORT, id="postgresql", marks=SOAK),
        pytest.param("sqlite", *FULL, id="sqlite, in full", marks=SOAK),
        pytest.param("postgresql", *FULL, id="postgresql, in full", marks=SOAK),
    ],
)
def test_never_more_with_the_default_wait_and_a_worker_killed_in_the_middle(
    count: int, fitting: int, url: str, tmp_path: Path
) -> None:
    """What the killed worker held is free again as soon as its spool was drained."""
    script, gate = held()
    with (
        Upstream(script) as upstream,
        servers(tmp_path, url, fitting, upstream, when_unknown="closed") as (running, key),
        Rush([server.port for server in running], key, count) as rush,
    ):
        rush.wait(count // 4)
        os.kill(running[0].workers[0], signal.SIGKILL)
        rush.wait(count - fitting)
        assert set(rush.statuses) <= {429, 503, 0}
        assert len(upstream.book.metered) <= fitting
        gate.open()
        rush.wait(count)
        assert len(upstream.book.metered) <= fitting
        settled(running[0], url)
