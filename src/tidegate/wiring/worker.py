"""A gateway worker: `python -m tidegate.wiring.worker`, started by the supervisor."""

import asyncio
import gc
import signal
import socket
import ssl
import sys
from pathlib import Path
from typing import Final

import uvloop

from tidegate.gateway.capture import CaptureKeeper
from tidegate.gateway.directory import Directory
from tidegate.gateway.hold_thread import HoldSource
from tidegate.gateway.rate_counters import SharedCounters
from tidegate.gateway.server import Gateway
from tidegate.gateway.spool import SpoolWriter
from tidegate.gateway.token_counter import TokenCounter
from tidegate.services.places import holder_name, place_of
from tidegate.store.holds import Holder
from tidegate.wiring import runtime_dir
from tidegate.wiring.channel import Channel, leave
from tidegate.wiring.data_dir import SPOOL
from tidegate.wiring.logs import Log, adopt_standard_logging, make_log
from tidegate.wiring.orders import Ready, WorkerOrders
from tidegate.wiring.prices import load_prices
from tidegate.wiring.stores import store_of
from tidegate.wiring.tls import tls_context

_FIRST_SNAPSHOT_S: Final = 5.0  # an answer of 503 is better than none
_TOKEN_PROCESS: Final = (sys.executable, "-P", "-m", "tidegate.wiring.token_process")


class Worker:
    """Serves until it is told to drain, or until its supervisor is gone."""

    def __init__(self, orders: WorkerOrders, log: Log) -> None:
        self._orders = orders
        self._log = log
        self._draining = asyncio.Event()
        self._stopping = asyncio.Event()
        store = store_of(orders.place, process=orders.name, connections=4)
        self._directory = Directory(
            store.directory,
            lookup=orders.subkeys.lookup,
            credential=orders.subkeys.credential,
            max_age_s=orders.options.directory_max_age_s,
            log=log,
        )
        self._spool = SpoolWriter(Path(orders.place.data_dir) / SPOOL, orders.name, orders.spool)
        captures = CaptureKeeper(
            Path(orders.place.data_dir) / SPOOL,
            orders.name,
            orders.subkeys.capture,
            log,
            orders.captures,
        )
        self._gateway = Gateway(
            orders.options,
            directory=self._directory,
            spool=self._spool,
            price_book=load_prices(orders.place),
            log=log,
            captures=captures,
        )
        socket_path = Path(orders.options.console_socket).with_name(runtime_dir.COUNTER_SOCKET)
        self._gateway.compress_with(store.usage.pins, TokenCounter(socket_path, _TOKEN_PROCESS))
        spool_dir = Path(orders.place.data_dir) / SPOOL
        holder = Holder(place_of(spool_dir), holder_name(spool_dir, orders.name))
        self._gateway.limit_with(
            HoldSource(store.holds, holder, store.past),
            SharedCounters(socket_path.with_name(runtime_dir.RATES), _number_of(orders.name)),
        )

    async def run(self, channel: Channel) -> None:
        orders = self._orders
        obeying = asyncio.create_task(self._obey(channel))
        await self._load_directory()
        refreshing = asyncio.create_task(self._directory.run())
        tending = asyncio.create_task(self._spool.run())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._draining.set)
        listeners = [socket.socket(fileno=number) for number in orders.listeners]
        await self._gateway.start(listeners, tls_context(orders.tls) if orders.tls else None)
        _settle_memory()
        channel.report(Ready())
        await self._draining.wait()
        self._gateway.close_listeners()
        for listener in listeners:
            listener.close()
        await self._drain()
        for task in (obeying, refreshing, tending):
            task.cancel()
        self._spool.close()

    async def _load_directory(self) -> None:
        try:
            await asyncio.wait_for(self._directory.refresh(), _FIRST_SNAPSHOT_S)
        except Exception as fault:  # noqa: BLE001 - whatever ails the store: we answer 503 until it is back
            self._log.error("the directory cannot be read", fault=str(fault))

    async def _obey(self, channel: Channel) -> None:
        async for command in channel.commands():
            if command.command == "tls" and command.tls is not None:
                self._renew_tls(tls_context(command.tls))
            else:
                self._draining.set()
                if command.command == "stop":
                    self._stopping.set()
        if not self._draining.is_set():
            self._log.error("the supervisor is gone: draining")
        self._draining.set()

    def _renew_tls(self, context: ssl.SSLContext) -> None:
        self._gateway.set_tls(context)
        self._log.info("new TLS certificate in use")

    async def _drain(self) -> None:
        drained = asyncio.create_task(self._gateway.drain(self._orders.drain_timeout_s))
        stopped = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({drained, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not drained.done():
            self._gateway.abort()
        await drained
        stopped.cancel()


def _number_of(name: str) -> int:
    """Of `worker-3` it is 3: the one who takes a worker's place has its number."""
    return int(name.rpartition("-")[2])


def _settle_memory() -> None:
    """What exists now lives as long as the process: keep the collector off it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


async def _main() -> None:
    channel = await Channel.open()
    orders = await channel.orders(WorkerOrders)
    if orders is None:
        return
    place = orders.place
    log = make_log(level=place.log_level, form=place.log_format, process=orders.name)
    adopt_standard_logging(log)
    runtime_dir.hold(Path(orders.options.console_socket).parent)
    await Worker(orders, log).run(channel)
    leave()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main())
