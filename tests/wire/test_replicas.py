"""Two servers on one PostgreSQL: what one is told both obey, and both write into one ledger."""

import contextlib
import http.client
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.postgresql import PASSWORD, Postgresql, running_postgresql
from tests.wire.bills import totals
from tests.wire.book import DEADLINE_S
from tests.wire.serving import RunningServer, processes_writing_to, start_server, wait_ended
from tests.wire.upstream import Upstream

from tidegate.config import load
from tidegate.services.audit import COMMAND_LINE
from tidegate.wiring.admin import Administration, open_administration
from tidegate.wiring.lock import read_note

MASTER_KEY = "5e" * 32
REVOKED_WITHIN_S = 1.0
SESSION = "0198c5a2-6d3b-7c3e-9a51-0f5d1c9b7e10"
TURN = json.dumps(
    {
        "model": "claude-sonnet-4-5",
        "max_tokens": 100,
        "stream": True,
        "messages": [{"role": "user", "content": "How high is the tide?"}],
    }
).encode()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture
def database_url(postgresql: Postgresql) -> Iterator[str]:
    with postgresql.database() as url:
        yield url


def variables(database_url: str) -> dict[str, str]:
    """What replicas have in common."""
    return {"TIDEGATE_DATABASE_URL": database_url, "TIDEGATE_MASTER_KEY": MASTER_KEY}


@contextlib.contextmanager
def replicas(folder: Path, database_url: str) -> Iterator[tuple[RunningServer, RunningServer]]:
    """Two servers, each with a home and a data directory of its own."""
    env = variables(database_url)
    for name in ("one", "two"):
        (folder / name).mkdir(exist_ok=True)
    with (
        start_server(folder / "one", env=env) as one,
        start_server(folder / "two", env=env) as two,
    ):
        yield one, two


@contextlib.contextmanager
def administration(server: RunningServer) -> Iterator[Administration]:
    """The services, in this process: what they do is done when they return."""
    settings = load({"data_dir": str(server.data_dir)}, server.env)
    with open_administration(settings, may_create=True) as admin:
        yield admin


def post(server: RunningServer, key: str, path: str = "/v1/messages") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        headers = {"x-tidegate-key": key, "x-claude-code-session-id": SESSION}
        connection.request("POST", path, TURN, {**headers, "content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def turn(server: RunningServer, key: str) -> None:
    status, body = post(server, key)
    assert status == 200, body
    assert b"message_stop" in body


def status_of(server: RunningServer, key: str) -> int:
    """What a request with the key is answered that no ledger counts."""
    return post(server, key, "/v1/messages/count_tokens")[0]


def wait_for(found: Callable[[], Any], wanted: Any, within_s: float = DEADLINE_S) -> None:
    """Ask until the answer is the wanted one."""
    began = time.monotonic()
    while (answer := found()) != wanted:
        waited_s = time.monotonic() - began
        assert waited_s < within_s, f"{answer} instead of {wanted} for {waited_s:.2f} s"
        time.sleep(0.01)


def enroll(server: RunningServer, upstream: Upstream) -> tuple[str, str, str]:
    """Organization, key id and key."""
    with administration(server) as admin:
        organization_id = admin.organizations.bootstrap("Acme", "ada@acme.example").organization_id
        admin.credentials.set(organization_id, "anthropic", upstream.url, "sk-ant-the-companys")
        made = admin.enrolment.enroll(organization_id, "ada@acme.example", "claude_code")
    return organization_id, made.key_id, made.key


def used(server: RunningServer) -> dict[str, Any]:
    """What `tidegate admin usage` on the server's machine shows."""
    with administration(server) as admin:
        admin.drain()
        return admin.usage.totals(admin.organization("").organization_id)


def kill_all(server: RunningServer) -> None:
    """kill -9 of all its processes at once, as when a machine fails."""
    pids = [server.pid, server.console, *server.workers]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    server.process.wait(10)
    wait_ended(pids)


def test_revocation_takes_effect_on_both_within_a_second(
    tmp_path: Path, database_url: str, upstream: Upstream
) -> None:
    with replicas(tmp_path, database_url) as both:
        organization_id, key_id, key = enroll(both[0], upstream)
        for server in both:
            wait_for(lambda server=server: status_of(server, key), 200)  # type: ignore[misc]
        with administration(both[1]) as admin:
            for disabled, status in ((True, 403), (False, 200)):
                admin.enrolment.set_key(organization_id, key_id, disabled=disabled)
                wait_for(
                    lambda status=status: {status_of(server, key) for server in both},  # type: ignore[misc]
                    {status},
                    REVOKED_WITHIN_S,
                )
            admin.enrolment.unenroll(organization_id, key_id)
            wait_for(lambda: {status_of(server, key) for server in both}, {403}, REVOKED_WITHIN_S)
            made = admin.enrolment.enroll(organization_id, "leo@acme.example", "claude_code")
            wait_for(lambda: {status_of(server, made.key) for server in both}, {200})
            admin.members.remove(
                organization_id, made.member_id, by_role="owner", actor=COMMAND_LINE
            )
            wait_for(
                lambda: {status_of(server, made.key) for server in both}, {403}, REVOKED_WITHIN_S
            )


def test_both_meter_into_one_ledger_and_one_killed_loses_nothing(
    tmp_path: Path, database_url: str, upstream: Upstream
) -> None:
    with replicas(tmp_path, database_url) as both:
        one, two = both
        _, _, key = enroll(one, upstream)
        for server in (one, two, two, one, two):
            wait_for(lambda server=server: status_of(server, key), 200)  # type: ignore[misc]
            turn(server, key)
        wait_for(lambda: used(one)["requests"], 5)
        compare(two, upstream)

        # The first fails with usage that it has not handed over; the second goes on.
        os.kill(one.console, signal.SIGSTOP)
        turn(one, key)
        turn(one, key)
        kill_all(one)
        turn(two, key)
        wait_for(lambda: used(two)["requests"], 6)
        assert used(two)["by_outcome"] == {"ok": 6}

        with start_server(tmp_path / "one", env=variables(database_url)):
            wait_for(lambda: used(two)["requests"], 8)
            compare(two, upstream)


def compare(server: RunningServer, upstream: Upstream) -> None:
    """The ledger, its sums by key and by session, and the rollups are what the upstream billed."""
    due = totals(upstream.book.bills)
    usage = used(server)
    [by_key], [by_session] = usage["by_key"], usage["by_session"]
    for sums in (usage, by_key, by_session):
        assert {name: sums[name] for name in due} == due
    assert usage["by_outcome"] == {"ok": usage["requests"]}
    with administration(server) as admin:
        organization_id = admin.organization("").organization_id
        table = admin.usage.table(organization_id, "24h", time.time_ns() // 1000)
    assert table.totals.requests == usage["requests"]
    assert table.totals.cost_nusd == usage["cost_nusd"]


def test_requests_go_on_while_the_database_is_away(tmp_path: Path, upstream: Upstream) -> None:
    """Directory and ledger are both away; nothing that was metered meanwhile is lost."""
    with (
        running_postgresql() as postgresql,
        postgresql.database() as url,
        replicas(tmp_path, url) as both,
    ):
        _, _, key = enroll(both[0], upstream)
        for server in both:
            wait_for(lambda server=server: status_of(server, key), 200)  # type: ignore[misc]
        postgresql.stop()
        for server in both:
            turn(server, key)
            assert page(server, "/readyz") == 200
            assert page(server, "/api/launch", key) == 503
        postgresql.start()
        for server in both:
            wait_for(lambda server=server: page(server, "/api/launch", key), 200)  # type: ignore[misc]
        wait_for(lambda: used(both[0])["requests"], 2)
        compare(both[1], upstream)
        for server in both:
            assert PASSWORD not in server.logs()
            assert server.stop() == 0


def page(server: RunningServer, path: str, key: str = "") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("GET", path, headers={"authorization": f"Bearer {key}"} if key else {})
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_server_starts_without_its_database_and_serves_once_it_is_there(
    tmp_path: Path, postgresql: Postgresql, upstream: Upstream
) -> None:
    url = postgresql.url("later")
    with start_server(tmp_path, env=variables(url), wait=False) as server:
        log = server.wait_log("the database is away")
        assert 'database \\"later\\" does not exist' in log
        note = read_note(server.data_dir)
        assert note is not None
        server.description["addresses"] = [["127.0.0.1", int(note.public_url.split(":")[2])]]
        wait_for(lambda: page(server, "/healthz"), 200)
        assert post(server, "tg_" + "a" * 40)[0] == 503
        assert page(server, "/") == 503
        postgresql.execute("CREATE DATABASE later")
        server.wait_log("Tidegate is ready", DEADLINE_S)
        _, _, key = enroll(server, upstream)
        wait_for(lambda: status_of(server, key), 200)
        turn(server, key)
        [log_file] = tmp_path.glob("server-*.log")
        pids = processes_writing_to(log_file)
        assert len(pids) == 3
        for name in ("cmdline", "environ"):
            shown = [Path(f"/proc/{pid}/{name}").read_bytes() for pid in pids if pid != server.pid]
            assert PASSWORD.encode() not in b"".join(shown)
        assert PASSWORD not in server.logs()
        assert server.stop() == 0
    postgresql.execute("DROP DATABASE later WITH (FORCE)")
