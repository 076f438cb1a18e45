"""What is done once before the children serve: stores, prices, set-up link.

A process of its own (`python -m tidegate.wiring.prepare`), so that the supervisor stays small and
imports nothing that could fail later.
"""

import asyncio
from pathlib import Path

from sqlalchemy.exc import OperationalError

from tidegate.core.price_book import PriceBook
from tidegate.services.logins import Logins
from tidegate.services.organizations import Organizations
from tidegate.services.price_book import PriceFileError, load_or_compile
from tidegate.store.sql.database import SqlStore, open_store
from tidegate.store.sql.migrate import SchemaTooNew
from tidegate.wiring.channel import Channel
from tidegate.wiring.orders import Place, Prepared, PrepareOrders

PRICE_CACHE = "price-book.cache"


def prepare(orders: PrepareOrders) -> Prepared:
    """Bring the stores to this version's shape and see whether there is an organization."""
    try:
        load_prices(orders.place)
        store = store_of(orders.place)
        store.migrate()
        if Organizations(store, orders.subkeys).exists():
            return Prepared()
        return Prepared(setup_token=Logins(store, orders.subkeys).make_setup_token())
    except (PriceFileError, SchemaTooNew) as fault:
        return Prepared(fault=str(fault))
    except OperationalError as fault:
        reason = str(fault.orig)
        if orders.place.database_url:  # a server may come back
            return Prepared(store_fault=reason)
        return Prepared(fault=f"The database in {orders.place.data_dir}: {reason}.")


def load_prices(place: Place) -> PriceBook:
    """The price book; the first process to ask compiles it, the others read the result."""
    override = Path(place.price_file) if place.price_file else None
    return load_or_compile(Path(place.data_dir) / PRICE_CACHE, override)


def store_of(place: Place) -> SqlStore:
    """The store as it is; only the preparation migrates it."""
    return open_store(
        data_dir=Path(place.data_dir), database_url=place.database_url or None, migrate=False
    )


async def _main() -> None:
    channel = await Channel.open()
    orders = await channel.orders(PrepareOrders)
    if orders is not None:
        channel.report(prepare(orders))
        await channel.close()


if __name__ == "__main__":
    asyncio.run(_main())
