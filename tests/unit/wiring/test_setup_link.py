"""The set-up link: on a terminal, else in a file that only its owner reads, never in the log."""

import io
import json
import stat
from pathlib import Path

import pytest

from tidegate.wiring import setup_link
from tidegate.wiring.logs import make_log

URL = "http://127.0.0.1:4180/setup/secret"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def hand_out(data_dir: Path, stdout: io.StringIO) -> None:
    log = make_log(level="info", form="json", process="test")
    setup_link.hand_out(URL, data_dir=data_dir, stdout=stdout, log=log)


def test_printed_on_a_terminal(tmp_path: Path) -> None:
    stdout = Terminal()
    hand_out(tmp_path, stdout)
    assert URL in stdout.getvalue()
    assert list(tmp_path.iterdir()) == []


def test_else_written_to_a_private_file(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (tmp_path / setup_link.FILE_NAME).write_text("an old one, readable by all")
    stdout = io.StringIO()
    hand_out(tmp_path, stdout)
    path = tmp_path / setup_link.FILE_NAME
    assert path.read_text() == URL + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stdout.getvalue() == ""
    logged = json.loads(capfdbinary.readouterr().err)
    assert logged["path"] == str(path)
    assert "secret" not in json.dumps(logged)
    setup_link.withdraw(tmp_path)
    setup_link.withdraw(tmp_path)
    assert not path.exists()
