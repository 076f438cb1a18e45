"""What all commands of `tidegate admin` share: options, opening the installation, printing."""

import inspect
import json
from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
import typer

from tidegate.cli.errors import CommandError, system_fault
from tidegate.cli.serve import with_settings
from tidegate.config import CONFIG_FLAG, CONFIG_VARIABLE, ConfigError, load
from tidegate.services.errors import Refused
from tidegate.services.price_book import PriceFileError
from tidegate.services.vault import SealBroken
from tidegate.wiring.admin import Administration, open_administration
from tidegate.wiring.orders import StartFailed

_SETTINGS: Final = {"data_dir", "database_url", "master_key_file", "public_url"}

Email = Annotated[str, typer.Option("--email", metavar="ADDRESS", help="The member's email.")]


class Report(msgspec.Struct, frozen=True):
    """What a command found or did: for scripts, and for people."""

    fields: dict[str, Any]
    lines: list[str]


class Task(msgspec.Struct, frozen=True):
    """What a command works on."""

    admin: Administration
    org: str  # as given by --org: a name, an id, or nothing

    @property
    def organization_id(self) -> str:
        return self.admin.organization(self.org).organization_id


Command = Callable[..., Report]


def add_command(
    app: typer.Typer, name: str, *, may_create: bool = False
) -> Callable[[Command], Command]:
    """Register `function(task, …options)` as a command with the shared options."""

    def register(function: Command) -> Command:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        names = {parameter.name for parameter in own}

        def run(
            *,
            org: Annotated[
                str, typer.Option("--org", metavar="NAME", help="Organization, by name or id.")
            ] = "",
            as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
            config: Annotated[
                str | None,
                typer.Option(CONFIG_FLAG, metavar="FILE", help=f"TOML file. [{CONFIG_VARIABLE}]"),
            ] = None,
            **given: Any,
        ) -> None:
            arguments = {name: given.pop(name) for name in names}
            flags = {**given, "config": config}
            report = _perform(function, arguments, flags, org=org, may_create=may_create)
            typer.echo(json.dumps(report.fields) if as_json else "\n".join(report.lines))

        command = with_settings(_SETTINGS)(_with_parameters(run, own))
        command.__doc__ = function.__doc__
        app.command(name)(command)
        return function

    return register


def _with_parameters(run: Callable[..., None], own: list[inspect.Parameter]) -> Callable[..., None]:
    """Let `run` show a command's own parameters in place of its keyword arguments."""
    shared = inspect.signature(run).parameters.values()
    named = [p for p in shared if p.kind is not inspect.Parameter.VAR_KEYWORD]
    keyword_only = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
    run.__signature__ = inspect.Signature([*keyword_only, *named])  # type: ignore[attr-defined]
    return run


def _perform(
    function: Command,
    arguments: dict[str, Any],
    flags: dict[str, Any],
    *,
    org: str,
    may_create: bool,
) -> Report:
    try:
        with open_administration(load(flags), may_create=may_create) as admin:
            return function(Task(admin, org), **arguments)
    except (ConfigError, StartFailed, Refused, PriceFileError) as fault:
        raise CommandError(str(fault)) from None
    except OSError as fault:
        raise CommandError(system_fault(fault)) from None
    except SealBroken as fault:
        raise CommandError(f"This secret cannot be read: {fault}.") from None


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Columns as wide as they need; numbers to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    lines = []
    for cells in [head, *rows]:
        padded = [
            cell.rjust(width) if cell[:1].isdecimal() or cell[:1] == "$" else cell.ljust(width)
            for cell, width in zip(cells, widths, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return lines


def dollars(nusd: int) -> str:
    """An amount for people; `--json` has it exactly."""
    return f"${nusd / 1e9:,.4f}"
