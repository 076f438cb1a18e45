"""What an event says of compression: priced as the request was, or not at all."""

import msgspec
import pytest
from tests.unit.core.tickets import BOOK, ticket

from tidegate.core.compression.requests_savings import Compression, Saved
from tidegate.core.model import TokenCounts, ToolSaving, Usage
from tidegate.core.settlement import settle

TOOLS = (ToolSaving("read", 2, 2_000, 1_000),)
USAGE = Usage(
    TokenCounts(input=3, cache_write_5m=500, cache_read=9_000, output=5),
    model_served="claude-sonnet-4-5",
)


def compressed(model: str = "claude-sonnet-4-5") -> object:
    known = Compression("lossless", 1, known=Saved(TOOLS, 100, 900))
    return msgspec.structs.replace(ticket(model=model), compression=known)


def settled(model: str, usage: Usage, *, was_sent: bool = True) -> dict[str, object]:
    return settle(compressed(model), usage, BOOK, was_sent=was_sent)  # type: ignore[arg-type]


def test_saved_tokens_cost_what_the_request_paid_for_its_own() -> None:
    """3.75 and 0.30 USD per million."""
    found = settled("claude-sonnet-4-5", USAGE)
    assert (found["saved_tokens_new"], found["saved_tokens_again"]) == (100, 900)
    assert found["saved_nano"] == 375_000 + 270_000
    assert found["tool_savings"] == TOOLS


@pytest.mark.parametrize(
    ("model", "usage"),
    [
        ("nobody-knows-it", msgspec.structs.replace(USAGE, model_served="nobody-knows-it")),
        ("claude-sonnet-4-5", Usage()),  # the provider billed nothing
    ],
)
def test_without_a_price_tokens_are_all_that_is_said(model: str, usage: Usage) -> None:
    found = settled(model, usage)
    assert (found["saved_tokens_new"], found["saved_tokens_again"]) == (100, 900)
    assert found["saved_nano"] == 0
    assert found["price_unknown"] == bool(usage.model_served)


def test_what_was_not_sent_saved_nothing() -> None:
    assert "saved_nano" not in settled("claude-sonnet-4-5", Usage(), was_sent=False)
