"""Run the real agents as a developer would, but in a home of their own and with no way out."""

import base64
import json
import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = ROOT / ".tools" / "agents" / "node_modules"
PROMPT = "Read the tide with the shell and tell me."
TIMEOUT_S = 90


@dataclass(frozen=True)
class Program:
    """One agent at one version. `command` is what `tidegate launch` knows it by."""

    name: str
    command: str
    enrolled_as: str
    binary: Path
    version: str
    arguments: tuple[str, ...]

    def headless(self, prompt: str = PROMPT) -> list[str]:
        """The arguments of one run without a person."""
        return [*self.arguments, prompt]


def _claude(version: str) -> Program:
    return Program(
        name=f"claude-{version}",
        command="claude",
        enrolled_as="claude_code",
        binary=INSTALLED / f"claude-{version}" / "claude",
        version=version,
        arguments=(
            *("--model", "claude-opus-4-8", "--output-format", "json"),
            *("--dangerously-skip-permissions", "-p"),
        ),
    )


CLAUDE_OLD = _claude("2.1.197")
CLAUDE_NEW = _claude("2.1.330")
CODEX = Program(
    name="codex",
    command="codex",
    enrolled_as="codex",
    binary=INSTALLED / "codex/vendor/x86_64-unknown-linux-musl/bin/codex",
    version="0.169.0",
    arguments=(
        *("-c", 'model="gpt-5.5"', "-c", "analytics.enabled=false"),
        *("-c", "check_for_update_on_startup=false"),
        *("exec", "--skip-git-repo-check", "--json"),
        "--dangerously-bypass-approvals-and-sandbox",
    ),
)
OPENCODE = Program(
    name="opencode",
    command="opencode",
    enrolled_as="opencode",
    binary=INSTALLED / "opencode/bin/opencode",
    version="1.18.33",
    arguments=("run",),
)


@dataclass
class Run:
    """How a program ended and what it said."""

    status: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def said(self) -> str:
        return self.stdout + self.stderr


@dataclass
class Workplace:
    """A developer's machine in a folder: home, settings, a repository with a remote."""

    root: Path
    extra: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in (self.home, self.repository, self.bin, self.claude_home, self.codex_home):
            folder.mkdir(parents=True, exist_ok=True)
        self._make_repository()

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def repository(self) -> Path:
        return self.root / "app"

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def claude_home(self) -> Path:
        return self.home / ".claude"

    @property
    def codex_home(self) -> Path:
        return self.home / ".codex"

    def install(self, program: Program) -> None:
        """Put the program on this machine's PATH under its usual name."""
        link = self.bin / program.command
        link.unlink(missing_ok=True)
        link.symlink_to(program.binary)

    def environment(self) -> dict[str, str]:
        """Nothing of the real machine but its system programs. No way to the network."""
        return {
            "PATH": f"{self.bin}:{os.defpath}",
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "XDG_DATA_HOME": str(self.home / ".local/share"),
            "XDG_CACHE_HOME": str(self.home / ".cache"),
            "XDG_STATE_HOME": str(self.home / ".local/state"),
            "CLAUDE_CONFIG_DIR": str(self.claude_home),
            "CODEX_HOME": str(self.codex_home),
            "TERM": "dumb",
            "LANG": "C.UTF-8",
            "NO_COLOR": "1",
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1,localhost",
            "IS_SANDBOX": "1",  # Claude Code runs without questions as root only so
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
            "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
            **self.extra,
        }

    def run(self, arguments: list[str], *, timeout_s: float = TIMEOUT_S, **environment: str) -> Run:
        """Run a program in the repository to its end, with a closed stdin."""
        started = time.monotonic()
        done = subprocess.run(
            arguments,
            cwd=self.repository,
            env={**self.environment(), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Run(done.returncode, done.stdout, done.stderr, time.monotonic() - started)

    def log_in_to_claude(self) -> str:
        """Make up a claude.ai login, and return its access token."""
        token = "sk-ant-oat01-made-up-for-the-wire-tests"
        login = {
            "accessToken": token,
            "refreshToken": "sk-ant-ort01-made-up",
            "expiresAt": int((time.time() + 86_400) * 1000),
            "scopes": ["user:inference", "user:profile"],
            "subscriptionType": "max",
        }
        path = self.claude_home / ".credentials.json"
        path.write_text(json.dumps({"claudeAiOauth": login}))
        path.chmod(0o600)
        return token

    def log_in_to_codex(self) -> str:
        """Make up a ChatGPT login, and return its access token."""
        token = _unsigned_token({"exp": int(time.time()) + 86_400, "sub": "user-made-up"})
        identity = {
            "exp": int(time.time()) + 86_400,
            "email": "dev@acme.example",
            "https://api.openai.com/auth": {
                "chatgpt_account_id": "acc-made-up",
                "chatgpt_plan_type": "team",
                "chatgpt_user_id": "user-made-up",
            },
        }
        tokens = {
            "id_token": _unsigned_token(identity),
            "access_token": token,
            "refresh_token": "made-up",
            "account_id": "acc-made-up",
        }
        login = {
            "OPENAI_API_KEY": None,
            "tokens": tokens,
            "last_refresh": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        path = self.codex_home / "auth.json"
        path.write_text(json.dumps(login))
        path.chmod(0o600)
        return token

    def _make_repository(self) -> None:
        git = ["git", "-c", "user.name=Dev", "-c", "user.email=dev@acme.example"]
        remote = "https://dev:not-a-secret@github.com/acme/tide.git?x=1"
        for arguments in (
            ["init", "--quiet", "--initial-branch", "feature/tide"],
            ["remote", "add", "origin", remote],
            ["commit", "--quiet", "--allow-empty", "--message", "Begin"],
        ):
            subprocess.run([*git, *arguments], cwd=self.repository, check=True, env=_GIT_ENV)

    @property
    def commit(self) -> str:
        shown = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=self.repository,
            check=True,
            env=_GIT_ENV,
            capture_output=True,
            text=True,
        )
        return shown.stdout.strip()


_GIT_ENV = {"PATH": os.defpath, "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}


def _unsigned_token(claims: dict[str, object]) -> str:
    def part(value: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}.{part({})}"
