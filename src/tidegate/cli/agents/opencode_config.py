"""What the developer's own OpenCode config says, read in the order in which OpenCode reads it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tidegate.cli.agents.jsonc import load_object

_NAMES: Final = ("opencode.json", "opencode.jsonc")


def configured_model(folder: Path, environ: Mapping[str, str], content: Mapping[str, Any]) -> str:
    """The model that OpenCode would start with, "provider/model"; empty if none is configured."""
    model = content.get("model")
    if not isinstance(model, str):
        loaded = (load_object(file) or {} for file in _files(folder, environ))
        models = [config["model"] for config in loaded if isinstance(config.get("model"), str)]
        model = models[-1] if models else ""
    return model


def _files(folder: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    """Config files, the one that counts most last."""
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
    user = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "opencode"
    yield from (user / name for name in ("config.json", *_NAMES))
    if named := environ.get("OPENCODE_CONFIG"):
        yield folder / named
    project = () if environ.get("OPENCODE_DISABLE_PROJECT_CONFIG") else _project_folders(folder)
    for place in project:
        yield from (place / name for name in _NAMES)
    for place in [*(place / ".opencode" for place in project), home / ".opencode"]:
        yield from (place / name for name in _NAMES)
    if more := environ.get("OPENCODE_CONFIG_DIR"):
        yield from (Path(more) / name for name in _NAMES)


def _project_folders(folder: Path) -> list[Path]:
    """From the root of the repository down to the folder; the folder alone outside of one."""
    above = [folder, *folder.parents]
    roots = [index for index, place in enumerate(above) if (place / ".git").exists()]
    return above[: roots[0] + 1][::-1] if roots else [folder]
