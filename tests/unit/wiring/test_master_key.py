"""The master key: made once, private, outside the data, and the one that the data knows."""

import base64
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate.config import ConfigError, Settings, load
from tidegate.wiring.master_key import CHECK_FILE_NAME, open_master_key

KEY = bytes(range(32))


def settings_in(tmp_path: Path, key_file: str = "config/master.key", key: str = "") -> Settings:
    data_dir = tmp_path / "data"
    data_dir.mkdir(exist_ok=True)
    flags = {"data_dir": str(data_dir), "master_key_file": str(tmp_path / key_file)}
    return load(flags, {"HOME": str(tmp_path), "TIDEGATE_MASTER_KEY": key})


def test_made_on_the_first_start_and_read_later(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    key = open_master_key(settings)
    assert len(key) == 32
    assert stat.S_IMODE(settings.master_key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE((settings.data_dir / CHECK_FILE_NAME).stat().st_mode) == 0o600
    assert [path.name for path in settings.master_key_file.parent.iterdir()] == ["master.key"]
    assert open_master_key(settings) == key


@pytest.mark.parametrize("text", [KEY.hex(), KEY.hex().upper(), base64.b64encode(KEY).decode()])
def test_from_the_environment_no_file_is_made(tmp_path: Path, text: str) -> None:
    settings = settings_in(tmp_path, key=text)
    assert open_master_key(settings) == KEY
    assert not settings.master_key_file.exists()


@pytest.mark.parametrize("text", ["x", "00" * 31, "zz" * 32, base64.b64encode(KEY[:-1]).decode()])
def test_a_malformed_key_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="openssl rand -hex 32") as caught:
        open_master_key(settings_in(tmp_path, key=text))
    assert f" {text}" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    settings = settings_in(tmp_path)
    open_master_key(settings)
    settings.master_key_file.chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        open_master_key(settings)


def test_never_inside_the_data_directory(tmp_path: Path) -> None:
    for inside in ("data/master.key", "config/../data/deep/master.key"):
        with pytest.raises(ConfigError, match="lies in the data directory"):
            open_master_key(settings_in(tmp_path, inside))
    (tmp_path / "link").symlink_to(tmp_path / "data")
    with pytest.raises(ConfigError, match="lies in the data directory"):
        open_master_key(settings_in(tmp_path, "link/master.key"))
    assert list((tmp_path / "data").iterdir()) == []


def test_a_lost_key_is_not_replaced_by_a_new_one(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    open_master_key(settings)
    settings.master_key_file.unlink()
    with pytest.raises(ConfigError, match="The master key is missing"):
        open_master_key(settings)
    assert not settings.master_key_file.exists()


def test_another_key_than_the_data_was_made_with_is_refused(tmp_path: Path) -> None:
    open_master_key(settings_in(tmp_path))
    with pytest.raises(ConfigError, match="TIDEGATE_MASTER_KEY is not the one"):
        open_master_key(settings_in(tmp_path, key=KEY.hex()))


def test_a_place_that_cannot_hold_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("a file")
    with pytest.raises(ConfigError, match=r"--master-key-file .*: Not a directory"):
        open_master_key(settings_in(tmp_path))


def test_a_check_value_that_could_not_be_written_is_not_there(tmp_path: Path) -> None:
    """A full disk, here a limit on a file's size: the next start must not see half a value."""
    settings = settings_in(tmp_path, key=KEY.hex())
    code = (
        "import resource, signal, sys\n"
        "from tidegate.config import load\n"
        "from tidegate.wiring.master_key import open_master_key\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))\n"
        "open_master_key(load({'data_dir': sys.argv[1]}))\n"
    )
    environ = {"TIDEGATE_MASTER_KEY": KEY.hex(), "HOME": str(tmp_path)}
    failed = subprocess.run(
        [sys.executable, "-c", code, settings.data_dir], env=environ, check=False, stderr=-1
    )
    assert b"File too large" in failed.stderr
    assert list(settings.data_dir.iterdir()) == []
    assert open_master_key(settings) == KEY
