"""`tidegate serve`, from settings to a running supervisor."""

import asyncio
import contextlib
import os
import resource
import socket
from collections.abc import Callable, Sequence
from typing import Final

from tidegate import config
from tidegate.config import ConfigError, Settings
from tidegate.services.vault import derive
from tidegate.wiring import setup_link
from tidegate.wiring.crew import Crew
from tidegate.wiring.data_dir import open_data_dir
from tidegate.wiring.listening import (
    bound_port,
    close_all,
    listen_for_gateways,
    open_listeners,
)
from tidegate.wiring.lock import DirectoryLock, Note
from tidegate.wiring.logs import make_log
from tidegate.wiring.master_key import open_master_key
from tidegate.wiring.orders import StartFailed
from tidegate.wiring.prices import PRICE_FILE_COPY
from tidegate.wiring.runtime_dir import RuntimeDirectory
from tidegate.wiring.supervisor import Supervisor
from tidegate.wiring.tls import read_tls

_OPEN_FILES: Final = 1 << 20  # where the system sets no limit


Welcome = Callable[[str], None]


def run(settings: Settings, *, ready_fd: int | None = None, welcome: Welcome | None = None) -> None:
    """Run the server until it is told to stop. ConfigError or StartFailed if it cannot start.

    Once it is ready, one line of JSON is written to `ready_fd`, and `welcome` is called with the
    public URL.
    """
    config.require_public_url(settings)
    os.umask(0o077)
    raise_open_file_limit()
    open_data_dir(settings.data_dir)
    with DirectoryLock(settings.data_dir) as lock:
        setup_link.withdraw(settings.data_dir)
        copy_price_file(settings)
        master_key = open_master_key(settings)
        listeners = open_listeners(settings.listen)
        try:
            public_url = settings.public_url or loopback_url(settings, listeners)
            lock.write(Note(os.getpid(), public_url))
            supervising = _supervise(
                settings, master_key, listeners, public_url, ready_fd=ready_fd, welcome=welcome
            )
            asyncio.run(supervising)
        finally:
            close_all(listeners)


async def _supervise(
    settings: Settings,
    master_key: bytes,
    listeners: Sequence[socket.socket],
    public_url: str,
    *,
    ready_fd: int | None,
    welcome: Welcome | None,
) -> None:
    log = make_log(level=settings.log_level, form=settings.log_format, process="supervisor")
    runtime = RuntimeDirectory(config.runtime_base())
    console_listener = listen_for_gateways(runtime.console_socket)
    try:
        crew = Crew(settings, derive(master_key), public_url, listeners, runtime)
        if settings.tls_cert is not None and settings.tls_key is not None:
            crew.tls = read_tls(settings.tls_cert, settings.tls_key)
        supervisor = Supervisor(
            settings,
            crew,
            listeners=listeners,
            console_listener=console_listener,
            public_url=public_url,
            log=log,
        )
        await supervisor.run(ready_fd, welcome)
    finally:
        console_listener.close()
        runtime.close()


def loopback_url(settings: Settings, listeners: Sequence[socket.socket]) -> str:
    """By which URL to reach a server that only listens on loopback."""
    scheme = "https" if settings.tls_cert else "http"
    host = settings.listen[0].host
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{bound_port(listeners[0])}"


def raise_open_file_limit() -> None:
    """Every open stream takes two descriptors: take as many as the system grants."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else hard
    if soft != wanted:
        with contextlib.suppress(ValueError, OSError):  # macOS grants less than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def copy_price_file(settings: Settings) -> None:
    """Keep the price file as it is now; see PRICE_FILE_COPY."""
    if settings.price_file is None:
        return
    try:
        content = settings.price_file.read_bytes()
    except OSError as fault:
        raise ConfigError(f"--price-file {settings.price_file}: {fault.strerror}.") from None
    (settings.data_dir / PRICE_FILE_COPY).write_bytes(content)


__all__ = ["StartFailed", "run"]
