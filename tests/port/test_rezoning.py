"""A change of zone where the ledger no longer has all: old days keep their sums."""

import random
from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa
from tests.port.conftest import Place
from tests.port.test_team_sums import PLACES, put, some_events
from tests.recount import ORGANIZATION, figures_of

from tidegate.core.model import UsageEvent
from tidegate.store.log import Kept, LogFilter
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.database import SqlStore

pytestmark = pytest.mark.slow

SPANNED = (t.totals, t.by_member, t.by_repository, t.latencies)
TABLES = (t.hours, t.days, *SPANNED)


def buckets(place: Place, *, before_us: int = 1 << 62, from_us: int = 0) -> dict[str, list[Any]]:
    """Stored hours and days that begin in a time."""
    found = {}
    with place.connected("usage") as connection:
        for table in TABLES:
            at = table.c.bucket_start_us
            query = sa.select(table).where(at >= from_us, at < before_us)
            if "span" in table.c:
                query = query.where(table.c.span != "ten_days")
            found[table.name] = sorted(tuple(row) for row in connection.execute(query))
    return found


def sums_by_span(place: Place, table: sa.Table) -> dict[str, tuple[int, ...]]:
    names = [c.name for c in table.c if not c.primary_key and c.name != "last_us"]
    query = sa.select(table.c.span, *(sa.func.sum(table.c[n]) for n in names))
    with place.connected("usage") as connection:
        rows = connection.execute(query.group_by(table.c.span)).all()
    return {span: tuple(map(int, numbers)) for span, *numbers in rows}


def remains(events: Iterable[UsageEvent], from_us: int) -> list[UsageEvent]:
    return [one for one in events if one.started_us >= from_us]


def forget(store: SqlStore, at_us: int) -> int:
    """Delete the ledger of before the day of a moment: from when on it is whole then."""
    store.usage.drop_ledger_before(ORGANIZATION, at_us)
    while store.usage.delete_dropped(ORGANIZATION, 7):
        pass
    return store.usage.log.kept(ORGANIZATION).ledger_from_us


@pytest.mark.parametrize(("zone", "around"), PLACES)
def test_days_without_rows_keep_their_sums(
    store: SqlStore, place: Place, zone: str, around: str
) -> None:
    centre = datetime.fromisoformat(around)
    events = some_events(random.Random(zone), centre, 80)
    store.usage.adopt_zones({ORGANIZATION: zone})
    put(store, events)
    total = figures_of(events)
    middle_us = int(centre.timestamp()) * 1_000_000
    from_us = forget(store, middle_us)
    assert from_us <= middle_us
    for other, (_, after) in enumerate(pairwise([zone, "Asia/Tokyo", "America/St_Johns", zone])):
        old = buckets(place, before_us=from_us)
        assert store.usage.log.sums(ORGANIZATION, LogFilter()) == total
        store.usage.adopt_zones({ORGANIZATION: after})
        assert buckets(place, before_us=from_us) == old
        kept = store.usage.log.kept(ORGANIZATION)
        assert kept.ledger_from_us == kept.other_zone_before_us >= from_us
        from_us = kept.ledger_from_us
        assert store.usage.log.sums(ORGANIZATION, LogFilter()) == total
        late = some_events(random.Random(other), centre, 90)[80:]
        put(store, late_ones := [rename(one, other) for one in late])
        total += figures_of(late_ones)
        for table in (t.totals, t.by_member, t.by_repository):
            by_span = sums_by_span(place, table)
            assert by_span["hour"] == by_span["day"] == by_span["ten_days"]


@pytest.mark.parametrize(("zone", "around"), PLACES)
def test_what_the_ledger_has_is_summed_as_if_it_were_all(
    store: SqlStore, place: Place, zone: str, around: str
) -> None:
    centre = datetime.fromisoformat(around)
    events = some_events(random.Random(zone), centre, 60)
    put(store, events)
    events = store.usage.events(ORGANIZATION, len(events))  # as they are attributed
    forget(store, int(centre.timestamp()) * 1_000_000)
    store.usage.adopt_zones({ORGANIZATION: zone})
    from_us = store.usage.log.kept(ORGANIZATION).ledger_from_us
    found = buckets(place, from_us=from_us)
    del found["usage_by_repository"]  # counts sessions that began before
    store.close()
    with place.connected("usage") as connection:
        for table in t.usage.sorted_tables:
            connection.execute(sa.delete(table))
    again = place.open()
    again.usage.adopt_zones({ORGANIZATION: zone})
    put(again, remains(events, from_us))
    expected = buckets(place)
    del expected["usage_by_repository"]
    assert found == expected
    again.close()


def test_the_ledger_is_never_said_to_begin_earlier(store: SqlStore) -> None:
    centre = datetime.fromisoformat(PLACES[0][1])
    put(store, some_events(random.Random(1), centre, 20))
    at_us = int(centre.timestamp()) * 1_000_000
    from_us = forget(store, at_us)
    assert from_us % 86_400_000_000 == 0  # a day of the zone, which is UTC
    assert forget(store, at_us - 90 * 86_400_000_000) == from_us
    assert store.usage.log.kept(ORGANIZATION) == Kept(ledger_from_us=from_us)


def rename(one: UsageEvent, number: int) -> UsageEvent:
    fields = {name: getattr(one, name) for name in UsageEvent.__struct_fields__}
    return UsageEvent(**(fields | {"event_id": f"{one.event_id}-{number}"}))
