"""`tidegate compress` as a program: transcript or result in, shorter out, report aside."""

import json
import subprocess
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.slow

_FILE = "\n".join(f"{number:6d}→line {number} of the file" for number in range(1, 41))
_USE = {"type": "tool_use", "id": "t1", "name": "Read", "input": {"file_path": "/a"}}
_RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": _FILE}
_MESSAGES = [{"role": "assistant", "content": [_USE]}, {"role": "user", "content": [_RESULT]}]


def _compress(given: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tidegate", "compress", *options],
        input=given,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def _is_shorter(message: dict[str, Any]) -> bool:
    text = str(message["content"][0]["content"])
    return text.startswith("1→line 1 of the file\nline 2") and len(text) < len(_FILE)


def test_one_result_goes_to_stdout_and_the_report_to_stderr() -> None:
    ran = _compress(_FILE, "--tool", "Read")
    assert ran.returncode == 0
    assert ran.stdout.startswith("1→line 1 of the file\nline 2")
    assert "1 tool results, 1 made shorter" in ran.stderr
    assert "bytes: " in ran.stderr


def test_transcripts_of_each_form() -> None:
    entries = [
        {"type": "summary"},
        *({"uuid": str(n), "message": m} for n, m in enumerate(_MESSAGES)),
    ]
    as_list = json.loads(_compress(json.dumps(_MESSAGES)).stdout)
    assert _is_shorter(as_list[1])
    request = json.loads(_compress(json.dumps({"model": "m", "messages": _MESSAGES})).stdout)
    assert request["model"] == "m"
    assert _is_shorter(request["messages"][1])
    lines = _compress("\n".join(map(json.dumps, entries))).stdout.splitlines()
    assert json.loads(lines[0]) == {"type": "summary"}
    assert json.loads(lines[1]) == entries[1]
    assert _is_shorter(json.loads(lines[2])["message"])


def test_an_unknown_level_is_refused_with_those_there_are() -> None:
    ran = _compress("", "--level", "most")
    assert ran.returncode == 1
    assert "lossless, references, trims" in ran.stderr
    assert ran.stdout == ""
