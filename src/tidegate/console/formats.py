"""Numbers as people read them. The exact value always stands beside them as a title."""

from datetime import UTC, datetime, timedelta

from tidegate.core.model import NANO_PER_USD

DASH = "\N{EN DASH}"  # for ranges and for what is not known
_CENT_NUSD = NANO_PER_USD // 100
_UNITS = ((10**3, "K", 1), (10**6, "M", 1), (10**9, "B", 2), (10**12, "T", 2))
_COMPACT_FROM = 10_000


def money(nusd: int) -> str:
    """`$1,284.20`; below one cent `<$0.01`: a zero would hide that something was used."""
    if 0 < nusd < _CENT_NUSD:
        return "<$0.01"
    cents = _half_even(nusd, _CENT_NUSD)
    return f"${cents // 100:,}.{cents % 100:02d}"


def exact_money(nusd: int) -> str:
    """`$0.090248125`: to the nano-dollar, at least two decimals."""
    whole, nano = divmod(nusd, NANO_PER_USD)
    decimals = f"{nano:09d}".rstrip("0").ljust(2, "0")
    return f"${whole:,}.{decimals}"


def count(number: int) -> str:
    return f"{number:,}"


def tokens(number: int) -> str:
    """`9,412`, `88.2K`, `12.4M`, `5.63B`."""
    if number < _COMPACT_FROM:
        return count(number)
    for size, unit, decimals in _UNITS:
        scaled = _half_even(number * 10**decimals, size)
        if scaled < 1_000 * 10**decimals or unit == _UNITS[-1][1]:
            whole, rest = divmod(scaled, 10**decimals)
            return f"{whole:,}.{rest:0{decimals}d}{unit}"
    raise AssertionError("the last unit takes all")


def initials(name: str) -> str:
    """Two letters for an avatar, from a name or an email address."""
    words = name.split("@", 1)[0].replace(".", " ").replace("_", " ").split()
    letters = [next((char for char in word if char.isalnum()), "") for word in words]
    shown = [letter for letter in letters if letter]
    return "".join(shown[:1] + shown[1:][-1:]).upper() or "?"


def _half_even(number: int, size: int) -> int:
    whole, rest = divmod(number, size)
    return whole + (2 * rest > size or (2 * rest == size and whole % 2))


def first_letter(name: str) -> str:
    """What stands in an organization's mark."""
    return next((char for char in name if char.isalnum()), "?").upper()


def plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def change(now: int, before: int) -> str:
    """How much more or less than before: `8.4 %`, `240 %`, `12 times`; empty where nothing was."""
    if before <= 0:
        return ""
    permille = _half_even(abs(now - before) * 1000, before)
    if permille < 1000:
        return f"{permille // 10}.{permille % 10} %"
    if now < 10 * before:
        return f"{_half_even(permille, 10):,} %"
    return f"{_half_even(now, before):,} times"


def percent(part: int, whole: int) -> str:
    """`17 %`; below one `<1 %`."""
    rounded = _half_even(100 * part, whole)
    return "<1 %" if part and not rounded else f"{rounded} %"


def ago(at_us: int, now_us: int, *, date: str) -> str:
    """`5 min ago`, `3 h ago`, `yesterday`, `6 days ago`, then the date. Browsers keep it going."""
    minutes = max(0, now_us - at_us) // 60_000_000
    hours, days = minutes // 60, minutes // 1440
    if minutes < 1:
        return "just now"
    if hours < 1:
        return f"{minutes} min ago"
    if days < 1:
        return f"{hours} h ago"
    if days == 1:
        return "yesterday"
    return f"{days} days ago" if days <= 30 else date


def utc(at_us: int) -> str:
    """`2026-11-22T12:00:00Z`, for programs and `<time>` elements."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def fine_money(nusd: int) -> str:
    """`$0.0921`: to a hundredth of a cent, as single requests cost little."""
    if 0 < nusd < _CENT_NUSD // 100:
        return "<$0.0001"
    parts = _half_even(nusd, _CENT_NUSD // 100)
    return f"${parts // 10_000:,}.{parts % 10_000:04d}"


def duration(us: int) -> str:
    """`840 ms`, `4.2 s`, `2 min 5 s`."""
    milliseconds = _half_even(us, 1000)
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    tenths = _half_even(us, 100_000)
    if tenths < 1000:
        return f"{tenths // 10}.{tenths % 10} s"
    minutes, seconds = divmod(_half_even(us, 1_000_000), 60)
    return f"{minutes:,} min {seconds} s"
