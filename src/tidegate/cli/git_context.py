"""Where the agent works: repository, branch and commit, as far as git knows."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tidegate.cli.programs import find_program

_TIMEOUT_S: Final = 2.0
_SCP: Final = re.compile(r"^(?:[^@/\s]+@)?(?P<host>\[[^\]]+\]|[^:/\s]{2,}):(?P<path>(?!//).*)$")
_SSH_BY_HTTPS: Final = {  # the providers' SSH on port 443
    "ssh.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
    "altssh.bitbucket.org": "bitbucket.org",
}


@dataclass(frozen=True, slots=True)
class GitContext:
    """Empty where git does not know."""

    repository: str = ""  # e.g. github.com/acme/app
    branch: str = ""  # empty on a detached head
    commit: str = ""


def read_git_context(folder: Path, environ: Mapping[str, str]) -> GitContext:
    """Ask git about the folder. Without git or a repository the answer is empty."""
    git = find_program("git", environ)
    if git is None:
        return GitContext()
    asked = {**environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}

    def ask(*arguments: str) -> str:
        return _ask([str(git), *arguments], folder, asked)

    if not ask("rev-parse", "--git-dir"):
        return GitContext()
    remotes = ask("remote").split("\n")
    remote = next((name for name in ("origin", "upstream") if name in remotes), remotes[0])
    return GitContext(
        normalise_remote(ask("remote", "get-url", remote)) if remote else "",
        ask("symbolic-ref", "--quiet", "--short", "HEAD"),
        ask("rev-parse", "--quiet", "--verify", "HEAD"),
    )


def normalise_remote(url: str) -> str:
    """Return host and path of a remote, the same for each way to write it.

    User, password, query and fragment never leave; neither does the path of a local repository.
    """
    text = url.strip()
    if "://" not in text:
        match = _SCP.match(text)
        if match is None or text.startswith((".", "/", "~", "\\")):
            return ""
        return _place(match["host"].strip("[]"), match["path"])
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if not host or parts.scheme == "file":
        return ""
    by_web = parts.scheme in {"http", "https"}
    shown = f"{host}:{port}" if by_web and port not in {None, 80, 443} else host
    return _place(shown, parts.path)


def _place(host: str, path: str) -> str:
    bare = re.split(r"[?#]", path, maxsplit=1)[0].strip("/").removesuffix(".git").rstrip("/")
    name = host.lower()
    return f"{_SSH_BY_HTTPS.get(name, name)}/{bare}" if bare else ""


def _ask(command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> str:
    try:
        answer = subprocess.run(  # noqa: S603  # fixed arguments, an absolute program
            command,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return os.fsdecode(answer.stdout).strip() if answer.returncode == 0 else ""
