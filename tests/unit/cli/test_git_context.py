"""Repository, branch and commit: one name per repository, nothing secret, nothing local."""

import subprocess
from pathlib import Path

import pytest
from tests.unit.cli.world import Machine

from tidegate.cli.agents.setup import encode
from tidegate.cli.git_context import GitContext, read_git_context


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("github.com/acme/app", "github.com/acme/app"),
        ("feat/a+b=c@d,e~f#g(h)!", "feat/a+b=c@d,e~f#g(h)!"),
        ("a\r\nx-evil: 1", "a%0D%0Ax-evil:%201"),
        ("é", "%C3%A9"),
        ("\udcff", "%FF"),  # a byte that is not UTF-8, as Python hands it over
        ('{env:HOME}"\\$%', "%7Benv:HOME%7D%22%5C%24%25"),
    ],
)
def test_encode(text: str, encoded: str) -> None:
    assert encode(text) == encoded


class Repository:
    def __init__(self, machine: Machine) -> None:
        self.environ = machine.environ
        self.folder = machine.folder
        self("init", "--quiet", "--initial-branch=main")

    def __call__(self, *arguments: str) -> str:
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@acme.test"]
        command = ["git", *identity, *arguments]
        run = subprocess.run(
            command, cwd=self.folder, env=self.environ, check=True, capture_output=True, text=True
        )
        return run.stdout.strip()

    def context(self, folder: Path | None = None) -> GitContext:
        return read_git_context(folder or self.folder, self.environ)


def test_a_repository(machine: Machine) -> None:
    git = Repository(machine)
    assert git.context() == GitContext("", "main", "")  # before the first commit
    git("commit", "--quiet", "--allow-empty", "--message=x")
    commit = git("rev-parse", "HEAD")
    git("remote", "add", "fork", "https://github.com/ada/app.git")
    assert git.context() == GitContext("github.com/ada/app", "main", commit)
    git("remote", "add", "origin", "https://ada:pw@github.com/acme/app.git")
    git("checkout", "--quiet", "-b", "feat/é{x}$-1")
    inner = git.folder / "inner"
    inner.mkdir()
    assert git.context(inner) == GitContext("github.com/acme/app", "feat/é{x}$-1", commit)
    git("checkout", "--quiet", "--detach")
    assert git.context() == GitContext("github.com/acme/app", "", commit)


def test_no_repository_and_no_git(machine: Machine) -> None:
    assert read_git_context(machine.folder, machine.environ) == GitContext()
    assert read_git_context(machine.folder, {"PATH": "/nowhere:"}) == GitContext()
