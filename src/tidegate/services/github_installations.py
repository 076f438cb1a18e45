"""Where the App is installed. Only what an admin of ours asked for is read.

Anyone who can install an App in an account of theirs could else have what happens there shown
here, so that others' installations wait until an admin takes them. An installation belongs to one
organization alone, and whether it is the App's at all is asked of GitHub.
"""

import msgspec

from tidegate.services.audit import Actor
from tidegate.services.context import Clock, Service, now_us
from tidegate.services.errors import Conflict, InvalidCode, NotFound
from tidegate.services.github import GithubConnection
from tidegate.services.github_addresses import addresses
from tidegate.services.github_calls import GithubCalls, GithubFault, InstallationInfo
from tidegate.services.github_events import Account, account_of
from tidegate.services.vault import Subkeys
from tidegate.store.github import GithubApp, GithubInstallation
from tidegate.store.ports import DirectoryChange, Store

_INSTALL = "install"
_ELSEWHERE = "This installation belongs to another organization."


class GithubInstallations(Service):
    """Notes installations, and which of them may be read."""

    def __init__(
        self,
        store: Store,
        subkeys: Subkeys,
        clock: Clock = now_us,
        *,
        connection: GithubConnection,
        calls: GithubCalls,
    ) -> None:
        super().__init__(store, subkeys, clock)
        self._connection = connection
        self._calls = calls

    def list(self, organization_id: str) -> list[GithubInstallation]:
        """Those that are there still."""
        with self._directory.reading() as reads:
            found = reads.github_installations(organization_id)
        return [each for each in found if not each.removed]

    def begin(self, organization_id: str, member_id: str) -> str:
        """The address where the App is installed, with a state that brings the browser back."""
        app = self._app(organization_id)
        state = self._connection.make_state(organization_id, member_id, _INSTALL)
        return addresses(app.web_url).install(app.slug, state)

    def finish(
        self,
        organization_id: str,
        member_id: str,
        *,
        installation_id: int,
        state: str,
        actor: Actor,
    ) -> bool:
        """The browser came back: whether the installation is read from now on.

        It is if it was begun here, by this person; else it waits until an admin takes it.
        """
        app = self._app(organization_id)
        begun_here = bool(state) and self._was_begun(organization_id, member_id, state)
        info = self._asked(app, installation_id)
        with self._directory.changing() as change:
            kept = self.note(change, app, account_of(info))
            if begun_here and not kept.approved:
                self._approve(change, kept, actor)
        if begun_here:
            self._store.usage.forge.request_sync(organization_id, self._clock())
        return begun_here or kept.approved

    def approve(self, organization_id: str, installation_id: int, *, actor: Actor) -> None:
        """Read an installation that others made."""
        app = self._app(organization_id)
        with self._directory.changing() as change:
            found = change.github_installation(app.web_url, installation_id)
            if found is None or found.removed or found.organization_id != organization_id:
                raise NotFound("There is no such installation of the App.")
            if found.approved:
                return
            self._approve(change, found, actor)
        self._store.usage.forge.request_sync(organization_id, self._clock())

    def note(self, change: DirectoryChange, app: GithubApp, told: Account) -> GithubInstallation:
        """Keep what was told of an installation of the App, whatever the order it comes in."""
        before = change.github_installation(app.web_url, told.installation_id)
        if before is not None and before.organization_id != app.organization_id:
            raise Conflict(_ELSEWHERE)
        kept = before or GithubInstallation(
            organization_id=app.organization_id,
            web_url=app.web_url,
            installation_id=told.installation_id,
            account="",
            seen_us=self._clock(),
        )
        after = msgspec.structs.replace(kept, removed=kept.removed or told.removed)
        if _rank(told) > _rank(kept):
            after = msgspec.structs.replace(
                after,
                account=told.account,
                selection=told.selection,
                suspended=told.suspended,
                updated_us=told.updated_us,
            )
        if after != before:
            change.put_github_installation(after)
        return after

    def _approve(self, change: DirectoryChange, found: GithubInstallation, actor: Actor) -> None:
        change.put_github_installation(msgspec.structs.replace(found, approved=True))
        detail = {"account": found.account, "installation_id": str(found.installation_id)}
        self._audit_organization(change, actor, "github_app.install", found.organization_id, detail)

    def _asked(self, app: GithubApp, installation_id: int) -> InstallationInfo:
        try:
            info = self._calls.installation(self._connection.access(app), installation_id)
        except GithubFault as fault:
            if fault.status == 404:
                raise NotFound("There is no such installation of the App.") from None
            raise Conflict(f"The installation could not be checked. {fault}") from None
        if info.id != installation_id or info.app_id not in {0, app.app_id}:
            raise NotFound("There is no such installation of the App.")
        return info

    def _was_begun(self, organization_id: str, member_id: str, state: str) -> bool:
        try:
            return self._connection.use_state(organization_id, member_id, state) == _INSTALL
        except InvalidCode:
            return False

    def _app(self, organization_id: str) -> GithubApp:
        app = self._connection.app(organization_id)
        if app is None:
            raise NotFound("GitHub is not connected.")
        return app


def _rank(told: Account | GithubInstallation) -> tuple[object, ...]:
    return told.updated_us, told.suspended, told.account, told.selection
