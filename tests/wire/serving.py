"""A real server for process-level tests: `tidegate serve` on a free port, data in a directory.

    with start_server(tmp_path) as server:
        server.admin("bootstrap", "--org", "Acme", "--email", "ada@acme.example")
        httpx.get(server.base_url + "/healthz")

Nothing of the caller's environment or home directory reaches the server.
"""

import contextlib
import hashlib
import http.client
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tidegate.config import load
from tidegate.wiring.admin import open_administration

READY_WITHIN_S = 60.0  # a busy machine; how long it really takes is in `seconds`
RUN = "import sys; from tidegate.cli.main import main; sys.exit(main())"
_KEPT = ("PATH", "LANG", "TZ", "TMPDIR", "COVERAGE_PROCESS_START")


def isolated_environment(home: Path) -> dict[str, str]:
    """An environment in which `home` is the only place of a user."""
    places = {
        "HOME": home,
        "XDG_DATA_HOME": home / "data",
        "XDG_CONFIG_HOME": home / "config",
        "XDG_CACHE_HOME": home / "cache",
        "XDG_STATE_HOME": home / "state",
        "XDG_RUNTIME_DIR": runtime_base(home),
    }
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | {name: str(place) for name, place in places.items()}


def runtime_base(home: Path) -> Path:
    """A short path of its own: that of a Unix socket may not be long."""
    return Path(tempfile.gettempdir()) / f"tg-{hashlib.sha256(bytes(home)).hexdigest()[:12]}"


def run_tidegate(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    stdin: str = "",
    timeout_s: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "-P", "-c", RUN, *arguments],
        env=dict(env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


class RunningServer:
    """A server that said it is ready, or a start that failed."""

    def __init__(
        self, process: "subprocess.Popen[str]", log: Path, data_dir: Path, env: Mapping[str, str]
    ) -> None:
        self.process = process
        self.data_dir = data_dir
        self.env = dict(env)
        self.description: dict[str, Any] = {}
        self._log = log

    @property
    def base_url(self) -> str:
        return str(self.description["public_url"])

    @property
    def port(self) -> int:
        return int(self.description["addresses"][0][1])

    @property
    def pid(self) -> int:
        """The supervisor's."""
        return self.process.pid

    @property
    def workers(self) -> list[int]:
        """The workers' process ids at the start."""
        return list(self.description["workers"])

    @property
    def console(self) -> int:
        """The console's process id at the start."""
        return int(self.description["console"])

    @property
    def runtime_dirs(self) -> list[Path]:
        """What is there now for sockets, of this server and its predecessors."""
        return list(Path(self.env["XDG_RUNTIME_DIR"]).iterdir())

    def admin(self, *arguments: str, stdin: str = "") -> dict[str, Any]:
        """Run `tidegate admin … --data-dir D --json` and return what it prints."""
        done = run_tidegate(
            ["admin", *arguments, "--data-dir", str(self.data_dir), "--json"],
            env=self.env,
            stdin=stdin,
        )
        if done.returncode != 0:
            raise AssertionError(f"tidegate admin {arguments}: {done.stderr}{done.stdout}")
        return dict(json.loads(done.stdout))

    def logs(self) -> str:
        """Standard output and error of all processes so far."""
        return self._log.read_text(errors="replace")

    def wait_log(self, text: str, timeout_s: float = 20) -> str:
        """Wait until the log holds this text; return the log."""
        deadline = time.monotonic() + timeout_s
        while text not in (found := self.logs()):
            if time.monotonic() > deadline:
                raise AssertionError(f"no {text!r} in the log within {timeout_s} s:\n{found}")
            time.sleep(0.01)
        return found

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self, timeout_s: float = 60) -> int:
        """SIGTERM, and the exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(timeout_s)

    def kill(self) -> None:
        """kill -9 of the supervisor alone; what it started notices."""
        self.process.kill()
        self.process.wait(10)

    def clean_up(self) -> None:
        """Leave no process behind, whatever the test did."""
        self.process.kill()
        self.process.wait(10)
        for pid in processes_writing_to(self._log):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(OSError):  # another server of the same test uses it
            os.rmdir(self.env["XDG_RUNTIME_DIR"])


def processes_writing_to(log: Path) -> list[int]:
    """The processes of a server, restarted ones included: their standard error is its log."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "fd/2").readlink() == log:
                found.append(int(process.name))
    return found


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or only waits for its parent to notice."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


def wait_ended(pids: Sequence[int], timeout_s: float = 20) -> None:
    """Wait until these processes have ended."""
    deadline = time.monotonic() + timeout_s
    while alive := [pid for pid in pids if not has_ended(pid)]:
        if time.monotonic() > deadline:
            raise AssertionError(f"processes {alive} are still there after {timeout_s} s")
        time.sleep(0.01)


@contextlib.contextmanager
def start_server(
    tmp_path: Path,
    *,
    arguments: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    workers: int = 1,
    allow_upstreams: Sequence[str] = ("127.0.0.1:*",),
    listen: str = "127.0.0.1:0",
    data_dir: Path | None = None,
    wait: bool = True,
    prefix: Sequence[str] = (),
) -> Iterator[RunningServer]:
    """Start a server with its home under `tmp_path` and wait until it is ready.

    `arguments` are further options of `tidegate serve`, `env` further variables. Loopback
    upstreams are allowed unless told otherwise. Servers of one `tmp_path` share home and data.
    `prefix` is a command that ends in running the rest of its arguments in its own place.
    """
    environment = isolated_environment(tmp_path / "home") | dict(env or {})
    data_dir = data_dir or tmp_path / "data"
    ready, tell = os.pipe()
    options = ["--listen", listen, "--data-dir", str(data_dir), "--workers", str(workers)]
    for upstream in allow_upstreams:
        options += ["--allow-upstream", upstream]
    options += ["--ready-fd", str(tell)]
    log = tmp_path / f"server-{time.monotonic_ns()}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*prefix, sys.executable, "-P", "-c", RUN, "serve", *options, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[tell],
            text=True,
        )
    os.close(tell)
    server = RunningServer(process, log, data_dir, environment)
    try:
        if wait:
            server.description = read_description(ready, server)
        yield server
    finally:
        os.close(ready)
        server.clean_up()


def read_description(ready: int, server: RunningServer) -> dict[str, Any]:
    line = b""
    deadline = time.monotonic() + READY_WITHIN_S
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([ready], [], [], left)[0]:
            raise AssertionError(f"not ready within {READY_WITHIN_S} s:\n{server.logs()}")
        if not (part := os.read(ready, 65536)):
            raise AssertionError(f"the server did not start:\n{server.logs()}")
        line += part
    return dict(json.loads(line))


def enroll(
    server: RunningServer,
    upstream_url: str,
    *,
    agent: str = "claude_code",
    provider: str = "anthropic",
    email: str = "ada@acme.example",
) -> str:
    """Give the installation an organization, a credential and a member; return the agent's key.

    Done in this process, which is faster than three commands. The key is known to the worker when
    this returns (with several workers: to one of them).
    """
    with open_administration(
        load({"data_dir": str(server.data_dir)}, server.env), may_create=True
    ) as admin:
        if not admin.organizations.exists():
            admin.organizations.bootstrap("Acme", email)
        organization_id = admin.organization("").organization_id
        admin.credentials.set(organization_id, provider, upstream_url, "sk-upstream-secret")
        key = admin.enrolment.enroll(organization_id, email, agent).key
    deadline = time.monotonic() + READY_WITHIN_S
    while _status_of_models(server, key) in {400, 401, 403}:
        if time.monotonic() > deadline:
            raise AssertionError(f"the key did not become known:\n{server.logs()}")
        time.sleep(0.02)
    return key


def _status_of_models(server: RunningServer, key: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        headers = {"x-tidegate-key": key, "anthropic-version": "2023-06-01"}
        connection.request("GET", "/v1/models", headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()
