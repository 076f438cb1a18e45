"""A store is copied whole, between any two databases, or not at all."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.port.captures import capture
from tests.port.conftest import Place
from tests.port.test_budget_store import fill_budgets
from tests.port.test_directory_store import CODE, fill
from tests.port.test_people_store import fill_people
from tests.postgresql import Postgresql
from tests.unit.jobs.events import event

from tidegate.store.pins import Pin
from tidegate.store.ports import AuditEntry, SpoolBatch
from tidegate.store.sessions import PendingCall
from tidegate.store.sql.copying import CopyRefused, copy_store, servers_on
from tidegate.store.sql.database import SqlStore
from tidegate.store.sql.directory_tables import directory
from tidegate.store.sql.usage_tables import usage

pytestmark = pytest.mark.slow

EVENTS = 2500  # more than a batch
AUDIT = AuditEntry(
    audit_id="aud_1", organization_id="org_1", at_us=5, actor="cli", action="a.b", target="x",
    detail={"k": "v\u202e"},
)  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def elsewhere(
    request: pytest.FixtureRequest, postgresql: Postgresql, tmp_path: Path
) -> Iterator[Place]:
    """Where to copy to."""
    if request.param == "sqlite":
        yield Place(data_dir=tmp_path / "elsewhere")
    else:
        with postgresql.database() as url:
            yield Place(database_url=url)


def fill_the_rest(store: SqlStore) -> None:
    """A row of anything in each table that has none."""
    anything = {sa.Boolean: True, sa.JSON: ["\u00dc"], sa.LargeBinary: b"\0"}
    engines = store.engines
    for engine, tables in ((engines["directory"], directory), (engines["usage"], usage)):
        with engine.begin() as connection:
            for table in tables.sorted_tables:
                if connection.execute(sa.select(table).limit(1)).first() is None:
                    row = {
                        c.name: next(
                            (each for kind, each in anything.items() if isinstance(c.type, kind)),
                            7 if isinstance(c.type, sa.Integer) else "org_1",
                        )
                        for c in table.c
                    }
                    connection.execute(sa.insert(table), row)


@pytest.fixture
def full(store: SqlStore) -> SqlStore:
    """A store with rows in every table."""
    with store.directory.changing() as change:
        fill(change)
        fill_people(change)
        fill_budgets(change)
        change.add_code(CODE)
        change.add_audit(AUDIT)
    store.usage.adopt_zones({"org_1": "Asia/Kathmandu"})
    events = [
        event(
            n,
            session_id=f"ses_{n % 7}",
            squad_id="sqd_1",
            repository="Ü\U0001f680",
            stream=bool(n % 2),
        )
        for n in range(EVENTS)
    ]
    store.usage.record(SpoolBatch(file="worker-1-1-ab.events", start=0, end=9, events=events))
    store.usage.captures.put_capture(capture("req_000001"))
    store.usage.pins.pin("org_1", "ses_new", Pin("lossless", 1), 1)
    call = PendingCall(
        pending_id="call_1", organization_id="org_1", key_id="key_1", tool="t", digest="d", at_us=1
    )
    store.usage.links.pend(call)
    fill_the_rest(store)
    return store


def rows_of(place: Place) -> dict[str, list[tuple[object, ...]]]:
    found: dict[str, list[tuple[object, ...]]] = {}
    for schema, tables in (("directory", directory), ("usage", usage)):
        with place.connected(schema) as connection:  # type: ignore[arg-type]
            for table in tables.sorted_tables:
                rows = connection.execute(sa.select(table)).all()
                found[table.name] = sorted((tuple(row) for row in rows), key=str)
    return found


def test_everything_is_copied(full: SqlStore, place: Place, elsewhere: Place) -> None:
    with closing(elsewhere.open()) as target:
        copied = copy_store(full, target)
        assert target.directory.snapshot() == full.directory.snapshot()
        assert target.usage.session_sums("org_1") == full.usage.session_sums("org_1")
    rows = rows_of(place)
    assert rows_of(elsewhere) == rows
    assert copied.rows == {name: len(of_table) for name, of_table in rows.items()}
    assert min(copied.rows.values()) > 0
    used = [event(n).tokens for n in range(EVENTS)]
    prompts = sum(t.input + t.cache_write_5m + t.cache_write_1h + t.cache_read for t in used)
    assert copied.tokens == prompts + sum(t.output for t in used)
    assert copied.cost_nusd == 120 * EVENTS


def test_an_installation_is_not_copied_over_another(full: SqlStore, elsewhere: Place) -> None:
    with closing(elsewhere.open()) as target:
        copy_store(full, target)
        before = rows_of(elsewhere)
        with pytest.raises(CopyRefused, match=r"not empty: its table \w+ has rows"):
            copy_store(full, target)
    assert rows_of(elsewhere) == before


def test_a_ledger_alone_is_not_overwritten_either(full: SqlStore, elsewhere: Place) -> None:
    with closing(elsewhere.open()) as target:
        target.usage.record(SpoolBatch(file="a", start=0, end=1, events=[event(1)]))
        with pytest.raises(CopyRefused, match=r"its table \w+ has rows"):
            copy_store(full, target)


def test_a_copy_that_lost_something_is_not_kept(full: SqlStore, elsewhere: Place) -> None:
    with closing(elsewhere.open()) as target:
        with elsewhere.connected("usage") as connection:
            for statement in _losing(elsewhere):
                connection.exec_driver_sql(statement)
        with pytest.raises(CopyRefused, match=r"table usage_events differs .* in rows, "):
            copy_store(full, target)
    left = {name: len(rows) for name, rows in rows_of(elsewhere).items() if rows}
    assert left == {"directory_version": 1}


def test_servers_of_others_are_seen(postgresql_place: Place) -> None:
    with closing(postgresql_place.open(process="tidegate admin")) as mine:
        assert servers_on(mine) == 0
        with closing(postgresql_place.open(process="tidegate worker-1")):
            assert servers_on(mine) == 1


def _losing(place: Place) -> list[str]:
    """Statements after which the ledger swallows one event."""
    when = "WHEN (NEW.event_id = 'req_000100')"
    if not place.is_postgresql:
        return [
            f"CREATE TRIGGER lose BEFORE INSERT ON usage_events {when}"
            " BEGIN SELECT RAISE(IGNORE); END"
        ]
    return [
        "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
        "CREATE TRIGGER lose BEFORE INSERT ON usage_events"
        f" FOR EACH ROW {when} EXECUTE FUNCTION lose()",
    ]
