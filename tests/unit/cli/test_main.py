"""The program as a whole: what it loads, and what it says without the server extra."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

SERVER_ONLY = [
    "alembic",
    "cryptography",
    "genai_prices",
    "httptools",
    "jinja2",
    "msgspec",
    "sqlalchemy",
    "starlette",
    "uvicorn",
    "uvloop",
    "zstandard",
]


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_the_base_loads_nothing_of_the_server() -> None:
    outcome = python(
        "import sys, tidegate.cli.main; print(*{name.split('.')[0] for name in sys.modules})"
    )
    assert outcome.returncode == 0, outcome.stderr
    assert not set(outcome.stdout.split()) & set(SERVER_ONLY)


@pytest.mark.parametrize("arguments", [["serve"], ["admin", "usage"]])
def test_without_the_server_extra(arguments: list[str]) -> None:
    missing = f"import sys; sys.modules.update(dict.fromkeys({SERVER_ONLY}))"
    outcome = python(f"{missing}; from tidegate.cli.main import run; run({arguments})")
    assert outcome.returncode == 1
    assert f"`tidegate {arguments[0]}` needs the server's parts" in outcome.stderr
    assert "pip install 'tidegate[server]'" in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["--help"], ["launch", "--help"], ["--version"]])
def test_help(arguments: list[str]) -> None:
    outcome = python(f"from tidegate.cli.main import run; run({arguments})")
    assert outcome.returncode == 0, outcome.stderr
    assert "tidegate" in outcome.stdout
