"""A disk without room: what has begun ends with its event, what has not meets the policy."""

import contextlib
import resource
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.wire.load import Load, each
from tests.wire.serving import RunningServer, enroll, start_server
from tests.wire.test_crashes import (
    compare,
    ledger_away,
    paced,
    readyz,
    rows_of,
    wait_until,
)
from tests.wire.upstream import Upstream

SEGMENT_BYTES = 64 << 10
DISK = "260k"  # three segments and some names
MOUNT = 'mount -t tmpfs -o mode=0700,size="$1" none "$2" && shift 2 && exec "$@"'
NAMESPACES = (("unshare", "-m"), ("unshare", "-U", "-r", "-m"))


def own_mounts() -> Sequence[str]:
    """A command whose arguments run where mounts are seen by nobody else, or nothing."""
    if shutil.which("unshare") is None:
        return ()
    for command in NAMESPACES:
        trial = [*command, "mount", "-t", "tmpfs", "none", "/mnt"]
        if subprocess.run(trial, capture_output=True, check=False).returncode == 0:
            return command
    return ()


@contextlib.contextmanager
def on_small_disk(tmp_path: Path, policy: str) -> Iterator[RunningServer]:
    """A server whose spool lies on a tmpfs; where none can be mounted, `fill` limits it alone."""
    spool = tmp_path / "data/spool"
    (tmp_path / "data").mkdir(mode=0o700)
    spool.mkdir(mode=0o700)
    arguments = ("--spool-segment", "64KB", "--spool-limit", "1MB", "--spool-policy", policy)
    mounts = own_mounts()
    prefix = (*mounts, "sh", "-c", MOUNT, "sh", DISK, str(spool)) if mounts else ()
    with start_server(tmp_path, arguments=arguments, prefix=prefix) as server:
        yield server


def forbid_new_files(server: RunningServer) -> None:
    """No file of the spool can be made any more: as a full disk, for the worker alone."""
    [worker] = server.workers
    hard = resource.prlimit(worker, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (SEGMENT_BYTES - 1, hard))


def allow_new_files(server: RunningServer) -> None:
    [worker] = server.workers
    hard = resource.prlimit(worker, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (hard, hard))


def spool_of(server: RunningServer) -> Path:
    """As the worker sees it, whose mounts may be its own."""
    return Path(f"/proc/{server.workers[0]}/root{server.data_dir}/spool")


def unmetered_of(server: RunningServer) -> int:
    return sum(path.stat().st_size for path in spool_of(server).glob("*.unmetered"))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("policy", ["pass", "refuse"])
def test_a_full_disk(tmp_path: Path, policy: str) -> None:
    with Upstream(paced) as upstream, on_small_disk(tmp_path, policy) as server:
        key = enroll(server, upstream.url)
        with Load(server.port, key, width=12) as load:
            load.wait_more(10)
            with ledger_away(server.data_dir):
                if not own_mounts():
                    forbid_new_files(server)
                wait_until(lambda: is_told(server, policy))
                full = len(load.asked)
                wait_until(lambda: len(load.asked) > full + 40)
                assert readyz(server.port)[0] == 200
            allow_new_files(server)
            wait_until(lambda: "No space" not in readyz(server.port)[1])
            load.wait_more(10)
        refused = each(load.asked, lambda one: one.status == 503)
        wait_until(lambda: len(list(spool_of(server).glob("*.segment"))) <= 2)
        if policy == "refuse":
            assert refused
            assert unmetered_of(server) == 0
            compare(load, upstream, settled_rows(server, len(upstream.book.metered)))
        else:
            assert refused == set()
            unmetered = unmetered_of(server)
            assert unmetered > 0
            rows = settled_rows(server, len(upstream.book.metered) - unmetered)
            assert len(rows) + unmetered == len(upstream.book.metered)
            assert f"{unmetered} requests unmetered" in readyz(server.port)[1]


def is_told(server: RunningServer, policy: str) -> bool:
    """Whether /readyz and the log say that there is no room for new requests."""
    detail = readyz(server.port)[1]
    told = "spool: " in detail or "requests unmetered" in detail
    return told and "gateway.usage_not_recordable" in server.logs()


def settled_rows(server: RunningServer, count: int) -> list[dict[str, object]]:
    """The ledger once the console has moved all of the spool to it."""
    wait_until(lambda: len(rows_of(server)) >= count)
    return rows_of(server)
