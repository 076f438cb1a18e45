"""The lines of an export: what they hold, and what a spreadsheet may not run."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tidegate.services.log_table import COLUMNS, CSV, JSON_LINES, READ, Form, LogLines

pytestmark = pytest.mark.slow

ROW: dict[str, Any] = dict.fromkeys(READ, "") | {
    "event_id": "req_1",
    "started_us": 1_795_348_800_000_001,
    "member_id": "mem_1",
    "agent": "codex",
    "is_title": 0,
    "status": 200,
    "outcome": "ok",
    "stream": 1,
    "price_unknown": False,
    "estimated": 1,
    "captured": 0,
    "first_byte_us": 1_499,
    "duration_us": 2_500,
    "request_bytes": 5,
    "response_bytes": 6,
    "input_tokens": 1,
    "cache_write_5m_tokens": 2,
    "cache_write_1h_tokens": 3,
    "cache_read_tokens": 4,
    "output_tokens": 5,
    "reasoning_tokens": 5,
    "web_searches": 7,
    "input_nusd": 1_000,
    "cache_write_5m_nusd": 2_000,
    "cache_write_1h_nusd": 3_000,
    "cache_read_nusd": 4_000,
    "output_nusd": 1_234_000_000,
    "extras_nusd": 499,
    "compression": "lossless",
    "compression_version": 1,
    "compression_faults": 2,
    "saved_tokens_new": 30,
    "saved_tokens_again": 400,
    "saved_nano": 232_500,
}
BERLIN = ZoneInfo("Europe/Berlin")


def names(member_id: str) -> tuple[str, str]:
    return {"mem_1": ("Aiko", "aiko@b.dev")}.get(member_id, ("", ""))


def written(form: Form, *rows: dict[str, Any]) -> str:
    lines = LogLines(form, names, BERLIN)
    values = [tuple((ROW | row)[name] for name in READ) for row in rows]
    return form.head + lines.lines(values).decode()


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_both_forms_hold_the_same() -> None:
    [cells] = read_csv(written(CSV, {}))
    [line] = written(JSON_LINES, {}).splitlines()
    values = json.loads(line)
    assert list(cells) == list(values) == list(COLUMNS)
    for name, value in values.items():
        shown = (
            {True: "true", False: "false"}.get(value, value) if value in (True, False) else value
        )
        if isinstance(value, float):
            shown = f"{value:.6f}"
        elif not isinstance(value, bool):
            shown = str(value)
        assert cells[name] == shown, name


def test_what_is_rounded_stands_beside_the_raw_unit() -> None:
    [line] = written(JSON_LINES, {}).splitlines()
    row = json.loads(line)
    assert row["time"] == "2026-11-22T13:00:00.000001+01:00"
    assert row["started_us"] == ROW["started_us"]
    assert (row["first_byte_ms"], row["first_byte_us"]) == (1, 1_499)
    assert (row["duration_ms"], row["duration_us"]) == (3, 2_500)
    assert (row["cost_usd"], row["cost_nusd"]) == (1.23401, 1_234_010_499)
    assert (row["saved_usd"], row["saved_nusd"]) == (0.000233, 232_500)
    assert (row["saved_tokens_new"], row["saved_tokens_again"]) == (30, 400)
    told = ("compression", "compression_version", "compression_faults")
    assert [row[name] for name in told] == ["lossless", 1, 2]
    assert row["tokens"] == 1 + 2 + 3 + 4 + 5  # reasoning is in the output
    assert (row["member"], row["member_email"]) == ("Aiko", "aiko@b.dev")
    flags = ("stream", "is_title", "price_unknown", "estimated", "captured")
    assert [row[name] for name in flags] == [True, False, False, True, False]


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t'=1"),
        ("\r\n=1", "'\r'\n'=1"),
        ("  =1", "'  =1"),
        ('"=1', "'\"=1"),
        ("＝1", "'＝1"),  # noqa: RUF001
        ("a;=cmd|' /C calc'!A0", "a;'=cmd|' /C calc'!A0"),  # where ; parts the cells
        ("a\n-1", "a\n'-1"),
        ("main", "main"),
        ("feature/a-b=c", "feature/a-b=c"),
        ("a,=1", "a,=1"),  # quoted
        ('say "x"', 'say "x"'),
        ("", ""),
    ],
)
def test_no_text_is_a_formula_in_a_spreadsheet(text: str, safe: str) -> None:
    for column in ("branch", "repository", "client_session", "upstream_id", "model_asked"):
        output = written(CSV, {column: text})
        assert [row[column] for row in read_csv(output)] == [safe]
        [line] = written(JSON_LINES, {column: text}).split("\n")[:-1]
        assert json.loads(line)[column] == text


def test_a_members_name_is_no_formula_either() -> None:
    lines = LogLines(CSV, lambda _: ("=HYPERLINK(1)", "+a@b.c"), BERLIN)
    output = CSV.head + lines.lines([tuple(ROW[name] for name in READ)]).decode()
    [row] = read_csv(output)
    assert (row["member"], row["member_email"]) == ("'=HYPERLINK(1)", "'+a@b.c")


def test_what_is_remembered_is_bounded_and_right() -> None:
    rows = [
        {"session_id": f"ses_{i % 7_000}", "branch": f"b{i}", "status": i} for i in range(12_000)
    ]
    found = [json.loads(line) for line in written(JSON_LINES, *rows).splitlines()]
    assert [{name: row[name] for name in rows[0]} for row in found] == rows


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/New_York"])
def test_times_are_exact_in_every_zone(zone: str) -> None:
    from_us = [0, 1, 999_999, 1_795_348_799_999_999, 250_000_000_000_000_000]
    lines = LogLines(JSON_LINES, names, ZoneInfo(zone))
    rows = [tuple((ROW | {"started_us": at})[name] for name in READ) for at in from_us]
    for at, line in zip(from_us, lines.lines(rows).splitlines(), strict=True):
        found = datetime.fromisoformat(json.loads(line)["time"])
        assert found == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
        assert found.utcoffset() is not None


def test_the_guide_names_every_column() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "export.md").read_text()
    assert [name for name in COLUMNS if f"`{name}`" not in guide] == []
