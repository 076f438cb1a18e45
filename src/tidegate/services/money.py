"""Amounts of money that people type in."""

import re
from typing import Final

from tidegate.core.model import NANO_PER_USD
from tidegate.services.errors import InvalidField

MAX_USD: Final = 1_000_000_000
_TOO_MUCH: Final = "The amount is over a billion dollars. Write a lower one."
_AMOUNT: Final = re.compile(
    r"\$?\s*(\d{1,12})(?:\.(\d{1,9}))?\s*(?:usd)?", re.ASCII | re.IGNORECASE
)

_SIGNED: Final = re.compile(r"-\s*\$?\s*[\d.,]+", re.ASCII)
_FINE: Final = re.compile(r"\$?\s*\d+\.\d{10,}", re.ASCII)
_LONG: Final = re.compile(r"\$?\s*\d{13,}(\.\d+)?", re.ASCII)
_GROUPED: Final = re.compile(r"\$?\s*\d{1,3}(,\d{3})+(\.\d+)?\s*(usd)?", re.ASCII | re.IGNORECASE)


def amount(text: str, *, field: str = "amount", least_nusd: int = 0) -> int:
    """An amount of US dollars in nano-USD, to the last digit as written."""
    plain = text.strip().replace(",", "") if _grouped(text.strip()) else text.strip()
    found = _AMOUNT.fullmatch(plain)
    if found is None:
        raise InvalidField(_why_none(plain), field=field)
    whole, part = found[1], found[2] or ""
    nusd = int(whole) * NANO_PER_USD + int(part.ljust(9, "0"))
    return checked(nusd, field=field, least_nusd=least_nusd)


def checked(nusd: int, *, field: str = "amount", least_nusd: int = 0) -> int:
    """An amount within what a budget can be."""
    if nusd > MAX_USD * NANO_PER_USD:
        raise InvalidField(_TOO_MUCH, field=field)
    if nusd < least_nusd:
        sentence = "The amount is negative." if nusd < 0 else "Write an amount above zero."
        raise InvalidField(sentence, field=field)
    return nusd


def _why_none(plain: str) -> str:
    """What is wrong with what is no amount."""
    if _SIGNED.fullmatch(plain):
        return "The amount is negative."
    if _FINE.fullmatch(plain):
        return "An amount has nine decimals at most."
    if _LONG.fullmatch(plain):
        return _TOO_MUCH
    return "Write an amount in US dollars, like 20 or 12.50."


def _grouped(text: str) -> bool:
    """Whether commas part thousands, as in 1,250.00; anything else with one is unclear."""
    return _GROUPED.fullmatch(text) is not None
