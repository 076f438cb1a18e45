"""The developer's profiles: for each server, one key per agent. A private file of this program.

One file holds all profiles: {"version": 1, "profiles": {NAME: {…, "keys": {AGENT: {…}}}}}.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from tidegate.cli.errors import CommandError

DEFAULT_PROFILE: Final = "default"
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class AgentKey:
    """The key that one agent authenticates with."""

    key_id: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Profile:
    """One member at one server."""

    base_url: str
    organization_id: str
    organization_name: str
    email: str
    keys: Mapping[str, AgentKey] = field(default_factory=dict)  # by agent
    mcp: bool = True  # whether launched agents get the session tools

    def with_key(self, agent: str, key: AgentKey) -> "Profile":
        """The same profile with this agent's key added or replaced."""
        return replace(self, keys={**self.keys, agent: key})

    def same_place(self, other: "Profile") -> bool:
        """Whether both are the same member of the same organization at the same server."""
        return (self.base_url, self.organization_id, self.email) == (
            other.base_url,
            other.organization_id,
            other.email,
        )


def profile_path(environ: Mapping[str, str], *, windows: bool = os.name == "nt") -> Path:
    """Where the profiles are kept."""
    if windows:
        root = environ.get("APPDATA")
        return (Path(root) if root else Path.home() / "AppData/Roaming") / "tidegate/profile.json"
    configured = environ.get("XDG_CONFIG_HOME", "")
    root_dir = Path(configured) if configured.startswith("/") else Path.home() / ".config"
    return root_dir / "tidegate/profile.json"


def load_profiles(path: Path) -> dict[str, Profile]:
    """Read every profile; none if the file does not exist."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["version"] != _VERSION:
            raise CommandError(f"{path} was written by another version of tidegate; update it.")
        return {name: _read(entry) for name, entry in document["profiles"].items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CommandError(
            f"{path} is damaged. Delete it and log in again with a new code."
        ) from None


def find_profile(profiles: Mapping[str, Profile], name: str) -> Profile:
    """The profile of that name, or a message on how to get one."""
    if name in profiles:
        return profiles[name]
    if not profiles:
        raise CommandError(
            "You are not logged in. Ask your admin for a code: tidegate login URL CODE"
        )
    names = ", ".join(sorted(profiles))
    raise CommandError(f"There is no profile {name!r}; there are: {names}. Choose by --profile.")


def save_profiles(path: Path, profiles: Mapping[str, Profile]) -> None:
    """Replace the file in one step; it is never readable by others, not even for a moment."""
    entries = {name: _entry(profile) for name, profile in profiles.items()}
    text = json.dumps({"version": _VERSION, "profiles": entries}, indent=2) + "\n"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        _replace(path, text)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from None


def _replace(path: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(prefix=".profile-", dir=path.parent)  # 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _entry(profile: Profile) -> dict[str, Any]:
    """What is as usual is left out, so that an older release can read it."""
    entry = asdict(profile)
    if profile.mcp:
        del entry["mcp"]
    return entry


def _read(entry: dict[str, Any]) -> Profile:
    keys = {agent: AgentKey(**key) for agent, key in entry["keys"].items()}
    profile = Profile(**{**entry, "keys": keys})
    if type(profile.mcp) is not bool:
        raise TypeError
    return profile
