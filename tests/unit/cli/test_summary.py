"""The line at the end of a launch."""

from datetime import UTC, datetime

import pytest

from tidegate.cli.server_api import LaunchUsage
from tidegate.cli.summary import local_time_text, summary_line


@pytest.mark.parametrize(
    ("usage", "line"),
    [
        (LaunchUsage(0, 0, 0, 0, 0), ""),
        (LaunchUsage(1, 999, 840_000_000, 0, 0), "1 request, 999 tokens, $0.84"),
        (
            LaunchUsage(12, 1_240_000, 1_234_567_000_000, 0, 0),
            "12 requests, 1.24 M tokens, $1,234.57",
        ),
        (LaunchUsage(2, 1500, 1_200_000, 0, 0), "2 requests, 1.5 k tokens, $0.0012"),
        (
            LaunchUsage(2, 1500, 0, 0, 0, saved_tokens=12_400),
            "2 requests, 1.5 k tokens, $0.00, 12.4 k tokens saved by compression",
        ),
        (LaunchUsage(2, 1500, 0, 0, 1), "2 requests, about 1.5 k tokens, $0.00"),
        (
            LaunchUsage(2, 1500, 500_000_000, 500_000_000, 0),
            "2 requests, 1.5 k tokens, $0.50 at list price on your own login",
        ),
        (
            LaunchUsage(2, 1500, 510_000_000, 500_000_000, 0),
            "2 requests, 1.5 k tokens, $0.01, $0.50 at list price on your own login",
        ),
    ],
)
def test_line(usage: LaunchUsage, line: str) -> None:
    assert summary_line(usage) == (f"Tidegate: {line}" if line else "")


UNTIL = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("until", "debugged", "told"),
    [
        (None, False, ""),
        (None, True, ". Debug mode was on: requests and answers are stored."),
        (
            UNTIL,
            True,
            f". Debug mode is on until {local_time_text(UNTIL)}: requests and answers are stored.",
        ),
        (
            UNTIL,
            False,
            f". Debug mode is on until {local_time_text(UNTIL)}: requests and answers are stored.",
        ),
    ],
)
def test_debug_mode_is_told(until: datetime | None, debugged: bool, told: str) -> None:
    usage = LaunchUsage(1, 999, 840_000_000, 0, 0, until)
    line = summary_line(usage, debugged=debugged)
    assert line == f"Tidegate: 1 request, 999 tokens, $0.84{told}"
    assert summary_line(LaunchUsage(0, 0, 0, 0, 0, until), debugged=debugged) == ""
