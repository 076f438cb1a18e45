"""The directory's part on GitHub Apps; see `tidegate.store.github`."""

import msgspec
import sqlalchemy as sa

from tidegate.store.github import GithubApp, GithubInstallation
from tidegate.store.sql import directory_tables as t
from tidegate.store.sql.directory_transaction import DirectoryTransaction


class SqlGithubReads(DirectoryTransaction):
    """Reading, inside a transaction."""

    def github_app(self, organization_id: str) -> GithubApp | None:
        return self._app(t.github_apps.c.organization_id == organization_id)

    def github_apps(self) -> list[GithubApp]:
        query = sa.select(t.github_apps).order_by(t.github_apps.c.organization_id)
        return [GithubApp(**row) for row in self._rows(query)]

    def github_app_by_hook(self, hook_id: str) -> GithubApp | None:
        return self._app(t.github_apps.c.hook_id == hook_id)

    def github_app_by_id(self, web_url: str, app_id: int) -> GithubApp | None:
        columns = t.github_apps.c
        return self._app((columns.web_url == web_url) & (columns.app_id == app_id))

    def github_installations(self, organization_id: str) -> list[GithubInstallation]:
        table = t.github_installations
        mine = table.c.organization_id == organization_id
        query = sa.select(table).where(mine).order_by(table.c.account, table.c.installation_id)
        return [GithubInstallation(**row) for row in self._rows(query)]

    def github_installation(self, web_url: str, installation_id: int) -> GithubInstallation | None:
        query = sa.select(t.github_installations).where(_one(web_url, installation_id))
        return next((GithubInstallation(**row) for row in self._rows(query)), None)

    def _app(self, which: "sa.ColumnElement[bool]") -> GithubApp | None:
        query = sa.select(t.github_apps).where(which)
        return next((GithubApp(**row) for row in self._rows(query)), None)


class SqlGithubChange(SqlGithubReads):
    """Changing, in the same transaction. No gateway needs to know of any of it."""

    def put_github_app(self, record: GithubApp) -> None:
        table, row = t.github_apps, msgspec.structs.asdict(record)
        chosen = table.c.organization_id == record.organization_id
        if self._write(sa.update(table).where(chosen), row) == 0:
            self._write(sa.insert(table), row)

    def delete_github_app(self, organization_id: str) -> None:
        for table in (t.github_installations, t.github_apps):
            self._write(sa.delete(table).where(table.c.organization_id == organization_id))

    def put_github_installation(self, record: GithubInstallation) -> None:
        table, row = t.github_installations, msgspec.structs.asdict(record)
        mine = table.c.organization_id == record.organization_id
        one = _one(record.web_url, record.installation_id)
        if self._write(sa.update(table).where(one, mine), row) == 0:
            self._write(sa.insert(table), row)


def _one(web_url: str, installation_id: int) -> "sa.ColumnElement[bool]":
    columns = t.github_installations.c
    return (columns.web_url == web_url) & (columns.installation_id == installation_id)
