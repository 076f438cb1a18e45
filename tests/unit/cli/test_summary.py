"""The line at the end of a launch."""

import pytest

from tidegate.cli.server_api import LaunchUsage
from tidegate.cli.summary import summary_line


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
