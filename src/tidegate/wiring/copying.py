"""Moving an installation to another database: who must not be there meanwhile, and the copy."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from tidegate import settings_text
from tidegate.config import ConfigError
from tidegate.store.ports import StoreUnavailable
from tidegate.store.sql.copying import Copied, CopyRefused, copy_store, servers_on
from tidegate.store.sql.database import SqlStore, open_store
from tidegate.store.sql.migrate import DatabaseUnfit
from tidegate.wiring.data_dir import open_data_dir
from tidegate.wiring.lock import DirectoryHeld, DirectoryLock, read_note
from tidegate.wiring.orders import StartFailed

_LIVE: Final = "or add --live: what is recorded meanwhile is then not part of the copy"


def copy_installation(
    source: SqlStore, data_dir: Path, to: str, *, live: bool, drain: Callable[[], None]
) -> Copied:
    """Copy directory and ledger to a database URL or a data directory. ConfigError or StartFailed
    if that cannot be done; then nothing is copied.

    `drain` moves into the source what is still in the spool; a server that runs does it itself.
    """
    with ExitStack() as stack:
        if not live:
            stack.enter_context(_without_server(source, data_dir))
            drain()
        target = stack.enter_context(_opened(to, held=None if live else data_dir))
        try:
            return copy_store(source, target)
        except CopyRefused as fault:
            raise StartFailed(f"{str(fault)[0].upper()}{str(fault)[1:]}.") from None


def shown_place(to: str) -> str:
    """A target for people: without user and password."""
    if "://" not in to:
        return to
    url = sa.make_url(_database_url(to))
    return f"PostgreSQL database {url.database} on {url.host or 'this machine'}"


@contextmanager
def _without_server(source: SqlStore, data_dir: Path) -> Iterator[None]:
    """Keep servers of this machine out, and see that those of others are gone."""
    note = read_note(data_dir)
    with ExitStack() as stack:
        try:
            lock = stack.enter_context(DirectoryLock(data_dir))
        except DirectoryHeld:
            raise StartFailed(
                f"A Tidegate server{f' (process {note.pid})' if note else ''} is using the data"
                f" directory {data_dir}. Stop it, {_LIVE}."
            ) from None
        if note is not None:
            lock.write(note)  # by which URL the server is reached
        if count := servers_on(source):
            raise StartFailed(
                f"Tidegate servers are connected to the database (processes: {count}). Stop them,"
                f" {_LIVE}."
            )
        yield


@contextmanager
def _opened(to: str, *, held: Path | None) -> Iterator[SqlStore]:
    """The target, made if it is not there. `held` is locked already."""
    with ExitStack() as stack:
        try:
            if "://" in to:
                store = open_store(database_url=_database_url(to), process="tidegate admin")
            else:
                data_dir = settings_text.path(to)
                open_data_dir(data_dir)
                if held is None or not data_dir.samefile(held):
                    stack.enter_context(DirectoryLock(data_dir))
                store = open_store(data_dir=data_dir)
        except DatabaseUnfit as fault:
            raise StartFailed(f"The target: {fault}.") from None
        except StoreUnavailable as fault:
            raise StartFailed(f"The target: {fault}.") from None
        stack.enter_context(closing(store))
        yield store


def _database_url(to: str) -> str:
    try:
        return settings_text.database_url(to)
    except ValueError as fault:
        raise ConfigError(f"--to: {fault}, or a data directory.") from None
