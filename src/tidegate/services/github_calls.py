"""What we ask GitHub, through githubkit, and a sentence for each way in which it may not answer.

githubkit and httpx take a third of a second and 45 MB, so that they are loaded with the first call.
"""

from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from tidegate.store.github import GithubApp

_T = TypeVar("_T")
_AGENT: Final = "tidegate"
_PAGE: Final = 100
_MOST_PAGES: Final = 100
_HOUR_S: Final = 3600
_LEAST_WAIT_S: Final = 60


class AddressRefused(Exception):
    """The address is one that requests may not go to; the message says why."""


class GithubFault(Exception):
    """GitHub did not answer as hoped; the message is a sentence for an admin."""

    def __init__(self, sentence: str, *, status: int = 0, wait_s: int = 0) -> None:
        super().__init__(sentence)
        self.status = status
        self.wait_s = wait_s  # GitHub is not to be asked before


class Owner(msgspec.Struct, frozen=True):
    login: str = ""


class AppInfo(msgspec.Struct, frozen=True):
    """What GitHub says of an App; the secrets only where the App was made just now."""

    id: int
    slug: str = ""
    name: str = ""
    owner: Owner | None = None
    html_url: str = ""
    pem: str = ""
    webhook_secret: str | None = None
    client_id: str = ""
    client_secret: str = ""


class InstallationInfo(msgspec.Struct, frozen=True):
    id: int
    app_id: int = 0
    account: Owner | None = None
    repository_selection: str = ""
    updated_at: str | int = ""
    suspended_at: str | int | None = None


class RepositoryInfo(msgspec.Struct, frozen=True):
    id: int
    full_name: str
    private: bool = False
    default_branch: str | None = None
    created_at: str | int | None = None
    updated_at: str | int | None = None


class HeadInfo(msgspec.Struct, frozen=True):
    ref: str = ""
    repo: RepositoryInfo | None = None


class PullInfo(msgspec.Struct, frozen=True):
    """A pull request as webhooks and the API have it; a list leaves out the last fields."""

    number: int
    title: str = ""
    state: str = "open"
    user: Owner | None = None
    head: HeadInfo = HeadInfo()
    base: HeadInfo = HeadInfo()
    html_url: str = ""
    draft: bool = False
    created_at: str = ""
    updated_at: str = ""
    closed_at: str | None = None
    merged_at: str | None = None
    additions: int = 0
    deletions: int = 0


class _Repositories(msgspec.Struct, frozen=True):
    repositories: list[RepositoryInfo] = []
    total_count: int = 0


class PullPage(msgspec.Struct, frozen=True):
    """A page of a list of pull requests, the last changed first. None of it: nothing changed."""

    pulls: list[PullInfo] | None
    etag: str = ""

    @property
    def is_full(self) -> bool:
        return self.pulls is not None and len(self.pulls) == _PAGE


class Access(msgspec.Struct, frozen=True):
    """What a call is made with. Never printed with the key."""

    api_url: str
    app_id: int
    private_key: str

    def __repr__(self) -> str:
        return f"Access({self.api_url}, {self.app_id})"


class GithubCalls:
    """Calls of GitHub's API. Each takes up to many seconds: not for an event loop.

    `transport` makes what requests go out by, which refuses addresses that they may not go to.
    """

    def __init__(self, transport: Callable[[], Any]) -> None:
        self._make_transport = transport
        self._clients: dict[tuple[object, ...], Any] = {}

    def convert(self, api_url: str, code: str) -> AppInfo:
        """The App that someone made by our manifest."""
        kit = import_module("githubkit")
        client = self._client((api_url,), kit.UnauthAuthStrategy(), api_url)
        path = f"/app-manifests/{quote(code, safe='')}/conversions"
        return self._asked(client, "POST", path, AppInfo)

    def app(self, access: Access) -> AppInfo:
        return self._asked(self._as_app(access), "GET", "/app", AppInfo)

    def installations(self, access: Access) -> list[InstallationInfo]:
        client = self._as_app(access)
        found: list[InstallationInfo] = []
        for page in range(1, _MOST_PAGES + 1):
            path = f"/app/installations?per_page={_PAGE}&page={page}"
            some = self._asked(client, "GET", path, list[InstallationInfo])
            found += some
            if len(some) < _PAGE:
                break
        return found

    def installation(self, access: Access, installation_id: int) -> InstallationInfo:
        path = f"/app/installations/{installation_id}"
        return self._asked(self._as_app(access), "GET", path, InstallationInfo)

    def repositories(self, access: Access, installation_id: int) -> list[RepositoryInfo]:
        client = self._as_installation(access, installation_id)
        found: list[RepositoryInfo] = []
        for page in range(1, _MOST_PAGES + 1):
            path = f"/installation/repositories?per_page={_PAGE}&page={page}"
            some = self._asked(client, "GET", path, _Repositories)
            found += some.repositories
            if len(some.repositories) < _PAGE:
                break
        return found

    def pulls(
        self, access: Access, installation_id: int, full_name: str, *, page: int, etag: str = ""
    ) -> PullPage:
        client = self._as_installation(access, installation_id)
        query = f"state=all&sort=updated&direction=desc&per_page={_PAGE}&page={page}"
        path = f"/repos/{_path(full_name)}/pulls?{query}"
        response = self._request(client, "GET", path, {"if-none-match": etag} if etag else {})
        if response.status_code == 304:
            return PullPage(None, etag)
        pulls = _decoded(response.content, list[PullInfo])
        return PullPage(pulls, response.headers.get("etag", ""))

    def pull(self, access: Access, installation_id: int, full_name: str, number: int) -> PullInfo:
        client = self._as_installation(access, installation_id)
        path = f"/repos/{_path(full_name)}/pulls/{number}"
        return self._asked(client, "GET", path, PullInfo)

    def forget(self) -> None:
        """Forget keys and tokens of Apps; for one that was disconnected."""
        self._clients.clear()

    def _as_app(self, access: Access) -> Any:
        kit = import_module("githubkit")
        auth = kit.AppAuthStrategy(access.app_id, access.private_key)
        return self._client((access,), auth, access.api_url)

    def _as_installation(self, access: Access, installation_id: int) -> Any:
        kit = import_module("githubkit")
        auth = kit.AppInstallationAuthStrategy(access.app_id, access.private_key, installation_id)
        return self._client((access, installation_id), auth, access.api_url)

    def _client(self, key: tuple[object, ...], auth: Any, api_url: str) -> Any:
        """One for each App and installation, which keeps its token while it is good."""
        if key not in self._clients:
            kit, cache = import_module("githubkit"), import_module("githubkit.cache")
            self._clients[key] = kit.GitHub(
                auth,
                base_url=api_url,
                user_agent=_AGENT,
                follow_redirects=False,
                http_cache=False,
                auto_retry=False,
                trust_env=False,
                transport=self._make_transport(),
                cache_strategy=cache.MemCacheStrategy(),  # not one for all Apps
            )
        return self._clients[key]

    def _asked(self, client: Any, method: str, path: str, kind: type[_T]) -> _T:
        return _decoded(self._request(client, method, path, {}).content, kind)

    def _request(self, client: Any, method: str, path: str, headers: dict[str, str]) -> Any:
        """The answer of GitHub, or GithubFault."""
        faults = import_module("githubkit.exception")
        host = client.config.base_url.host
        try:
            response = client.request(method, path, headers=headers).raw_response
        except faults.RequestError as fault:
            raise _fault(host, fault) from None
        except ValueError:
            raise GithubFault(f"{host} did not answer as GitHub does.") from None
        if 300 <= response.status_code < 400 and response.status_code != 304:
            raise _failed(host, response.status_code)
        return response


def _path(full_name: str) -> str:
    return quote(full_name, safe="/")


def _decoded(body: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise GithubFault(
            "The answer is not one of GitHub's API. Check the address of GitHub."
        ) from None


def _fault(host: str, fault: Any) -> GithubFault:
    """What githubkit raised, in our words; the request for a token fails inside another."""
    faults, httpx = import_module("githubkit.exception"), import_module("httpx")
    cause = fault
    while type(cause) is faults.RequestError:
        cause = cause.exc
    if isinstance(cause, faults.RateLimitExceeded):
        return _limited(host, cause.response.status_code, cause.retry_after)
    if isinstance(cause, faults.RequestFailed):
        return _failed(host, cause.response.status_code)
    if isinstance(cause, faults.RequestTimeout | httpx.TimeoutException):
        return GithubFault(f"{host} did not answer in time. It is asked again later.")
    if isinstance(cause, AddressRefused):
        allow = "Whoever runs this server can allow it with --allow-upstream."
        return GithubFault(f"{cause}. {allow}")
    if isinstance(cause, httpx.TransportError):
        return GithubFault(
            f"{host} could not be reached. It is asked again later; check the network of this"
            " server."
        )
    return GithubFault(
        f"The private key is not one that can sign for {host}. Connect the App anew."
    )


def _limited(host: str, status: int, wait: timedelta) -> GithubFault:
    wait_s = min(max(int(wait.total_seconds()) + 1, _LEAST_WAIT_S), _HOUR_S)
    minutes = -(-wait_s // 60)
    return GithubFault(
        f"{host} wants fewer requests (rate limit, {status}). It is asked again in"
        f" {minutes} min; webhooks go on meanwhile.",
        status=status,
        wait_s=wait_s,
    )


def _failed(host: str, status: int) -> GithubFault:
    sentence = _STATUSES.get(status) or (
        "{host} redirects to another address ({status}), which is not followed."
        if 300 <= status < 400
        else "{host} has trouble of its own ({status}). It is asked again later."
        if status >= 500
        else "{host} refused the request ({status})."
    )
    return GithubFault(sentence.format(host=host, status=status), status=status)


_STATUSES: Final = {
    401: "{host} does not accept the App's key (401). Check App id and private key.",
    403: "{host} forbids it (403). Check the App's permissions and whether it is suspended.",
    404: "{host} knows no such App, installation or repository (404).",
}


def access_to(app: GithubApp, private_key: str) -> Access:
    return Access(app.api_url, app.app_id, private_key)


def host_of(web_url: str) -> str:
    """A GitHub's host as the names of its repositories begin: with its port, if it has one."""
    return urlsplit(web_url).netloc.lower()
