"""The price book: dated rates per model, as integers, and how a request finds its own.

A `PriceSheet` is what is stored; a `PriceBook` answers from it and remembers its answers. Nothing
here knows where prices come from (`services/price_compiler.py`, `services/price_overrides.py`).
Units: a rate is nUSD per Mtok, so "3 USD per million tokens" is `3_000_000_000`; a factor is in
millionths, so "1.1 times" is `1_100_000`. A price change is a new dated entry; an existing one is
never edited, or past usage would be priced anew.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from tidegate.core.price_names import family_or_of, normal, spellings

ONE: Final = 1_000_000  # the factor 1, in millionths
DAY_US: Final = 86_400_000_000
_QUOTES_KEPT: Final = 2_048
_LONGEST_NAME: Final = 200  # longer names are answered but not remembered
_NO_MODE: Final = frozenset({"", "auto", "default", "standard"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Rates(msgspec.Struct, frozen=True, array_like=True):
    """One rate per bucket of `TokenCounts`, in nUSD per Mtok."""

    input: int
    cache_write_5m: int
    cache_write_1h: int
    cache_read: int
    output: int

    def scaled(self, factor: int) -> "Rates":
        """Return the rates times a factor in millionths, rounded half-even to 1 nUSD per Mtok."""
        return Rates(*(half_even(rate * factor, ONE) for rate in msgspec.structs.astuple(self)))


class LongContext(msgspec.Struct, frozen=True, array_like=True):
    """The rates of a whole request whose prompt is longer than `above_tokens`."""

    above_tokens: int
    rates: Rates


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """What a model costs from `since_us` on, until a later entry begins.

    `daily_from_us` is for prices by the time of day: among entries of one `since_us`, the one with
    the latest time of day (µs since midnight UTC) that is not in the future holds.
    """

    since_us: int
    rates: Rates
    long_context: tuple[LongContext, ...] = ()  # ascending
    web_search_nusd: int = 0  # each
    daily_from_us: int = 0

    def scaled(self, factor: int) -> "Entry":
        """Return the entry with token rates times a factor; web searches keep their price."""
        return msgspec.structs.replace(
            self,
            rates=self.rates.scaled(factor),
            long_context=tuple(
                LongContext(tier.above_tokens, tier.rates.scaled(factor))
                for tier in self.long_context
            ),
        )


class ListedModel(msgspec.Struct, frozen=True, array_like=True):
    """A model of a price list. `modes` holds service tiers and speeds with prices of their own."""

    model_id: str
    provider: str
    entries: tuple[Entry, ...]  # ascending by (since_us, daily_from_us), the first from the epoch
    modes: dict[str, tuple[Entry, ...]] = {}
    title: str = ""
    context_tokens: int | None = None


class PriceList(msgspec.Struct, frozen=True, array_like=True):
    """The prices of one provider, or a named table of the override file."""

    models: dict[str, ListedModel] = {}
    names: dict[str, str] = {}  # every exact name → model_id
    factor: int = ONE  # of a named table: on list prices for models that it does not name
    fallback: str = ""  # of a named table: the model that unknown names are priced as

    def find(self, name: str) -> ListedModel | None:
        """Look a normal name up: exact, then without its date."""
        for spelling in spellings(name):
            if (model_id := self.names.get(spelling)) is not None:
                return self.models[model_id]
        return None


class Multiplier(msgspec.Struct, frozen=True, array_like=True):
    """A factor on token rates for a mode (service tier or speed) or a region.

    One of `mode` and `region` is set. A built-in mode factor yields to a price in the list for
    that mode; one from the override file (`overrides`) does not. Region factors always apply.
    """

    provider: str
    mode: str
    region: str
    models: tuple[str, ...]  # empty: all of the provider's
    since_us: int
    factor: int
    overrides: bool = False

    def is_for(self, model: ListedModel) -> bool:
        return self.provider == model.provider and (
            not self.models or model.model_id in self.models
        )


class AgentModel(msgspec.Struct, frozen=True, array_like=True):
    """A current model that coding agents are used with."""

    provider: str
    model_id: str
    output_tokens: int | None


class PriceSheet(msgspec.Struct, frozen=True):
    """All prices, in the form that is stored. See `PriceBook` for the way of a look-up."""

    version: str
    lists: dict[str, PriceList]
    tables: dict[str, PriceList]
    shared: dict[str, str]  # name → the one list whose price can be meant by it
    multipliers: tuple[Multiplier, ...]
    fallbacks: dict[str, tuple[str, str]]  # family → (list, model_id)
    agent_models: tuple[AgentModel, ...]
    hosts: tuple[tuple[str, str], ...]  # (pattern of a base URL, list)


class Step(NamedTuple):
    """An entry, ready for use."""

    since_us: int
    daily_from_us: int
    rates: Rates
    long_context: tuple[LongContext, ...]
    web_search_nusd: int
    price_version: str


class Quote(NamedTuple):
    """The steps of a price over time, latest first, and whether it is only a fallback."""

    steps: tuple[Step, ...]
    unknown: bool

    def at(self, at_us: int) -> Step:
        """Return the step that holds at a time; the first one also before its begin."""
        of_day_us = at_us % DAY_US
        for step in self.steps:
            if step.since_us <= at_us and step.daily_from_us <= of_day_us:
                return step
        return self.steps[-1]


class _Found(NamedTuple):
    """The model that a name is priced as; `factor` is what a named table puts on list prices."""

    model: ListedModel
    factor: int = ONE
    known: bool = True


class PriceBook:
    """Answers what a model costs. Remembers a bounded number of answers; not for several threads.

    A name is looked for in: the named table, if the credential has one; models that the override
    file adds; the list of the provider; the other big list; the list that stands before a slash
    (`deepseek/deepseek-chat`); all lists, if only one price can be meant.
    """

    def __init__(self, sheet: PriceSheet) -> None:
        self.sheet = sheet
        self.version = sheet.version
        self._quotes: dict[tuple[str, str, str, str, str, str], Quote] = {}
        self._every: dict[tuple[str, str, str], tuple[Quote, ...]] = {}

    def quote(
        self,
        provider: str,
        model: str,
        price_table: str,
        service_tier: str,
        speed: str,
        region: str,
    ) -> Quote:
        """Return the price of a model over time, in the mode and region of the request."""
        key = (provider, model, price_table, service_tier, speed, region)
        if (quote := self._quotes.get(key)) is None:
            quote = self._quote(provider, model, price_table, mode_of(service_tier, speed), region)
            if len(model) <= _LONGEST_NAME:
                if len(self._quotes) >= _QUOTES_KEPT:
                    del self._quotes[next(iter(self._quotes))]
                self._quotes[key] = quote
        return quote

    def every_quote(self, provider: str, model: str, price_table: str) -> tuple[Quote, ...]:
        """Return the prices of a model in every mode and region that there is a price for."""
        key = (provider, model, price_table)
        if (quotes := self._every.get(key)) is None:
            listed = self.known(*key)
            regions = {"", *(each.region for each in self.sheet.multipliers)}
            modes = {"", *(each.mode for each in self.sheet.multipliers)}
            modes.update(listed.modes if listed is not None else ())
            quotes = tuple({self._quote(*key, m, r) for m in modes for r in regions})
            if len(model) <= _LONGEST_NAME:
                if len(self._every) >= _QUOTES_KEPT:
                    del self._every[next(iter(self._every))]
                self._every[key] = quotes
        return quotes

    def known(self, provider: str, model: str, price_table: str = "") -> ListedModel | None:
        """Return the entry that a name means, None if it means none or none for certain."""
        found = self._find(provider, normal(model), price_table)
        return found.model if found.known else None

    def _quote(self, provider: str, model: str, price_table: str, mode: str, region: str) -> Quote:
        found = self._find(provider, normal(model), price_table)
        entries = self._in_mode(found.model, mode)
        if found.factor != ONE:
            entries = _scaled_from(entries, [(0, found.factor)])
        entries = _scaled_from(entries, self._region_factors(found.model, region))
        return Quote(tuple(map(self._step, reversed(entries))), unknown=not found.known)

    def _find(self, provider: str, name: str, price_table: str) -> "_Found":
        """Look a normal name up in the credential's table, then in the lists, then fall back."""
        if not price_table:
            return self._find_listed(provider, name)
        if (table := self.sheet.tables.get(price_table)) is not None:
            if (found := table.find(name)) is not None:
                return _Found(found)
            listed = self._find_listed(provider, name)
            if table.fallback and not listed.known:
                return _Found(table.models[table.fallback], known=False)
            return listed._replace(factor=table.factor)
        prices = self.sheet.lists.get(price_table)
        if prices is not None and (found := prices.find(name)) is not None:
            return _Found(found)
        return self._find_listed(provider, name)._replace(known=False)

    def _find_listed(self, provider: str, name: str) -> "_Found":
        others = (each for each in ("anthropic", "openai") if each != provider)
        for list_name in ("", provider, *others):
            prices = self.sheet.lists.get(list_name)
            if prices is not None and (found := prices.find(name)) is not None:
                return _Found(found)
        if (elsewhere := self._find_elsewhere(name)) is not None:
            return _Found(elsewhere)
        list_name, model_id = self.sheet.fallbacks[family_or_of(name, provider)]
        return _Found(self.sheet.lists[list_name].models[model_id], known=False)

    def _find_elsewhere(self, name: str) -> ListedModel | None:
        prefix, slash, rest = name.partition("/")
        if slash and (named := self.sheet.lists.get(prefix)) and (found := named.find(rest)):
            return found
        for spelling in spellings(name):
            if (list_name := self.sheet.shared.get(spelling)) is not None:
                return self.sheet.lists[list_name].find(spelling)
        return None

    def _in_mode(self, model: ListedModel, mode: str) -> tuple[Entry, ...]:
        """Return the entries for a mode: overridden, else listed, else by factor, else standard."""
        if not mode:
            return model.entries
        entries = _scaled_from(model.entries, self._factors(model, mode=mode))
        entries = spliced(entries, model.modes.get(mode, ()))
        if override := self._factors(model, mode=mode, overrides=True):
            later = _scaled_from(model.entries, override)
            entries = spliced(entries, since(later, override[0][0]))
        return entries

    def _region_factors(self, model: ListedModel, region: str) -> list[tuple[int, int]]:
        """Return the built-in factors, then those that hold over them from their date on."""
        own = self._factors(model, region=region, overrides=True)
        return self._factors(model, region=region) + own

    def _factors(
        self, model: ListedModel, *, mode: str = "", region: str = "", overrides: bool = False
    ) -> list[tuple[int, int]]:
        """Return (since, factor) in order; a factor for named models wins over a general one."""
        fitting = [
            each
            for each in self.sheet.multipliers
            if (each.mode, each.region, each.overrides) == (mode, region, overrides)
            and each.is_for(model)
        ]
        named = [each for each in fitting if each.models]
        return sorted((each.since_us, each.factor) for each in named or fitting)

    def _step(self, entry: Entry) -> Step:
        begin = _EPOCH + timedelta(microseconds=entry.since_us)
        date = begin.date().isoformat() if entry.since_us else "list"
        return Step(
            entry.since_us,
            entry.daily_from_us,
            entry.rates,
            entry.long_context,
            entry.web_search_nusd,
            f"{self.version}@{date}",
        )


def half_even(numerator: int, denominator: int) -> int:
    """Divide integers and round half to even; the denominator is positive."""
    quotient, remainder = divmod(numerator, denominator)
    twice = 2 * remainder
    if twice > denominator or (twice == denominator and quotient & 1):
        return quotient + 1
    return quotient


def mode_of(service_tier: str, speed: str) -> str:
    """Return the mode that the upstream confirmed; "" is the standard one."""
    if speed == "fast":
        return speed
    tier = service_tier.lower()
    return "" if tier in _NO_MODE else tier


def spliced(earlier: Sequence[Entry], later: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return the earlier entries up to where the later ones begin, then those."""
    if not later:
        return tuple(earlier)
    return (*(entry for entry in earlier if entry.since_us < later[0].since_us), *later)


def since(entries: Sequence[Entry], since_us: int) -> tuple[Entry, ...]:
    """Return the entries as if nothing had been before `since_us`."""
    begun = max((e.since_us for e in entries if e.since_us <= since_us), default=since_us)
    return tuple(
        msgspec.structs.replace(entry, since_us=max(entry.since_us, since_us))
        for entry in entries
        if entry.since_us >= begun
    )


def _scaled_from(entries: Sequence[Entry], factors: Sequence[tuple[int, int]]) -> tuple[Entry, ...]:
    """Return the entries times the factor in force; before the first one they stay as they are."""
    scaled = tuple(entries)
    for since_us, factor in factors:
        scaled = spliced(scaled, [entry.scaled(factor) for entry in since(entries, since_us)])
    return scaled
