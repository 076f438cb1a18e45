"""Usage events for tests, each different in what it used."""

from typing import Any

from tidegate.core.model import Cost, TokenCounts, ToolSaving, UsageEvent

START_US = 1_772_323_200_000_000  # 2026-03-01T00:00:00Z


def event(number: int, **fields: Any) -> UsageEvent:
    """The event of that number."""
    tokens = TokenCounts(
        input=number + 1, cache_write_5m=2, cache_write_1h=3, cache_read=40, output=number + 5,
        reasoning=1,
    )  # fmt: skip
    cost = Cost(input=10, cache_write_5m=20, cache_write_1h=30, cache_read=4, output=50, extras=6)
    plain: dict[str, Any] = {
        "event_id": f"req_{number:06d}",
        "organization_id": "org_1",
        "member_id": "mem_1",
        "key_id": "key_1",
        "agent": "claude_code",
        "dialect": "anthropic_messages",
        "model_asked": "claude-sonnet",
        "model_served": "claude-sonnet-4-5",
        "started_us": START_US + number * 1_000_000,
        "duration_us": 500,
        "status": 200,
        "outcome": "ok",
        "tokens": tokens,
        "cost": cost,
        "compression": "lossless",
        "compression_version": 1,
        "tool_savings": (ToolSaving("read", 2, 90 + number, 80), ToolSaving("shell", 1, 7, 7)),
        "saved_tokens_new": number,
        "saved_tokens_again": 10,
        "saved_nano": 3 * number + 7,
    }
    return UsageEvent(**(plain | fields))
