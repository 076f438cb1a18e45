"""Several processes on one store at once, from its first opening: nothing is lost, all get in."""

import subprocess
import sys

import pytest
from tests.port.conftest import Place

pytestmark = pytest.mark.slow

WRITER = """
import sys
from pathlib import Path
from tidegate.services.organizations import Organizations
from tidegate.services.vault import derive
from tidegate.store.sql.database import open_store

data_dir, database_url, name = sys.argv[1:]
store = open_store(data_dir=Path(data_dir), database_url=database_url or None)
organizations = Organizations(store, derive(bytes(32)))
for number in range(10):
    organizations.bootstrap(f"{name} {number}", "a@b.c")
"""


def test_processes_that_write_at_once(place: Place) -> None:
    where = [str(place.data_dir or ""), place.database_url or ""]
    command = [sys.executable, "-c", WRITER, *where]
    writers = [subprocess.Popen([*command, name]) for name in ("one", "two", "three")]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    store = place.open()
    snapshot = store.directory.snapshot()
    assert len(snapshot.organizations) == 30
    assert snapshot.version == 31
    store.close()
