"""The processes of a server: what each is for, and what it is told."""

import asyncio
import socket
from collections.abc import Callable, Sequence

import msgspec

from tidegate import config
from tidegate.config import Settings
from tidegate.gateway.capture import CaptureOptions
from tidegate.gateway.options import GatewayOptions
from tidegate.gateway.spool import SpoolOptions
from tidegate.services.vault import Subkeys
from tidegate.wiring.children import Role
from tidegate.wiring.orders import ConsoleOrders, Place, Prepared, TlsFiles, WorkerOrders
from tidegate.wiring.prices import CACHE_FILE_NAME, PRICE_FILE_COPY
from tidegate.wiring.runtime_dir import RuntimeDirectory


class Crew:
    """Knows all that the processes are told, and tells each only what it needs."""

    def __init__(
        self,
        settings: Settings,
        subkeys: Subkeys,
        public_url: str,
        listeners: Sequence[socket.socket],
        runtime: RuntimeDirectory,
    ) -> None:
        self.place = place_of(settings)
        self.tls: TlsFiles | None = None
        self.has_prices = (settings.data_dir / CACHE_FILE_NAME).exists()
        self._settings = settings
        self._subkeys = subkeys
        self._public_url = public_url
        self._listeners = listeners
        self._runtime = runtime

    def worker(self, number: int, *, alive: int, cleared: asyncio.Event) -> Role:
        """A gateway worker; it holds the pipe `alive` as long as it lives."""
        name = f"worker-{number}"
        return Role(
            name=name,
            module="tidegate.wiring.worker",
            orders=lambda: self._worker_orders(name),
            descriptors=[*(s.fileno() for s in self._listeners), alive],
            cleared=cleared,
        )

    def console(
        self, listener: socket.socket, *, workers_gone: int, on_prepared: Callable[[Prepared], None]
    ) -> Role:
        """The console; it may begin at once, as it is the one who prepares the stores."""
        at_once = asyncio.Event()
        at_once.set()
        starts = 0

        def orders() -> ConsoleOrders:
            nonlocal starts
            starts += 1
            return self._console_orders(listener, workers_gone, is_first=starts == 1)

        return Role(
            name="console",
            module="tidegate.wiring.console",
            orders=orders,
            descriptors=[listener.fileno(), workers_gone],
            cleared=at_once,
            on_prepared=on_prepared,
        )

    def _worker_orders(self, name: str) -> WorkerOrders:
        return WorkerOrders(
            place=self.place,
            name=name,
            options=gateway_options(self._settings, str(self._runtime.console_socket)),
            subkeys=Subkeys(
                lookup=self._subkeys.lookup,
                credential=self._subkeys.credential,
                capture=self._subkeys.capture,
            ),
            listeners=tuple(listener.fileno() for listener in self._listeners),
            drain_timeout_s=self._settings.drain_timeout_s,
            spool=spool_options(self._settings),
            captures=CaptureOptions(
                part_bytes=self._settings.capture_body_bytes,
                disk_bytes=self._settings.capture_limit_bytes,
            ),
            tls=self.tls,
        )

    def _console_orders(
        self, listener: socket.socket, workers_gone: int, *, is_first: bool
    ) -> ConsoleOrders:
        return ConsoleOrders(
            place=self.place,
            subkeys=self._subkeys,
            public_url=self._public_url,
            upstreams=gateway_options(self._settings, str(self._runtime.console_socket)),
            admin_command=tuple(config.admin_command(self._settings)),
            listener=listener.fileno(),
            workers_gone=workers_gone,
            runtime_dir=str(self._runtime.path),
            setup=is_first,
            check_prices=self.has_prices,
        )


def place_of(settings: Settings) -> Place:
    """What every process is told."""
    return Place(
        data_dir=str(settings.data_dir),
        database_url=settings.database_url,
        price_file=str(settings.data_dir / PRICE_FILE_COPY) if settings.price_file else "",
        log_level=settings.log_level,
        log_format=settings.log_format,
    )


def gateway_options(settings: Settings, console_socket: str) -> GatewayOptions:
    """The settings of the same names, and where the console is."""
    names = {field.name for field in msgspec.structs.fields(GatewayOptions)} - {"console_socket"}
    values = {name: getattr(settings, name) for name in names}
    values["upstream_ca"] = str(settings.upstream_ca or "")
    return GatewayOptions(console_socket=console_socket, **values)


def spool_options(settings: Settings) -> SpoolOptions:
    """The settings whose names begin with `spool_`."""
    names = [field.name for field in msgspec.structs.fields(SpoolOptions)]
    return SpoolOptions(**{name: getattr(settings, f"spool_{name}") for name in names})
