"""Builds the price sheet: lists of genai-prices, our additions, and the override file.

Imports genai-prices, which takes time and memory: reach it through `services/price_book.py`.
"""

from collections.abc import Mapping

import msgspec

from tidegate.core.price_book import (
    ONE,
    Entry,
    ListedModel,
    Multiplier,
    PriceBook,
    PriceList,
    PriceSheet,
    half_even,
    spliced,
)
from tidegate.core.price_names import family
from tidegate.services.price_additions import AGENT_MODELS, FAMILY_PROVIDERS, MULTIPLIERS
from tidegate.services.price_lists import read_hosts, read_price_lists
from tidegate.services.price_overrides import Overrides, PriceFileError, TableOverride

_MAJOR = ("anthropic", "openai")
# Providers that price their own models; the others resell, often at prices of their own.
_VENDORS = (
    *_MAJOR,
    *("cohere", "deepseek", "google", "meta", "minimax", "mistral", "moonshotai", "x-ai", "zai"),
)
# A turn of a coding agent, by which "the dearest" is found: mostly cache reads.
_TYPICAL_TOKENS = {"input": 2_000, "cache_write_5m": 4_000, "cache_read": 60_000, "output": 1_000}


def compile_sheet(version: str, overrides: Overrides | None) -> PriceSheet:
    """Return the sheet of all prices; raise `PriceFileError` if the overrides name what is not."""
    lists = read_price_lists()
    if overrides is not None:
        _override_models(lists, overrides.models)
    sheet = PriceSheet(
        version=version,
        lists=lists,
        tables={
            name: _table(name, table)
            for name, table in (overrides.tables if overrides else {}).items()
        },
        shared=shared_names(lists),
        multipliers=MULTIPLIERS,
        fallbacks={
            family: _dearest_agent_model(lists[provider])
            for family, provider in FAMILY_PROVIDERS.items()
        },
        agent_models=AGENT_MODELS,
        hosts=read_hosts(),
    )
    return sheet if overrides is None else _checked(sheet, overrides)


def _override_models(lists: dict[str, PriceList], models: Mapping[str, tuple[Entry, ...]]) -> None:
    """Put own entries over listed ones from their date on; add models that no big list has."""
    added = PriceList({}, {})
    for name, entries in models.items():
        home = next((each for each in _MAJOR if name in lists[each].names), None)
        if home is None:
            provider = FAMILY_PROVIDERS.get(family(name), "")
            added.models[name] = _own_model(name, provider, entries)
            added.names[name] = name
        else:
            listed = lists[home].models[lists[home].names[name]]
            lists[home].models[listed.model_id] = _overridden(listed, entries)
    if added.models:
        lists[""] = added


def _overridden(listed: ListedModel, entries: tuple[Entry, ...]) -> ListedModel:
    """Prices by mode keep their ratio to the standard price."""
    modes = {
        mode: spliced(mode_entries, _in_ratio(entries, mode_entries[-1], listed.entries[-1]))
        for mode, mode_entries in listed.modes.items()
    }
    own = spliced(listed.entries, entries)
    return msgspec.structs.replace(listed, entries=own, modes=modes)


def _in_ratio(entries: tuple[Entry, ...], mode: Entry, standard: Entry) -> tuple[Entry, ...]:
    factor = half_even(mode.rates.input * ONE, standard.rates.input)
    return tuple(entry.scaled(factor) for entry in entries)


def _own_model(name: str, provider: str, entries: tuple[Entry, ...]) -> ListedModel:
    """The first entry holds before its date too: there is no earlier price."""
    first = msgspec.structs.replace(entries[0], since_us=0)
    return ListedModel(model_id=name, provider=provider, entries=(first, *entries[1:]), title=name)


def _table(name: str, table: TableOverride) -> PriceList:
    return PriceList(
        models={model: _own_model(model, name, each) for model, each in table.models.items()},
        names={model: model for model in table.models},
        factor=table.factor,
        fallback=table.fallback,
    )


def shared_names(lists: Mapping[str, PriceList]) -> dict[str, str]:
    """Return which list a name means when its own list is not known: only where that is certain.

    A vendor's own price comes first, if one vendor alone has the name; else any list's, if all
    that have it agree. A price of zero is not taken from another list: free is a special offer.
    """
    homes: dict[str, list[str]] = {}
    for list_name, prices in lists.items():
        for name in prices.names:
            homes.setdefault(name, []).append(list_name)
    shared = {}
    for name, having in homes.items():
        own = [each for each in having if each in _VENDORS]
        chosen = own if len(own) == 1 else having
        models = [lists[each].models[lists[each].names[name]] for each in chosen]
        if len({model.entries for model in models}) == 1 and all(
            _costs_something(model) for model in models
        ):
            shared[name] = chosen[0]
    return shared


def _costs_something(model: ListedModel) -> bool:
    return all(entry.rates.input and entry.rates.output for entry in model.entries)


def _dearest_agent_model(prices: PriceList) -> tuple[str, str]:
    current = [
        prices.models[each.model_id] for each in AGENT_MODELS if each.model_id in prices.models
    ]
    dearest = max(current, key=_typical_cost)
    return dearest.provider, dearest.model_id


def _typical_cost(model: ListedModel) -> int:
    rates = model.entries[-1].rates
    return sum(half_even(n * getattr(rates, key), 10**6) for key, n in _TYPICAL_TOKENS.items())


def _checked(sheet: PriceSheet, overrides: Overrides) -> PriceSheet:
    """Resolve the names that the override file uses; they must mean something."""
    own = [
        _resolved(sheet, f"multipliers, number {number}", each)
        for number, each in enumerate(overrides.multipliers, 1)
    ]
    book = PriceBook(sheet)
    fallbacks = dict(sheet.fallbacks)
    for each_family, name in overrides.fallbacks.items():
        model = book.known(FAMILY_PROVIDERS[each_family], name)
        if model is None:
            raise PriceFileError(
                f"fallback.{each_family}: {name!r} is in no price list. "
                "Name a listed model, or add it under [models]."
            )
        is_added = "" in sheet.lists and model.model_id in sheet.lists[""].models
        fallbacks[each_family] = ("" if is_added else model.provider, model.model_id)
    return msgspec.structs.replace(
        sheet, fallbacks=fallbacks, multipliers=(*sheet.multipliers, *own)
    )


def _resolved(sheet: PriceSheet, place: str, multiplier: Multiplier) -> Multiplier:
    """Return the multiplier with the models' ids in place of their names."""
    provider = multiplier.provider
    prices = sheet.tables.get(provider) or sheet.lists.get(provider)
    if prices is None:
        raise PriceFileError(
            f"{place}: provider {provider!r} is no price list. "
            f"Such as: {', '.join((*_MAJOR, *sheet.tables))}."
        )
    added = sheet.lists.get("", PriceList())
    models = []
    for name in multiplier.models:
        model = added.find(name) or prices.find(name)
        if model is None:
            raise PriceFileError(
                f"{place}: model {name!r} is not in the list {provider!r}. "
                "Correct its name, or leave models out to mean all of them."
            )
        models.append(model.model_id)
    return msgspec.structs.replace(multiplier, models=tuple(models))
