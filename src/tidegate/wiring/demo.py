"""`tidegate demo`: a server on a made-up organization, whose directory is removed at the end."""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from tidegate import config
from tidegate.config import Settings
from tidegate.services.context import now_us
from tidegate.services.demo import Demo, Opened
from tidegate.services.logins import Logins
from tidegate.services.vault import derive
from tidegate.store.sql.database import open_store
from tidegate.wiring import serving
from tidegate.wiring.crew import place_of
from tidegate.wiring.data_dir import open_data_dir
from tidegate.wiring.master_key import open_master_key
from tidegate.wiring.orders import StartFailed
from tidegate.wiring.prices import load_prices
from tidegate.wiring.runtime_dir import hold, remove_stale

_PREFIX: Final = "tidegate-demo-"
_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)
_DRAIN: Final = "2s"
_WELCOME: Final = """\
A made-up organization with 90 days of use. Sign in as its owner, once and within 15 minutes:
  {url}/sign-in/{token}
Later, or as somebody else: {owner_email} (owner) and {member_email} (member) have the
password {password}
Ctrl+C ends the demo and removes all of it."""


class DemoOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `tidegate demo` is asked for."""

    host: str
    port: int
    public_url: str
    data_dir: Path | None
    seed: int


def run(options: DemoOptions, *, ready_fd: int | None = None) -> None:
    """Serve a made-up organization until told to stop. ConfigError or StartFailed if we cannot."""
    os.umask(0o077)
    for number in _ENDING:  # the default would leave the directory behind
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    with _place(options.data_dir) as place:
        settings = _settings(options, place)
        config.require_public_url(settings)
        opened, token = _fill(settings, options.seed)

        def welcome(url: str) -> None:
            people = msgspec.structs.asdict(opened)
            print(_WELCOME.format(url=url, token=token, **people), flush=True)  # noqa: T201

        serving.run(settings, ready_fd=ready_fd, welcome=welcome)


@contextlib.contextmanager
def _place(wanted: Path | None) -> Iterator[Path]:
    """A directory of our own, removed at the end; one that is asked for must be new or empty."""
    if wanted is None:
        prefix = f"{_PREFIX}{os.geteuid()}-"
        remove_stale(Path(tempfile.gettempdir()), prefix)
        path = Path(tempfile.mkdtemp(prefix=prefix))
    else:
        path = wanted.expanduser().absolute()
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise StartFailed(
                f"{path} is in use, and the demo removes its directory at the end. "
                "Name a new or empty one with --data-dir, or none."
            )
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    alive = hold(path)
    try:
        yield path
    finally:
        for number in (*_ENDING, signal.SIGINT):  # asked to end once more, while we do
            signal.signal(number, signal.SIG_IGN)
        os.close(alive)
        shutil.rmtree(path, ignore_errors=True)


def _settings(options: DemoOptions, place: Path) -> Settings:
    """Nothing of what is set for an installed server counts here."""
    host = f"[{options.host}]" if ":" in options.host else options.host
    flags = {
        "listen": f"{host}:{options.port}",
        "public_url": options.public_url,
        "workers": "1",
        "drain_timeout_s": _DRAIN,
        "data_dir": str(place / "data"),
        "master_key_file": str(place / "master.key"),
        "log_level": "warning",
    }
    return config.load(flags, config.without_settings())


def _fill(settings: Settings, seed: int) -> tuple[Opened, str]:
    """Make the organization; also the token of a link that signs its owner in."""
    open_data_dir(settings.data_dir)
    subkeys = derive(open_master_key(settings))
    book = load_prices(place_of(settings))
    store = open_store(data_dir=settings.data_dir, process="tidegate demo")
    try:
        opened = Demo(store, subkeys, book, now_us=now_us(), seed=seed).fill()
        token = Logins(store, subkeys).make_sign_in_token(opened.organization_id, opened.owner_id)
    finally:
        store.close()
    return opened, token


__all__ = ["DemoOptions", "StartFailed", "run"]
