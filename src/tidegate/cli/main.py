"""The command line. The commands of developers are here; those of the server load when called."""

import sys
from importlib import import_module, metadata
from typing import Annotated, Final

import typer

from tidegate.cli.budget import budget
from tidegate.cli.compress import compress
from tidegate.cli.errors import CommandError
from tidegate.cli.launch import launch
from tidegate.cli.login import login, logout
from tidegate.cli.mcp import mcp

_PASS_ALL: Final = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "help_option_names": [],
}
_INSTALL_SERVER: Final = (
    "`tidegate {name}` needs the server's parts, which are not installed ({missing} is missing). "
    "Install them: pip install 'tidegate[server]'"
)

app = typer.Typer(
    name="tidegate",
    help="The team gateway for coding agents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(login)
app.command()(logout)
app.command()(mcp)
app.command()(compress)
app.add_typer(budget, name="budget")
# Whatever follows the agent's name is the agent's, options that look like ours included.
app.command(context_settings={"allow_interspersed_args": False})(launch)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        print(f"tidegate {metadata.version('tidegate')}")  # noqa: T201
        raise typer.Exit


@app.command("serve", context_settings=_PASS_ALL)
def _serve(context: typer.Context) -> None:
    """Run the server (needs tidegate[server])."""
    _run_server_command("serve", context.args)


@app.command("demo", context_settings=_PASS_ALL)
def _demo(context: typer.Context) -> None:
    """Serve a made-up organization, to look around (needs tidegate[server])."""
    _run_server_command("demo", context.args)


@app.command("admin", context_settings=_PASS_ALL)
def _admin(context: typer.Context) -> None:
    """Administer an installation from its own machine (needs tidegate[server])."""
    _run_server_command("admin", context.args)


def main() -> None:
    """Run the program."""
    # Given explicitly, the arguments are ours as they are: on Windows typer would expand globs.
    run(sys.argv[1:])


def run(arguments: list[str]) -> None:
    """Run one command line, turning our own errors into one line and exit code 1."""
    try:
        app(arguments, prog_name="tidegate")
    except CommandError as error:
        print(f"tidegate: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)


def _run_server_command(name: str, arguments: list[str]) -> None:
    # `tidegate.cli.serve`, `demo` and `admin` each hold a typer app called `app`. They import what
    # only the server extra installs, so they are loaded when asked for, not before.
    try:
        module = import_module(f"tidegate.cli.{name}")
        module.app(args=arguments, prog_name=f"tidegate {name}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "tidegate":
            raise
        raise CommandError(_INSTALL_SERVER.format(name=name, missing=error.name)) from None
