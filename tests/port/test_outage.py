"""PostgreSQL goes away and comes back under open stores."""

from collections.abc import Callable, Iterator

import pytest
from tests.port.test_directory_store import fill
from tests.postgresql import PASSWORD, Postgresql, running_postgresql
from tests.unit.jobs.events import event

from tidegate.store.ports import SpoolBatch, StoreUnavailable
from tidegate.store.sql.database import SqlStore, open_store

pytestmark = pytest.mark.slow

BATCH = SpoolBatch(file="a", start=0, end=1, events=[event(1)])


@pytest.fixture(scope="module")
def fickle() -> Iterator[Postgresql]:
    """A server of this module's own: others would miss theirs."""
    with running_postgresql() as server:
        yield server


def change(store: SqlStore, meanwhile: Callable[[], None] = lambda: None) -> None:
    with store.directory.changing() as begun:
        fill(begun)
        meanwhile()


USES: dict[str, Callable[[SqlStore], object]] = {
    "version": lambda store: store.directory.version(),
    "snapshot": lambda store: store.directory.snapshot(),
    "change": change,
    "offset": lambda store: store.usage.offset("a"),
    "record": lambda store: store.usage.record(BATCH),
    "sums": lambda store: store.usage.ledger_sums("org_1", []),
    "migrate": lambda store: store.migrate(),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
def test_an_outage_is_told_as_such_and_gets_over(
    fickle: Postgresql, use: Callable[[SqlStore], object]
) -> None:
    with fickle.database() as url:
        store = open_store(database_url=url)
        fickle.stop()
        try:
            with pytest.raises(StoreUnavailable) as caught:
                use(store)
            assert "\n" not in str(caught.value)
            assert PASSWORD not in str(caught.value)
        finally:
            fickle.start()
        use(store)
        store.close()


def test_a_connection_that_broke_in_a_pool_is_not_handed_out(fickle: Postgresql) -> None:
    with fickle.database() as url:
        store = open_store(database_url=url)
        assert store.directory.version() == 1
        fickle.stop()
        fickle.start()
        assert store.directory.version() == 1
        store.close()


def test_an_outage_within_a_change_leaves_nothing_of_it(fickle: Postgresql) -> None:
    with fickle.database() as url:
        store = open_store(database_url=url)
        with pytest.raises(StoreUnavailable):
            change(store, meanwhile=fickle.stop)
        fickle.start()
        assert store.directory.snapshot().keys == ()
        assert store.directory.version() == 1
        store.close()
