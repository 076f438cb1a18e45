"""What is measured: the mock upstream itself, nginx, LiteLLM, and Tidegate as it is served."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.bench import litellm, nginx, replies
from tests.bench.load import Address
from tests.bench.processes import tree
from tests.bench.workloads import Workload
from tests.wire.serving import RunningServer, start_server

_LEDGER_WITHIN_S: Final = 60.0


def _nobody() -> list[int]:
    return []


class Target(NamedTuple):
    """Something that answers, and which processes answer for it.

    `pids` carry the requests; what else belongs to it is shown apart.
    """

    name: str
    address: Address
    pids: Callable[[], list[int]] = _nobody
    console: Callable[[], list[int]] = _nobody
    supervisor: Callable[[], list[int]] = _nobody
    slow: bool = False  # a phase gets fewer requests
    renames: bool = False  # the model in its answers is the one asked for


@contextlib.contextmanager
def run_upstream() -> Iterator[int]:
    """Run the mock upstream in a process of its own; yields its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.mock_upstream"],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.communicate(timeout=30)


def direct(upstream: int) -> Target:
    """No gateway: the zero line of added latency."""
    return Target("direct", Address(upstream, "sk-ant-bench"))


@contextlib.contextmanager
def nginx_target(place: Path, upstream: int) -> Iterator[Target]:
    """nginx, found or fetched. Raises NoNginx."""
    program = nginx.find_nginx()
    with nginx.run_nginx(program, place, upstream) as (pid, port):
        name = f"nginx {nginx.version(program)}"
        yield Target(name, Address(port, "sk-ant-bench"), lambda: tree(pid))


@contextlib.contextmanager
def tidegate_target(place: Path, upstream: int) -> Iterator[tuple[Target, RunningServer]]:
    """A server with one worker, one organization, one key, and a credential for the mock."""
    place.mkdir()
    with start_server(place, workers=1, allow_upstreams=(f"127.0.0.1:{upstream}",)) as server:
        server.admin("bootstrap", "--org", "Bench", "--email", "ada@bench.example")
        base_url = f"http://127.0.0.1:{upstream}"
        credential = ("--provider", "anthropic", "--base-url", base_url, "--api-key-stdin")
        server.admin("credential", "set", *credential, stdin="sk-ant-api03-bench\n")
        enrolment = ("--email", "ada@bench.example", "--agent", "claude_code")
        key = server.admin("enroll", *enrolment)["key"]
        time.sleep(1.5)  # the worker's directory: refreshed within a second
        (worker,) = server.workers
        address = Address(server.port, key)
        yield (
            Target(
                "Tidegate",
                address,
                pids=lambda: [worker],
                console=lambda: [server.console],
                supervisor=lambda: [server.pid],
            ),
            server,
        )


@contextlib.contextmanager
def litellm_target(place: Path, upstream: int, workloads: Iterable[Workload]) -> Iterator[Target]:
    """LiteLLM, installed if need be. Raises NoLiteLLM."""
    program = litellm.find_litellm()
    models = [workload.model for workload in workloads]
    with litellm.run_litellm(program, place, upstream, models) as (pid, port):
        yield Target(
            f"LiteLLM {litellm.version()}",
            Address(port, litellm.MASTER_KEY),
            pids=lambda: tree(pid),
            slow=True,
            renames=True,
        )


def check_ledger(server: RunningServer, answered: dict[int, int]) -> list[str]:
    """What the ledger says otherwise than the load did. `answered` is requests by `events`."""
    expected = {"requests": sum(answered.values())} | dict.fromkeys(
        ("output_tokens", "input_tokens", "cache_read_tokens", "cache_write_5m_tokens"), 0
    )
    for events, requests in answered.items():
        for name, tokens in replies.usage(events).items():
            expected[name] += tokens * requests
    deadline = time.monotonic() + _LEDGER_WITHIN_S
    while (found := server.admin("usage"))["requests"] < expected["requests"]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.25)
    return [*_differences(found, expected), *_outcomes(found)]


def _differences(found: dict[str, Any], expected: dict[str, int]) -> list[str]:
    return [
        f"{name}: {found[name]} in the ledger, {tokens} expected"
        for name, tokens in expected.items()
        if found[name] != tokens
    ]


def _outcomes(found: dict[str, Any]) -> list[str]:
    others = {name: count for name, count in found["by_outcome"].items() if name != "ok" and count}
    return [f"outcomes other than ok: {others}"] if others else []
