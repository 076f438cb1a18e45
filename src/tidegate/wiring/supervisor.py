"""The supervisor: owns the sockets and the lock, starts the processes that serve, and ends them."""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

from tidegate.config import Settings
from tidegate.wiring import setup_link
from tidegate.wiring.children import Child, end, spawn
from tidegate.wiring.crew import Crew
from tidegate.wiring.listening import bound_port, close_all
from tidegate.wiring.logs import Log
from tidegate.wiring.orders import Command, Prepared, StartFailed
from tidegate.wiring.tls import read_tls

_BEYOND_DRAIN_S: Final = 5.0  # what a worker may take to end after its drain

T = TypeVar("T")


class Stopped(Exception):
    """A signal told the server to stop."""


class Supervisor:
    """One run of the server."""

    def __init__(
        self,
        settings: Settings,
        crew: Crew,
        *,
        listeners: Sequence[socket.socket],
        console_listener: socket.socket,
        public_url: str,
        log: Log,
    ) -> None:
        self._settings = settings
        self._crew = crew
        self._listeners = listeners
        self._console_listener = console_listener
        self._public_url = public_url
        self._log = log
        self._began = time.monotonic()
        self._cleared = asyncio.Event()  # the stores are prepared: workers get their orders
        self._prepared: asyncio.Future[Prepared] = asyncio.get_running_loop().create_future()
        self._stop = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._workers_gone, self._workers_alive = os.pipe()
        self._console = self._console_child()
        self._workers = [self._worker_child(n) for n in range(1, settings.workers + 1)]
        self._tasks: dict[Child, asyncio.Task[None]] = {}

    async def run(self, ready_fd: int | None, welcome: Callable[[str], None] | None) -> None:
        """Serve until a signal says to stop; StartFailed if it comes to nothing."""
        self._listen_to_signals()
        for child in (self._console, *self._workers):
            self._tasks[child] = asyncio.create_task(child.keep_running())
        try:
            if not self._crew.has_prices:
                await self._unless_stopped(self._make_prices())
            prepared = await self._unless_stopped(_result(self._prepared))
            self._refuse_faults(prepared)
            self._cleared.set()
            for child in self._tasks:
                await self._unless_stopped(child.ready.wait())
            took_s = round(time.monotonic() - self._began, 3)
            self._announce(prepared, took_s)
            if welcome is not None:
                welcome(self._public_url)
            self._tell(ready_fd, took_s)
            await self._unless_stopped(asyncio.Event().wait())
        except Stopped:
            return
        finally:
            await self._shut_down()

    def _worker_child(self, number: int) -> Child:
        role = self._crew.worker(number, alive=self._workers_alive, cleared=self._cleared)
        return Child(role, self._log)

    def _console_child(self) -> Child:
        role = self._crew.console(
            self._console_listener, workers_gone=self._workers_gone, on_prepared=self._on_prepared
        )
        return Child(role, self._log)

    # -- start ---------------------------------------------------------------

    async def _make_prices(self) -> None:
        """On the first start, while the console prepares the stores."""
        process, line = await spawn("tidegate.wiring.prices")
        line.send(self._crew.place)
        report = await line.receive()
        line.close()
        await process.wait()
        if not isinstance(report, Prepared):
            raise StartFailed("The price book could not be made; the log says why.")
        self._refuse_faults(report)

    def _on_prepared(self, prepared: Prepared) -> None:
        """The console reports at each of its starts, and again while the database is away."""
        if prepared.store_fault:
            self._log.error("the database is away, trying again", fault=prepared.store_fault)
            self._cleared.set()  # so that callers are answered meanwhile
        elif not self._prepared.done():
            self._prepared.set_result(prepared)

    def _refuse_faults(self, prepared: Prepared) -> None:
        if prepared.price_fault:
            path = self._settings.price_file
            raise StartFailed(f"--price-file {path}: {prepared.price_fault}")
        if prepared.fault:
            raise StartFailed(prepared.fault)

    def _announce(self, prepared: Prepared, took_s: float) -> None:
        self._log.info("ready", public_url=self._public_url, seconds=took_s)
        print(f"Tidegate is ready: {self._public_url}", flush=True)  # noqa: T201
        if prepared.setup_token:
            url = f"{self._public_url}/setup/{prepared.setup_token}"
            data_dir = self._settings.data_dir
            setup_link.hand_out(url, data_dir=data_dir, stdout=sys.stdout, log=self._log)

    def _tell(self, ready_fd: int | None, took_s: float) -> None:
        if ready_fd is not None:
            with open(ready_fd, "w", encoding="utf-8") as file:
                file.write(json.dumps(self._description(took_s)) + "\n")

    def _description(self, took_s: float) -> dict[str, Any]:
        return {
            "public_url": self._public_url,
            "addresses": [[s.getsockname()[0], bound_port(s)] for s in self._listeners],
            "pid": os.getpid(),
            "workers": [worker.pid for worker in self._workers],
            "console": self._console.pid,
            "seconds": took_s,
        }

    # -- signals -------------------------------------------------------------

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_stop)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)

    def _on_stop(self) -> None:
        if self._stop.is_set():
            self._stop_now.set()
        self._stop.set()

    def _on_hangup(self) -> None:
        """Read the TLS files again. Without any, a closed terminal is what it is: the end."""
        cert, key = self._settings.tls_cert, self._settings.tls_key
        if cert is None or key is None:
            if sys.stdout.isatty():
                self._on_stop()
            return
        try:
            self._crew.tls = read_tls(cert, key)
        except StartFailed as fault:
            self._log.error("the TLS files are unusable, the old ones stay", fault=str(fault))
            return
        for worker in self._workers:
            worker.send(Command("tls", self._crew.tls))

    async def _unless_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`; Stopped on a signal, StartFailed when a child gives up."""
        task = asyncio.create_task(work)
        stop = asyncio.create_task(self._stop.wait())
        awaited: set[asyncio.Future[Any]] = {task, stop, *self._tasks.values()}
        try:
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            for child in self._tasks.values():
                if child.done():
                    child.result()
            raise Stopped
        finally:
            task.cancel()
            stop.cancel()

    # -- end -----------------------------------------------------------------

    async def _shut_down(self) -> None:
        """Workers first, the console last: it still has their last events to take over."""
        close_all(self._listeners)
        await self._end_workers()
        self._console.stop(Command("stop"))
        await end([self._console], self._running([self._console]))
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        os.close(self._workers_gone)
        os.close(self._workers_alive)

    async def _end_workers(self) -> None:
        for worker in self._workers:
            worker.stop(Command("drain"))
        running = self._running(self._workers)
        if running and self._cleared.is_set() and not self._stop_now.is_set():
            self._log.info("draining", longest_s=self._settings.drain_timeout_s)
            await self._drained(running)
        for worker in self._workers:
            worker.stop(Command("stop"))
        await end(self._workers, self._running(self._workers))

    async def _drained(self, running: Sequence[asyncio.Task[None]]) -> None:
        """Until these workers have ended, or a second signal comes, or time is up."""
        drained = asyncio.ensure_future(asyncio.wait(running))
        stop_now = asyncio.create_task(self._stop_now.wait())
        longest_s = self._settings.drain_timeout_s + _BEYOND_DRAIN_S
        await asyncio.wait(
            {drained, stop_now}, timeout=longest_s, return_when=asyncio.FIRST_COMPLETED
        )
        drained.cancel()
        stop_now.cancel()

    def _running(self, children: Sequence[Child]) -> list[asyncio.Task[None]]:
        found = [self._tasks[child] for child in children if child in self._tasks]
        return [task for task in found if not task.done()]


async def _result(future: asyncio.Future[T]) -> T:
    return await future
