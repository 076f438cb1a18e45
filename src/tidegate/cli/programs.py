"""Find programs as a shell would, but never in the working directory and never ourselves."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from tidegate.cli.errors import CommandError

_WINDOWS_EXTENSIONS: Final = (".exe", ".com", ".cmd", ".bat")
_BATCH: Final = frozenset({".cmd", ".bat"})
_SHIM_MARK: Final = re.compile(rb"\btidegate(\.exe)?[\"']?\s+launch\b")
_MAX_SHIM_BYTES: Final = 16 << 10
_NPM_TARGET: Final = re.compile(r'"%(?:~?dp0)%?\\?([^"%]+?\.(?:exe|c?m?js))"', re.IGNORECASE)
_CMD_UNSAFE: Final = frozenset('"%!^&|<>\r\n')


def find_program(
    name: str, environ: Mapping[str, str], *, windows: bool = os.name == "nt"
) -> Path | None:
    """The first program of that name on PATH that is not a shim which starts us again."""
    for candidate in _candidates(name, environ, windows=windows):
        if _is_program(candidate, windows=windows) and not _starts_us(candidate):
            return candidate
    return None


def agent_command(
    name: str, title: str, environ: Mapping[str, str], *, windows: bool = os.name == "nt"
) -> list[str]:
    """The command that starts an agent: the override of the environment, PATH, usual places."""
    variable = f"TIDEGATE_{name.upper()}_BIN"
    if override := environ.get(variable):
        if not _is_program(Path(override), windows=windows):
            raise CommandError(f"{variable}={override} is not a program.")
        return _startable(Path(override), environ, windows=windows)
    program = find_program(name, environ, windows=windows)
    if program is None:
        raise CommandError(
            f"{title} is not installed: there is no `{name}` on PATH. "
            f"Install it, or say where it is: {variable}=/path/to/{name}"
        )
    return _startable(program, environ, windows=windows)


def check_arguments(command: Sequence[str], arguments: Sequence[str]) -> None:
    """Refuse what a Windows batch file cannot be given unchanged."""
    if Path(command[0]).suffix.lower() not in _BATCH:
        return
    for argument in arguments:
        if _CMD_UNSAFE & set(argument):
            raise CommandError(
                f"{command[0]} is a batch file, which cannot be given {argument!r} unchanged. "
                "Name the program itself by TIDEGATE_…_BIN."
            )


def _candidates(name: str, environ: Mapping[str, str], *, windows: bool) -> Iterator[Path]:
    extensions = _WINDOWS_EXTENSIONS if windows else ("",)
    folders = environ.get("PATH", "").split(";" if windows else ":")
    home = environ.get("USERPROFILE" if windows else "HOME", "")
    usual = [f"{home}/.local/bin", f"{home}/.{name}/local", f"{home}/.{name}/bin"] if home else []
    for folder in [*folders, *usual]:
        # A relative folder would let the repository that we stand in choose the program.
        if Path(folder).is_absolute():
            for extension in extensions:
                yield Path(folder) / (name + extension)


def _is_program(path: Path, *, windows: bool) -> bool:
    return path.is_file() and (windows or os.access(path, os.X_OK))


def _starts_us(path: Path) -> bool:
    try:
        if path.stat().st_size > _MAX_SHIM_BYTES:
            return False
        return _SHIM_MARK.search(path.read_bytes()) is not None
    except OSError:
        return False


def _startable(program: Path, environ: Mapping[str, str], *, windows: bool) -> list[str]:
    """The program itself, where npm's batch file for Windows would only garble its arguments."""
    if not windows or program.suffix.lower() not in _BATCH:
        return [str(program)]
    targets = _NPM_TARGET.findall(program.read_text(encoding="utf-8", errors="replace"))
    for target in reversed(targets):  # the last one is the target, an earlier one may be node
        path = program.parent.joinpath(*target.split("\\"))
        if path.suffix.lower() == ".exe":
            return [str(path)]
        if node := find_program("node", environ, windows=windows):
            return [str(node), str(path)]
    return [str(program)]
