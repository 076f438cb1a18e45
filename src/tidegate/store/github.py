"""An organization's GitHub App, and the accounts that it is installed in."""

from typing import Protocol

import msgspec


class GithubApp(msgspec.Struct, frozen=True, kw_only=True):
    """The App that an organization connected; its secrets are AES-256-GCM ciphertext."""

    organization_id: str
    hook_id: str  # names the App in the address of its webhooks
    app_id: int
    slug: str
    name: str
    api_url: str
    web_url: str
    private_key: bytes
    webhook_secret: bytes
    client_id: str = ""
    client_secret: bytes = b""
    created_us: int
    updated_us: int

    def __repr__(self) -> str:
        return f"GithubApp({self.app_id}, {self.slug}, {self.api_url})"


class GithubInstallation(msgspec.Struct, frozen=True, kw_only=True):
    """An account, a person's or an organization's, in which the App is installed."""

    organization_id: str
    web_url: str  # with it the id is unique
    installation_id: int
    account: str
    selection: str = ""  # "all" or "selected" repositories
    approved: bool = False  # an admin of ours asked for it; what others installed is not read
    suspended: bool = False
    removed: bool = False  # for good: GitHub does not use an id again
    updated_us: int = 0  # by GitHub
    seen_us: int = 0  # when we heard of it first


class GithubReads(Protocol):
    """Part of `tidegate.store.ports.DirectoryReads`."""

    def github_app(self, organization_id: str) -> GithubApp | None: ...
    def github_apps(self) -> list[GithubApp]:
        """Of all organizations, for the job that asks GitHub."""
        ...

    def github_app_by_hook(self, hook_id: str) -> GithubApp | None:
        """Whose App a webhook is of; its signature is checked after."""
        ...

    def github_app_by_id(self, web_url: str, app_id: int) -> GithubApp | None:
        """Whether an App is connected already, by whichever organization."""
        ...

    def github_installations(self, organization_id: str) -> list[GithubInstallation]: ...
    def github_installation(self, web_url: str, installation_id: int) -> GithubInstallation | None:
        """Whichever organization it belongs to: an installation belongs to one alone."""
        ...


class GithubChange(GithubReads, Protocol):
    """Part of `tidegate.store.ports.DirectoryChange`."""

    def put_github_app(self, record: GithubApp) -> None: ...
    def delete_github_app(self, organization_id: str) -> None:
        """The App with its secrets and installations."""
        ...

    def put_github_installation(self, record: GithubInstallation) -> None: ...
