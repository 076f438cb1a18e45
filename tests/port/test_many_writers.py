"""Several processes on one store at once, from its first opening: nothing is lost, all get in."""

import subprocess
import sys
from pathlib import Path

from tidegate.store.sql.database import open_store

WRITER = """
import sys
from pathlib import Path
from tidegate.services.organizations import Organizations
from tidegate.services.vault import derive
from tidegate.store.sql.database import open_store

store = open_store(data_dir=Path(sys.argv[1]))
organizations = Organizations(store, derive(bytes(32)))
for number in range(10):
    organizations.bootstrap(f"{sys.argv[2]} {number}", "a@b.c")
"""


def test_processes_that_write_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    writers = [subprocess.Popen([*command, name]) for name in ("one", "two", "three")]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    store = open_store(data_dir=tmp_path)
    snapshot = store.directory.snapshot()
    assert len(snapshot.organizations) == 30
    assert snapshot.version == 31
    store.close()
