"""`tidegate demo` as a process, for tests and the bench."""

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.wire.serving import (
    RUN,
    RunningServer,
    isolated_environment,
    read_description,
)

_LINK = re.compile(r"^\s*(http://\S+/sign-in/\S+)$", re.M)
_PASSWORD = re.compile(r"^password (\S+)$", re.M)


class RunningDemo(RunningServer):
    """A demo that said it is ready; it ends by `stop`, as a server does."""

    @property
    def link(self) -> str:
        """The link that signs its owner in."""
        found = _LINK.search(self.logs())
        assert found is not None, self.logs()
        return found[1]

    @property
    def password(self) -> str:
        found = _PASSWORD.search(self.logs())
        assert found is not None, self.logs()
        return found[1]

    def wait_until_filling(self, timeout_s: float = 30) -> None:
        """Wait until it has begun to write."""
        deadline = time.monotonic() + timeout_s
        while not list(self.data_dir.glob("*/data/usage.db")):
            assert time.monotonic() < deadline, self.logs()
            time.sleep(0.01)


@contextlib.contextmanager
def start_demo(
    folder: Path, *arguments: str, env: Mapping[str, str] | None = None, wait: bool = True
) -> Iterator[RunningDemo]:
    """Start a demo on a free port; its temporary directory is in `folder`/tmp."""
    temporary = folder / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    environment = isolated_environment(folder / "home") | {"TMPDIR": str(temporary)}
    ready, tell = os.pipe()
    log = folder / f"demo-{time.monotonic_ns()}.log"
    process = _spawn(["--port", "0", *arguments], environment | dict(env or {}), tell, log)
    os.close(tell)
    demo = RunningDemo(process, log, temporary, environment)
    try:
        if wait:
            demo.description = read_description(ready, demo)
        yield demo
    finally:
        os.close(ready)
        demo.clean_up()


def _spawn(
    arguments: Sequence[str], environment: Mapping[str, str], tell: int, log: Path
) -> "subprocess.Popen[str]":
    with log.open("w") as output:
        return subprocess.Popen(
            [sys.executable, "-P", "-c", RUN, "demo", "--ready-fd", str(tell), *arguments],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[tell],
            text=True,
        )
