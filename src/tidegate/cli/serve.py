"""`tidegate serve`: run the server. Its options come from the settings table."""

import inspect
import sys
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from tidegate.cli.errors import CommandError, system_fault
from tidegate.config import CONFIG_FLAG, CONFIG_VARIABLE, SETTINGS, ConfigError, load
from tidegate.setting import Setting

app: Final = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)


def _option(setting: Setting) -> inspect.Parameter:
    shown = f"{setting.help} [{setting.environment_variable}]"
    if setting.default:
        shown = f"{shown} Default: {setting.default}."
    option = typer.Option(setting.option, help=shown, show_default=False, metavar="TEXT")
    kind: Any = list[str] | None if setting.several else str | None
    return inspect.Parameter(
        setting.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind, option],
    )


def with_settings(names: set[str] | None = None) -> Callable[[Callable[..., None]], Any]:
    """Give a command the options of these settings, all by default, as text in its `flags`."""
    chosen = [s for s in SETTINGS if s.option and (names is None or s.name in names)]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True).parameters.values()
        kept = [p for p in own if p.kind is not inspect.Parameter.VAR_KEYWORD]
        parameters = [*kept, *(_option(setting) for setting in chosen)]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command

    return decorate


@app.command()
@with_settings()
def serve(
    *,
    config: Annotated[
        str | None,
        typer.Option(CONFIG_FLAG, metavar="FILE", help=f"TOML file. [{CONFIG_VARIABLE}]"),
    ] = None,
    ready_fd: Annotated[
        int | None,
        typer.Option(help="Descriptor to write one line of JSON to, once the server is ready."),
    ] = None,
    **flags: Any,
) -> None:
    """Run the server until SIGTERM. Every option is described in docs/settings.md."""
    if sys.platform == "win32":
        raise CommandError("The server runs on Linux and macOS. Run `tidegate serve` there.")
    # What follows needs modules that Windows does not have.
    from tidegate.wiring.serving import StartFailed, run  # noqa: PLC0415

    try:
        run(load({**flags, "config": config}), ready_fd=ready_fd)
    except (ConfigError, StartFailed) as fault:
        raise CommandError(str(fault)) from None
    except OSError as fault:
        raise CommandError(system_fault(fault)) from None
