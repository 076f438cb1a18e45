"""`tidegate admin copy-store`: what it prints, whom it refuses."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.postgresql import PASSWORD, Postgresql
from tests.unit.cli.test_admin import Installation, enroll
from tests.unit.jobs.events import event

from tidegate.store.ports import SpoolBatch
from tidegate.store.sql.database import open_store
from tidegate.wiring.lock import DirectoryLock, Note, read_note

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    """An installation with a key and three requests."""
    made = Installation(tmp_path)
    organization_id = made.ask("bootstrap", "--org", "Acme", "--email", "o@example.com")
    key_id = enroll(made)["key_id"]
    store = open_store(data_dir=made.data_dir)
    fields = {"organization_id": organization_id["organization_id"], "key_id": key_id}
    events = [event(number, **fields) for number in range(3)]
    store.usage.record(SpoolBatch(file="a", start=0, end=1, events=events))
    store.close()
    return made


@pytest.fixture
def database_url(postgresql: Postgresql) -> Iterator[str]:
    with postgresql.database() as url:
        yield url


def test_there_and_back_again(place: Installation, database_url: str, tmp_path: Path) -> None:
    before = place.ask("usage")
    there = place.ask("copy-store", "--to", database_url)
    assert there["to"].startswith("PostgreSQL database test_")
    assert (there["requests"], there["cost_nusd"]) == (3, before["cost_nusd"])
    assert there["rows"]["keys"] == 1
    on_postgresql = ("--database-url", database_url)
    assert place.ask("usage", *on_postgresql) == before
    back = place.ask("copy-store", "--to", str(tmp_path / "back"), *on_postgresql)
    assert back["rows"] == there["rows"]
    place.data_dir = tmp_path / "back"
    assert place.ask("usage") == before
    assert place.ask("key", "reveal", "--email", "dev@example.com", "--agent", "codex")["key"]


def test_the_password_may_come_from_standard_input(place: Installation, database_url: str) -> None:
    shown = place.run("copy-store", "--to", "-", stdin=f"{database_url}\n").output
    assert "Counts and sums are equal" in shown
    assert PASSWORD not in shown


def test_a_target_in_use_is_refused(place: Installation, database_url: str, tmp_path: Path) -> None:
    place.ask("copy-store", "--to", database_url)
    assert "not empty" in place.refuse("copy-store", "--to", database_url)
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    with DirectoryLock(other):
        assert "Another Tidegate server" in place.refuse("copy-store", "--to", str(other))


def test_a_running_server_is_in_the_way_unless_told(place: Installation, tmp_path: Path) -> None:
    to = ("copy-store", "--to", str(tmp_path / "copy"))
    with DirectoryLock(place.data_dir) as lock:
        lock.write(Note(1234, "https://tidegate.example.com"))
        refusal = place.refuse(*to)
        assert "process 1234" in refusal
        assert "--live" in refusal
        assert place.ask(*to, "--live")["requests"] == 3


def test_a_server_elsewhere_is_in_the_way_too(
    place: Installation, database_url: str, tmp_path: Path
) -> None:
    place.ask("copy-store", "--to", database_url)
    back = ("copy-store", "--to", str(tmp_path / "back"), "--database-url", database_url)
    console = open_store(database_url=database_url, process="tidegate console")
    assert "(processes: 1)" in place.refuse(*back)
    assert place.ask(*back, "--live")["requests"] == 3
    console.close()


def test_copying_leaves_what_the_lock_says(place: Installation, tmp_path: Path) -> None:
    with DirectoryLock(place.data_dir) as lock:
        lock.write(Note(1234, "https://tidegate.example.com"))
    place.ask("copy-store", "--to", str(tmp_path / "copy"))
    note = read_note(place.data_dir)
    assert note is not None
    assert note.public_url == "https://tidegate.example.com"


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("mysql://u:pw-hidden@h/d", "--to: expected postgresql"),
        ("postgresql://u:pw-hidden@x@h/d", "percent-encoded"),
        ("postgresql://u:pw-hidden@127.0.0.1:1/d", "The target: connection failed"),
    ],
)
def test_targets_that_are_none(place: Installation, target: str, says: str) -> None:
    refusal = place.refuse("copy-store", "--to", target)
    assert says in refusal
    assert "hidden" not in refusal
