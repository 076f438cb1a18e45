"""`tidegate demo`: a server to look around in."""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from tidegate.cli.errors import CommandError, system_fault
from tidegate.config import ConfigError

app: Final = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)


@app.command()
def demo(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 4181,
    public_url: Annotated[
        str, typer.Option(metavar="URL", help="How people reach it, if not on this machine.")
    ] = "",
    data_dir: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A new or empty directory. Default: a temporary one."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another number, other use.")] = 1,
    ready_fd: Annotated[
        int | None,
        typer.Option(help="Descriptor to write one line of JSON to, once the server is ready."),
    ] = None,
) -> None:
    """Serve a made-up organization with 24 members and 90 days of use, until Ctrl+C.

    Nothing of it remains: its directory is removed at the end.
    """
    if sys.platform == "win32":
        raise CommandError("The server runs on Linux and macOS. Run `tidegate demo` there.")
    # What follows needs modules that Windows does not have.
    from tidegate.wiring.demo import DemoOptions, StartFailed, run  # noqa: PLC0415

    options = DemoOptions(host=host, port=port, public_url=public_url, data_dir=data_dir, seed=seed)
    try:
        run(options, ready_fd=ready_fd)
    except (ConfigError, StartFailed) as fault:
        raise CommandError(str(fault)) from None
    except OSError as fault:
        raise CommandError(system_fault(fault)) from None
