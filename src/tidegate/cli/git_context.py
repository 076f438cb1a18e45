"""Where the agent works: repository, branch and commit, as far as git knows."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tidegate.cli.programs import find_program
from tidegate.core.remotes import normalise_remote

_TIMEOUT_S: Final = 2.0


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
        (normalise_remote(ask("remote", "get-url", remote)) or "") if remote else "",
        ask("symbolic-ref", "--quiet", "--short", "HEAD"),
        ask("rev-parse", "--quiet", "--verify", "HEAD"),
    )


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
