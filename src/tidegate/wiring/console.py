"""The console process: `python -m tidegate.wiring.console`, started by the supervisor.

It serves the pages on the Unix socket that the gateways relay to, and moves what they spooled
into the ledger.
"""

import asyncio
import contextlib
import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache, partial
from importlib import import_module, metadata
from pathlib import Path
from typing import Final, Literal

import uvicorn
import uvloop

from tidegate.console.app import create_app
from tidegate.console.options import ConsoleOptions
from tidegate.console.services import ConsoleServices
from tidegate.core.price_book import PriceBook
from tidegate.gateway.options import GatewayOptions
from tidegate.jobs.alerts import AlertsJob
from tidegate.jobs.captures import CaptureImport
from tidegate.jobs.drain import SpoolDrain
from tidegate.jobs.github import GithubJob
from tidegate.jobs.retention import RetentionJob
from tidegate.jobs.session_calls import SessionCallsJob
from tidegate.services.alert_watch import Spool
from tidegate.services.mail import MailSender
from tidegate.services.places import place_of
from tidegate.services.price_book import agent_models
from tidegate.services.webhooks import WebhookSender
from tidegate.store.ports import StoreUnavailable
from tidegate.store.sql.database import SqlStore
from tidegate.wiring import runtime_dir
from tidegate.wiring.channel import Channel, leave
from tidegate.wiring.composition import Surroundings, compose
from tidegate.wiring.data_dir import SPOOL
from tidegate.wiring.logs import Log, adopt_standard_logging, make_log
from tidegate.wiring.orders import ConsoleOrders, Prepared, Ready
from tidegate.wiring.outbound import Outbound
from tidegate.wiring.prices import load_prices, price_fault
from tidegate.wiring.probe import UpstreamProbe
from tidegate.wiring.stores import prepare_store, store_of

_STORE_RETRY_S: Final = 2.0
_CONNECTIONS: Final = 8  # to PostgreSQL, for pages and the drain
_KEEP_ALIVE_S: Final = 90  # longer than the gateways keep an idle connection to us
_FINISH_S: Final = 5  # what a stopping console leaves its own answers


class Server(uvicorn.Server):
    """Signals are the supervisor's business; it is told when we serve."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()


def services_of(
    store: SqlStore, orders: ConsoleOrders, drain: SpoolDrain, prices: Callable[[], PriceBook]
) -> ConsoleServices:
    """What the pages and the API are made of."""
    outbound = Outbound(orders.upstreams.allow_upstreams, orders.upstreams.upstream_ca)
    around = Surroundings(
        public_url=orders.public_url,
        drain_now=drain.run_once,
        agent_models=lambda provider: agent_models(prices(), provider),
        prices=prices,
        mail_sender=MailSender(outbound.connect, outbound.tls),
        webhooks=WebhookSender(outbound.connect, outbound.tls),
        spool=Spool(place_of(Path(orders.place.data_dir) / SPOOL), drain.behind_us),
        probe=UpstreamProbe(orders.upstreams),
        github_transport=partial(_github_transport, orders.upstreams),
    )
    return compose(store, orders.subkeys, around)


def _github_transport(options: GatewayOptions) -> object:
    """Loaded with the first request to GitHub: httpx takes 0.2 s of every start otherwise."""
    return import_module("tidegate.wiring.github_transport").UpstreamTransport(options)


async def serve(
    orders: ConsoleOrders, store: SqlStore, channel: Channel, ending: asyncio.Task[str], log: Log
) -> None:
    """Serve until the end, which is not before the last worker's."""
    prices = cache(partial(load_prices, orders.place))  # another process may still make them
    drain = SpoolDrain(Path(orders.place.data_dir) / SPOOL, store, log, prices)
    options = ConsoleOptions(
        public_url=orders.public_url,
        version=metadata.version("tidegate"),
        admin_command=orders.admin_command,
        load_ahead=True,
    )
    services = services_of(store, orders, drain, prices)
    app = create_app(services, options, log=log)
    server = Server(
        uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_FINISH_S,
        ),
        on_ready=lambda: channel.report(Ready()),
    )
    stop = asyncio.Event()
    draining = asyncio.create_task(drain.run(stop))
    captures = CaptureImport(
        Path(orders.place.data_dir) / SPOOL, store, orders.subkeys.capture, log
    )
    importing = asyncio.create_task(captures.run(stop))
    deleting = asyncio.create_task(RetentionJob(services.retention, log).run(stop))
    of_alerts = services.alerts
    alerts = AlertsJob(of_alerts.watch, of_alerts.digest, of_alerts.delivery, log)
    alerting = asyncio.create_task(alerts.run(stop))
    settling = asyncio.create_task(SessionCallsJob(services.session_calls, log).run(stop))
    asking = asyncio.create_task(GithubJob(services.github.sync, log).run(stop))
    serving = asyncio.create_task(server.serve([socket.socket(fileno=orders.listener)]))
    await asyncio.wait({serving, ending, draining, importing}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    stop.set()
    await asyncio.gather(asking, serving, draining, importing, deleting, settling)
    await asyncio.wait({alerting}, timeout=_FINISH_S)  # an endpoint may hang: it is asked again
    with contextlib.suppress(StoreUnavailable):
        await asyncio.to_thread(of_alerts.watch.leave)


async def prepare(orders: ConsoleOrders, store: SqlStore, channel: Channel) -> bool:
    """Prepare the stores, again and again while the database is away; whether we may serve."""
    fault = await asyncio.to_thread(price_fault, orders.place) if orders.check_prices else ""
    if fault:
        channel.report(Prepared(price_fault=fault))
        return False
    async with contextlib.AsyncExitStack() as stack:
        turning_away = False
        while True:
            prepared = await asyncio.to_thread(
                prepare_store, orders.place, store, orders.subkeys, setup=orders.setup
            )
            channel.report(prepared)
            if not prepared.store_fault:
                return not prepared.fault
            if not turning_away:
                await stack.enter_async_context(_turning_away(orders.listener))
                turning_away = True
            await asyncio.sleep(_STORE_RETRY_S)


class _Closing(asyncio.Protocol):
    """Hangs up on a request: the gateway then answers that there is no console."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, _data: bytes) -> None:
        self._transport.close()


@contextlib.asynccontextmanager
async def _turning_away(listener: int) -> AsyncIterator[None]:
    """Let nobody wait for a console that cannot serve yet. The listener stays open at the end."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Closing, sock=socket.socket(fileno=os.dup(listener)))
    try:
        yield
    finally:
        server.close()


async def _until_the_end(
    orders: ConsoleOrders, channel: Channel, log: Log
) -> Literal["stopped", "orphaned"]:
    async for command in channel.commands():
        if command.command == "stop":
            return "stopped"
    log.error("the supervisor is gone: ending with the last worker")
    await _end_of(orders.workers_gone)
    return "orphaned"


async def _end_of(pipe: int) -> None:
    """Wait until nobody holds the other end of a pipe."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    os.set_blocking(pipe, False)
    loop.add_reader(pipe, ended.set)
    await ended.wait()
    loop.remove_reader(pipe)


async def _main() -> None:
    channel = await Channel.open()
    orders = await channel.orders(ConsoleOrders)
    if orders is None:
        return
    place = orders.place
    log = make_log(level=place.log_level, form=place.log_format, process="console")
    adopt_standard_logging(log)
    runtime_dir.hold(Path(orders.runtime_dir))
    store = store_of(place, process="console", connections=_CONNECTIONS)
    ending = asyncio.create_task(_until_the_end(orders, channel, log))
    preparing = asyncio.create_task(prepare(orders, store, channel))
    await asyncio.wait({ending, preparing}, return_when=asyncio.FIRST_COMPLETED)
    if preparing.done() and preparing.result():
        await serve(orders, store, channel, ending, log)
    preparing.cancel()
    if ending.done() and ending.result() == "orphaned":
        shutil.rmtree(orders.runtime_dir, ignore_errors=True)
    ending.cancel()
    store.close()
    await channel.close()
    leave()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main())
