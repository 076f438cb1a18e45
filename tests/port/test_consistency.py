"""Several who read and write at once: each sees one state, and what they did adds up."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import msgspec
import pytest
from tests.port.conftest import Place
from tests.port.test_directory_store import CODE, KEY, ORGANIZATION, fill
from tests.unit.jobs.events import event

from tidegate.core.model import UsageEvent
from tidegate.store.ports import OffsetMoved, SpoolBatch
from tidegate.store.sql.database import SqlStore

pytestmark = pytest.mark.slow

WRITERS = 4
BATCHES = 5


def test_a_view_stays_as_it_was_at_its_beginning(store: SqlStore) -> None:
    with store.directory.changing() as change:
        fill(change)
    with store.directory.reading() as reads:
        assert reads.keys("org_1") == [KEY]
        with store.directory.changing() as change:
            change.delete_key("org_1", "key_1")
        assert reads.keys("org_1") == [KEY]
        assert len(reads.secrets("org_1", "key_1")) == 1
    assert store.directory.snapshot().keys == ()


def test_who_polls_sees_a_version_as_soon_as_its_change(store: SqlStore, place: Place) -> None:
    replica = place.open(migrate=False)
    assert replica.directory.version() == 1
    with store.directory.changing() as change:
        fill(change)
        assert replica.directory.version() == 1
    assert replica.directory.version() == 2
    assert replica.directory.snapshot() == store.directory.snapshot()
    replica.close()


def test_a_code_is_used_by_one_of_many(store: SqlStore, place: Place) -> None:
    with store.directory.changing() as change:
        change.add_code(CODE)
    stores = [place.open(migrate=False) for _ in range(WRITERS)]
    together = Barrier(WRITERS)

    def use(one: SqlStore) -> bool:
        together.wait()
        with one.directory.changing() as change:
            return change.use_code(CODE.code_hash, "sign_in", 1) is not None

    with ThreadPoolExecutor(WRITERS) as threads:
        assert sorted(threads.map(use, stores)) == [False, False, False, True]
    for one in stores:
        one.close()


def test_changes_at_once_follow_one_another(store: SqlStore, place: Place) -> None:
    """What one reads before it writes is still so when it writes."""
    with store.directory.changing() as change:
        change.add_organization(ORGANIZATION, 1)
    stores = [place.open(migrate=False) for _ in range(WRITERS)]
    together = Barrier(WRITERS)

    def lengthen(one: SqlStore) -> None:
        together.wait()
        for _ in range(BATCHES):
            with one.directory.changing() as change:
                found = change.organization("org_1")
                assert found is not None
                models = (*found.allowed_models, "x")
                change.update_organization(
                    msgspec.structs.replace(ORGANIZATION, allowed_models=models)
                )

    with ThreadPoolExecutor(WRITERS) as threads:
        list(threads.map(lengthen, stores))
    [organization] = store.directory.snapshot().organizations
    assert len(organization.allowed_models) == 2 + WRITERS * BATCHES
    assert store.directory.version() == 2 + WRITERS * BATCHES
    for one in stores:
        one.close()


def family(number: int) -> UsageEvent:
    """Events of few sessions, some below others, so that writers meet in all tables."""
    return event(
        number,
        session_id=f"ses_{number % 3}",
        parent_session_id="ses_0" if number % 3 else "",
        organization_id=f"org_{number % 2}",
    )


def test_drains_at_once_count_each_event_once(store: SqlStore, place: Place) -> None:
    """Replicas drain files of their own; events that two of them hold, and a file that two read,
    still count once."""
    stores = [place.open(migrate=False) for _ in range(WRITERS)]
    together = Barrier(WRITERS)

    def drain(number: int) -> int:
        together.wait()
        moved = 0
        for file in (f"own-{number}", "shared"):
            for part in range(BATCHES):
                events = [family(10 * part + n) for n in range(10)]
                batch = SpoolBatch(file=file, start=part, end=part + 1, events=events)
                try:
                    moved += stores[number].usage.record(batch)
                except OffsetMoved:
                    continue
        return moved

    with ThreadPoolExecutor(WRITERS) as threads:
        assert sum(threads.map(drain, range(WRITERS))) == 10 * BATCHES
    for organization_id in ("org_0", "org_1"):
        [ledger] = store.usage.ledger_sums(organization_id, [])
        [days] = store.usage.rollup_sums(
            organization_id, [], bucket="day", start_us=0, end_us=1 << 60
        )
        assert ledger.sums.requests == 5 * BATCHES
        assert days.sums == ledger.sums
    for one in stores:
        one.close()


def test_a_new_zone_moves_the_sums_and_changes_none(store: SqlStore, place: Place) -> None:
    events = [event(number, started_us=event(0).started_us + number * 3_600_000_000)
              for number in range(48)]  # fmt: skip
    store.usage.record(SpoolBatch(file="a", start=0, end=1, events=events))
    [before] = store.usage.rollup_sums("org_1", [], bucket="day", start_us=0, end_us=1 << 60)
    days = len(_buckets(store))
    with ThreadPoolExecutor(2) as threads:  # two replicas learn of it at once
        other = place.open(migrate=False)
        list(
            threads.map(
                lambda one: one.usage.adopt_zones({"org_1": "Asia/Kathmandu"}), (store, other)
            )
        )
        other.close()
    [after] = store.usage.rollup_sums("org_1", [], bucket="day", start_us=0, end_us=1 << 60)
    assert after == before
    assert (days, len(_buckets(store))) == (2, 3)


def _buckets(store: SqlStore) -> list[tuple[str, ...]]:
    groups = store.usage.rollup_sums(
        "org_1", ["bucket_start_us"], bucket="day", start_us=0, end_us=1 << 60
    )
    return [group.values for group in groups]
