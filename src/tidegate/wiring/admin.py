"""`tidegate admin`: the services, on an installation of this machine, beside a running server."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DatabaseError

from tidegate.config import Settings
from tidegate.core.model import OrganizationRecord
from tidegate.jobs.drain import SpoolDrain, unmetered_in
from tidegate.services.credentials import Credentials
from tidegate.services.enrolment import Enrolment
from tidegate.services.logins import Logins
from tidegate.services.members import Members
from tidegate.services.organizations import Organizations
from tidegate.services.price_book import list_for_url, load_or_compile
from tidegate.services.usage import UsageReports
from tidegate.services.vault import Subkeys, derive
from tidegate.store.ports import StoreUnavailable
from tidegate.store.sql.copying import Copied
from tidegate.store.sql.database import SqlStore, open_store
from tidegate.store.sql.migrate import DatabaseUnfit
from tidegate.wiring.copying import copy_installation
from tidegate.wiring.crew import place_of
from tidegate.wiring.data_dir import SPOOL, open_data_dir
from tidegate.wiring.lock import read_note
from tidegate.wiring.logs import make_log
from tidegate.wiring.master_key import open_master_key
from tidegate.wiring.orders import StartFailed
from tidegate.wiring.prices import CACHE_FILE_NAME, load_prices

_DEFAULT_URL: Final = "http://127.0.0.1:4180"
_DIRECTORY_FILE: Final = "directory.db"


class Administration:
    """The services of one installation."""

    def __init__(self, settings: Settings, store: SqlStore, subkeys: Subkeys) -> None:
        self.organizations = Organizations(store, subkeys)
        self.members = Members(store, subkeys)
        self.logins = Logins(store, subkeys)
        self.enrolment = Enrolment(store, subkeys)
        self.credentials = Credentials(store, subkeys)
        self.usage = UsageReports(store)
        self._settings = settings
        self._store = store

    @property
    def public_url(self) -> str:
        """By which URL people reach the server: as set, as it runs, or as it would."""
        note = read_note(self._settings.data_dir)
        return self._settings.public_url or (note.public_url if note else "") or _DEFAULT_URL

    def price_table(self, base_url: str) -> str:
        """The price list of the service at this address; none for the providers themselves."""
        book = load_or_compile(self._settings.data_dir / CACHE_FILE_NAME, self._settings.price_file)
        return list_for_url(book, base_url)

    def organization(self, name_or_id: str) -> OrganizationRecord:
        """The organization to work on."""
        return self.organizations.find(name_or_id)

    def drain(self) -> None:
        """Move what the workers of this machine have spooled; a running console does the same."""
        log = make_log(level="warning", form="text", process="admin")
        prices = partial(load_prices, place_of(self._settings))
        SpoolDrain(self._settings.data_dir / SPOOL, self._store, log, prices).run_once()

    def copy_store(self, to: str, *, live: bool) -> Copied:
        """Copy directory and ledger to a database URL or a data directory."""
        data_dir = self._settings.data_dir
        return copy_installation(self._store, data_dir, to, live=live, drain=self.drain)

    def unmetered(self) -> int:
        """How many requests this machine's workers let pass unrecorded, see `spool-policy`."""
        return unmetered_in(self._settings.data_dir / SPOOL)


@contextmanager
def open_administration(settings: Settings, *, may_create: bool) -> Iterator[Administration]:
    """Open an installation. ConfigError or StartFailed if it cannot be opened."""
    if not (may_create or settings.database_url or _is_installed(settings.data_dir)):
        raise StartFailed(
            f"There is no installation in {settings.data_dir}. Choose it with --data-dir, or make"
            " one with `tidegate admin bootstrap`."
        )
    os.umask(0o077)
    open_data_dir(settings.data_dir)
    master_key = open_master_key(settings)
    store = _open_store(settings)
    try:
        yield Administration(settings, store, derive(master_key))
    except StoreUnavailable as fault:
        raise StartFailed(f"The database: {fault}.") from None
    except DatabaseError as fault:
        raise StartFailed(f"The database: {fault.orig}.") from None
    finally:
        store.close()


def _open_store(settings: Settings) -> SqlStore:
    try:
        return open_store(
            data_dir=settings.data_dir,
            database_url=settings.database_url or None,
            process="tidegate admin",
        )
    except DatabaseUnfit as fault:
        raise StartFailed(f"{fault}.") from None
    except StoreUnavailable as fault:
        raise StartFailed(f"The database: {fault}.") from None
    except DatabaseError as fault:
        raise StartFailed(f"The database: {fault.orig}.") from None


def _is_installed(data_dir: Path) -> bool:
    return (data_dir / _DIRECTORY_FILE).exists()
