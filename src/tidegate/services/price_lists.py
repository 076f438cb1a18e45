"""Reads the price lists of genai-prices into our own integers.

The library is heavy (it builds pydantic models), so nothing but the compilation imports this
module, and running processes never need it: they read the compiled sheet. Its prices are asked
through its own `get_prices` at every instant at which they can change, so that its rules about
which entry holds are not written twice. Its matching of names is not used: it goes by prefix.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from genai_prices.data import providers
from genai_prices.types import (
    ClauseEquals,
    ClauseOr,
    ClauseStartsWith,
    MatchLogic,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from tidegate.core.price_book import Entry, ListedModel, LongContext, PriceList, Rates
from tidegate.core.price_names import CLAUDE, family
from tidegate.services.price_additions import WEB_SEARCH_NUSD, filled_rates, start_of_day_us

# Left out: products without an API of their own or not priced by text tokens, and request fees.
_SKIPPED_PROVIDERS = frozenset(
    (
        *("cursor", "github-copilot", "perplexity"),
        *("elevenlabs", "openai-decisions", "typesafe", "voyageai"),
    )
)
_MODES = frozenset({"batch", "flex", "priority", "fast"})
_EPOCH_DAY = date(1970, 1, 1)
_NANO = Decimal(10**9)
_Constraint = StartDateConstraint | TimeOfDateConstraint | None
_Context = tuple[tuple[str, str], ...]


def read_price_lists() -> dict[str, PriceList]:
    """Return every list that prices text by the token, by the library's id of the provider."""
    lists = {each.id: _price_list(each) for each in providers if each.id not in _SKIPPED_PROVIDERS}
    return {name: prices for name, prices in lists.items() if prices.models}


def read_hosts() -> tuple[tuple[str, str], ...]:
    """Return patterns of the base URLs at which the listed providers are reached."""
    return tuple(
        (each.api_pattern, each.id) for each in providers if each.id not in _SKIPPED_PROVIDERS
    )


def nano_usd(usd: Decimal) -> int:
    """Return USD as nano-USD, rounded half-even."""
    return int((usd * _NANO).to_integral_value(ROUND_HALF_EVEN))


def _price_list(provider: Provider) -> PriceList:
    models: dict[str, ListedModel] = {}
    names: dict[str, str] = {}
    for each in provider.models:
        if (listed := _listed_model(provider.id, each)) is not None:
            models.setdefault(listed.model_id, listed)
            own = [listed.model_id] if each.is_match(each.id) else []
            for name in (*own, *_exact_names(each.match)):
                names.setdefault(name, listed.model_id)
    return PriceList(models, names)


def _exact_names(match: MatchLogic) -> Iterator[str]:
    """Yield the names that a clause spells out. What it matches beyond is guesswork."""
    if isinstance(match, ClauseOr):
        for clause in match.or_:
            yield from _exact_names(clause)
    elif isinstance(match, ClauseEquals):
        yield match.equals.lower()
    elif isinstance(match, ClauseStartsWith) and match.starts_with[-1:].isalnum():
        yield match.starts_with.lower()


def _listed_model(provider: str, model: ModelInfo) -> ListedModel | None:
    if not all(_is_by_text_token(prices) for prices in _all_prices(model)):
        return None
    entries = _entries(provider, model, (), _constraints(model))
    modes = {mode: _mode_entries(provider, model, mode) for mode in sorted(_MODES)}
    return ListedModel(
        model_id=model.id.lower(),
        provider=provider,
        entries=entries,
        modes={mode: listed for mode, listed in modes.items() if listed},
        title=model.name or model.id,
        context_tokens=model.context_window,
    )


def _all_prices(model: ModelInfo) -> Iterable[ModelPrice]:
    if isinstance(model.prices, ModelPrice):
        return [model.prices]
    return [each.prices for each in model.prices]


def _is_by_text_token(prices: ModelPrice) -> bool:
    given = {name for name, value in prices.__dict__.items() if value is not None}
    return {"input_mtok", "output_mtok"} <= given and "requests_kcount" not in given


def _constraints(model: ModelInfo) -> list[_Constraint]:
    return [] if isinstance(model.prices, ModelPrice) else [x.constraint for x in model.prices]


def _mode_entries(provider: str, model: ModelInfo, mode: str) -> tuple[Entry, ...]:
    """Return the entries from when on the list has a price for the mode."""
    entries: tuple[Entry, ...] = ()
    for context in ((("service_tier", mode),), (("processing", mode),), (("speed", mode),)):
        fitting = [v for v in model.price_variants or () if v.when == dict(context)]
        if fitting and not entries:
            constraints = [v.constraint for v in fitting]
            entries = _entries(provider, model, context, constraints + _constraints(model))
            begin_us = min(_begin_us(constraint) for constraint in constraints)
            entries = tuple(entry for entry in entries if entry.since_us >= begin_us)
    return entries


def _begin_us(constraint: _Constraint) -> int:
    started = isinstance(constraint, StartDateConstraint)
    return start_of_day_us(constraint.start_date) if started else 0  # type: ignore[union-attr]


def _entries(
    provider: str, model: ModelInfo, context: _Context, constraints: list[_Constraint]
) -> tuple[Entry, ...]:
    """Ask the library for the price at every instant at which a constraint begins or ends."""
    days = {_EPOCH_DAY}
    times = {time(0, tzinfo=UTC)}
    for constraint in constraints:
        if isinstance(constraint, StartDateConstraint):
            days.add(constraint.start_date)
        elif isinstance(constraint, TimeOfDateConstraint):
            times |= {constraint.start_time, constraint.end_time}
    found: list[Entry] = []
    for day in sorted(days):
        for clock in sorted(times):
            prices = model.get_prices(datetime.combine(day, clock), dict(context))
            found.append(_entry(provider, model, prices, (start_of_day_us(day), _of_day_us(clock))))
    return tuple(found)


def _of_day_us(clock: time) -> int:
    passed = timedelta(hours=clock.hour, minutes=clock.minute, seconds=clock.second)
    return int(passed.total_seconds()) * 1_000_000


def _entry(provider: str, model: ModelInfo, prices: ModelPrice, begin: tuple[int, int]) -> Entry:
    thresholds = sorted(
        {
            tier.start
            for value in prices.__dict__.values()
            if isinstance(value, TieredPrices)
            for tier in value.tiers
        }
    )
    claude = family(model.id.lower()) == CLAUDE
    searches = prices.web_searches_kcount
    return Entry(
        since_us=begin[0],
        rates=_rates(prices, 0, claude=claude),
        long_context=tuple(
            LongContext(start, _rates(prices, start + 1, claude=claude)) for start in thresholds
        ),
        web_search_nusd=(
            nano_usd(searches) // 1000
            if isinstance(searches, Decimal)
            else WEB_SEARCH_NUSD.get(provider, 0)
        ),
        daily_from_us=begin[1],
    )


_KEYS = {
    "input": ("input_mtok",),
    "cache_write_5m": ("cache_write_5m_mtok", "cache_write_mtok"),
    "cache_write_1h": ("cache_write_1h_mtok",),
    "cache_read": ("cache_read_mtok",),
    "output": ("output_mtok",),
}


def _rates(prices: ModelPrice, prompt_tokens: int, *, claude: bool) -> Rates:
    given: dict[str, int] = {}
    for bucket, keys in _KEYS.items():
        for key in keys:
            value = getattr(prices, key)
            if bucket not in given and value is not None:
                given[bucket] = nano_usd(_at_prompt(value, prompt_tokens))
    return filled_rates(given, claude=claude)


def _at_prompt(value: Decimal | TieredPrices, prompt_tokens: int) -> Decimal:
    if isinstance(value, Decimal):
        return value
    applicable = value.base
    for tier in value.tiers:
        if prompt_tokens > tier.start:
            applicable = tier.price
    return applicable
