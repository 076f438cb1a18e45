"""Settings. The only module that looks at the environment.

One table says for each setting its flag, its variable, its key in the TOML file, how it is read
and what it is for; `docs/settings.md` and the options of `tidegate serve` are made from it. A flag
wins over the variable, the variable over the file, the file over the default.
"""

import os
import shutil
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from tidegate import settings_defaults as defaults
from tidegate import settings_text as text
from tidegate.setting import Environment, Setting
from tidegate.settings_text import Address

Flags = Mapping[str, str | Sequence[str] | None]


class ConfigError(Exception):
    """A setting is malformed. The message names its source and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the table below yields: sizes in bytes, times in seconds."""

    listen: tuple[Address, ...]
    public_url: str
    tls_cert: Path | None
    tls_key: Path | None
    trusted_proxies: tuple[str, ...]
    workers: int
    drain_timeout_s: float
    data_dir: Path
    database_url: str = field(repr=False)
    master_key: str = field(repr=False)
    master_key_file: Path
    price_file: Path | None
    spool_policy: str
    spool_sync: bool
    spool_limit_bytes: int
    spool_limit_age_s: float
    spool_segment_bytes: int
    capture_body_bytes: int
    capture_limit_bytes: int
    allow_upstreams: tuple[str, ...]
    upstream_ca: Path | None
    https_proxy: str = field(repr=False)
    no_proxy: str
    head_limit_bytes: int
    body_limit_bytes: int
    decoded_limit_bytes: int
    head_timeout_s: float
    body_timeout_s: float
    idle_timeout_s: float
    write_timeout_s: float
    connect_timeout_s: float
    first_byte_timeout_s: float
    stream_timeout_s: float
    pool_idle_s: float
    directory_max_age_s: float
    hold_wait_s: float
    log_level: str
    log_format: str

    @property
    def loopback_only(self) -> bool:
        """Whether no other machine can reach the server directly."""
        return all(_is_loopback(address.host) for address in self.listen)


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (bool(host) and ip_address(host).is_loopback)


NETWORK, STORAGE, SPOOL, UPSTREAMS = "Network", "Storage", "Spool", "Upstreams"
LIMITS, LOGGING = "Limits and deadlines", "Logging"

SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        name="listen",
        section=NETWORK,
        parse=text.address,
        several=True,
        default="127.0.0.1:4180",
        help="Address to listen on, as HOST:PORT with an IP address or localhost. On 127.0.0.1 "
        "the same port of ::1 is opened too. Port 0 takes a free one.",
    ),
    Setting(
        name="public_url",
        section=NETWORK,
        parse=text.public_url,
        help="The URL by which people and agents reach the server; every link is built from it. "
        "Required unless all addresses are loopback.",
    ),
    Setting(
        name="tls_cert",
        section=NETWORK,
        parse=text.path,
        absent=None,
        help="Certificate chain (PEM) to serve HTTPS with; read again on SIGHUP.",
    ),
    Setting(
        name="tls_key",
        section=NETWORK,
        parse=text.path,
        absent=None,
        help="Private key (PEM, not encrypted) of the certificate; read again on SIGHUP.",
    ),
    Setting(
        name="trusted_proxies",
        section=NETWORK,
        parse=text.network,
        several=True,
        help="Networks of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto count.",
    ),
    Setting(
        name="workers",
        section=NETWORK,
        parse=text.whole_number(1, 64),
        default="one per core, at most 4",
        fallback=defaults.worker_count,
        help="Number of gateway processes.",
    ),
    Setting(
        name="drain_timeout_s",
        section=NETWORK,
        parse=text.duration,
        default="300s",
        help="How long a stopping server waits for open answers.",
    ),
    Setting(
        name="data_dir",
        section=STORAGE,
        parse=text.path,
        default="$XDG_DATA_HOME/tidegate",
        fallback=defaults.data_dir,
        help="Directory of the databases and the spool; its mode is 0700.",
    ),
    Setting(
        name="database_url",
        section=STORAGE,
        parse=text.database_url,
        help="PostgreSQL for directory and ledger instead of SQLite in the data directory, as "
        "postgresql+psycopg://USER:PASSWORD@HOST/NAME. Prefer the variable or the file: other "
        "users of the machine can read a command line.",
    ),
    Setting(
        name="master_key",
        section=STORAGE,
        parse=text.plain,
        flag=None,
        key=None,
        help="The master key itself: 32 bytes, in hexadecimal or base64. It wins over the file.",
    ),
    Setting(
        name="master_key_file",
        section=STORAGE,
        parse=text.path,
        default="~/.config/tidegate/master.key",
        fallback=defaults.master_key_file,
        help="File of the master key; made on the first start, mode 0600. It must not lie in the "
        "data directory: a backup of the data must not hold the key to it.",
    ),
    Setting(
        name="price_file",
        section=STORAGE,
        parse=text.path,
        absent=None,
        help="Prices of your own (TOML, see docs/prices.md), laid over the bundled list.",
    ),
    Setting(
        name="spool_policy",
        section=SPOOL,
        parse=text.one_of("pass", "refuse"),
        default="pass",
        help="What becomes of a new request whose usage cannot be recorded, as the disk is full or "
        "the spool has reached its limit: pass lets it go on and counts it as unmetered, refuse "
        "answers 503. Requests that are under way are recorded in any case.",
    ),
    Setting(
        name="spool_sync",
        section=SPOOL,
        parse=text.switch,
        default="off",
        help="on: usage survives a loss of power, too. Each request then waits twice for the disk, "
        "before it goes out and before its answer ends. off: it survives every crash of a process.",
    ),
    Setting(
        name="spool_limit_bytes",
        section=SPOOL,
        parse=text.size,
        default="1GB",
        help="Size to which the spool may grow while the ledger is away; then the policy. It must "
        "hold two files of every worker.",
    ),
    Setting(
        name="spool_limit_age_s",
        section=SPOOL,
        parse=text.timeout,
        default="24h",
        help="How long usage may wait for the ledger; then the policy.",
    ),
    Setting(
        name="spool_segment_bytes",
        section=SPOOL,
        parse=text.segment_size,
        default="4MB",
        help="Size of the spool's files, 64KB to 64MB. Each is allocated before it is used, so "
        "that requests under way can be recorded on a full disk.",
    ),
    Setting(
        name="capture_body_bytes",
        section=SPOOL,
        parse=text.size,
        default="4MB",
        help="How much debug mode keeps of each body: received, sent and answered.",
    ),
    Setting(
        name="capture_limit_bytes",
        section=SPOOL,
        parse=text.size,
        default="256MB",
        help="How much of what debug mode keeps may wait for the console on the disk; what is "
        "beyond is dropped. Nothing is kept on a disk with less than 64 MB free.",
    ),
    Setting(
        name="allow_upstreams",
        section=UPSTREAMS,
        parse=text.upstream,
        several=True,
        flag="--allow-upstream",
        help="HOST:PORT of an upstream or mail server that may have a private or loopback address; "
        "port * allows every port. Metadata addresses of clouds are never allowed.",
    ),
    Setting(
        name="upstream_ca",
        section=UPSTREAMS,
        parse=text.path,
        absent=None,
        help="Certificate authorities (PEM) to trust beside the system's when calling upstreams "
        "and mail servers.",
    ),
    Setting(
        name="https_proxy",
        section=UPSTREAMS,
        parse=text.proxy_url,
        flag=None,
        variable="HTTPS_PROXY",
        help="HTTP proxy through which upstreams are called, as http://[USER:PASSWORD@]HOST:PORT.",
    ),
    Setting(
        name="no_proxy",
        section=UPSTREAMS,
        parse=text.plain,
        flag=None,
        variable="NO_PROXY",
        help="Comma list of hosts that are called without the proxy.",
    ),
    Setting(
        name="head_limit_bytes",
        section=LIMITS,
        parse=text.size,
        default="64KB",
        help="Longest head of a request; above it 431.",
    ),
    Setting(
        name="body_limit_bytes",
        section=LIMITS,
        parse=text.size,
        default="32MB",
        help="Longest body of a request; above it 413.",
    ),
    Setting(
        name="decoded_limit_bytes",
        section=LIMITS,
        parse=text.size,
        default="32MB",
        help="Longest compressed body once it is decoded; above it 413.",
    ),
    Setting(
        name="head_timeout_s",
        section=LIMITS,
        parse=text.timeout,
        default="30s",
        help="From the first byte of a request's head to its end.",
    ),
    Setting(
        name="body_timeout_s",
        section=LIMITS,
        parse=text.timeout,
        default="300s",
        help="Between two reads of a request's body.",
    ),
    Setting(
        name="idle_timeout_s",
        section=LIMITS,
        parse=text.timeout,
        default="120s",
        help="A kept-alive connection without a request.",
    ),
    Setting(
        name="write_timeout_s",
        section=LIMITS,
        parse=text.timeout,
        default="300s",
        help="A client that reads nothing of its answer.",
    ),
    Setting(
        name="connect_timeout_s",
        section=LIMITS,
        parse=text.timeout,
        default="10s",
        help="Connecting to an upstream.",
    ),
    Setting(
        name="first_byte_timeout_s",
        section=LIMITS,
        parse=text.timeout,
        default="600s",
        help="From the end of a request to the head of the upstream's answer.",
    ),
    Setting(
        name="stream_timeout_s",
        section=LIMITS,
        parse=text.timeout,
        default="600s",
        help="Between two reads of the upstream's answer.",
    ),
    Setting(
        name="pool_idle_s",
        section=LIMITS,
        parse=text.timeout,
        default="55s",
        help="How long an idle connection to an upstream is kept for reuse.",
    ),
    Setting(
        name="directory_max_age_s",
        section=LIMITS,
        parse=text.timeout,
        default="600s",
        help="How long keys and policies count while their database is away; then 503.",
    ),
    Setting(
        name="hold_wait_s",
        section=LIMITS,
        parse=text.timeout,
        default="250ms",
        help="How long a request waits for a hard budget; then open or closed, as that says.",
    ),
    Setting(
        name="log_level",
        section=LOGGING,
        parse=text.one_of("debug", "info", "warning", "error"),
        default="info",
        help="Least severity that is logged: debug, info, warning or error.",
    ),
    Setting(
        name="log_format",
        section=LOGGING,
        parse=text.one_of("auto", "json", "text"),
        default="auto",
        help="json, text, or auto: text on a terminal, else json. The log goes to standard error.",
    ),
)

CONFIG_FLAG: Final = "--config"
CONFIG_VARIABLE: Final = "TIDEGATE_CONFIG"

_SECRET: Final = {"master_key", "database_url", "https_proxy"}  # not shown in messages

# What a child process may see of our environment: no setting and no secret.
_INHERITED: Final = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
_INHERITED_PREFIXES: Final = ("LC_", "LD_", "PYTHON", "MALLOC_", "COVERAGE_")


def load(flags: Flags, environ: Environment | None = None) -> Settings:
    """Read every setting; `flags` is by attribute name, plus `config` for the file."""
    environ = os.environ if environ is None else environ
    path = flags.get("config") or environ.get(CONFIG_VARIABLE)
    file = _read_file(Path(str(path)).expanduser()) if path else {}
    values: dict[str, Any] = {s.name: _value(s, flags, environ, file) for s in SETTINGS}
    settings = Settings(**values)
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise ConfigError("--tls-cert and --tls-key belong together: give both or neither.")
    if settings.spool_limit_bytes < 2 * settings.spool_segment_bytes * settings.workers:
        raise ConfigError("--spool-limit must hold two files of --spool-segment for each worker.")
    return settings


def runtime_base(environ: Environment | None = None) -> Path:
    """Where short-lived sockets belong."""
    return defaults.runtime_base(os.environ if environ is None else environ)


def require_public_url(settings: Settings) -> None:
    """Refuse to serve other machines without knowing by which URL they come."""
    if not settings.public_url and not settings.loopback_only:
        raise ConfigError(
            "--public-url is required when listening on more than loopback: give the URL by which "
            "people reach this server, as in --public-url https://tidegate.example.com."
        )


def without_settings(environ: Environment | None = None) -> dict[str, str]:
    """The environment of a server that has nothing to do with the one installed here."""
    environ = os.environ if environ is None else environ
    return {name: value for name, value in environ.items() if not name.startswith("TIDEGATE_")}


def child_environment(environ: Environment | None = None) -> dict[str, str]:
    """The environment that worker and console processes are started with."""
    environ = os.environ if environ is None else environ
    return {
        name: value
        for name, value in environ.items()
        if name in _INHERITED or name.startswith(_INHERITED_PREFIXES)
    }


def admin_command(settings: Settings, environ: Environment | None = None) -> list[str]:
    """How an administrator of this machine calls `tidegate admin` for this installation."""
    environ = os.environ if environ is None else environ
    own = Path(sys.executable).with_name("tidegate")
    found = shutil.which("tidegate", path=environ.get("PATH"))
    on_path = found is not None and (not own.exists() or own.samefile(found))
    words = ["tidegate" if on_path or not own.exists() else str(own), "admin"]
    if settings.data_dir != defaults.data_dir(environ):
        words += ["--data-dir", str(settings.data_dir)]
    if not settings.master_key and settings.master_key_file != defaults.master_key_file(environ):
        words += ["--master-key-file", str(settings.master_key_file)]
    return words


def _value(setting: Setting, flags: Flags, environ: Environment, file: dict[str, Any]) -> object:
    for source, raw in _sources(setting, flags, environ, file):
        return _parsed(setting, source, raw)
    if setting.fallback is not None:
        return setting.fallback(environ)
    return _parsed(setting, "default", [setting.default] if setting.default else [])


def _sources(
    setting: Setting, flags: Flags, environ: Environment, file: dict[str, Any]
) -> Iterator[tuple[str, list[str]]]:
    """Where the setting is given, strongest first. An empty text counts as not given."""
    given = flags.get(setting.name)
    if given:
        yield str(setting.option), [given] if isinstance(given, str) else list(given)
    variable = setting.environment_variable
    names = (variable,) if variable.startswith("TIDEGATE_") else (variable.lower(), variable)
    for name in names:
        if environ.get(name):
            yield name, [environ[name]]
    if setting.toml_key is not None and setting.toml_key in file:
        raw = file[setting.toml_key]
        yield f"{setting.toml_key} in the file", [str(v) for v in _listed(raw)]


def _listed(raw: Any) -> list[Any]:
    return raw if isinstance(raw, list) else [raw]


def _parsed(setting: Setting, source: str, raw: list[str]) -> object:
    if setting.several:
        raw = [part.strip() for item in raw for part in item.split(",") if part.strip()]
    values = []
    for item in raw:
        try:
            values.append(setting.parse(item))
        except ValueError as fault:
            shown = "" if setting.name in _SECRET else f" {item!r}"
            raise ConfigError(f"{source}{shown}: {fault}. {setting.help}") from None
    if setting.several:
        return tuple(values)
    if len(values) > 1:
        raise ConfigError(f"{source}: one value is expected. {setting.help}")
    return values[0] if values else setting.absent


def _read_file(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise ConfigError(f"{CONFIG_FLAG} {path}: {fault.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise ConfigError(f"{CONFIG_FLAG} {path} is not TOML: {fault}.") from None
    known = {setting.toml_key for setting in SETTINGS}
    if unknown := sorted(set(found) - known):
        raise ConfigError(
            f"{CONFIG_FLAG} {path}: unknown key {unknown[0]!r}. docs/settings.md lists the keys."
        )
    return found
