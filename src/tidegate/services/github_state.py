"""How an organization's connection with GitHub stands: read from the store, GitHub is not asked."""

import msgspec

from tidegate.services import github_addresses
from tidegate.services.github import GithubConnection
from tidegate.services.github_addresses import addresses, is_reachable
from tidegate.services.github_installations import GithubInstallations
from tidegate.store.forge import ForgeRepository, ForgeStatus
from tidegate.store.github import GithubApp
from tidegate.store.ports import Store


class InstallationState(msgspec.Struct, frozen=True, kw_only=True):
    """An account in which the App is installed."""

    installation_id: int
    account: str
    selection: str  # "all" or "selected"
    approved: bool
    suspended: bool
    repositories: int
    url: str  # where its repositories are chosen


class GithubState(msgspec.Struct, frozen=True, kw_only=True):
    """Of a connection; without one only the address of webhooks says something."""

    connected: bool
    hook_url: str
    setup_url: str  # where GitHub brings the browser back to
    hooks_reach_us: bool = True
    app_id: int = 0
    app_name: str = ""
    app_url: str = ""
    web_url: str = ""
    has_webhook_secret: bool = False
    connected_us: int = 0
    installations: tuple[InstallationState, ...] = ()
    repositories: tuple[ForgeRepository, ...] = ()
    status: ForgeStatus = ForgeStatus()

    @property
    def is_installed(self) -> bool:
        return any(each.approved for each in self.installations)


class GithubStates:
    """Reads it."""

    def __init__(
        self,
        store: Store,
        connection: GithubConnection,
        installations: GithubInstallations,
        public_url: str,
    ) -> None:
        self._forge = store.usage.forge
        self._connection = connection
        self._installations = installations
        self._public_url = public_url

    def is_connected(self, organization_id: str) -> bool:
        """Whether there is an App, installed somewhere or not."""
        return self._connection.app(organization_id) is not None

    def get(self, organization_id: str) -> GithubState:
        app = self._connection.app(organization_id)
        hook_url = self._connection.hook_url(organization_id)
        setup_url = github_addresses.setup_url(self._public_url)
        if app is None:
            reach = is_reachable(self._public_url, "https://github.com")
            return GithubState(
                connected=False, hook_url=hook_url, setup_url=setup_url, hooks_reach_us=reach
            )
        readable = tuple(
            each
            for each in self._forge.repositories(organization_id)
            if each.accessible and not each.deleted
        )
        return GithubState(
            connected=True,
            hook_url=hook_url,
            setup_url=setup_url,
            hooks_reach_us=is_reachable(self._public_url, app.web_url),
            app_id=app.app_id,
            app_name=app.name,
            app_url=addresses(app.web_url).app(app.slug),
            web_url=app.web_url,
            has_webhook_secret=bool(app.webhook_secret),
            connected_us=app.created_us,
            installations=self._installed(app, readable),
            repositories=readable,
            status=self._forge.status(organization_id),
        )

    def _installed(
        self, app: GithubApp, readable: tuple[ForgeRepository, ...]
    ) -> tuple[InstallationState, ...]:
        return tuple(
            InstallationState(
                installation_id=each.installation_id,
                account=each.account,
                selection=each.selection,
                approved=each.approved,
                suspended=each.suspended,
                repositories=sum(r.installation_id == each.installation_id for r in readable),
                url=f"{app.web_url}/settings/installations/{each.installation_id}",
            )
            for each in self._installations.list(app.organization_id)
        )
