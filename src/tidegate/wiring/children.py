"""A process that is kept alive: started, given its orders, started again when it dies."""

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from tidegate import config
from tidegate.wiring.logs import Log
from tidegate.wiring.orders import LINE_LIMIT_BYTES, Command, Prepared, Ready, Report, StartFailed

_LONGEST_DELAY_S: Final = 5.0
_STEADY_AFTER_S: Final = 2.0  # a process that lived so long is started again at once
_ATTEMPTS_BEFORE_READY: Final = 3
_KILL_AFTER_S: Final = 10.0


class Line:
    """Our end of the socket that is a child's standard input."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, message: msgspec.Struct) -> None:
        if not self._writer.is_closing():
            self._writer.write(msgspec.json.encode(message) + b"\n")

    async def receive(self) -> Report | None:
        """What the process reports, or None when it has ended."""
        try:
            line = await self._reader.readline()
        except ConnectionError:
            return None
        return msgspec.json.decode(line, type=Report) if line.endswith(b"\n") else None

    def close(self) -> None:
        self._writer.close()


async def spawn(
    module: str, descriptors: Sequence[int] = ()
) -> tuple[asyncio.subprocess.Process, Line]:
    """Start `python -m module`. It inherits the named descriptors and nothing else of ours.

    A process group of its own: Ctrl-C on a terminal is for the supervisor, which tells the rest.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # the working directory is no place to import from
            "-m",
            module,
            stdin=theirs.fileno(),
            stdout=sys.stderr,
            pass_fds=descriptors,
            env=config.child_environment(),
            process_group=0,
        )
    return process, Line(*await asyncio.open_unix_connection(sock=ours, limit=LINE_LIMIT_BYTES))


@dataclass(frozen=True, kw_only=True)
class Role:
    """What a process is for."""

    name: str
    module: str
    orders: Callable[[], msgspec.Struct]  # asked anew at each start
    descriptors: Sequence[int]
    cleared: asyncio.Event  # when it may have its orders
    on_prepared: Callable[[Prepared], None] | None = None


class Child:
    """The process of a role. It imports its modules while `cleared` is awaited."""

    def __init__(self, role: Role, log: Log) -> None:
        self.ready = asyncio.Event()
        self._role = role
        self._log = log.bind(child=role.name)
        self._process: asyncio.subprocess.Process | None = None
        self._line: Line | None = None
        self._has_orders = False
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    async def keep_running(self) -> None:
        """Return once the process has ended after a stop; StartFailed if it never got ready."""
        failures = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            status = await self._run_once()
            if self._stopping.is_set():
                return
            failures = 0 if time.monotonic() - began >= _STEADY_AFTER_S else failures + 1
            if not self.ready.is_set() and failures >= _ATTEMPTS_BEFORE_READY:
                raise StartFailed(
                    f"The {self._role.name} process does not start; the log says why."
                )
            delay_s = min(_LONGEST_DELAY_S, 0.05 * 2**failures) if failures else 0.0
            self._log.error("process ended, starting it again", status=status, delay_s=delay_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay_s)

    def send(self, command: Command) -> None:
        """Tell the process, if it has got its orders; later ones hold what is new."""
        if self._line is not None and self._has_orders:
            self._line.send(command)

    def stop(self, command: Command) -> None:
        """Tell it to end; it is not started again. Before its orders, it just ends."""
        self._stopping.set()
        self.send(command)
        if self._line is not None and not self._has_orders:
            self._line.close()

    def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def _run_once(self) -> int:
        self._has_orders = False
        self._process, self._line = await spawn(self._role.module, self._role.descriptors)
        if self._stopping.is_set():  # while it was being started
            self._line.close()
        reports = asyncio.create_task(self._listen(self._line))
        cleared = asyncio.create_task(self._role.cleared.wait())
        await asyncio.wait({reports, cleared}, return_when=asyncio.FIRST_COMPLETED)
        cleared.cancel()
        if not reports.done() and not self._stopping.is_set():
            self._line.send(self._role.orders())
            self._has_orders = True
        await reports
        self._line.close()
        return await self._process.wait()

    async def _listen(self, line: Line) -> None:
        while (report := await line.receive()) is not None:
            match report:
                case Ready():
                    self._log.debug("process is ready", pid=self.pid)
                    self.ready.set()
                case Prepared() if self._role.on_prepared is not None:
                    self._role.on_prepared(report)


async def end(children: Sequence[Child], tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait for processes that were told to stop; kill those that take too long."""
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=_KILL_AFTER_S)
    if late:
        for child in children:
            child.kill()
        await asyncio.wait(late)
