"""The price book of the processes. `python -m tidegate.wiring.prices` makes it on the first start.

That takes a second, so it is done beside the other preparations, in a process that ends.
"""

import asyncio
from pathlib import Path
from typing import Final

from tidegate.core.price_book import PriceBook
from tidegate.services.price_book import PriceFileError, load_or_compile
from tidegate.wiring.channel import Channel
from tidegate.wiring.orders import Place, Prepared

CACHE_FILE_NAME: Final = "price-book.cache"
# The override file as it was at the start: a worker that is started again while somebody edits the
# original must neither fail nor count with other prices than the rest.
PRICE_FILE_COPY: Final = "price-file.copy"


def load_prices(place: Place) -> PriceBook:
    """The price book, made anew if its sources have changed. Raises PriceFileError."""
    override = Path(place.price_file) if place.price_file else None
    return load_or_compile(Path(place.data_dir) / CACHE_FILE_NAME, override)


def price_fault(place: Place) -> str:
    """What is wrong with the price file, "" if nothing."""
    try:
        load_prices(place)
    except PriceFileError as fault:
        return str(fault)
    return ""


async def _main() -> None:
    channel = await Channel.open()
    place = await channel.orders(Place)
    if place is not None:
        channel.report(Prepared(price_fault=price_fault(place)))
        await channel.close()


if __name__ == "__main__":
    asyncio.run(_main())
