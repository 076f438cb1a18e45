"""Raw replies of providers, as files, and what they consumed: the token counts of every bucket."""

from pathlib import Path
from typing import Final

import pytest

from tidegate.core.dialects import UsageReader, usage_reader
from tidegate.core.model import Dialect, TokenCounts, Usage

REPLIES: Final = Path(__file__).parent / "replies"
DIALECTS: Final = {
    "messages": Dialect.MESSAGES,
    "responses": Dialect.RESPONSES,
    "chat": Dialect.CHAT,
}
OPUS: Final = {"model_served": "claude-opus-4-8", "upstream_id": "msg_01Golden"}
GPT: Final = {"model_served": "gpt-5.5-2026-04-23", "upstream_id": "resp_0Golden"}
CHAT: Final = {"model_served": "gpt-5-2025-08-07", "upstream_id": "chatcmpl-Golden"}


def usage(identity: dict[str, str], *, searches: int = 0, tier: str = "", **tokens: int) -> Usage:
    return Usage(
        tokens=TokenCounts(**tokens),
        model_served=identity.get("model_served", ""),
        upstream_id=identity.get("upstream_id", ""),
        speed=identity.get("speed", ""),
        region=identity.get("region", ""),
        service_tier=tier,
        web_searches=searches,
    )


EXPECTED: Final = {
    "messages_cache_lives.sse": usage(
        OPUS,
        tier="standard",
        input=12,
        cache_write_5m=1500,
        cache_write_1h=2000,
        cache_read=48211,
        output=417,
    ),
    "messages_first_event_zero.sse": usage(
        OPUS, input=905, cache_write_5m=40, cache_read=7000, output=88
    ),
    "messages_explicit_zero.sse": usage(OPUS),
    "messages_fast_priority_us.sse": usage(
        {**OPUS, "speed": "fast", "region": "us"}, tier="priority", input=640, output=21
    ),
    "messages_web_search.sse": usage(OPUS, tier="standard", searches=2, input=11240, output=310),
    "messages_thinking_crlf.sse": usage(OPUS, input=77, cache_read=1024, output=260, reasoning=201),
    "messages_compaction.sse": usage(
        {**OPUS, "upstream_id": "msg_01Compact"},
        input=203000,
        cache_write_5m=600,
        cache_read=400,
        output=4500,
    ),
    "messages_usage_only_in_the_middle.sse": usage(OPUS, input=310, output=12),
    "messages_nameless.sse": usage(
        {"model_served": "glm-5", "upstream_id": "msg_01Nameless"},
        input=100,
        cache_read=64,
        output=2,
    ),
    "messages_overloaded.sse": usage(OPUS, input=1200, cache_read=900, output=2),
    "messages_whole.json": usage(
        {"model_served": "claude-haiku-4-5", "upstream_id": "msg_01Whole"},
        tier="batch",
        input=2095,
        cache_write_1h=2051,
        cache_read=2051,
        output=503,
    ),
    "messages_error.json": usage({}),
    "responses_cached.sse": usage(
        GPT, tier="default", input=1818, cache_read=12032, output=640, reasoning=448
    ),
    "responses_cache_write_priority.sse": usage(
        GPT, tier="priority", input=1904, cache_write_5m=3000, cache_read=4096, output=55
    ),
    "responses_web_search.sse": usage(
        GPT, tier="default", searches=2, input=21000, output=320, reasoning=128
    ),
    "responses_web_search_without_output.sse": usage(
        GPT, tier="default", searches=1, input=800, output=20
    ),
    "responses_failed.sse": usage(GPT, tier="default"),
    "responses_incomplete.sse": usage(
        GPT, tier="default", input=410, output=32000, reasoning=31990
    ),
    "responses_error.sse": usage(GPT),
    "responses_whole_flex.json": usage(
        GPT, tier="flex", input=3976, cache_read=1024, output=700, reasoning=600
    ),
    "responses_compact.json": usage(
        {"upstream_id": "cmp_0Golden"}, input=139000, output=438, reasoning=64
    ),
    "responses_error.json": usage({}),
    "chat_usage_last.sse": usage(
        CHAT, tier="default", input=2048, cache_read=6144, output=230, reasoning=192
    ),
    "chat_without_usage.sse": usage(CHAT, tier="default"),
    "chat_usage_in_each_chunk.sse": usage(CHAT, tier="default", input=500, output=8),
    "chat_cache_hit_and_miss.sse": usage(
        CHAT, tier="default", input=104, cache_read=896, output=50, reasoning=30
    ),
    "chat_cache_write_beside.sse": usage(
        CHAT, tier="default", input=200, cache_write_5m=1000, cache_read=2000, output=40
    ),
    "chat_usage_in_choice.sse": usage(CHAT, tier="default", input=9, cache_read=10, output=21),
    "chat_explicit_zero.sse": usage(CHAT, tier="default"),
    "chat_error.sse": usage(CHAT, tier="default"),
    "chat_without_done.sse": usage(CHAT, tier="default", input=70, output=9),
    "chat_whole_flex.json": usage(
        {**CHAT, "upstream_id": "chatcmpl-Whole"},
        tier="flex",
        input=86,
        cache_read=1920,
        output=300,
    ),
    "chat_error.json": usage({}),
}
FAILED: Final = {
    "messages_overloaded.sse",
    "messages_error.json",
    "responses_failed.sse",
    "responses_error.sse",
    "responses_error.json",
    "chat_error.sse",
    "chat_error.json",
}
UNREPORTED: Final = FAILED | {"chat_without_usage.sse"}


def read(name: str, piece_bytes: int) -> UsageReader:
    dialect = DIALECTS[name.partition("_")[0]]
    reader = usage_reader(dialect, event_stream=name.endswith(".sse"))
    reply = (REPLIES / name).read_bytes()
    for start in range(0, len(reply), piece_bytes):
        reader.feed(reply[start : start + piece_bytes])
    reader.finish()
    return reader


@pytest.mark.parametrize("piece_bytes", [1, 7, 100, 1 << 20])
@pytest.mark.parametrize("name", EXPECTED)
def test_every_bucket_is_read(name: str, piece_bytes: int) -> None:
    reader = read(name, piece_bytes)
    assert reader.fault is None
    assert reader.reported().usage == EXPECTED[name]
    assert reader.done
    assert reader.failed is (name in FAILED)


@pytest.mark.parametrize("name", EXPECTED)
def test_known_is_only_what_was_reported(name: str) -> None:
    reported = read(name, 100).reported()
    assert reported.output_known is (name not in UNREPORTED)
    assert reported.prompt_known is (name not in UNREPORTED or name == "messages_overloaded.sse")


def test_every_reply_has_an_expectation() -> None:
    assert {file.name for file in REPLIES.glob("[!.]*")} == set(EXPECTED)
