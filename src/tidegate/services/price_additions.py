"""What we add to the price lists of genai-prices, because they do not hold it.

Each number names its source. A change of price is a new dated row; a row that has been released
is never edited. Increase `REVISION` with every change: it is part of the price version.
"""

from datetime import UTC, date, datetime
from typing import Final

from tidegate.core.price_book import AgentModel, Multiplier, Rates
from tidegate.core.price_names import CLAUDE, GPT

REVISION: Final = 1


def start_of_day_us(day: date) -> int:
    """Return when a day begins, in µs since the epoch (prices change at midnight UTC)."""
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return int(begin.timestamp()) * 1_000_000


def _anthropic(
    since: date, factor: int, *, mode: str = "", region: str = "", models: tuple[str, ...] = ()
) -> Multiplier:
    return Multiplier("anthropic", mode, region, models, start_of_day_us(since), factor)


def _openai(since: date, factor: int, mode: str) -> Multiplier:
    return Multiplier("openai", mode, "", (), start_of_day_us(since), factor)


MULTIPLIERS: Final = (
    # US-only inference: 1.1 times on every token category, on Claude Opus 4.6 and later. Earlier
    # models refuse the parameter, so `inference_geo: "us"` never comes back from one of them.
    # https://platform.claude.com/docs/en/about-claude/pricing#data-residency-pricing
    _anthropic(date(2026, 2, 5), 1_100_000, region="us"),
    # Message Batches: half of every token price, caching included.
    # https://platform.claude.com/docs/en/about-claude/pricing#batch-processing
    _anthropic(date(2024, 10, 8), 500_000, mode="batch"),
    # Fast mode: 6 times on Opus 4.6 and 4.7, twice on later models.
    # https://platform.claude.com/docs/en/about-claude/pricing#fast-mode-pricing
    _anthropic(
        date(2026, 2, 7), 6_000_000, mode="fast", models=("claude-opus-4-6", "claude-opus-4-7")
    ),
    _anthropic(date(2026, 2, 7), 2_000_000, mode="fast"),
    # Batch and flex are half of standard, priority (later named fast) twice, for models whose own
    # tier prices are not listed. https://developers.openai.com/api/docs/pricing
    _openai(date(2024, 4, 15), 500_000, "batch"),
    _openai(date(2025, 4, 17), 500_000, "flex"),
    _openai(date(2025, 6, 26), 2_000_000, "priority"),
    _openai(date(2025, 6, 26), 2_000_000, "fast"),
)

# Web search, for the models of these providers that are listed without a price for it:
# 10 USD per thousand searches. https://platform.claude.com/docs/en/about-claude/pricing and
# https://developers.openai.com/api/docs/pricing (built-in tools)
WEB_SEARCH_NUSD: Final = {"anthropic": 10_000_000, "openai": 10_000_000}
FAMILY_PROVIDERS: Final = {CLAUDE: "anthropic", GPT: "openai"}

# Claude's cache prices as multiples of input, in hundredths, where a list names none: 5-minute
# write, 1-hour write, read. https://platform.claude.com/docs/en/build-with-claude/prompt-caching
CLAUDE_CACHE_PERCENT: Final = (125, 200, 10)

# Models that coding agents are used with today, and the longest output of each. The dearest of a
# family is what an unknown name of that family is priced as, so research models (-pro, -cyber,
# -rosalind) and models of limited availability (Mythos) are left out.
# https://platform.claude.com/docs/en/models/overview, https://developers.openai.com/api/docs/models
AGENT_MODELS: Final = (
    AgentModel("anthropic", "claude-fable-5-2", 128_000),
    AgentModel("anthropic", "claude-fable-5-1", 128_000),
    AgentModel("anthropic", "claude-fable-5", 128_000),
    AgentModel("anthropic", "claude-opus-5-5", 128_000),
    AgentModel("anthropic", "claude-opus-5", 128_000),
    AgentModel("anthropic", "claude-opus-4-8", 128_000),
    AgentModel("anthropic", "claude-sonnet-5-5", 128_000),
    AgentModel("anthropic", "claude-sonnet-5", 128_000),
    AgentModel("anthropic", "claude-sonnet-4-6", 128_000),
    AgentModel("anthropic", "claude-haiku-5-5", 128_000),
    AgentModel("anthropic", "claude-haiku-4-5", 64_000),
    AgentModel("openai", "gpt-6-astra", 128_000),
    AgentModel("openai", "gpt-6.1-sol", 128_000),
    AgentModel("openai", "gpt-6.1-terra", 128_000),
    AgentModel("openai", "gpt-6-sol", 128_000),
    AgentModel("openai", "gpt-6-luna", 128_000),
    AgentModel("openai", "gpt-5.6-sol", 128_000),
    AgentModel("openai", "gpt-5.6-terra", 128_000),
    AgentModel("openai", "gpt-5.6-luna", 128_000),
    AgentModel("openai", "gpt-5.5", 128_000),
    AgentModel("openai", "gpt-5.4", 128_000),
    AgentModel("openai", "gpt-5.4-mini", 128_000),
    AgentModel("openai", "gpt-5.3-codex", 128_000),
)


def filled_rates(given: dict[str, int], *, claude: bool) -> Rates:
    """Complete rates in nUSD per Mtok, so that no bucket is ever free for lack of a number.

    Claude's cache prices follow from its input price; elsewhere a cached token costs what an
    uncached one does, and a 1-hour write what a 5-minute one does.
    """
    percent = CLAUDE_CACHE_PERCENT if claude else (100, 0, 100)
    base = given["input"]
    write_5m = given.get("cache_write_5m", base * percent[0] // 100)
    write_1h = base * percent[1] // 100 if claude else write_5m
    return Rates(
        input=base,
        cache_write_5m=write_5m,
        cache_write_1h=given.get("cache_write_1h", write_1h),
        cache_read=given.get("cache_read", base * percent[2] // 100),
        output=given["output"],
    )
