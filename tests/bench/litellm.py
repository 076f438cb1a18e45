"""LiteLLM, a gateway that many teams run, as a peer: one worker, master key, no database.

It lives in `.tools/litellm`, an environment of its own; nothing of the product depends on it. Its
pins are requirements/litellm.lock, made anew with

    echo 'litellm[proxy]==VERSION' | uv pip compile --universal --python-version 3.11 \
        --generate-hashes --no-header - -o requirements/litellm.lock
"""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).parents[2]
_UV: Final = _ROOT / ".tools" / "uv" / "bin" / "uv"
_LOCK: Final = _ROOT / "requirements" / "litellm.lock"
_PLACE: Final = _ROOT / ".tools" / "litellm"
_STAMP: Final = _PLACE / "installed"  # a copy of the lock that was installed
_VERSION: Final = re.compile(r"^litellm==(\S+)", re.M)
_INSTALLED_WITHIN_S: Final = 600
_READY_WITHIN_S: Final = 180.0
# Its production mode, quiet, and every list that it would fetch at the start read from its package.
_SETTINGS: Final = {
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
    "LITELLM_TELEMETRY": "False",
    "LITELLM_DISABLE_ACCESS_LOG_PATHS": "/v1/messages",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_LOCAL_POLICY_TEMPLATES": "True",
}
MASTER_KEY: Final = "sk-bench-master-key"


class NoLiteLLM(Exception):
    """It is not here and cannot be had, or does not start; the text says why."""


def version() -> str:
    """The version that the lock pins."""
    found = _VERSION.search(_LOCK.read_text())
    assert found is not None
    return found[1]


def find_litellm() -> Path:
    """LiteLLM's program, installed at locked versions if it is not there yet."""
    if not _STAMP.exists() or _STAMP.read_bytes() != _LOCK.read_bytes():
        _install()
    return _PLACE / "bin" / "litellm"


def _install() -> None:
    if not _UV.exists():
        raise NoLiteLLM("its installer is missing; `make setup` brings it")
    sys.stderr.write(f"Installing LiteLLM {version()} into .tools/litellm (about 700 MB)\n")
    shutil.rmtree(_PLACE, ignore_errors=True)
    _run_uv("venv", "--python", sys.executable, str(_PLACE))
    into = ("--python", str(_PLACE / "bin" / "python"))
    _run_uv("pip", "install", *into, "--compile-bytecode", "--require-hashes", "-r", str(_LOCK))
    shutil.copyfile(_LOCK, _STAMP)


def _run_uv(*arguments: str) -> None:
    try:
        done = subprocess.run(
            [_UV, "--quiet", *arguments],
            cwd=_ROOT,
            capture_output=True,
            text=True,
            timeout=_INSTALLED_WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NoLiteLLM(f"not installed within {_INSTALLED_WITHIN_S} s") from None
    if done.returncode:
        raise NoLiteLLM(f"it cannot be installed: {_last_line(done.stderr)}")


@contextlib.contextmanager
def run_litellm(
    program: Path, place: Path, upstream: int, models: Iterable[str]
) -> Iterator[tuple[int, int]]:
    """Run it in front of the upstream's port; yields its process id and port. Raises NoLiteLLM."""
    place.mkdir()
    configuration = place / "config.yaml"  # JSON is YAML
    configuration.write_text(json.dumps(_configuration(upstream, models)))
    port = _free_port()
    where = ("--config", configuration, "--host", "127.0.0.1", "--port", str(port))
    with (place / "output.log").open("wb") as output:
        process = subprocess.Popen(
            (program, *where, "--num_workers", "1", "--telemetry", "False"),
            cwd=place,
            env={"HOME": str(place), "PATH": os.environ.get("PATH", ""), **_SETTINGS},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        _wait_until_ready(process, port, place / "output.log")
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(60)


def _configuration(upstream: int, models: Iterable[str]) -> dict[str, Any]:
    service = {"api_base": f"http://127.0.0.1:{upstream}", "api_key": "sk-ant-bench"}
    return {
        "model_list": [
            {"model_name": model, "litellm_params": {"model": f"anthropic/{model}", **service}}
            for model in sorted(set(models))
        ],
        "general_settings": {"master_key": MASTER_KEY},
        "litellm_settings": {"telemetry": False},
    }


def _free_port() -> int:
    """One that was free a moment ago: LiteLLM takes no socket that is open already."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_until_ready(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while not _answers(port):
        if process.poll() is not None:
            raise NoLiteLLM(f"it does not start: {_last_line(log.read_text(errors='replace'))}")
        if time.monotonic() > deadline:
            raise NoLiteLLM(f"it is not ready within {_READY_WITHIN_S:.0f} s")
        time.sleep(0.25)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/liveliness", timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "no reason given")
