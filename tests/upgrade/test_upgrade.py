"""Every released version's data opens in this one, with nothing lost."""

import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.upgrade.make import HERE, MASTER_KEY, MEMBERS, SPENT_EACH

from tidegate.jobs.drain import SpoolDrain
from tidegate.services.credentials import Credentials
from tidegate.services.enrolment import Enrolment
from tidegate.services.price_book import compile_price_book
from tidegate.services.usage import UsageReports
from tidegate.services.vault import derive
from tidegate.store.ports import SpoolBatch
from tidegate.store.sql import usage_tables
from tidegate.store.sql.database import SqlStore, open_store
from tidegate.wiring.logs import make_log

pytestmark = pytest.mark.slow

RELEASES = sorted(path.parent for path in HERE.glob("*/expected.json"))


def test_there_is_a_release() -> None:
    assert RELEASES


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_an_older_installation_opens(release: Path, tmp_path: Path) -> None:
    data_dir = tmp_path / "installation"
    shutil.copytree(release, data_dir)
    expected = json.loads((release / "expected.json").read_text())
    organization_id = expected["organization_id"]
    store = open_store(data_dir=data_dir, database_url=None)
    subkeys = derive(MASTER_KEY)
    reports = UsageReports(store)

    found = json.loads(json.dumps(reports.totals(organization_id)))
    assert _as_far_as_told(found, expected["drained"]) == expected["drained"]
    _check_sums(store, organization_id, tmp_path)

    log = make_log(level="warning", form="text", process="upgrade")
    drained = SpoolDrain(data_dir / "spool", store, log, compile_price_book).run_once()
    assert drained == SPENT_EACH * len(MEMBERS)
    waiting = Counter(expected.get("waiting", {"ok": drained}))
    totals = reports.totals(organization_id)
    assert totals["requests"] == 2 * drained
    assert totals["by_outcome"] == Counter(ok=drained) + waiting
    _check_sums(store, organization_id, tmp_path)

    enrolment = Enrolment(store, subkeys)
    for key_id, secret in expected["keys"].items():
        assert enrolment.reveal(organization_id, key_id) == secret
        assert enrolment.authenticate(secret) is not None
    assert Credentials(store, subkeys).available(organization_id) == {"anthropic"}
    store.close()


def _as_far_as_told(found: Any, told: Any) -> Any:
    """What was found, without fields that the older version did not know."""
    if isinstance(told, dict):
        return {name: _as_far_as_told(found[name], value) for name, value in told.items()}
    if isinstance(told, list) and len(told) == len(found):
        return [_as_far_as_told(*pair) for pair in zip(found, told, strict=True)]
    return found


def _check_sums(store: SqlStore, organization_id: str, scratch: Path) -> None:
    """Whatever is kept besides the ledger is as this release makes it of the same events."""
    events = store.usage.events(organization_id, 1000)[::-1]
    assert events
    made = open_store(data_dir=Path(tempfile.mkdtemp(dir=scratch)))
    made.usage.adopt_zones({organization_id: store.usage.time_zone(organization_id)})
    made.usage.record(SpoolBatch(file="all", start=0, end=1, events=events))
    assert _rows(store) == _rows(made)
    made.close()


def _rows(store: SqlStore) -> dict[str, list[Any]]:
    """The rows of all usage tables but those that count changes and places in files.

    What a request did not say by itself older releases did not note.
    """
    counters = {usage_tables.versions, usage_tables.bucket_changes}
    left_out = {*counters, usage_tables.spool_files}
    with store.engines["usage"].connect() as connection:
        return {
            table.name: sorted(
                tuple(row)
                for row in connection.execute(
                    sa.select(*(column for column in table.c if column.name != "unsaid"))
                )
            )
            for table in usage_tables.usage.sorted_tables
            if table not in left_out
        }
