"""What the supervisor and its children tell each other: one JSON object a line.

Orders go through a socket that only the two processes hold: what a child must know, secrets
included, is never on its command line or in its environment.
"""

from typing import Literal

import msgspec

from tidegate.gateway.capture import CaptureOptions
from tidegate.gateway.options import GatewayOptions
from tidegate.gateway.spool import SpoolOptions
from tidegate.services.vault import Subkeys

LINE_LIMIT_BYTES = 4 << 20


class StartFailed(Exception):
    """The server cannot start. The message says what to do."""


class TlsFiles(msgspec.Struct, frozen=True):
    """The PEM texts of a certificate chain and its private key."""

    certificate: str
    private_key: str


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What every child is told: where things are, and how to log."""

    data_dir: str
    database_url: str
    price_file: str
    log_level: str
    log_format: str


class WorkerOrders(msgspec.Struct, frozen=True, kw_only=True):
    place: Place
    name: str
    options: GatewayOptions
    subkeys: Subkeys  # only those that this process needs; the others are empty
    listeners: tuple[int, ...]  # descriptors of the listening sockets
    drain_timeout_s: float
    spool: SpoolOptions
    captures: CaptureOptions
    tls: TlsFiles | None = None


class ConsoleOrders(msgspec.Struct, frozen=True, kw_only=True):
    place: Place
    subkeys: Subkeys
    public_url: str
    upstreams: GatewayOptions  # by whose rules credentials are tested and mail is sent
    admin_command: tuple[str, ...]  # for the steps that the first page shows
    listener: int  # descriptor of the listening Unix socket
    workers_gone: int  # descriptor of a pipe that ends with the last worker
    runtime_dir: str
    setup: bool  # make a set-up link if there is no organization
    check_prices: bool  # else another process makes the price book


class Prepared(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """From the console: how preparing the stores went."""

    setup_token: str = ""  # empty when there is an organization already
    store_fault: str = ""  # the database is away: to be tried again
    price_fault: str = ""  # the price file is wrong: the server cannot start
    fault: str = ""  # it cannot for another reason


class Command(msgspec.Struct, frozen=True):
    """From the supervisor to a child that runs."""

    command: Literal["drain", "stop", "tls"]
    tls: TlsFiles | None = None


class Ready(msgspec.Struct, frozen=True, tag=True):
    """From a child, once it serves."""


Report = Prepared | Ready
