"""Exports of the log: all rows of the filter, nobody else's, and memory that stays flat."""

import csv
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.browser.world import DAY_US, World

from tidegate.core.model import Cost, TokenCounts
from tidegate.services.audit import COMMAND_LINE
from tidegate.services.log_export import LogExport
from tidegate.services.log_table import COLUMNS, CSV, FORMS, JSON_LINES, READ, Form
from tidegate.services.request_log import LogFilter
from tidegate.store.log import Kept

pytestmark = pytest.mark.slow

TOKENS, COST = TokenCounts(input=3, output=4), Cost(input=5, output=6)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_both_files_hold_all_rows_newest_first(world: World, owner: TestClient) -> None:
    key = world.enroll("ben@brightwater.dev")
    for days_ago in (2, 1, 0):
        world.use(key, TOKENS, COST, days_ago=days_ago, times=700, repository="github.com/a/b")
    answer = owner.get("/logs/export.csv?range=all")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == (
        'attachment; filename="tidegate-requests-2026-11-22.csv"'
    )
    assert answer.headers["cache-control"] == "no-store"
    found = rows_of(answer.text)
    assert len(found) == 2_100
    assert list(found[0]) == list(COLUMNS)
    times = [int(row["started_us"]) for row in found]
    assert times == sorted(times, reverse=True)
    assert {row["member_email"] for row in found} == {"ben@brightwater.dev"}
    lines = owner.get("/logs/export.jsonl?range=all")
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line)["request_id"] for line in lines.text.splitlines()] == [
        row["request_id"] for row in found
    ]


def test_it_is_what_the_filter_shows(world: World, owner: TestClient) -> None:
    key = world.enroll("ben@brightwater.dev")
    world.use(key, TOKENS, COST, model="a", estimated=True)
    world.use(key, TOKENS, COST, model="b")
    world.use(key, TOKENS, COST, model="b", days_ago=3)
    for query, count in (
        ("", 2),  # 24 hours, as the page shows
        ("range=7d", 3),
        ("range=7d&model=b", 2),
        ("estimated=yes", 1),
        (f"range=all&member={key.member_id}&open=req_1&at=n1.req_1", 3),
        ("key=key_none", 0),
    ):
        assert len(rows_of(owner.get(f"/logs/export.csv?{query}").text)) == count, query


@pytest.mark.parametrize(
    "query", ["nonsense=1", "range=ever", "range=custom&first=x&last=y", "status=9xx", "model=%00"]
)
def test_nonsense_is_told_and_nothing_is_exported(owner: TestClient, query: str) -> None:
    for suffix in FORMS:
        answer = owner.get(f"/logs/export.{suffix}?{query}")
        assert answer.status_code == 422
        assert "content-disposition" not in answer.headers


def test_members_get_their_own_rows_alone(world: World, client: TestClient) -> None:
    ben, eve = world.enroll("ben@brightwater.dev"), world.enroll("eve@brightwater.dev")
    world.use(ben, TOKENS, COST)
    world.use(eve, TOKENS, COST)
    client.cookies.set("tidegate_login", world.login(ben.member_id))
    for suffix in FORMS:
        for query in ("range=all", f"range=all&member={eve.member_id}", f"key={eve.key_id}"):
            answer = client.get(f"/logs/export.{suffix}?{query}")
            assert answer.status_code == 200
            assert eve.member_id not in answer.text
            assert "eve@" not in answer.text
    assert len(rows_of(client.get("/logs/export.csv?range=all").text)) == 1


def test_nobody_gets_it_without_a_login(client: TestClient, world: World) -> None:
    assert client.get("/logs/export.csv").status_code == 303
    assert client.head("/logs/export.csv").status_code == 303


def test_a_head_makes_no_file(world: World, owner: TestClient) -> None:
    answer = owner.head("/logs/export.csv?range=all")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.content == b""


class ManyRows:
    """A log of very many rows."""

    def __init__(self, count: int, kept: Iterator[Kept]) -> None:
        self._count = count
        self._kept = kept

    def kept(self, _organization_id: str) -> Kept:
        return next(self._kept)

    def values(
        self, _organization_id: str, _only: LogFilter, columns: object, *, member_id: str = ""
    ) -> Iterator[list[tuple[object, ...]]]:
        assert columns == READ
        _, *usual = (0 if name in NUMBERS else name for name in READ)
        for at in range(0, self._count, 1_000):
            yield [(f"req_{i}", *usual) for i in range(at, at + 1_000)]


NUMBERS = {
    name
    for name in READ
    if name.endswith(("_us", "_nusd", "_tokens", "_bytes", "status", "searches"))
    or name.startswith(("compression_", "saved_"))
}


@pytest.mark.parametrize("form", [CSV, JSON_LINES], ids=lambda form: form.suffix)
def test_memory_stays_flat(world: World, form: Form) -> None:
    log = ManyRows(100_000, iter([Kept(), Kept()]))
    export = LogExport(world.store, log)  # type: ignore[arg-type]
    size, pages = 0, []
    for part in export.parts("org_1", LogFilter(), form, zone="UTC"):
        size += len(part)
        pages.append(int(Path("/proc/self/statm").read_text().split()[1]))
    assert size > 40_000_000
    assert (max(pages) - pages[10]) * os.sysconf("SC_PAGE_SIZE") < 16_000_000


@pytest.mark.parametrize(
    ("after", "start_us", "told"),
    [
        (Kept(), 0, False),
        (Kept(ledger_from_us=2 * DAY_US), 0, True),
        (Kept(ledger_from_us=2 * DAY_US), DAY_US, True),
        (Kept(ledger_from_us=2 * DAY_US), 3 * DAY_US, False),  # all of the range is there
    ],
)
def test_the_last_line_says_if_the_retention_was_faster(
    world: World, after: Kept, start_us: int, told: bool
) -> None:
    for form in (CSV, JSON_LINES):
        log = ManyRows(2_000, iter([Kept(), after]))
        only = LogFilter(start_us=start_us)
        export = LogExport(world.store, log)  # type: ignore[arg-type]
        whole = b"".join(export.parts("org_1", only, form, zone="Europe/Berlin")).decode()
        last = whole.splitlines()[-1]
        assert ("may not be complete" in last) is told
        assert ("1970-01-03T01:00:00+01:00" in last) is told
        if form is JSON_LINES and told:
            assert list(json.loads(last)) == ["incomplete"]


def test_rows_that_go_while_it_runs_are_told_of(world: World) -> None:
    """The real store: the retention deletes the older half between two parts."""
    key = world.enroll("ben@brightwater.dev")
    world.use(key, TOKENS, COST, times=1_500)
    world.use(key, TOKENS, COST, times=1_500, days_ago=30)
    retention = world.services.retention
    retention.set(world.organization_id, ledger_days=7, actor=COMMAND_LINE)
    parts = world.services.log_export.parts(world.organization_id, LogFilter(), CSV, zone="UTC")
    head, first = next(parts), next(parts)
    assert retention.apply().events == 1_500
    text = b"".join((head, first, *parts)).decode()
    *rows, last = rows_of(text)
    assert len(rows) == 1_500
    assert "may not be complete" in str(last["time"])
