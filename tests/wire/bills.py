"""What the scripted upstream says a request used, and its price by rates written by hand."""

import re
from dataclasses import dataclass
from typing import Self

# nano-USD per token: uncached input, 5 m write, 1 h write, cache read, output.
# Copied by hand from the providers' price pages; the price book must agree with them.
RATES = {
    "claude-opus-5-5": (4_000, 5_000, 8_000, 200, 20_000),
    "claude-opus-4-8": (5_000, 6_250, 10_000, 500, 25_000),
    "claude-sonnet-5-5": (2_000, 2_500, 4_000, 100, 10_000),
    "claude-sonnet-4-5": (3_000, 3_750, 6_000, 300, 15_000),
    "claude-haiku-5-5": (100, 125, 200, 10, 500),
    "claude-haiku-4-5": (1_000, 1_250, 2_000, 100, 5_000),
    "gpt-6.1-sol": (2_000, 2_500, 0, 100, 10_000),
    "gpt-6-luna": (100, 125, 0, 10, 500),
    "gpt-5.5": (5_000, 0, 0, 500, 30_000),
    "gpt-5": (1_250, 0, 0, 125, 10_000),
    "gpt-5-mini": (250, 0, 0, 25, 2_000),
}
_DATED = re.compile(r"-\d{8}$|-\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True)
class Bill:
    """Tokens in disjoint buckets. `reasoning` is an of-which of `output`."""

    model: str = ""
    input: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def prompt(self) -> int:
        return self.input + self.cache_write_5m + self.cache_write_1h + self.cache_read

    @property
    def cost_nusd(self) -> int:
        rates = RATES[_DATED.sub("", self.model)]
        counts = (
            self.input,
            self.cache_write_5m,
            self.cache_write_1h,
            self.cache_read,
            self.output,
        )
        return sum(count * rate for count, rate in zip(counts, rates, strict=True))

    @classmethod
    def for_messages(cls, model: str, number: int) -> Self:
        """A bill that differs in every bucket from every other request's."""
        return cls(
            model,
            input=100 + 7 * number,
            cache_write_5m=1_000 + 11 * number,
            cache_write_1h=2_000 + 13 * number,
            cache_read=30_000 + 17 * number,
            output=400 + 19 * number,
        )

    @classmethod
    def for_openai(cls, model: str, number: int) -> Self:
        """The same for OpenAI, whose newer models report and bill cache writes of one kind."""
        return cls(
            model,
            input=110 + 7 * number,
            cache_write_5m=(900 + 11 * number) if model.startswith("gpt-6") else 0,
            cache_read=20_000 + 17 * number,
            output=500 + 19 * number,
            reasoning=64 + 3 * number,
        )


TOTALS = {
    "input_tokens": "input",
    "output_tokens": "output",
    "cache_read_tokens": "cache_read",
    "cache_write_5m_tokens": "cache_write_5m",
    "cache_write_1h_tokens": "cache_write_1h",
    "cost_nusd": "cost_nusd",
}


def totals(bills: list[Bill]) -> dict[str, int]:
    """The sums under the names that `tidegate admin usage --json` uses."""
    sums: dict[str, int] = {"requests": len(bills)}
    for name, attribute in TOTALS.items():
        sums[name] = sum(getattr(bill, attribute) for bill in bills)
    return sums
