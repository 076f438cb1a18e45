"""CPU time and memory of processes, as Linux counts them under /proc."""

import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

_PROC: Final = Path("/proc")
_TICK_NS: Final = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_PSS: Final = re.compile(r"^Pss:\s+(\d+)", re.M)


class CpuTime(NamedTuple):
    """On-CPU time so far: exact by thread, and coarse (10 ms ticks) but never forgotten."""

    by_thread: dict[tuple[int, int], int]
    coarse_ns: int

    def since(self, earlier: "CpuTime") -> int:
        """Nanoseconds since an earlier reading. Threads that ended meanwhile count coarsely."""
        exact = sum(ns - earlier.by_thread.get(t, 0) for t, ns in self.by_thread.items())
        coarse = self.coarse_ns - earlier.coarse_ns
        ended = any(thread not in self.by_thread for thread in earlier.by_thread)
        return max(exact, coarse) if ended else exact


def cpu_time(pids: Iterable[int]) -> CpuTime:
    """Time that all threads of these processes spent on a CPU. ProcessLookupError if one ended."""
    by_thread: dict[tuple[int, int], int] = {}
    coarse = 0
    for pid in pids:
        fields = _stat(pid)
        coarse += (int(fields[11]) + int(fields[12])) * _TICK_NS
        for thread in (_PROC / str(pid) / "task").iterdir():
            with contextlib.suppress(OSError):  # a thread may end while we look
                spent = (thread / "schedstat").read_text().split()[0]
                by_thread[pid, int(thread.name)] = int(spent)
    return CpuTime(by_thread, coarse)


def tree(root: int) -> list[int]:
    """A process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def pss_mb(pids: Iterable[int]) -> float:
    """Memory with shared pages divided among their users."""
    kilobytes = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            if found := _PSS.search((_PROC / str(pid) / "smaps_rollup").read_text()):
                kilobytes += int(found[1])
    return kilobytes / 1024


class HostTime(NamedTuple):
    """What the virtual machine's host did meanwhile: time taken away is in every CPU figure."""

    stolen: int
    busy: int
    total: int
    own_s: float  # of that busy time, this program's and that of its ended children

    def stolen_since(self, earlier: "HostTime") -> float:
        """The share of all processors' time that the host gave to others."""
        return (self.stolen - earlier.stolen) / max(1, self.total - earlier.total)

    def foreign_since(self, earlier: "HostTime") -> float:
        """The share that other programs on this machine used. Our children must have ended."""
        own = (self.own_s - earlier.own_s) * 1e9 / _TICK_NS
        return max(0.0, self.busy - earlier.busy - own) / max(1, self.total - earlier.total)


def host_time() -> HostTime:
    """The machine's clock ticks so far."""
    user, nice, system, idle, waiting, irq, soft_irq, stolen = map(
        int, (_PROC / "stat").read_text().splitlines()[0].split()[1:9]
    )
    busy = user + nice + system + irq + soft_irq
    times = os.times()
    own_s = times.user + times.system + times.children_user + times.children_system
    return HostTime(stolen, busy, busy + idle + waiting + stolen, own_s)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name, the state first."""
    text = (_PROC / str(pid) / "stat").read_text()
    return text[text.rindex(")") + 2 :].split()
