"""`tidegate login` and `logout`: what is written, and what is said when it cannot be."""

import json
import os
import socket
import subprocess
from collections.abc import Callable

import pytest
from tests.unit.cli.world import KEY, FakeServer, Machine, error_reply, login_reply

from tidegate.cli.main import run

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def tidegate(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs a command line within this process, in the machine's home."""
    monkeypatch.setenv("HOME", str(machine.home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        with pytest.raises(SystemExit) as ended:
            run(list(arguments))
        code = ended.value.code
        assert isinstance(code, int)
        return subprocess.CompletedProcess(arguments, code, *capsys.readouterr())

    return command


def profiles(machine: Machine) -> dict[str, dict[str, object]]:
    document = json.loads(machine.profile_file.read_text())
    assert document["version"] == 1
    found: dict[str, dict[str, object]] = document["profiles"]
    return found


def test_login_writes_a_private_profile(
    tidegate: Command, machine: Machine, server: FakeServer
) -> None:
    server.answer("/api/login", login_reply())
    machine.profile_file.parent.mkdir(mode=0o755, parents=True)
    previous = os.umask(0)
    try:
        outcome = tidegate("login", f"{server.base_url}/", " CODE-1 ")
    finally:
        os.umask(previous)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout == (
        "Logged in as ada@acme.test (Acme).\nStart with: tidegate launch claude\n"
    )
    method, path, headers, body = server.asked[0]
    assert (method, path, json.loads(body)) == ("POST", "/api/login", {"code": "CODE-1"})
    assert "authorization" not in headers
    assert profiles(machine) == {
        "default": {
            "base_url": server.base_url,  # as typed: that address is known to work from here
            "organization_id": "org_1",
            "organization_name": "Acme",
            "email": "ada@acme.test",
            "keys": {"claude_code": {"key_id": "key_1", "key": KEY}},
        }
    }
    assert machine.profile_file.stat().st_mode & 0o777 == 0o600
    assert machine.profile_file.parent.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in machine.profile_file.parent.iterdir()] == ["profile.json"]


def test_agents_share_a_profile_and_servers_do_not(
    tidegate: Command, machine: Machine, server: FakeServer
) -> None:
    machine.log_in(server.base_url, "claude_code")
    server.answer("/api/login", login_reply("codex"))
    assert tidegate("login", server.base_url, "CODE").returncode == 0
    assert sorted(profiles(machine)["default"]["keys"]) == ["claude_code", "codex"]  # type: ignore[call-overload]

    other_url = server.base_url.replace("127.0.0.1", "localhost")
    asked = len(server.asked)
    refused = tidegate("login", other_url, "CODE")
    assert refused.returncode == 1
    assert "tidegate login --profile NAME" in refused.stderr
    assert len(server.asked) == asked  # the code is not spent

    named = tidegate("login", "--profile", "two", other_url, "CODE")
    assert named.stdout.endswith("Start with: tidegate launch --profile two codex\n")
    assert sorted(profiles(machine)) == ["default", "two"]

    assert tidegate("logout", "--profile", "two").returncode == 0
    assert sorted(profiles(machine)) == ["default"]
    assert tidegate("logout", "--profile", "two").returncode == 1


def test_another_member_at_the_same_server_is_kept_beside(
    tidegate: Command, machine: Machine, server: FakeServer
) -> None:
    machine.log_in(server.base_url, "claude_code")
    server.answer("/api/login", login_reply(email="bob@acme.test"))
    outcome = tidegate("login", server.base_url, "CODE")
    assert outcome.stdout.endswith("Start with: tidegate launch --profile default-2 claude\n")
    assert {name: entry["email"] for name, entry in profiles(machine).items()} == {
        "default": "ada@acme.test",
        "default-2": "bob@acme.test",
    }


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (400, error_reply("This code is used."), "Login failed. This code is used."),
        (404, b"<html>", "does not answer like a Tidegate server (status 404). Check the URL."),
        (200, b"<html>", "does not answer like a Tidegate server. Check the URL."),
        (200, {"key": 5}, "does not answer like a Tidegate server. Check the URL."),
        (502, b"", "cannot answer at the moment (status 502)."),
    ],
)
def test_refusals(
    tidegate: Command, machine: Machine, server: FakeServer, status: int, body: object, message: str
) -> None:
    server.answer("/api/login", body, status)
    outcome = tidegate("login", server.base_url, "CODE")
    assert outcome.returncode == 1
    assert message in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1
    assert not machine.profile_file.exists()


def test_unreachable_and_clear_text(tidegate: Command, machine: Machine) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, but not listening
        outcome = tidegate("login", f"127.0.0.1:{bound.getsockname()[1]}", "CODE")
    assert (outcome.returncode, "cannot be reached" in outcome.stderr) == (1, True)
    outcome = tidegate("login", "http://gw.example", "CODE")
    assert "Use https://, or --insecure" in outcome.stderr
    assert not machine.profile_file.exists()


@pytest.mark.parametrize("damage", ["", "{}", '{"version": 1, "profiles": {"default": {}}}'])
def test_a_damaged_profile_is_named(tidegate: Command, machine: Machine, damage: str) -> None:
    machine.profile_file.parent.mkdir(parents=True)
    machine.profile_file.write_text(damage)
    outcome = tidegate("launch", "claude")
    assert outcome.returncode == 1
    assert f"{machine.profile_file} is damaged" in outcome.stderr
