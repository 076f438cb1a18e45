"""What a developer's machine fetches."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.browser.world import PUBLIC_URL

from tidegate.services.delivery import own_wheel, wheel_url

URL = wheel_url(PUBLIC_URL, own_wheel())
PYTHON_39 = 'case "$*" in *version_info*) exit 1;; esac; exit 0'


def test_the_wheel_is_served_once(client: TestClient) -> None:
    path = f"/install/{own_wheel().filename}"
    response = client.get(path)
    assert response.content == own_wheel().content
    etag = {"if-none-match": response.headers["etag"]}
    assert client.get(path, headers=etag).status_code == 304
    assert client.get("/install/tidegate-9.9.9-py3-none-any.whl").status_code == 404


def test_the_page_names_the_commands(client: TestClient) -> None:
    page = client.get("/install/").text
    assert f"curl -fsSL {PUBLIC_URL}/install/install.sh | sh" in page
    assert f"tidegate login {PUBLIC_URL} CODE" in page


def test_scripts_are_shown_not_run_by_a_browser(client: TestClient) -> None:
    for name in ("install.sh", "install.ps1"):
        response = client.get(f"/install/{name}")
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
        assert URL in response.text
        assert "sudo" not in response.text


class Machine:
    """A home directory and a PATH with nothing but the programs that a test puts there."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.bin = home / "bin"
        self.bin.mkdir()
        for name in ("sh", "mkdir", "ln"):
            (self.bin / name).symlink_to(shutil.which(name) or name)

    def program(self, name: str, script: str = "exit 0") -> None:
        """A program that writes down how it was called."""
        path = self.bin / name
        path.write_text(f'#!/bin/sh\nprintf "%s\\n" "{name} $*" >>"$HOME/calls"\n{script}\n')
        path.chmod(0o755)

    def install(self, script: str, **more: str) -> subprocess.CompletedProcess[str]:
        environment: Mapping[str, str] = {"HOME": str(self.home), "PATH": str(self.bin)} | more
        return subprocess.run(
            ["/bin/sh"],
            input=script,
            env=environment,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        calls = self.home / "calls"
        return calls.read_text().splitlines() if calls.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    home = tmp_path / "home of $USER"
    home.mkdir()
    return Machine(home)


@pytest.fixture
def script(client: TestClient) -> str:
    return client.get("/install/install.sh").text


def test_uv_is_used_where_it_is(machine: Machine, script: str) -> None:
    machine.program("uv")
    machine.program("pipx")
    done = machine.install(script)
    assert done.returncode == 0, done.stderr
    assert machine.calls == [f"uv tool install --force --python >=3.11 tidegate @ {URL}"]
    assert f"tidegate login {PUBLIC_URL} CODE" in done.stdout
    assert f"add {machine.home}/.local/bin to your PATH" in done.stdout


def test_else_pipx_with_a_python_that_is_new_enough(machine: Machine, script: str) -> None:
    machine.program("pipx")
    machine.program("python3", PYTHON_39)
    machine.program("python3.12")
    done = machine.install(script)
    assert done.returncode == 0, done.stderr
    assert machine.calls[-1] == f"pipx install --force --python python3.12 tidegate @ {URL}"


def test_else_an_environment_of_its_own(machine: Machine, script: str) -> None:
    make = 'case "$*" in "-m venv"*) mkdir -p "$4/bin"; ln -sf "$0" "$4/bin/python";; esac'
    machine.program("python3", make)
    done = machine.install(script)
    assert done.returncode == 0, done.stderr
    home = machine.home / ".local/share/tidegate-cli"
    assert machine.calls[1:] == [
        f"python3 -m venv --clear {home}",
        f"python3 -m pip install --quiet --disable-pip-version-check tidegate @ {URL}",
    ]
    assert (machine.home / ".local/bin/tidegate").readlink() == home / "bin/tidegate"


@pytest.mark.parametrize("old", [True, False])
def test_without_a_python_it_says_so(machine: Machine, script: str, old: bool) -> None:
    if old:
        machine.program("python3", PYTHON_39)
    done = machine.install(script)
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed" in done.stderr
    assert "installed" not in done.stdout


def test_a_failed_installation_is_not_praised(machine: Machine, script: str) -> None:
    machine.program("uv", "exit 7")
    done = machine.install(script)
    assert done.returncode == 7
    assert "is installed" not in done.stdout


def test_a_script_cut_short_does_nothing(machine: Machine, script: str) -> None:
    machine.program("uv")
    lines = script.splitlines(keepends=True)
    for kept in range(len(lines)):
        machine.install("".join(lines[:kept]))
    assert machine.calls == []
