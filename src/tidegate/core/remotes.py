"""Repositories and pull requests by one name each, however a remote or an address is written.

A repository is `host/path`: `github.com/acme/app`, `gitlab.com/group/sub/app`,
`dev.azure.com/acme/shop/_git/app`. A pull request (GitLab: merge request) is that and `#12`.
User, password, query and fragment of an address never become part of a name.

No I/O, and nothing but the standard library: the command line uses it before anything is installed.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

_LONGEST: Final = 300  # characters of a name
_LONGEST_SOURCE: Final = 2_000
_HOST: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,250}[a-z0-9])?|\[[0-9a-f:.]{2,45}\]")
_SCP: Final = re.compile(
    r"(?P<user>[^@/\s:]+(?::[^@/\s]*)?@)?(?P<host>\[[^\]\s]+\]|[^:/@\s]{2,}):(?P<path>(?!//|:).*)"
)
_BARE: Final = re.compile(r"(?P<host>\[[^\]\s]+\]|[^:/@\s]{2,})(?P<port>:[0-9]{1,5})?/(?P<path>.+)")
_OF_ONE_HOST: Final = {  # other names of providers' hosts, as for SSH on port 443
    "ssh.github.com": "github.com",
    "www.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
    "altssh.bitbucket.org": "bitbucket.org",
    "ssh.dev.azure.com": "dev.azure.com",
    "vs-ssh.visualstudio.com": "dev.azure.com",
}
_PAGES: Final = frozenset({"pull", "tree", "blob", "commit", "merge_requests", "pull-requests"})
_WEB: Final = frozenset({"http", "https"})
_SCHEMES: Final = _WEB | {"ssh", "git", "ftp", "ftps"}
_DOTS: Final = re.compile(r"(?:\.|%2e)+", re.I)
_LINKED: Final = re.compile(r"[\w.~+%@-]{1,100}", re.A)
_GITHUB_OWNER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,38}")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")
_COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")
_PULL_REQUEST: Final = re.compile(
    r"(?:(?:PR|MR|pull request|merge request)\s*)?"
    r"(?:(?P<repository>[^\s#!?]*)[#!])?(?P<number>[0-9]{1,9})",
    re.I,
)
_PULL_REQUEST_PAGE: Final = re.compile(
    r"(?P<repository>.+?)(?:/-)?/(?:pull|merge_requests|pull-requests|pullrequest)"
    r"/(?P<number>[0-9]{1,9})(?:[/?#].*)?"
)


class Forge(StrEnum):
    """Whose pages a host serves, and so how their addresses are made."""

    GITHUB = "github"
    GITLAB = "gitlab"
    BITBUCKET = "bitbucket"
    AZURE = "azure"
    UNKNOWN = ""


_PUBLIC: Final = {
    "github.com": Forge.GITHUB,
    "gitlab.com": Forge.GITLAB,
    "bitbucket.org": Forge.BITBUCKET,
    "dev.azure.com": Forge.AZURE,
}


@dataclass(frozen=True, slots=True)
class RepositoryName:
    """How a repository is written: `owner/` muted, `name` strong; empty link: no page known."""

    owner: str
    name: str
    href: str


@dataclass(frozen=True, slots=True)
class PullRequestName:
    repository: str
    number: str

    @property
    def value(self) -> str:
        return f"{self.repository}#{self.number}"


# -- names -------------------------------------------------------------------


def normalise_remote(url: str) -> str | None:
    """The repository of a git remote or of any page of it; None for what is none, as a path."""
    text = _clean(url)
    if text is None:
        return None
    if "://" in text:
        return _of_address(text)
    match = _SCP.fullmatch(text)
    if match is None or text.startswith((".", "/", "~", "\\")):
        return None
    if not match["user"] and (bare := _BARE.fullmatch(text)) and bare["port"]:
        return _name(match["host"], bare["path"], bare["port"])  # as we write a port ourselves
    return _name(match["host"], match["path"])


def repository_of(text: str, *, default_host: str = "") -> str | None:
    """The same, also of a bare `host/path`; with a default host `owner/app` is enough.

    What it returns is returned again when asked.
    """
    cleaned = _clean(text)
    if cleaned is None:
        return None
    if default_host and re.fullmatch(r"[^/:@.\s]+/[^/:@\s]+", cleaned):
        return _name(default_host, cleaned)
    found = normalise_remote(cleaned)
    if found is None and (bare := _BARE.fullmatch(cleaned)):
        return _name(bare["host"], bare["path"], bare["port"] or "")
    return found


def pull_request_of(text: str, repository: str = "") -> PullRequestName | None:
    """Read `12`, `#12`, `!12`, `owner/app#12`, a name of ours, or any page of a pull request.

    What does not name a repository is one of `repository`'s.
    """
    cleaned = _clean(text)
    if cleaned is None:
        return None
    match = _PULL_REQUEST_PAGE.fullmatch(cleaned)
    match = match or _PULL_REQUEST.fullmatch(cleaned.replace("%20", " "))
    if match is None:
        return None
    if not match["repository"]:
        return _pull_request(repository, match["number"])
    host = repository.partition("/")[0] or "github.com"
    return _pull_request(_of_path(match["repository"], host), match["number"])


def branch_of(text: str) -> str:
    """A branch's name as git allows it, empty for what can be none."""
    if not 0 < len(text) <= _LONGEST or not text.isprintable() or text.startswith(("-", "/", ".")):
        return ""
    forbidden = re.search(r"[\s~^:?*\[\\]|\.\.|@\{|//|\.lock(?:/|$)|[./]$", text)
    return "" if forbidden or text == "@" else text


def commit_of(text: str) -> str:
    """A commit's hex in small letters, empty for what is none."""
    lowered = text.lower()
    return lowered if _COMMIT.fullmatch(lowered) else ""


def _of_path(named: str, host: str) -> str | None:
    if "://" in named or "." in named.partition("/")[0]:
        return repository_of(named)
    return _name(host, named) if "/" in named else None


def _pull_request(repository: str | None, number: str) -> PullRequestName | None:
    bare = number.lstrip("0")
    return PullRequestName(repository, bare) if repository and _NUMBER.fullmatch(bare) else None


def _clean(text: str) -> str | None:
    """None for what is no name: too long, or with characters that are not seen."""
    if len(text) > _LONGEST_SOURCE:
        return None
    stripped = text.strip()
    return stripped.replace(" ", "%20") if stripped and stripped.isprintable() else None


def _of_address(text: str) -> str | None:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    scheme = parts.scheme.removeprefix("git+").removesuffix("+git")
    if not host or scheme not in _SCHEMES:
        return None
    by_web = scheme in _WEB
    shown = f"[{host}]" if ":" in host else host
    return _name(shown, parts.path, f":{port}" if by_web and port else "", is_page=by_web)


def _name(host: str, path: str, port: str = "", *, is_page: bool = False) -> str | None:
    name = host.lower().removesuffix(".")
    if not _HOST.fullmatch(name):
        return None
    bare = re.split(r"[?#]", path, maxsplit=1)[0]
    segments = [segment for segment in bare.split("/") if segment]
    if not segments or "\\" in bare or any(map(_DOTS.fullmatch, segments)):
        return None
    name, segments = _of_forge(_OF_ONE_HOST.get(name, name), segments, is_page=is_page)
    if not segments:
        return None
    segments[-1] = segments[-1].removesuffix(".git") or segments[-1]
    shown_port = "" if port in {":80", ":443"} else port
    found = f"{name}{shown_port}/{'/'.join(segments)}"
    return found if len(found) <= _LONGEST else None


def _of_forge(host: str, path: list[str], *, is_page: bool) -> tuple[str, list[str]]:
    """Host and path as the forge's own web pages have them, up to the repository."""
    if host.endswith(".visualstudio.com"):
        organization = host.removesuffix(".visualstudio.com")
        inner = path[1:] if path[0].lower() == "defaultcollection" else path
        host, path = "dev.azure.com", [organization, *inner]
    if host == "dev.azure.com":
        return host, _of_azure(path)
    if "-" in path[2:]:  # GitLab's own pages of a repository
        path = path[: path.index("-", 2)]
    if forge_of(host) is Forge.BITBUCKET and host != "bitbucket.org":
        return host, _of_bitbucket_server(path)
    if host in {"github.com", "bitbucket.org"} or (is_page and len(path) > 3 and path[2] in _PAGES):
        path = path[:2]
    return host, path if len(path) > 1 or host not in _PUBLIC else []


def _of_azure(path: list[str]) -> list[str]:
    if path[0] == "v3":  # by SSH
        return [*path[1:3], "_git", *path[3:4]] if len(path) >= 4 else []
    if "_git" not in path:
        return []
    at = path.index("_git")
    if at + 1 >= len(path) or not 1 <= at <= 2:
        return []
    project = path[1] if at == 2 else path[at + 1]  # a project's first repository has its name
    return [path[0], project, "_git", path[at + 1]]


def _of_bitbucket_server(path: list[str]) -> list[str]:
    if path[0] == "scm":
        return path[1:3]
    if path[0] in {"projects", "users"} and path[2:3] == ["repos"]:
        owner = path[1].lower() if path[0] == "projects" else f"~{path[1]}"
        return [owner, *path[3:4]]
    return path


# -- pages -------------------------------------------------------------------


def forge_of(host: str, enterprise: Collection[str] = ()) -> Forge:
    """Whose software answers there; `enterprise` are hosts known to run GitHub Enterprise."""
    name = host.partition(":")[0].lower()
    if host in enterprise or name in enterprise:
        return Forge.GITHUB
    if name in _PUBLIC:
        return _PUBLIC[name]
    if any(name.startswith(f"{public}.") for public in _PUBLIC):
        return Forge.UNKNOWN  # it only looks like one
    first, _, rest = name.partition(".")
    if rest == "ghe.com":
        return Forge.GITHUB
    return Forge(first) if rest and first in {"github", "gitlab", "bitbucket"} else Forge.UNKNOWN


def repository_url(repository: str, enterprise: Collection[str] = ()) -> str:
    """The repository's page; empty where there is none to be sure of."""
    host, _, path = repository.partition("/")
    forge = forge_of(host, enterprise)
    segments = path.split("/")
    if forge is Forge.UNKNOWN or not all(map(_can_be_linked, segments)):
        return ""
    if not _HOST.fullmatch(host.partition(":")[0].lower()) or not _SHAPE[forge](segments):
        return ""
    if forge is Forge.BITBUCKET and host != "bitbucket.org":
        owner = segments[0]
        whose = f"users/{owner[1:]}" if owner.startswith("~") else f"projects/{owner.upper()}"
        path = f"{whose}/repos/{segments[1]}"
    return f"https://{host}/{path}"


def pull_request_url(repository: str, number: str, enterprise: Collection[str] = ()) -> str:
    """The page of a pull request; empty where there is none to be sure of."""
    return _page(repository, number if _NUMBER.fullmatch(number) else "", 0, enterprise)


def commit_url(repository: str, commit: str, enterprise: Collection[str] = ()) -> str:
    """The page of a commit; empty where there is none to be sure of."""
    return _page(repository, commit_of(commit), 1, enterprise)


def repository_name(repository: str, enterprise: Collection[str] = ()) -> RepositoryName:
    """How to write a repository; only GitHub's own host goes without saying."""
    href = repository_url(repository, enterprise)
    shown = repository.partition("/")[2] if href.startswith("https://github.com/") else repository
    owner, _, name = shown.rpartition("/")
    return RepositoryName(owner.removesuffix("/_git"), name or shown, href)


_PAGES_OF: Final = {  # pull request, commit
    Forge.GITHUB: ("pull", "commit"),
    Forge.GITLAB: ("-/merge_requests", "-/commit"),
    Forge.BITBUCKET: ("pull-requests", "commits"),
    Forge.AZURE: ("pullrequest", "commit"),
}


def _page(repository: str, what: str, kind: int, enterprise: Collection[str]) -> str:
    href = repository_url(repository, enterprise) if what else ""
    forge = forge_of(repository.partition("/")[0], enterprise)
    return f"{href}/{_PAGES_OF[forge][kind]}/{what}" if href else ""


def _can_be_linked(segment: str) -> bool:
    return bool(_LINKED.fullmatch(segment)) and not _DOTS.fullmatch(segment)


_SHAPE: Final[dict[Forge, Callable[[list[str]], bool]]] = {
    Forge.GITHUB: lambda path: len(path) == 2 and bool(_GITHUB_OWNER.fullmatch(path[0])),
    Forge.GITLAB: lambda path: 2 <= len(path) <= 22,
    Forge.BITBUCKET: lambda path: len(path) == 2,
    Forge.AZURE: lambda path: len(path) == 4 and path[2] == "_git",
}
