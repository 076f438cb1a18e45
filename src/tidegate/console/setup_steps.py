"""How a developer's machine is set up for an agent: commands, and all of it as plain text."""

import shlex
from dataclasses import dataclass

from tidegate.console.dialogs import launch_name
from tidegate.core.model import Agent


@dataclass(frozen=True)
class SetupSteps:
    install: str
    install_windows: str
    login: str  # empty without a code
    launch: str
    until: str = ""  # how long the code can be used

    text: str = ""  # to be sent to the developer; empty without a code


def install_command(public_url: str) -> str:
    """For Linux and macOS."""
    return f"curl -fsSL {shlex.quote(_base(public_url) + '/install/install.sh')} | sh"


def powershell_command(public_url: str) -> str:
    """For Windows."""
    return f"irm {_base(public_url)}/install/install.ps1 | iex"


def login_command(public_url: str, code: str) -> str:
    return f"tidegate login {shlex.quote(_base(public_url))} {code}"


def setup_steps(public_url: str, agent: Agent, code: str = "", until: str = "") -> SetupSteps:
    """The steps for an agent; without a code, what can be said before there is one."""
    install, windows = install_command(public_url), powershell_command(public_url)
    login = login_command(public_url, code) if code else ""
    launch = f"tidegate launch {launch_name(agent)}"
    return SetupSteps(
        install=install,
        install_windows=windows,
        login=login,
        launch=launch,
        until=until,
        text=_text(agent, [install, windows, login, launch], until) if code else "",
    )


def _text(agent: Agent, commands: list[str], until: str) -> str:
    install, windows, login, launch = commands
    return (
        f"Set up {agent.title} with Tidegate\n"
        "\n"
        "1. Install the command line tool.\n"
        f"   Linux, macOS:         {install}\n"
        f"   Windows, PowerShell:  {windows}\n"
        "\n"
        f"2. Sign in. The code works once, until {until}.\n"
        f"   {login}\n"
        "\n"
        f"3. Launch {agent.title} inside a repository.\n"
        f"   {launch}\n"
    )


def _base(public_url: str) -> str:
    return public_url.rstrip("/")
