"""Charts as numbers for inline SVG: x and widths in percent, y and heights in pixels.

An `<svg>` without a viewBox, drawn so, fits any width, keeps its text in shape and needs neither a
script nor an inline style.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tidegate.core.model import NANO_PER_USD

HEIGHT: Final = 264
_TOP: Final = 12
_BASE: Final = 234
_PLOT: Final = _BASE - _TOP
_BAR_SHARE: Final = 0.68
_LEAST: Final = 2  # of something that is above zero
_NICE: Final = (10, 15, 20, 25, 30, 40, 50, 60, 80)  # tenths of a power of ten
LEAST_MONEY_STEP: Final = NANO_PER_USD // 10_000
SPARK_HEIGHT: Final = 30
_SLOT: Final = 3  # in a sparkline: two wide, one between


@dataclass(frozen=True, slots=True)
class Line:
    """A grid line and its value."""

    y: int
    value: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A bucket of the overview: its slot takes the pointer, its bar shows the value."""

    slot_x: str
    x: str
    y: int
    height: int
    running: bool


@dataclass(frozen=True, slots=True)
class Name:
    """A word under the axis."""

    x: str
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    slot_width: str
    bar_width: str
    bars: list[Bar]
    lines: list[Line]
    names: list[Name]
    top: int = _TOP
    base: int = _BASE
    plot: int = _PLOT
    height: int = HEIGHT
    names_y: int = _BASE + 20


@dataclass(frozen=True, slots=True)
class Sparkline:
    """Bars as strokes of one path, in a box of `width` by `SPARK_HEIGHT`."""

    width: int
    bars: str
    last: str  # the running bucket, drawn stronger
    stubs: str  # a line under all of them
    dashes: str = f"{_SLOT - 1} 1"


def chart(
    values: Sequence[int],
    names: Sequence[tuple[int, str]] = (),
    *,
    running: bool = False,
    least_step: int = 1,
) -> Chart:
    """The overview of these buckets; with `running` the last one goes on still.

    Grid lines are `least_step` apart or more; without any value there are none.
    """
    most = max(values, default=0)
    step = max(least_step, nice_step(most))
    slot = 100 / max(1, len(values))
    bars = []
    for i, value in enumerate(values):
        height = scaled(value, 2 * step, _PLOT)
        bars.append(
            Bar(
                slot_x=percent(i * slot),
                x=percent((i + (1 - _BAR_SHARE) / 2) * slot),
                y=_BASE - height,
                height=height,
                running=running and i == len(values) - 1,
            )
        )
    return Chart(
        slot_width=percent(slot),
        bar_width=percent(slot * _BAR_SHARE),
        bars=bars,
        lines=[Line(_TOP, 2 * step), Line(_TOP + _PLOT // 2, step)] if most > 0 else [],
        names=[axis_name((i + 0.5) * slot, text) for i, text in names],
    )


def sparkline(values: Sequence[int], *, running: bool = False) -> Sparkline:
    """The same buckets, small; an empty one is a stub."""
    top = max(values, default=0)
    strokes = [
        f"M{_SLOT * i + 1} {SPARK_HEIGHT}V{SPARK_HEIGHT - scaled(value, top, SPARK_HEIGHT)}"
        if value > 0
        else ""
        for i, value in enumerate(values)
    ]
    split = len(strokes) - 1 if running and strokes else len(strokes)
    width = max(1, _SLOT * len(values) - 1)
    return Sparkline(
        width=width,
        bars="".join(strokes[:split]),
        last="".join(strokes[split:]),
        stubs=f"M0 {SPARK_HEIGHT - 0.75}H{width}",
    )


def nice_step(most: int) -> int:
    """Half the height of the axis: the least round number of which two cover `most`."""
    if most <= 2:
        return 1
    half = -(-most // 2)
    power = 1
    while power * 10 <= half:
        power *= 10
    for tenths in _NICE:
        if tenths * power % 10 == 0 and (step := tenths * power // 10) >= half:
            return step
    return power * 10


def scaled(value: int, top: int, height: int) -> int:
    """Pixels of a value; what is above zero stays visible."""
    if value <= 0 or top <= 0:
        return 0
    return max(_LEAST, min(height, round(value * height / top)))


def axis_money(nusd: int) -> str:
    """`$200`, `$1.5K`, `$0.25`: round numbers as short as they are."""
    if nusd >= 1000 * NANO_PER_USD:
        return f"${axis_count(nusd // NANO_PER_USD)}"
    whole, nano = divmod(nusd, NANO_PER_USD)
    if not nano:
        return f"${whole}"
    return f"${whole}.{f'{nano:09d}'.rstrip('0').ljust(2, '0')}"


def axis_count(number: int) -> str:
    """`500`, `1.5K`, `20M`, `3B`."""
    for size, unit in ((10**15, "P"), (10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K")):
        if number >= size:
            return f"{number / size:.4g}{unit}"
    return str(number)


def axis_name(at: float, text: str) -> Name:
    """A word under a point of the axis, in percent; at the ends it stays inside."""
    anchor = "start" if at < 4 else "end" if at > 96 else "middle"
    return Name(percent({"start": 0.0, "end": 100.0}.get(anchor, at)), anchor, text)


def percent(number: float) -> str:
    """As SVG takes it."""
    return f"{number:.3f}".rstrip("0").rstrip(".") + "%"
