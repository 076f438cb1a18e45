"""Whether a launched agent gets the session tools: the profile, the environment, the server."""

import json
from pathlib import Path

import pytest

from tidegate.cli.launch import wants_mcp
from tidegate.cli.main import run
from tidegate.cli.profile import AgentKey, Profile, load_profiles, save_profiles

PROFILE = Profile("https://gw.example", "org_1", "Acme", "ada@acme.test").with_key(
    "codex", AgentKey("key_1", "tg_x")
)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [("", True), ("on", True), ("off", False), (" OFF ", False), ("0", False), ("false", False)],
)
def test_environment(value: str, wanted: bool) -> None:
    assert wants_mcp(PROFILE, {"TIDEGATE_MCP": value}) is wanted
    assert wants_mcp(PROFILE, {}) is True


def test_the_switch_of_a_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    file = tmp_path / "tidegate/profile.json"
    save_profiles(file, {"default": PROFILE, "work": PROFILE})
    before = file.read_text()

    def command(*words: str) -> str:
        with pytest.raises(SystemExit) as ended:
            run(list(words))
        assert ended.value.code == 0
        return capsys.readouterr().out

    assert command("mcp", "off", "--profile", "work") == "Session tools are off in profile work.\n"
    found = load_profiles(file)
    assert [found[name].mcp for name in ("default", "work")] == [True, False]
    assert not wants_mcp(found["work"], {})
    assert "mcp" not in json.loads(file.read_text())["profiles"]["default"]  # as before 0.6
    command("mcp", "on", "--profile", "work")
    assert file.read_text() == before
