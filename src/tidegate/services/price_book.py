"""The price book of this installation: compiled once, then read from a small file.

Compiling reads genai-prices, which takes about a second and tens of megabytes; reading the
compiled sheet takes milliseconds and needs neither. The file is only a cache: it is made again
whenever the library, our additions, its format or the override file are others, or it is damaged.
"""

import hashlib
import os
import re
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

from tidegate.core.price_book import ListedModel, PriceBook, PriceSheet
from tidegate.services.price_additions import AGENT_MODELS, MULTIPLIERS, REVISION
from tidegate.services.price_overrides import Overrides, PriceFileError, read_overrides

__all__ = [
    "ModelListing",
    "PriceFileError",
    "agent_models",
    "compile_price_book",
    "list_for_url",
    "load_or_compile",
]

_FORMAT: Final = 1  # of the cache file; also increase it when the compiler changes its results
_DIGEST_BYTES: Final = 32


class ModelListing(msgspec.Struct, frozen=True):
    """A model as an agent's configuration wants to know it. Rates in nUSD per Mtok."""

    id: str
    name: str
    provider: str
    context_tokens: int | None
    output_tokens: int | None
    input_nusd_per_mtok: int
    output_nusd_per_mtok: int
    cache_read_nusd_per_mtok: int
    cache_write_5m_nusd_per_mtok: int
    cache_write_1h_nusd_per_mtok: int


class _Cached(msgspec.Struct):
    key: str
    sheet: PriceSheet


def compile_price_book(override: bytes | None = None) -> PriceBook:
    """Build the price book from genai-prices and the content of an override file."""
    # Heavy: pulls pydantic in, which a process that finds a compiled sheet never needs.
    from tidegate.services.price_compiler import compile_sheet  # noqa: PLC0415

    overrides = None if override is None else read_overrides(override)
    return PriceBook(compile_sheet(_version(overrides), overrides))


def load_or_compile(cache_file: Path, override_file: Path | None) -> PriceBook:
    """Return the price book, from the cache file if that is current; else compile and keep it.

    Raises `PriceFileError` if the override file is missing or wrong.
    """
    override = None if override_file is None else _override_content(override_file)
    key = _cache_key(override)
    if (sheet := _cached(cache_file, key)) is not None:
        return PriceBook(sheet)
    book = compile_price_book(override)
    _keep(cache_file, _Cached(key, book.sheet))
    return book


def agent_models(book: PriceBook, provider: str) -> list[ModelListing]:
    """Return the current models for coding agents of a provider, at their newest prices."""
    prices = book.sheet.lists[provider]
    return [
        _listing(prices.models[each.model_id], each.output_tokens)
        for each in book.sheet.agent_models
        if each.provider == provider and each.model_id in prices.models
    ]


def list_for_url(book: PriceBook, base_url: str) -> str:
    """Return which price list to name as a credential's table, by its base URL.

    Empty for Anthropic and OpenAI themselves, which need none, and for a service without a list.
    """
    for pattern, list_name in book.sheet.hosts:
        if list_name in book.sheet.lists and re.match(pattern, base_url):
            return "" if list_name in {"anthropic", "openai"} else list_name
    return ""


def _listing(model: ListedModel, output_tokens: int | None) -> ModelListing:
    rates = model.entries[-1].rates
    return ModelListing(
        id=model.model_id,
        name=model.title,
        provider=model.provider,
        context_tokens=model.context_tokens,
        output_tokens=output_tokens,
        input_nusd_per_mtok=rates.input,
        output_nusd_per_mtok=rates.output,
        cache_read_nusd_per_mtok=rates.cache_read,
        cache_write_5m_nusd_per_mtok=rates.cache_write_5m,
        cache_write_1h_nusd_per_mtok=rates.cache_write_1h,
    )


def _version(overrides: Overrides | None) -> str:
    digest = f"+{overrides.digest[:8]}" if overrides else ""
    return f"genai-prices-{version('genai-prices')}/{REVISION}{digest}"


def _override_content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise PriceFileError(
            f"The price file {path} cannot be read ({exc.strerror}). "
            "Correct its path or permissions, or leave the setting out to use list prices."
        ) from exc


def _cache_key(override: bytes | None) -> str:
    additions = hashlib.sha256(repr((REVISION, MULTIPLIERS, AGENT_MODELS)).encode()).hexdigest()
    own = "none" if override is None else hashlib.sha256(override).hexdigest()
    return f"{_FORMAT} {version('genai-prices')} {additions} {own}"


def _cached(path: Path, key: str) -> PriceSheet | None:
    """Return the sheet in the file, None unless it is whole and made from the same sources."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, payload = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(payload).digest() != digest:
        return None
    try:
        cached = msgspec.msgpack.decode(payload, type=_Cached)
    except msgspec.MsgspecError:
        return None
    return cached.sheet if cached.key == key else None


def _keep(path: Path, cached: _Cached) -> None:
    """Write the file in one step; where that is not possible, the next start compiles again."""
    payload = msgspec.msgpack.encode(cached)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600
    except OSError:
        return
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(hashlib.sha256(payload).digest() + payload)
        Path(draft).replace(path)
    except OSError:
        Path(draft).unlink(missing_ok=True)
