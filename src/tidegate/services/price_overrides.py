"""The override file: prices of an organization's own, as TOML. Format: docs/prices.md.

Everything is read strictly: a key that is not known is refused, because a misspelt rate would
otherwise be priced by the list without a word.
"""

import hashlib
import tomllib
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import msgspec

from tidegate.core.price_book import ONE, Entry, LongContext, Multiplier, Rates
from tidegate.core.price_names import CLAUDE, FAMILIES, family, normal
from tidegate.services.price_additions import (
    FAMILY_PROVIDERS,
    WEB_SEARCH_NUSD,
    filled_rates,
    start_of_day_us,
)

_HIGHEST = Decimal(10**9)  # of any number in the file; more can only be a slip
_HIGHEST_USD = Decimal(1_000_000)
_NANO = Decimal(10**9)
_RATE_KEYS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
_T = TypeVar("_T")


class PriceFileError(ValueError):
    """The price file cannot be used. The message says where it is wrong and what to do."""


class TableOverride(NamedTuple):
    """A named table: own models, and a factor on list prices for all others."""

    models: dict[str, tuple[Entry, ...]]
    factor: int
    fallback: str


class Overrides(NamedTuple):
    """What the file says, checked, in our units. Model names are normal."""

    digest: str
    models: dict[str, tuple[Entry, ...]]
    tables: dict[str, TableOverride]
    multipliers: tuple[Multiplier, ...]
    fallbacks: dict[str, str]


class _Rates(msgspec.Struct, forbid_unknown_fields=True):
    input: Any
    output: Any
    cache_read: Any = None
    cache_write_5m: Any = None
    cache_write_1h: Any = None


class _LongContext(_Rates, kw_only=True):
    above: int


class _Entry(_Rates, kw_only=True):
    from_: date | None = msgspec.field(default=None, name="from")
    web_search: Any = None
    long_context: list[dict[str, Any]] = []


class _Multiplier(msgspec.Struct, forbid_unknown_fields=True):
    provider: str
    factor: Any
    mode: str = ""
    region: str = ""
    models: list[str] = []
    from_: date | None = msgspec.field(default=None, name="from")


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    models: dict[str, list[dict[str, Any]]] = {}
    multiplier: Any = 1
    fallback: str = ""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    models: dict[str, list[dict[str, Any]]] = {}
    tables: dict[str, dict[str, Any]] = {}
    multipliers: list[dict[str, Any]] = []
    fallback: dict[str, str] = {}


def read_overrides(content: bytes) -> Overrides:
    """Read the file; raise `PriceFileError` where it is not understood."""
    try:
        parsed = tomllib.loads(content.decode(), parse_float=Decimal)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise PriceFileError(
            f"The price file is no valid TOML: {exc}. Correct that place."
        ) from exc
    file = _read("The price file", parsed, _File)
    if strange := sorted(file.fallback.keys() - set(FAMILIES)):
        raise PriceFileError(
            f"fallback: {strange[0]!r} is no family of models. Families: {', '.join(FAMILIES)}."
        )
    return Overrides(
        digest=hashlib.sha256(content).hexdigest(),
        models=_models("models", file.models),
        tables={name: _table(f"tables.{name}", raw) for name, raw in file.tables.items()},
        multipliers=tuple(
            _multiplier(f"multipliers, number {number}", raw)
            for number, raw in enumerate(file.multipliers, 1)
        ),
        fallbacks=file.fallback,
    )


def _read(place: str, raw: Mapping[str, Any], kind: Callable[..., _T]) -> _T:
    try:
        return msgspec.convert(raw, type=kind)  # type: ignore[no-any-return]
    except msgspec.ValidationError as exc:
        known = ", ".join(each.encode_name for each in msgspec.structs.fields(kind))  # type: ignore[arg-type]
        raise PriceFileError(f"{place}: {exc}. It can have: {known}.") from exc


def _table(place: str, raw: Mapping[str, Any]) -> TableOverride:
    table = _read(place, raw, _Table)
    models = _models(f"{place}.models", table.models)
    fallback = normal(table.fallback)
    if fallback and fallback not in models:
        raise PriceFileError(
            f"{place}: fallback {table.fallback!r} is no model of this table. "
            "Name one of its models, or leave fallback out to use the general one."
        )
    return TableOverride(models, _factor(f"{place}: multiplier", table.multiplier), fallback)


def _multiplier(place: str, raw: Mapping[str, Any]) -> Multiplier:
    given = _read(place, raw, _Multiplier)
    if bool(given.mode) == bool(given.region):
        raise PriceFileError(
            f"{place}: give either mode (a service tier or speed, such as priority) or region."
        )
    return Multiplier(
        provider=given.provider,
        mode=given.mode,
        region=given.region,
        models=tuple(normal(name) for name in given.models),
        since_us=_since_us(given.from_),
        factor=_factor(f"{place}: factor", given.factor),
        overrides=True,
    )


def _models(place: str, raw: Mapping[str, list[dict[str, Any]]]) -> dict[str, tuple[Entry, ...]]:
    return {
        normal(name): _entries(f'{place}."{name}"', each, family(normal(name)))
        for name, each in raw.items()
    }


def _entries(place: str, raw: list[dict[str, Any]], kind: str) -> tuple[Entry, ...]:
    read = [_entry(f"{place}, entry {n}", each, kind) for n, each in enumerate(raw, 1)]
    if not read:
        raise PriceFileError(f"{place}: no entry. Give at least input and output.")
    entries = sorted(read, key=lambda entry: entry.since_us)
    for one, other in pairwise(entries):
        if one.since_us == other.since_us:
            raise PriceFileError(f"{place}: two entries begin at the same time. Change one `from`.")
    return tuple(entries)


def _entry(place: str, raw: Mapping[str, Any], kind: str) -> Entry:
    given = _read(place, raw, _Entry)
    tiers = [
        _long_context(f"{place}, long_context {number}", each, claude=kind == CLAUDE)
        for number, each in enumerate(given.long_context, 1)
    ]
    if given.web_search is None:
        searches = WEB_SEARCH_NUSD.get(FAMILY_PROVIDERS.get(kind, ""), 0)
    else:
        searches = _nano_usd(f"{place}: web_search", given.web_search) // 1000
    return Entry(
        since_us=_since_us(given.from_),
        rates=_rates(place, given, claude=kind == CLAUDE),
        long_context=tuple(sorted(tiers, key=lambda tier: tier.above_tokens)),
        web_search_nusd=searches,
    )


def _long_context(place: str, raw: Mapping[str, Any], *, claude: bool) -> LongContext:
    given = _read(place, raw, _LongContext)
    if given.above <= 0:
        raise PriceFileError(f"{place}: above must be a positive number of prompt tokens.")
    return LongContext(given.above, _rates(place, given, claude=claude))


def _rates(place: str, given: _Rates, *, claude: bool) -> Rates:
    rates = {
        key: _nano_usd(f"{place}: {key}", value)
        for key in _RATE_KEYS
        if (value := getattr(given, key)) is not None
    }
    return filled_rates(rates, claude=claude)


def _nano_usd(place: str, value: object) -> int:
    usd = _decimal(place, value, 'a price in USD, such as 3 or "0.25"')
    nano = usd * _NANO
    if usd > _HIGHEST_USD or nano != nano.to_integral_value():
        raise PriceFileError(
            f"{place}: {value} is out of range. Prices have at most 9 decimals "
            "and are at most 1000000 USD per million."
        )
    return int(nano)


def _factor(place: str, value: object) -> int:
    factor = _decimal(place, value, 'a factor, such as "1.1"') * ONE
    if factor != factor.to_integral_value() or factor > 1000 * ONE:
        raise PriceFileError(f"{place}: {value} is out of range. At most 1000, with 6 decimals.")
    return int(factor)


def _decimal(place: str, value: object, wanted: str) -> Decimal:
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise InvalidOperation
        number = Decimal(value)
        if not 0 <= number <= _HIGHEST:
            raise InvalidOperation
    except InvalidOperation:
        raise PriceFileError(f"{place}: {value!r} is not {wanted}.") from None
    return number


def _since_us(day: date | None) -> int:
    return 0 if day is None else start_of_day_us(day)
