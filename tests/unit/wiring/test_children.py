"""Processes that are kept alive: what happens when they never come up."""

import asyncio
import io

import pytest

from tidegate.wiring.children import Child, Role
from tidegate.wiring.logs import Log
from tidegate.wiring.orders import Command, Place, StartFailed

PLACE = Place(data_dir="", database_url="", price_file="", log_level="info", log_format="json")


def child_of(module: str, log: io.BytesIO, *, cleared: bool = True) -> Child:
    event = asyncio.Event()
    if cleared:
        event.set()
    role = Role(name="test", module=module, orders=lambda: PLACE, descriptors=(), cleared=event)
    return Child(role, Log(level="info", form="json", stream=log))


def test_a_process_that_never_gets_ready_is_given_up() -> None:
    log = io.BytesIO()

    async def run() -> None:
        await child_of("tidegate.no_such_module", log).keep_running()

    with pytest.raises(StartFailed, match="test process does not start"):
        asyncio.run(run())
    assert log.getvalue().count(b"starting it again") == 2


def test_one_without_orders_ends_when_it_is_told_to_stop() -> None:
    async def stop_early() -> None:
        child = child_of("tidegate.wiring.prices", io.BytesIO(), cleared=False)
        running = asyncio.create_task(child.keep_running())
        while not child.pid:  # noqa: ASYNC110 - it has no event to wait for
            await asyncio.sleep(0)
        child.stop(Command("drain"))
        await asyncio.wait_for(running, 30)
        assert not child.ready.is_set()

    asyncio.run(stop_early())
