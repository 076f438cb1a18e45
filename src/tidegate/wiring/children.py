"""A process that is kept alive: started, given its orders, started again when it dies."""

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from structlog.typing import FilteringBoundLogger

from tidegate import config
from tidegate.wiring.orders import LINE_LIMIT_BYTES, Command, Ready, StartFailed

_LONGEST_DELAY_S: Final = 5.0
_STEADY_AFTER_S: Final = 10.0  # a process that lived so long is started again at once
_ATTEMPTS_BEFORE_READY: Final = 3
_KILL_AFTER_S: Final = 10.0

Orders = Callable[[], msgspec.Struct]


class Line:
    """Our end of the socket that is a child's standard input."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, message: msgspec.Struct) -> None:
        if not self._writer.is_closing():
            self._writer.write(msgspec.json.encode(message) + b"\n")

    async def receive(self) -> bytes:
        """A report, or b"" when the process has ended."""
        try:
            return await self._reader.readline()
        except ConnectionError:
            return b""

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


class Child:
    """One worker, or the console. It imports its modules while `cleared` is awaited."""

    def __init__(
        self,
        name: str,
        module: str,
        *,
        orders: Orders,
        descriptors: Sequence[int],
        cleared: asyncio.Event,
        log: FilteringBoundLogger,
    ) -> None:
        self.name = name
        self.ready = asyncio.Event()
        self._module = module
        self._orders = orders
        self._descriptors = descriptors
        self._cleared = cleared
        self._log = log.bind(child=name)
        self._process: asyncio.subprocess.Process | None = None
        self._line: Line | None = None
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
                raise StartFailed(f"The {self.name} process does not start; the log says why.")
            delay_s = min(_LONGEST_DELAY_S, 0.05 * 2**failures) if failures else 0.0
            self._log.error("process ended, starting it again", status=status, delay_s=delay_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay_s)

    def send(self, command: Command) -> None:
        if self._line is not None:
            self._line.send(command)

    def stop(self, command: Command) -> None:
        """Tell it to end; it is not started again. Before its orders, it just ends."""
        self._stopping.set()
        self.send(command)
        if self._line is not None and not self._cleared.is_set():
            self._line.close()

    def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def _run_once(self) -> int:
        self._process, self._line = await spawn(self._module, self._descriptors)
        try:
            if await self._give_orders(self._line):
                await self._listen(self._line)
            return await self._process.wait()
        finally:
            self._line.close()

    async def _give_orders(self, line: Line) -> bool:
        """Whether the server got so far before this process, or the server, ended."""
        ended = asyncio.ensure_future(line.receive())
        cleared = asyncio.ensure_future(self._cleared.wait())
        await asyncio.wait({ended, cleared}, return_when=asyncio.FIRST_COMPLETED)
        cleared.cancel()
        if ended.done():
            return False
        line.send(self._orders())
        self._note_ready(await ended)
        return True

    async def _listen(self, line: Line) -> None:
        while await line.receive():
            pass

    def _note_ready(self, report: bytes) -> None:
        if report:
            msgspec.json.decode(report, type=Ready)
            self._log.debug("process is ready", pid=self.pid)
            self.ready.set()


async def end(children: Sequence[Child], tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait for processes that were told to stop; kill those that take too long."""
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=_KILL_AFTER_S)
    if late:
        for child in children:
            child.kill()
        await asyncio.wait(late)
