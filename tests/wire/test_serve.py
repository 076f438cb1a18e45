"""`tidegate serve` as processes: start, refusals, drain, crashes, certificates, secrets."""

import hashlib
import http.client
import json
import os
import resource
import signal
import socket
import ssl
import stat
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.wiring.certificates import write_pair
from tests.wire.answers import Answer, Gate
from tests.wire.book import Exchange
from tests.wire.scripts import converse
from tests.wire.serving import (
    RunningServer,
    enroll,
    isolated_environment,
    run_tidegate,
    start_server,
    wait_ended,
)
from tests.wire.upstream import Upstream

from tidegate.services.vault import derive
from tidegate.wiring.lock import read_note

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
    with Upstream() as upstream:
        yield upstream


def connect(server: RunningServer, host: str = "127.0.0.1") -> http.client.HTTPConnection:
    return http.client.HTTPConnection(host, server.port, timeout=30)


def get(server: RunningServer, path: str, host: str = "127.0.0.1") -> tuple[int, bytes]:
    connection = connect(server, host)
    connection.request("GET", path)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class Held:
    """A streamed answer that waits before its last event until the test lets it go."""

    def __init__(self, server: RunningServer, upstream: Upstream, key: str) -> None:
        self.gate = Gate()
        upstream.script = self._script
        self._connection = connect(server)
        headers = {"x-api-key": key, "content-type": "application/json"}
        self._connection.request("POST", "/v1/messages", TURN, headers)
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, self._answer.read()
        assert self.gate.reached.wait(30)

    def _script(self, exchange: Exchange) -> Answer:
        answer = converse(exchange)
        if not exchange.path.endswith("/messages"):
            return answer
        return replace(answer, hold_before={len(answer.pieces) - 1: self.gate})

    def finish(self) -> bytes:
        """Let the upstream end its answer; the whole of it as it came to the client."""
        self.gate.open()
        try:
            return self._answer.read()
        finally:
            self._connection.close()

    def rest(self) -> bytes:
        """What comes without the upstream's doing."""
        try:
            return self._answer.read()
        except http.client.IncompleteRead as cut:
            return cut.partial
        finally:
            self._connection.close()


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_refused(port: int) -> None:
    deadline = time.monotonic() + 10
    while accepts(port):
        assert time.monotonic() < deadline, f"port {port} still accepts connections"
        time.sleep(0.005)


def test_first_start(tmp_path: Path, record_property: Any) -> None:
    with start_server(tmp_path, workers=2) as server:
        record_property("seconds_to_ready", server.description["seconds"])
        home = tmp_path / "home"
        assert server.base_url == f"http://127.0.0.1:{server.port}"
        for host in ("127.0.0.1", "::1", "localhost"):
            assert get(server, "/healthz", host)[0] == 200
            assert get(server, "/sign-in", host)[0] == 200
        assert get(server, "/readyz")[0] == 200
        assert mode_of(server.data_dir) == 0o700
        assert {mode_of(path) for path in server.data_dir.iterdir() if path.is_file()} == {0o600}
        assert mode_of(home / "config/tidegate/master.key") == 0o600
        (runtime,) = server.runtime_dirs
        assert mode_of(runtime) == 0o700
        link = (server.data_dir / "setup-link").read_text()
        assert link.startswith(f"{server.base_url}/setup/")
        assert get(server, link.strip().removeprefix(server.base_url))[0] == 200
        token = link.strip().rpartition("/")[2]
        assert token not in server.logs()
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 10
        assert server.runtime_dirs == []
        wait_ended([*server.workers, server.console])


def test_the_open_file_limit_is_raised(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard - 1, hard))
    try:
        with start_server(tmp_path) as server:
            for pid in (server.pid, *server.workers):
                assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_second_server_on_the_same_data_is_refused(tmp_path: Path) -> None:
    with start_server(tmp_path) as server:
        options = ["serve", "--listen", "127.0.0.1:0", "--data-dir", str(server.data_dir)]
        second = run_tidegate(options, env=server.env)
        assert second.returncode == 1
        assert str(server.data_dir) in second.stderr
        assert f"process {server.pid}" in second.stderr
        with start_server(tmp_path, data_dir=tmp_path / "other") as other:
            assert other.port != server.port
            assert get(other, "/healthz")[0] == 200
        assert get(server, "/healthz")[0] == 200


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--listen", "0.0.0.0:0"], "--public-url is required"),
        (["--master-key-file", "{data}/master.key"], "lies in the data directory"),
        (["--workers", "none"], "--workers 'none'"),
        (["--price-file", "/nowhere.json"], "--price-file /nowhere.json"),
        (["--tls-cert", "/nowhere.pem", "--tls-key", "/nowhere.key"], "No such file"),
    ],
)
def test_refusals_are_one_line(tmp_path: Path, options: list[str], says: str) -> None:
    data = tmp_path / "data"
    arguments = ["serve", "--listen", "127.0.0.1:0", "--data-dir", str(data)]
    arguments += [option.format(data=data) for option in options]
    done = run_tidegate(arguments, env=isolated_environment(tmp_path / "home"))
    assert done.returncode == 1
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_no_secret_on_a_command_line_or_in_an_environment(tmp_path: Path) -> None:
    master = hashlib.sha256(b"a master key of this test").digest()
    password = "proxy-password"
    secrets = {
        "TIDEGATE_MASTER_KEY": master.hex(),
        "HTTPS_PROXY": f"http://u:{password}@127.0.0.1:9",
    }
    with start_server(tmp_path, env=secrets) as server:
        (worker,) = server.workers
        for pid in (worker, server.console):
            for name in ("cmdline", "environ"):
                shown = Path(f"/proc/{pid}/{name}").read_bytes()
                assert master.hex().encode() not in shown
                assert password.encode() not in shown
        subkeys = derive(master)
        only = {"lookup": subkeys.lookup, "credential": subkeys.credential}
        rest = {"reveal": subkeys.reveal, "login": subkeys.login, "master": master}
        assert in_memory(worker, only | rest) == set(only)
        assert in_memory(server.console, only | rest) == {*only, *rest} - {"master"}


def in_memory(pid: int, wanted: dict[str, bytes]) -> set[str]:
    """Which of these byte strings are somewhere in the memory of a process."""
    found = set()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, permissions, *rest = line.split()
            if not permissions.startswith("rw") or "[v" in rest[-1]:
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            content = os.pread(memory.fileno(), end - start, start)
            found |= {name for name, value in wanted.items() if value in content}
    return found


def test_sigterm_drains(tmp_path: Path, upstream: Upstream) -> None:
    with start_server(tmp_path) as server:
        held = Held(server, upstream, enroll(server, upstream.url))
        server.signal(signal.SIGTERM)
        wait_refused(server.port)
        assert server.process.poll() is None
        assert b"message_stop" in held.finish()
        assert server.process.wait(20) == 0
        assert server.admin("usage")["by_outcome"] == {"ok": 1}


def test_a_second_signal_stops_at_once(tmp_path: Path, upstream: Upstream) -> None:
    with start_server(tmp_path) as server:
        held = Held(server, upstream, enroll(server, upstream.url))
        server.signal(signal.SIGINT)
        wait_refused(server.port)
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        assert b"message_stop" not in held.rest()
        assert server.process.wait(20) == 0
        assert time.monotonic() - began < 10
        assert server.admin("usage")["requests"] == 1
        wait_ended([*server.workers, server.console])


def test_the_drain_has_an_end(tmp_path: Path, upstream: Upstream) -> None:
    with start_server(tmp_path, arguments=["--drain-timeout", "300ms"]) as server:
        held = Held(server, upstream, enroll(server, upstream.url))
        server.signal(signal.SIGTERM)
        assert b"message_stop" not in held.rest()
        assert server.process.wait(20) == 0


def test_a_killed_supervisor_leaves_the_port_to_a_new_server(
    tmp_path: Path, upstream: Upstream
) -> None:
    with start_server(tmp_path) as old:
        key = enroll(old, upstream.url)
        held = Held(old, upstream, key)
        (old_runtime,) = old.runtime_dirs
        old.kill()
        wait_refused(old.port)
        with start_server(tmp_path, listen=f"127.0.0.1:{old.port}") as new:
            assert new.port == old.port
            assert old_runtime.exists()  # the old worker still relays to the old console
            second = Held(new, upstream, key)
            assert b"message_stop" in held.finish()
            assert b"message_stop" in second.finish()
            wait_ended([*old.workers, old.console])
            assert not old_runtime.exists()
            assert new.admin("usage")["by_outcome"] == {"ok": 2}
            assert new.stop() == 0


def test_what_a_killed_server_left_is_removed_by_the_next(tmp_path: Path) -> None:
    with start_server(tmp_path) as old:
        old.kill()
        for pid in (old.console, *old.workers):
            os.kill(pid, signal.SIGKILL)
        wait_ended([old.console, *old.workers])
        (left,) = old.runtime_dirs
        with start_server(tmp_path):
            assert not left.exists()


def test_a_killed_console_is_started_again_and_no_request_fails(
    tmp_path: Path, upstream: Upstream
) -> None:
    with start_server(tmp_path) as server:
        held = Held(server, upstream, enroll(server, upstream.url))
        os.kill(server.console, signal.SIGKILL)
        assert get(server, "/sign-in")[0] == 200  # waits for the new console
        assert '"child":"console"' in server.wait_log("starting it again")
        assert b"message_stop" in held.finish()
        assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_ends_is_replaced_and_connections_wait(
    tmp_path: Path, number: signal.Signals
) -> None:
    with start_server(tmp_path) as server:
        os.kill(server.workers[0], number)
        wait_ended(server.workers)
        assert get(server, "/healthz")[0] == 200
        assert server.stop() == 0


def test_a_database_that_is_away_is_waited_for(tmp_path: Path) -> None:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        url = f"postgresql://u:hidden@127.0.0.1:{nobody_listens.getsockname()[1]}/d"
        options = ["--price-file", str(price_file(tmp_path))]
        env = {"TIDEGATE_DATABASE_URL": url}
        with start_server(tmp_path, arguments=options, env=env, wait=False) as server:
            server.wait_log("the database is away")
            note = read_note(server.data_dir)
            assert note is not None
            server.description["addresses"] = [["127.0.0.1", int(note.public_url.split(":")[2])]]
            assert get(server, "/healthz")[0] == 200
            assert get(server, "/readyz")[0] == 503
            assert server.stop() == 0
            assert "hidden" not in server.logs()
            assert "Tidegate is ready" not in server.logs()


def price_file(tmp_path: Path) -> Path:
    path = tmp_path / "prices.toml"
    path.write_text("")
    return path


def test_a_price_file_that_is_wrong_is_told_by_its_own_name(tmp_path: Path) -> None:
    path = price_file(tmp_path)
    path.write_text("not prices")
    options = ["--data-dir", str(tmp_path / "data"), "--price-file", str(path)]
    env = isolated_environment(tmp_path / "home")
    done = run_tidegate(["serve", "--listen", "127.0.0.1:0", *options], env=env)
    assert done.returncode == 1
    assert done.stderr.startswith(f"tidegate: --price-file {path}: ")
    assert len(done.stderr.splitlines()) == 1


def test_tls_and_its_renewal(tmp_path: Path) -> None:
    cert, key = write_pair(tmp_path, "served")
    options = ["--tls-cert", str(cert), "--tls-key", str(key)]
    with start_server(tmp_path, arguments=options, workers=2) as server:
        assert server.base_url == f"https://127.0.0.1:{server.port}"
        first = cert.read_bytes()
        assert served_certificate(server) == first
        cert.write_text("spoiled")
        server.signal(signal.SIGHUP)
        server.wait_log("the TLS files are unusable")
        assert served_certificate(server) == first
        new_cert, new_key = write_pair(tmp_path, "renewed")
        new_key.replace(key)
        new_cert.replace(cert)
        server.signal(signal.SIGHUP)
        deadline = time.monotonic() + 20
        while server.logs().count("new TLS certificate in use") < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for _ in range(8):
            assert served_certificate(server) == cert.read_bytes() != first
        assert server.stop() == 0


def served_certificate(server: RunningServer) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", server.port), 30) as plain,
        context.wrap_socket(plain) as secured,
    ):
        secured.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert secured.recv(65536).startswith(b"HTTP/1.1 200 ")
        certificate = secured.getpeercert(binary_form=True)
    assert certificate is not None
    return ssl.DER_cert_to_PEM_cert(certificate).encode()
