"""Addresses on GitHub of what a Git remote names. Nothing is linked that is not plainly there."""

import re
from dataclasses import dataclass
from typing import Final

_HOST: Final = "github.com"
_OWNER: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})")
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class RepositoryName:
    """How a repository is written: `owner/` muted, `name` strong; empty link: not on GitHub."""

    owner: str
    name: str
    href: str


def repository_name(repository: str) -> RepositoryName:
    """Of a remote such as `github.com/acme/app`; other hosts are written out."""
    host, _, path = repository.partition("/")
    owner, _, name = path.partition("/")
    plausible = _OWNER.fullmatch(owner) and _NAME.fullmatch(name) and name not in {".", ".."}
    if host.lower() == _HOST and plausible:
        return RepositoryName(owner, name, f"https://{_HOST}/{owner}/{name}")
    owner, _, name = repository.rpartition("/")
    return RepositoryName(owner, name or repository, "")


def pull_request_link(repository: str, number: str) -> str:
    """The page of a pull request; empty where there is none to be sure of."""
    href = repository_name(repository).href
    return f"{href}/pull/{number}" if href and _NUMBER.fullmatch(number) else ""
