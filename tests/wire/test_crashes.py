"""Nothing is lost and nothing counted twice, whichever process is killed under load."""

import contextlib
import http.client
import os
import signal
import socket
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.wire.answers import Answer
from tests.wire.bills import Bill
from tests.wire.book import Exchange
from tests.wire.load import SESSION, Load, each
from tests.wire.scripts import converse
from tests.wire.serving import (
    RunningServer,
    enroll,
    has_ended,
    processes_writing_to,
    start_server,
)
from tests.wire.upstream import Upstream

BETWEEN = 12  # answers that came whole, from one kill to the next
UNFINISHED = {"crashed", "cancelled", "cut"}
SMALL = ("--spool-segment", "64KB", "--spool-limit", "64MB")


def paced(exchange: Exchange) -> Answer:
    """The usual conversation, slow enough that a kill finds many answers in the middle."""
    return replace(converse(exchange), pause_s=0.004 * (exchange.number % 7))


class Installation:
    """A server that is started again on the same data and port when its supervisor is killed."""

    def __init__(self, path: Path, stack: contextlib.ExitStack, *options: str) -> None:
        self._path = path
        self._stack = stack
        self._options = (*SMALL, *options)
        self.server = stack.enter_context(start_server(path, workers=2, arguments=self._options))
        self.port = self.server.port
        self.killed: Counter[str] = Counter()

    def kill(self, role: str) -> None:
        """kill -9 of a process, and wait until there is another in its place."""
        self.killed[role] += 1
        if role == "supervisor":
            self.server.kill()
            wait_until(lambda: not any(listens(host, self.port) for host in ("127.0.0.1", "::1")))
            self.server = self._stack.enter_context(
                start_server(
                    self._path,
                    workers=2,
                    arguments=self._options,
                    listen=f"127.0.0.1:{self.port}",
                )
            )
            return
        pid = self.pids(role)[self.killed[role] % len(self.pids(role))]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(set(self.pids(role)) - {pid}) == 1 + (role == "worker"))

    def pids(self, role: str) -> list[int]:
        """The processes of this server that live, by what they are for."""
        found = []
        for pid in sorted(processes_writing_to(self.server._log)):
            with contextlib.suppress(OSError):
                command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if f"tidegate.wiring.{role}".encode() in command and not has_ended(pid):
                    found.append(pid)
        return found

    def rows(self) -> list[dict[str, Any]]:
        """The ledger, after all that was spooled was drained."""
        self.server.admin("usage")
        return rows_of(self.server)


def rows_of(server: RunningServer) -> list[dict[str, Any]]:
    """The ledger as it is."""
    address = f"file:{server.data_dir / 'usage.db'}?mode=ro"
    with contextlib.closing(sqlite3.connect(address, uri=True)) as ledger:
        ledger.row_factory = sqlite3.Row
        return [dict(row) for row in ledger.execute("SELECT * FROM usage_events")]


def listens(host: str, port: int) -> bool:
    """Whether a process that is left still accepts connections."""
    try:
        socket.create_connection((host, port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    except ConnectionResetError:  # its socket was closed while this connection was in its queue
        return True
    return True


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for what other processes bring about."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.02)


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with contextlib.ExitStack() as stack:
        yield Installation(tmp_path, stack)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream(paced) as upstream:
        yield upstream


def wait_drained(installation: Installation) -> None:
    """Wait until every file of a dead writer is gone."""
    spool = installation.server.data_dir / "spool"
    workers = len(installation.pids("worker"))
    wait_until(lambda: len(list(spool.glob("*.segment"))) <= 2 * workers)


def compare(load: Load, upstream: Upstream, rows: list[dict[str, Any]]) -> Counter[str]:
    """Hold clients, upstream and ledger against each other: how many ended how."""
    by_session: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_session.setdefault(row["client_session"], []).append(row)
    assert all(len(found) == 1 for found in by_session.values()), "a request has two events"
    reached = {str(e.request.header(SESSION)): e for e in upstream.book.metered}
    assert len(reached) == len(upstream.book.metered), "a request went out twice"
    lost = set(reached) - set(by_session)
    assert not lost, f"{len(lost)} of {len(reached)} requests have no event: {sorted(lost)[:5]}"
    complete = each(load.asked, lambda one: one.has_all)
    outcomes: Counter[str] = Counter()
    for session, exchange in reached.items():
        [row] = by_session[session]
        outcomes[row["outcome"]] += 1
        if session in complete:
            assert row["outcome"] == "ok", (session, row)
        if row["outcome"] == "ok":
            assert (tokens_of(row), row["estimated"]) == (exact(exchange), 0), (session, row)
            assert cost_of(row) == bill_of(exchange).cost_nusd
        else:
            assert row["outcome"] in UNFINISHED, row
            assert row["estimated"] or tokens_of(row) == exact(exchange), row
    unsent = [row for row in rows if row["client_session"] not in reached]
    assert {row["outcome"] for row in unsent} <= {"crashed", "cancelled", "upstream_error"}
    return outcomes


def bill_of(exchange: Exchange) -> Bill:
    assert exchange.bill is not None
    return exchange.bill


def exact(exchange: Exchange) -> tuple[int, ...]:
    bill = exchange.bill or Bill()
    return (bill.input, bill.cache_write_5m, bill.cache_write_1h, bill.cache_read, bill.output)


def tokens_of(row: dict[str, Any]) -> tuple[int, ...]:
    names = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")
    return tuple(row[f"{name}_tokens"] for name in names)


def cost_of(row: dict[str, Any]) -> int:
    return sum(value for name, value in row.items() if name.endswith("_nusd"))


def kill_under_load(installation: Installation, upstream: Upstream, roles: list[str]) -> None:
    key = enroll(installation.server, upstream.url)
    with Load(installation.port, key, seed=len(roles)) as load:
        for role in roles:
            load.wait_more(BETWEEN)
            installation.kill(role)
        load.wait_more(BETWEEN)
    wait_drained(installation)
    outcomes = compare(load, upstream, installation.rows())
    assert outcomes["ok"] >= BETWEEN * len(roles)
    assert outcomes["crashed"] >= 1


ROLES = ["worker", "console", "worker", "supervisor", "worker"]


@pytest.mark.timeout(300)
def test_ten_kills_under_load(installation: Installation, upstream: Upstream) -> None:
    kill_under_load(installation, upstream, 2 * ROLES)


@pytest.mark.timeout(300)
def test_kills_while_requests_wait_for_the_disk(tmp_path: Path, upstream: Upstream) -> None:
    with contextlib.ExitStack() as stack:
        installation = Installation(tmp_path, stack, "--spool-sync", "on")
        kill_under_load(installation, upstream, ["worker", "worker"])


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(50))
def test_twenty_kills_under_load(part: int, installation: Installation, upstream: Upstream) -> None:
    kill_under_load(installation, upstream, 4 * ROLES)


@contextlib.contextmanager
def ledger_away(data_dir: Path) -> Iterator[None]:
    """Nobody but us can write to the ledger."""
    with contextlib.closing(sqlite3.connect(data_dir / "usage.db", timeout=30)) as connection:
        connection.isolation_level = None
        connection.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")


def readyz(port: int) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def run_without_ledger(
    installation: Installation, upstream: Upstream, least_s: float, roles: list[str]
) -> None:
    key = enroll(installation.server, upstream.url)
    with Load(installation.port, key) as load:
        load.wait_more(BETWEEN)
        with ledger_away(installation.server.data_dir):
            began = time.monotonic()
            for role in roles:
                load.wait_more(BETWEEN)
                installation.kill(role)
            load.wait_more(BETWEEN)
            assert readyz(installation.port)[0] == 200
            while time.monotonic() < began + least_s:
                load.wait_more(1)
        load.wait_more(BETWEEN)
    wait_drained(installation)
    outcomes = compare(load, upstream, installation.rows())
    assert outcomes["ok"] >= BETWEEN * len(roles)


@pytest.mark.timeout(300)
def test_the_ledger_is_away_for_seconds(installation: Installation, upstream: Upstream) -> None:
    run_without_ledger(installation, upstream, 5, ["worker", "console", "worker"])


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_the_ledger_is_away_for_a_minute(installation: Installation, upstream: Upstream) -> None:
    run_without_ledger(installation, upstream, 60, 2 * ["worker", "console", "worker"])
