"""What a webhook of GitHub says, as facts. Pure: the same body always says the same.

Only the fields that we keep are read, all others may be as they like. Titles and names are cut;
what is no name at all makes the body unreadable.
"""

from datetime import UTC, datetime
from typing import Final

import msgspec

from tidegate.core.remotes import repository_of
from tidegate.services.github_calls import InstallationInfo, Owner, PullInfo, RepositoryInfo
from tidegate.store.forge import AccessFact, Facts, PullRequest, RepositoryFact, Telling

_MOST_CHARS: Final = 300
_SECOND_US: Final = 1_000_000
_BRANCH: Final = "refs/heads/"
EVENTS: Final = frozenset(
    ("ping", "installation", "installation_repositories", "repository", "pull_request", "push")
)


class Unreadable(ValueError):
    """The body is not one of this event."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What an event says of an installation itself."""

    installation_id: int
    account: str
    selection: str
    suspended: bool
    removed: bool
    updated_us: int


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What an event says."""

    action: str = ""
    app_id: int = 0  # 0: it does not say
    installation_id: int = 0
    account: Account | None = None
    facts: Facts = Facts()
    heads: tuple[tuple[int, str], ...] = ()  # repositories and branches that changed


class _Short(msgspec.Struct, frozen=True):
    id: int
    full_name: str
    private: bool = False


class _From(msgspec.Struct, frozen=True):
    name: "_Value | None" = None


class _Value(msgspec.Struct, frozen=True, rename={"text": "from"}):
    text: str = ""


class _OldOwner(msgspec.Struct, frozen=True):
    user: Owner | None = None
    organization: Owner | None = None


class _OwnerFrom(msgspec.Struct, frozen=True, rename={"old": "from"}):
    old: _OldOwner = _OldOwner()


class _Changes(msgspec.Struct, frozen=True):
    repository: _From = _From()
    owner: _OwnerFrom = _OwnerFrom()


class _Body(msgspec.Struct, frozen=True):
    action: str = ""
    installation: InstallationInfo | None = None
    repository: RepositoryInfo | None = None
    repositories: list[_Short] = []
    repositories_added: list[_Short] = []
    repositories_removed: list[_Short] = []
    pull_request: PullInfo | None = None
    changes: _Changes = _Changes()
    ref: str = ""
    deleted: bool = False


class _Plain(msgspec.Struct, frozen=True):
    """Of events whose other fields may have any shape."""

    action: str = ""
    installation: InstallationInfo | None = None
    repository: RepositoryInfo | None = None
    ref: str = ""


def read_event(event: str, body: bytes, host: str) -> Told:
    """What a body of one of `EVENTS` says; `host` is that of the repositories. Unreadable."""
    full = event in {"installation", "installation_repositories", "repository", "pull_request"}
    try:
        if full:
            found = msgspec.json.decode(body, type=_Body)
        else:
            plain = msgspec.json.decode(body, type=_Plain)
            found = _Body(plain.action, plain.installation, plain.repository, ref=plain.ref)
        return _told(event, found, host)
    except (ValueError, RecursionError) as fault:
        raise Unreadable(f"no {event} event") from fault


def _told(event: str, body: _Body, host: str) -> Told:
    installation = body.installation
    told = Told(
        action=body.action[:_MOST_CHARS],
        app_id=installation.app_id if installation else 0,
        installation_id=installation.id if installation else 0,
        facts=_facts(event, body, host),
        heads=_heads(event, body),
    )
    if event in {"installation", "installation_repositories"} and installation:
        account = account_of(installation, body.action if event == "installation" else "")
        return msgspec.structs.replace(told, account=account)
    return told


def account_of(installation: InstallationInfo, action: str = "") -> Account:
    """An installation as an event or the API has it."""
    return Account(
        installation_id=installation.id,
        account=clean(installation.account.login if installation.account else ""),
        selection=installation.repository_selection[:20],
        suspended=action != "unsuspend"
        and (action == "suspend" or installation.suspended_at is not None),
        removed=action == "deleted",
        updated_us=time_us(installation.updated_at),
    )


def repository_fact(
    info: RepositoryInfo, host: str, *, telling: int = Telling.MENTIONED, former: str = ""
) -> RepositoryFact:
    """A repository as an event or the API has it."""
    return RepositoryFact(
        repository_id=info.id,
        name=named(host, info.full_name),
        at_us=time_us(info.updated_at) or time_us(info.created_at),
        telling=telling,
        private=info.private,
        default_branch=clean(info.default_branch or ""),
        created_us=time_us(info.created_at),
        former=former,
    )


def pull_request(info: PullInfo, repository: RepositoryInfo, host: str) -> PullRequest:
    """A pull request as an event or the API has it."""
    if info.number <= 0:
        raise ValueError("a pull request has a number")
    return PullRequest(
        repository_id=repository.id,
        repository=named(host, repository.full_name),
        number=info.number,
        title=clean(info.title),
        author=clean(info.user.login if info.user else ""),
        state=_state(info),
        head_repository_id=info.head.repo.id if info.head.repo else 0,
        head_branch=clean(info.head.ref),
        base_branch=clean(info.base.ref),
        created_us=time_us(info.created_at),
        merged_us=time_us(info.merged_at),
        closed_us=time_us(info.closed_at),
        additions=max(0, info.additions),
        deletions=max(0, info.deletions),
        url=f"https://{host}/{repository.full_name}/pull/{info.number}",
        updated_us=time_us(info.updated_at),
    )


def access_fact(
    info: RepositoryInfo | _Short, host: str, installation_id: int, at_us: int, *, accessible: bool
) -> AccessFact:
    """Whether an installation may read a repository."""
    return AccessFact(
        repository_id=info.id,
        name=named(host, info.full_name),
        installation_id=installation_id,
        accessible=accessible,
        at_us=at_us,
        private=info.private,
    )


def named(host: str, full_name: str) -> str:
    """`github.com/acme/app`, as sessions name it. ValueError for what is no repository."""
    found = repository_of(f"{host}/{full_name}")
    if found is None or found.count("/") < 2:
        raise ValueError("no name of a repository")
    return found


def time_us(value: str | int | None) -> int:
    """GitHub's times: ISO 8601, or seconds. 0 for none."""
    if value is None or value == "":
        return 0
    if isinstance(value, int):
        seconds = value
        if not 0 <= seconds < 1 << 40:
            raise ValueError("no time")
        return seconds * _SECOND_US
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * _SECOND_US)


def clean(text: str) -> str:
    """A text of someone else's, as far as it is shown."""
    return "".join(char if char.isprintable() else " " for char in text[:_MOST_CHARS]).strip()


def _facts(event: str, body: _Body, host: str) -> Facts:
    repository = body.repository
    if event in {"installation", "installation_repositories"}:
        return _access_facts(event, body, host)
    if repository is None or event == "ping":
        return Facts()
    if event == "repository":
        return Facts(repositories=[_changed(body, repository, host)])
    mentioned = [repository_fact(repository, host)]
    if event == "pull_request" and body.pull_request is not None:
        pull = pull_request(body.pull_request, repository, host)
        return Facts(repositories=mentioned, pull_requests=[pull])
    return Facts(repositories=mentioned)


def _access_facts(event: str, body: _Body, host: str) -> Facts:
    installation = body.installation
    if installation is None:
        return Facts()
    at_us = time_us(installation.updated_at)
    added = body.repositories_added if event != "installation" else body.repositories
    removed = body.repositories_removed
    if event == "installation" and body.action == "deleted":
        added, removed = [], added
    access = [
        access_fact(each, host, installation.id, at_us, accessible=accessible)
        for some, accessible in ((added, True), (removed, False))
        for each in some
    ]
    return Facts(access=access)


def _changed(body: _Body, repository: RepositoryInfo, host: str) -> RepositoryFact:
    owner, _, name = repository.full_name.partition("/")
    former, telling = "", Telling.MENTIONED
    if body.action == "renamed" and body.changes.repository.name:
        former, telling = f"{owner}/{body.changes.repository.name.text}", Telling.RENAMED
    elif body.action == "transferred":
        old = body.changes.owner.old.user or body.changes.owner.old.organization
        telling = Telling.RENAMED
        former = f"{old.login}/{name}" if old else ""
    elif body.action == "deleted":
        telling = Telling.DELETED
    before = named(host, former) if former else ""
    return repository_fact(repository, host, telling=telling, former=before)


def _heads(event: str, body: _Body) -> tuple[tuple[int, str], ...]:
    if event == "push" and body.repository and body.ref.startswith(_BRANCH):
        return ((body.repository.id, clean(body.ref.removeprefix(_BRANCH))),)
    pull = body.pull_request
    if event == "pull_request" and pull and pull.head.repo and body.repository:
        return ((pull.head.repo.id, clean(pull.head.ref)),)
    return ()


def _state(info: PullInfo) -> str:
    if info.merged_at:
        return "merged"
    if info.state == "closed":
        return "closed"
    return "draft" if info.draft else "open"
