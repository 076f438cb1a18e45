"""What a setting is: where it may be given, how it is read, what it is for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Environment = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One row: `parse` raises ValueError saying what it expected."""

    name: str  # the attribute of Settings
    parse: Callable[[str], object]
    help: str
    section: str
    default: str = ""  # as a user would write it; shown, and parsed unless `fallback` is given
    fallback: Callable[[Environment], object] | None = None
    absent: object = ""  # the value without a default
    several: bool = False  # a comma list; the flag may be repeated
    flag: str | None = ""  # "": made from the name; None: may not be given this way
    variable: str = ""
    key: str | None = ""

    @property
    def option(self) -> str | None:
        """The flag on the command line."""
        return self.flag if self.flag != "" else "--" + _without_unit(self.name).replace("_", "-")

    @property
    def environment_variable(self) -> str:
        return self.variable or "TIDEGATE_" + _without_unit(self.name).upper()

    @property
    def toml_key(self) -> str | None:
        return self.key if self.key != "" else _without_unit(self.name).replace("_", "-")


def _without_unit(name: str) -> str:
    """Flags take values with a unit (`32MB`, `5m`), so their names carry none."""
    return name.removesuffix("_bytes").removesuffix("_s")
