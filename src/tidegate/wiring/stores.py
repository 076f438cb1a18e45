"""Opening the stores, and preparing them once when a server starts."""

from pathlib import Path

from sqlalchemy.exc import DatabaseError

from tidegate.services.logins import Logins
from tidegate.services.organizations import Organizations
from tidegate.services.vault import Subkeys
from tidegate.store.ports import StoreUnavailable
from tidegate.store.sql.database import SqlStore, open_store
from tidegate.store.sql.migrate import DatabaseUnfit
from tidegate.wiring.orders import Place, Prepared


def store_of(place: Place, *, process: str, connections: int) -> SqlStore:
    """The store as it is; only `prepare_store` migrates it."""
    return open_store(
        data_dir=Path(place.data_dir),
        database_url=place.database_url or None,
        migrate=False,
        connections=connections,
        process=f"tidegate {process}",
    )


def prepare_store(place: Place, store: SqlStore, subkeys: Subkeys, *, setup: bool) -> Prepared:
    """Bring the stores to this release's shape; make a set-up link if asked for and needed."""
    try:
        store.migrate()
        if not setup or Organizations(store, subkeys).exists():
            return Prepared()
        return Prepared(setup_token=Logins(store, subkeys).make_setup_token())
    except StoreUnavailable as fault:
        if place.database_url:  # a server may come back
            return Prepared(store_fault=str(fault))
        return Prepared(fault=f"The database of {place.data_dir}: {fault}.")
    except DatabaseError as fault:
        return Prepared(fault=f"The database of {place.data_dir}: {fault.orig}.")
    except DatabaseUnfit as fault:
        return Prepared(fault=str(fault))
