"""What sessions are pinned to, on every backend."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.port.conftest import Place
from tests.unit.jobs.events import event

from tidegate.store.pins import Pin
from tidegate.store.ports import SpoolBatch
from tidegate.store.sql.copying import copy_store
from tidegate.store.sql.database import SqlStore, open_store

pytestmark = pytest.mark.slow

LOSSLESS = Pin("lossless", 1)
OFF = Pin("off")


def pinned(store: SqlStore, session_id: str, wanted: Pin, at_us: int, of: str = "org_1") -> Pin:
    return store.usage.pins.pin(of, session_id, wanted, at_us)[0]


def test_the_first_pin_stays(place: Place) -> None:
    store = place.open()
    pins = store.usage.pins
    assert pins.pin("org_1", "ses_1", LOSSLESS, 100) == (LOSSLESS, True)
    assert pins.pin("org_1", "ses_1", Pin("trims", 2), 200) == (LOSSLESS, False)
    assert pinned(store, "ses_1", Pin("holdout"), 200, "org_2") == Pin("holdout")
    assert pinned(store, "ses_2", OFF, 200) == OFF
    store.close()
    again = place.open()
    assert pinned(again, "ses_1", OFF, 300) == LOSSLESS
    assert pinned(again, "ses_2", LOSSLESS, 300) == OFF
    again.close()


def test_a_session_that_went_uncompressed_stays_so(store: SqlStore) -> None:
    old = event(1, session_id="ses_1", started_us=100)
    store.usage.record(SpoolBatch(file="a", start=0, end=10, events=[old]))
    assert pinned(store, "ses_1", LOSSLESS, 101) == OFF
    assert pinned(store, "ses_1", LOSSLESS, 100) == OFF
    assert pinned(store, "ses_1", LOSSLESS, 101, "org_2") == LOSSLESS
    assert pinned(store, "ses_2", LOSSLESS, 101) == LOSSLESS


def test_the_request_that_pins_is_no_earlier_one(store: SqlStore) -> None:
    own = event(1, session_id="ses_1", started_us=100)
    store.usage.record(SpoolBatch(file="a", start=0, end=10, events=[own]))
    assert pinned(store, "ses_1", LOSSLESS, 100) == LOSSLESS


def test_a_pin_that_nothing_went_out_by_can_be_given_up(store: SqlStore) -> None:
    pins = store.usage.pins
    pins.give_up("org_1", "ses_1", LOSSLESS)
    assert pinned(store, "ses_1", LOSSLESS, 1) == LOSSLESS
    pins.give_up("org_2", "ses_1", LOSSLESS)
    pins.give_up("org_1", "ses_1", Pin("lossless", 2))
    assert pinned(store, "ses_1", OFF, 1) == LOSSLESS
    pins.give_up("org_1", "ses_1", LOSSLESS)
    assert pinned(store, "ses_1", LOSSLESS, 1) == OFF


def test_all_who_come_at_once_get_the_same_pin(place: Place) -> None:
    place.open().close()
    stores = [place.open(migrate=False) for _ in range(4)]
    wanted = [Pin(level, 1) for level in ("lossless", "references", "trims", "off")]
    with ThreadPoolExecutor(4) as pool:
        for session in ("ses_1", "ses_2", "ses_3"):
            asked = [
                pool.submit(each.usage.pins.pin, "org_1", session, pin, 1)
                for each, pin in zip(stores, wanted, strict=True)
            ]
            found = [future.result() for future in asked]
            assert len({str(pin) for pin, _ in found}) == 1
            assert sum(is_new for _, is_new in found) == 1
    for store in stores:
        store.close()


def test_pins_are_copied_with_the_store(place: Place, tmp_path: Path) -> None:
    source, target = place.open(), open_store(data_dir=tmp_path / "other")
    source.usage.pins.pin("org_1", "ses_1", LOSSLESS, 100)
    assert copy_store(source, target).rows["session_pins"] == 1
    assert pinned(target, "ses_1", OFF, 200) == LOSSLESS
    source.close()
    target.close()
