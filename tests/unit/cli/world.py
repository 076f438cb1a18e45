"""A developer's machine for tests: a home, a fake server on loopback, fake agents."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

KEY = "tg_the-secret-of-this-key"
AGENT_OF = {"claude": "claude_code", "codex": "codex", "opencode": "opencode"}

# Writes down how it was started, then does what its last argument says.
_FAKE_AGENT = """#!{python} -IS
import json, os, signal, sys, time
arguments = sys.argv[1:]
started = {{"arguments": arguments, "environ": dict(os.environ), "folder": os.getcwd()}}
started["pid"] = os.getpid()
if "--settings" in arguments:
    file = arguments[arguments.index("--settings") + 1]
    started["settings"] = json.load(open(file))
    started["settings_file"] = file
    folder = os.path.dirname(file)
    started["modes"] = [os.stat(path).st_mode & 0o777 for path in (file, folder)]
with open({record!r}, "w") as output:
    json.dump(started, output)
action, _, number = (arguments[-1] if arguments else "").partition(":")
if action == "exit":
    sys.exit(int(number))
if action == "die":
    os.kill(os.getpid(), int(number))
if action == "await":
    signal.signal(int(number), lambda *_: (os.write(1, b"got it\\n"), os._exit(33)))
    os.write(1, b"ready\\n")
    while True:
        time.sleep(60)
if action == "stop":
    count = []
    signal.signal(signal.SIGINT, lambda *_: (count.append(1), os.write(1, b"interrupted\\n")))
    os.write(1, b"ready\\n")
    sys.stdin.readline()
    os.kill(os.getpid(), signal.SIGSTOP)
    sys.stdin.readline()
    sys.exit(40 + len(count))
print("the agent's own output")
"""

MODELS = [
    {
        "id": name,
        "name": name.title(),
        "provider": provider,
        "context_tokens": 200_000,
        "output_tokens": 64_000,
        "cost": {"input": rate, "output": 5 * rate, "cache_read": rate / 10, "cache_write": None},
    }
    for name, provider, rate in [
        ("claude-sonnet-4-5", "anthropic", 3.0),
        ("claude-haiku-4-5", "anthropic", 1.0),
        ("gpt-5.5", "openai", 1.25),
        ("gpt-5-mini", "openai", 0.25),
    ]
]

LAUNCH_REPLY = {
    "agent": "claude_code",
    "key_id": "key_1",
    "organization": {"id": "org_1", "name": "Acme"},
    "member": {"email": "ada@acme.test"},
    "credential_mode": "auto",
    "allow_own": True,
    "providers": {"anthropic": True, "openai": True},
    "models": MODELS,
    "server_version": "0.1.0",
}

USAGE_REPLY = {
    "requests": 3,
    "input_tokens": 1000,
    "output_tokens": 500,
    "cache_read_tokens": 120_000,
    "cache_write_5m_tokens": 0,
    "cache_write_1h_tokens": 0,
    "tokens": 121_500,
    "cost_nusd": 840_000_000,
    "subscription_cost_nusd": 0,
    "by_outcome": {"ok": 3},
    "sessions": 1,
    "estimated": 0,
}


def login_reply(agent: str = "claude_code", *, email: str = "ada@acme.test") -> dict[str, Any]:
    return {
        "key": KEY,
        "key_id": "key_1",
        "agent": agent,
        "organization": {"id": "org_1", "name": "Acme"},
        "member": {"email": email},
        "base_url": "https://elsewhere.example",
    }


def error_reply(message: str) -> dict[str, Any]:
    return {"error": {"code": "some_code", "message": message}}


@dataclass
class Answer:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class FakeServer:
    """Answers by path, and keeps what it was asked."""

    def __init__(self, port: int) -> None:
        self.base_url = f"http://127.0.0.1:{port}"
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self._answers: dict[str, Answer] = {}
        self.answer("/api/launch", LAUNCH_REPLY)

    def answer(self, path: str, body: object, status: int = 200, **headers: str) -> None:
        """Set the answer of a path; of every launch's usage for "usage"."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._answers[path] = Answer(status, raw, headers)

    def answer_launch(self, **changes: object) -> None:
        self.answer("/api/launch", {**LAUNCH_REPLY, **changes})

    def reply(self, path: str) -> Answer:
        if path.startswith("/api/launches/") and path.endswith("/usage"):
            path = "usage"
        return self._answers.get(path, Answer(404, b"<html>Not found</html>"))

    @property
    def paths(self) -> list[str]:
        return [path for _, path, _, _ in self.asked]


@contextmanager
def fake_server() -> Iterator[FakeServer]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            fake.asked.append((self.command, self.path, headers, body))
            answer = fake.reply(self.path)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = _serve

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake = FakeServer(server.server_address[1])
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()


class Machine:
    """A home, a working directory, and the programs of a developer."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.folder = root / "work"
        self.programs = root / "bin"
        self.record = root / "started.json"
        for folder in (self.home, self.folder, self.programs, root / "tmp"):
            folder.mkdir()
        self.environ = {
            "HOME": str(self.home),
            "PATH": f"{self.programs}:{os.defpath}",
            "TMPDIR": str(root / "tmp"),
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_SYSTEM": "/dev/null",
        }
        self.temporary = root / "tmp"
        self.profile_file = self.home / ".config/tidegate/profile.json"

    def install_agent(self, name: str, folder: Path | None = None) -> Path:
        program = (folder or self.programs) / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(_FAKE_AGENT.format(python=sys.executable, record=str(self.record)))
        program.chmod(0o755)
        return program

    def log_in(self, base_url: str, *agents: str) -> None:
        keys = {agent: {"key_id": "key_1", "key": KEY} for agent in agents or AGENT_OF.values()}
        profile = {
            "base_url": base_url,
            "organization_id": "org_1",
            "organization_name": "Acme",
            "email": "ada@acme.test",
            "keys": keys,
        }
        self.profile_file.parent.mkdir(parents=True)
        self.profile_file.write_text(json.dumps({"version": 1, "profiles": {"default": profile}}))

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tidegate", *arguments],
            env={**self.environ, **environ},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        with self.start(*arguments, **environ) as process:
            stdout, stderr = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)

    @property
    def started(self) -> dict[str, Any]:
        """How the fake agent was started."""
        started = json.loads(self.record.read_text())
        assert isinstance(started, dict)
        return started

    def snapshot(self) -> dict[str, tuple[int, bytes]]:
        """Every file of the home and the working directory, with its mode."""
        files = [*self.home.rglob("*"), *self.folder.rglob("*")]
        return {
            str(file): (stat.S_IMODE(file.stat().st_mode), file.read_bytes())
            for file in files
            if file.is_file()
        }
