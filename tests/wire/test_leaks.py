"""After any number of requests, good and bad, a worker holds what it held before."""

import contextlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.wire.serving import RunningServer, enroll, start_server
from tests.wire.storm import Storm, StormUpstream, kinds

pytestmark = pytest.mark.wire

SETTLED_S = 60.0
MOST_GROWTH = 1.05


@pytest.mark.timeout(300)
def test_mixed_requests_leave_nothing_behind(tmp_path: Path, record_property: Any) -> None:
    weather(tmp_path, 5_000, record_property)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_requests_leave_nothing_behind(
    tmp_path: Path, record_property: Any
) -> None:
    weather(tmp_path, 100_000, record_property)


def weather(tmp_path: Path, requests: int, record: Callable[[str, object], None]) -> None:
    with StormUpstream() as upstream, start_server(tmp_path) as server:
        key = enroll(server, upstream.url)
        (worker,) = server.workers
        storm = Storm(server.port, kinds(key)).blow(2_000)  # caches and pools fill up
        calm(upstream, worker, 0)
        before = descriptors(worker)
        memory = []
        for _ in range(2):
            storm.blow(requests // 2)
            calm(upstream, worker, len(before))
            memory.append(pss_kb(worker))
        record("pss_kb", memory)
        assert storm.wrong == []
        assert descriptors(worker) == before
        assert memory[1] <= memory[0] * MOST_GROWTH
        assert recorded(server, storm.events) == storm.events
        assert "Traceback" not in server.logs()


def descriptors(pid: int) -> list[str]:
    """What a process has open, files by their suffix, the rest by its kind."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            target = os.readlink(f"/proc/{pid}/fd/{name}")
            found.append(Path(target).suffix if target.startswith("/") else target.split(":")[0])
    return sorted(found)


def pss_kb(pid: int) -> int:
    """The process's share of memory."""
    found = re.search(r"^Pss: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
    assert found is not None
    return int(found[1])


def calm(upstream: StormUpstream, worker: int, expected: int) -> None:
    """Close what is kept for reuse, and wait until as many descriptors are open as expected.

    With nothing expected: until their number has not changed for a second.
    """
    upstream.run(upstream.close_connections())
    deadline = time.monotonic() + SETTLED_S
    last, since = -1, time.monotonic()
    while True:
        now, count = time.monotonic(), len(descriptors(worker))
        if count != last:
            last, since = count, now
        if count == expected or (not expected and now - since > 1):
            return
        assert now < deadline, f"{count} descriptors, not {expected}: {descriptors(worker)}"
        time.sleep(0.05)


def recorded(server: RunningServer, expected: int) -> int:
    """How many requests the ledger holds once it had the time to take in what is due."""
    deadline = time.monotonic() + SETTLED_S
    while True:
        found = int(server.admin("usage")["requests"])
        if found >= expected or time.monotonic() > deadline:
            return found
        time.sleep(0.2)
