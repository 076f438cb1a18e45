"""Deliveries of GitHub, duplicated and in any order, end in the same state as the ordered ones."""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.effort import EFFORT
from tests.github_payloads import (
    at_us,
    body_of,
    merged,
    pull_request,
    push,
    renamed,
    repositories_added,
    repository,
    transferred,
)

from tidegate.services.github_events import read_event
from tidegate.store.forge import Delivery
from tidegate.store.sql.database import SqlStore, open_store

pytestmark = pytest.mark.slow
DELIVERIES = 200 if EFFORT < 0.5 else 1_000 if EFFORT < 10 else 10_000
REPOSITORIES = 12
ORGANIZATION = "org_1"
TABLES = ("forge_repositories", "forge_names", "forge_pull_requests")

Sent = tuple[str, str, bytes]  # id, event, body


class Story:
    """What happens on a GitHub, and what it sends of it. Seconds may tell of several things."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._seconds = 0
        self._ids = count(1)
        self._names = {n: f"acme/app-{n}" for n in range(1, REPOSITORIES + 1)}
        self._free: list[str] = []
        self._changed = dict.fromkeys(self._names, 0)
        self._pulls: dict[tuple[int, int], dict[str, Any]] = {}
        self.sent: list[Sent] = []

    def go_on(self) -> None:
        self._seconds += self._chance.choice((0, 0, 1, 5, 60))
        told = self._chance.choices(
            (self._pull, self._rename, self._transfer, self._replace, self._access, self._push),
            (40, 2, 1, 1, 2, 4),
        )[0]
        told()

    def _send(self, event: str, payload: dict[str, Any]) -> None:
        self.sent.append((f"d{next(self._ids)}", event, body_of(payload)))

    def _any(self) -> int:
        return self._chance.choice(list(self._names))

    def _of(self, repository_id: int) -> dict[str, Any]:
        return repository(repository_id, self._names[repository_id], self._changed[repository_id])

    def _pull(self) -> None:
        key = (self._any(), self._chance.randint(1, 9))
        fields = self._pulls.setdefault(key, {"opened": self._seconds, "head": f"work-{key[1]}"})
        if fields.get("merged_at") is None:
            change = self._chance.choice(("title", "draft", "close", "open", "merge", "lines"))
            fields |= self._changes(change)
        else:
            fields |= {"title": f"After {self._seconds}"}
        self._send("pull_request", pull_request(self._of(key[0]), key[1], self._seconds, **fields))

    def _changes(self, change: str) -> dict[str, Any]:
        from_now = {"closed_at": None, "state": "open"}
        match change:
            case "title":
                return {"title": f"Title {self._chance.randint(1, 99)}"}
            case "draft":
                return from_now | {"draft": self._chance.random() < 0.5}
            case "close":
                closed = self._pulls_time()
                return {"state": "closed", "closed_at": closed}
            case "merge":
                return merged(self._seconds)
            case "lines":
                return {"additions": self._chance.randint(0, 99)}
        return from_now

    def _pulls_time(self) -> str:
        found: str = merged(self._seconds)["closed_at"]
        return found

    def _named(self, repository_id: int, name: str) -> str:
        """Give a repository a name that is nobody's; its time of change goes on."""
        before = self._names[repository_id]
        self._free.append(before)
        self._names[repository_id] = name
        self._seconds += 1
        self._changed[repository_id] = self._seconds
        return before

    def _fresh(self, owner: str = "acme") -> str:
        if self._free and self._chance.random() < 0.5:
            return self._free.pop(0)
        return f"{owner}/app-{next(self._ids)}"

    def _rename(self) -> None:
        number = self._any()
        owner = self._names[number].partition("/")[0]
        before = self._named(number, f"{owner}/name-{next(self._ids)}")
        self._send("repository", renamed(number, before, self._names[number], self._seconds))

    def _transfer(self) -> None:
        number = self._any()
        name = self._names[number].partition("/")[2]
        before = self._named(number, f"owner-{next(self._ids)}/{name}")
        self._send("repository", transferred(number, before, self._names[number], self._seconds))

    def _replace(self) -> None:
        """One is deleted; another may take its name."""
        number = self._any()
        self._seconds += 1
        self._changed[number] = self._seconds
        gone = renamed(number, "x/y", self._names[number], self._seconds)
        gone["action"] = "deleted"
        self._send("repository", gone)
        self._free.append(self._names.pop(number))
        new = next(self._ids) + 1000
        self._names[new], self._changed[new] = self._fresh(), self._seconds
        made = renamed(new, "x/y", self._names[new], self._seconds)
        made["action"] = "created"
        self._send("repository", made)

    def _access(self) -> None:
        number = self._any()
        removed = self._chance.random() < 0.4
        some = {number: self._names[number]}
        self._send(
            "installation_repositories",
            repositories_added(1, some, self._seconds, removed=removed),
        )

    def _push(self) -> None:
        self._send("push", push(self._of(self._any()), "work-1", forced=True))


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[list[SqlStore]]:
    open_store(data_dir=tmp_path / "a").close()
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    made = [open_store(data_dir=tmp_path / name, migrate=False) for name in "ab"]
    yield made
    for store in made:
        store.close()


def take(store: SqlStore, sent: list[Sent]) -> int:
    """How many were taken in, of those that were sent."""
    taken = 0
    for delivery_id, event, body in sent:
        told = read_event(event, body, "github.com")
        delivery = Delivery(
            delivery_id=delivery_id, event=event, action=told.action, received_us=at_us(0)
        )
        taken += store.usage.forge.take(ORGANIZATION, told.facts, delivery)
    return taken


def state(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    with sqlite3.connect(folder / "usage.db") as connection:
        found = {
            table: sorted(connection.execute(f"SELECT * FROM {table}").fetchall())
            for table in TABLES
        }
    connection.close()
    return found


def test_any_order_of_deliveries_ends_in_the_same_state(
    stores: list[SqlStore], tmp_path: Path
) -> None:
    chance = random.Random(7)
    story = Story(chance)
    while len(story.sent) < DELIVERIES:
        story.go_on()
    mixed = story.sent + chance.sample(story.sent, len(story.sent) // 3)
    chance.shuffle(mixed)
    assert take(stores[0], story.sent) == len(story.sent)
    assert take(stores[1], mixed) == len(story.sent)
    ordered = state(tmp_path / "a")
    assert all(ordered.values())
    assert state(tmp_path / "b") == ordered
