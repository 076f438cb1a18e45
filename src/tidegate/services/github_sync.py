"""Asking GitHub for what webhooks did not tell: from before they came, or while none came.

One replica at a time does it, in small steps that each leave what was learned in the store, so that
a pass that ends early loses nothing. A list that did not change costs GitHub nothing (ETag), and a
pass goes on where the last one ended.
"""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from tidegate.services.context import Clock, Service, now_us
from tidegate.services.github import GithubConnection
from tidegate.services.github_branches import BranchLinks
from tidegate.services.github_calls import (
    Access,
    GithubCalls,
    GithubFault,
    PullInfo,
    RepositoryInfo,
    host_of,
)
from tidegate.services.github_events import (
    access_fact,
    account_of,
    named,
    pull_request,
    repository_fact,
    time_us,
)
from tidegate.services.github_installations import GithubInstallations
from tidegate.services.ids import new_id
from tidegate.services.vault import Subkeys
from tidegate.store.forge import AccessFact, Facts, ForgeRepository, ForgeStatus
from tidegate.store.github import GithubApp, GithubInstallation
from tidegate.store.ports import Store

_SECOND_US: Final = 1_000_000
_MINUTE_US: Final = 60 * _SECOND_US
_DAY_US: Final = 24 * 60 * _MINUTE_US
TURN_US: Final = 5 * _MINUTE_US  # renewed at each step
POLLED_US: Final = 5 * _MINUTE_US  # between passes where no webhook comes
HOOKED_US: Final = 60 * _MINUTE_US  # and where they do
_HOOKS_COME_US: Final = _DAY_US  # the last one is not older
_BACKOFF_US: Final = (1, 2, 5, 15, 30)  # minutes after a fault, by how many there were in a row
KEPT_US: Final = 30 * _DAY_US  # ids of deliveries
HISTORY_US: Final = 90 * _DAY_US  # how old a pull request is asked for at first
MOST_REPOSITORIES: Final = 300  # whose pull requests are listed in a pass
MOST_PULLS: Final = 300  # asked for one by one in a pass
_MOST_PAGES: Final = 10
_UNKNOWN_AT_ONCE: Final = 50
_REASK_US: Final = 6 * 60 * _MINUTE_US  # for a pull request that GitHub does not know
_ENDED: Final = "The last look was cut short. It goes on with the next one."


class Pass(msgspec.Struct, frozen=True):
    """What a pass came to."""

    repositories: int = 0
    pull_requests: int = 0
    fault: str = ""


class _Work:
    """One pass over one organization."""

    def __init__(self, app: GithubApp, access: Access, now_us: int) -> None:
        self.app = app
        self.access = access
        self.host = host_of(app.web_url)
        self.now_us = self.turn_us = now_us
        self.repositories = 0
        self.pull_requests = 0


class GithubSync(Service):
    """Passes over what the Apps may read. Each takes long: for a job's thread."""

    def __init__(  # noqa: PLR0913 -- by name beyond the third
        self,
        store: Store,
        subkeys: Subkeys,
        clock: Clock = now_us,
        *,
        connection: GithubConnection,
        installations: GithubInstallations,
        branches: BranchLinks,
        calls: GithubCalls,
    ) -> None:
        super().__init__(store, subkeys, clock)
        self._connection = connection
        self._installations = installations
        self._branches = branches
        self._calls = calls
        self._forge = store.usage.forge
        self._holder = new_id("syn")
        self._faults: dict[str, int] = {}  # in a row, by organization
        self._places: dict[str, int] = {}  # the repository that the last pass ended at
        self._missing: dict[tuple[str, int, int], int] = {}  # when to ask for it again

    def due(self) -> list[str]:
        """Organizations whose turn it is."""
        with self._directory.reading() as reads:
            apps = reads.github_apps()
        now_us = self._clock()
        return [
            app.organization_id
            for app in apps
            if is_due(self._forge.status(app.organization_id), now_us)
        ]

    def run(self, organization_id: str, may_go_on: Callable[[], bool] = lambda: True) -> Pass:
        """One pass. What goes wrong is noted for the page, and told."""
        app = self._connection.app(organization_id)
        now_us = self._clock()
        if app is None or not self._take_turn(organization_id, now_us):
            return Pass()
        fault, wait_us = _ENDED, 0
        work: _Work | None = None
        try:
            work = _Work(app, self._connection.access(app), now_us)
            finished = self._pass(work, may_go_on)
            fault = "" if finished else _ENDED
        except GithubFault as raised:
            fault, wait_us = str(raised), raised.wait_s * _SECOND_US
        finally:
            self._end(organization_id, fault, wait_us)
        return Pass(
            repositories=work.repositories if work else 0,
            pull_requests=work.pull_requests if work else 0,
            fault=fault,
        )

    def forget_old(self) -> int:
        """Forget ids of old deliveries: how many. GitHub sends none again after so long."""
        return self._forge.delete_deliveries_before(self._clock() - KEPT_US)

    def _pass(self, work: _Work, may_go_on: Callable[[], bool]) -> bool:
        """Whether it came to its end."""
        organization_id = work.app.organization_id
        since_us = self._forge.status(organization_id).last_success_us
        for installation in self._read_installations(work):
            self._read_repositories(work, installation)
        steps = (self._unknown_pulls(work), self._changed_pulls(work))
        for step in steps:
            for _ in step:
                if not may_go_on() or not self._keep_turn(work):
                    return False
        self._branches.link_recent(organization_id, since_us - TURN_US)
        return True

    def _read_installations(self, work: _Work) -> list[GithubInstallation]:
        found = {info.id: info for info in self._calls.installations(work.access)}
        with self._directory.changing() as change:
            known = change.github_installations(work.app.organization_id)
            for each in known:
                if each.installation_id not in found and not each.removed:
                    change.put_github_installation(msgspec.structs.replace(each, removed=True))
            for info in found.values():
                self._installations.note(change, work.app, account_of(info))
            after = change.github_installations(work.app.organization_id)
        return [each for each in after if each.approved and not each.removed and not each.suspended]

    def _read_repositories(self, work: _Work, installation: GithubInstallation) -> None:
        installation_id = installation.installation_id
        listed = self._calls.repositories(work.access, installation_id)
        repositories, access = [], []
        for info in listed:
            try:
                repositories.append(repository_fact(info, work.host))
            except ValueError:
                continue
            access.append(
                access_fact(info, work.host, installation_id, work.now_us, accessible=True)
            )
        there = {info.id for info in listed}
        gone = [
            _no_access(each, work.now_us)
            for each in self._forge.repositories(work.app.organization_id)
            if each.accessible
            and each.installation_id == installation_id
            and each.repository_id not in there
        ]
        facts = Facts(repositories=repositories, access=[*access, *gone])
        self._forge.take(work.app.organization_id, facts)
        work.repositories += len(repositories)

    def _unknown_pulls(self, work: _Work) -> Iterator[None]:
        """Those that sessions worked on and GitHub never told of."""
        organization_id = work.app.organization_id
        known = {each.repository_id: each for each in self._forge.repositories(organization_id)}
        for repository_id, _, number in self._forge.unknown_pull_requests(
            organization_id, _UNKNOWN_AT_ONCE + len(self._missing)
        ):
            key = (organization_id, repository_id, number)
            if self._missing.get(key, 0) <= work.now_us:
                if not self._read_pull(work, known[repository_id], number):
                    self._missing[key] = work.now_us + _REASK_US
                yield

    def _changed_pulls(self, work: _Work) -> Iterator[None]:
        """Those that changed, repository by repository, on from where the last pass ended."""
        organization_id = work.app.organization_id
        readable = [
            each
            for each in self._forge.repositories(organization_id)
            if each.accessible and not each.deleted
        ]
        place = self._places.get(organization_id, 0)
        ordered = sorted(
            readable, key=lambda each: (each.repository_id <= place, each.repository_id)
        )
        for repository in ordered[:MOST_REPOSITORIES]:
            try:
                yield from self._changed_in(work, repository)
            except GithubFault as fault:
                if fault.wait_s or fault.status not in {301, 403, 404, 410, 451}:
                    raise  # not this repository's trouble alone
            self._places[organization_id] = repository.repository_id

    def _changed_in(self, work: _Work, repository: ForgeRepository) -> Iterator[None]:
        oldest_us = max(repository.pulls_seen_us, work.now_us - HISTORY_US)
        etag, newest_us = repository.pulls_etag, repository.pulls_seen_us
        new_etag = etag
        for page in range(1, _MOST_PAGES + 1):
            found = self._calls.pulls(
                work.access,
                repository.installation_id,
                _full_name(repository),
                page=page,
                etag=etag if page == 1 else "",
            )
            yield
            if found.pulls is None:
                return
            new_etag = found.etag if page == 1 else new_etag
            changed = [info for info in found.pulls if time_us(info.updated_at) > oldest_us]
            for info in changed:
                self._keep_pull(work, repository, info)
                yield
            newest_us = max([newest_us, *(time_us(info.updated_at) for info in changed)])
            if not found.is_full or len(changed) < len(found.pulls):
                break
        self._forge.note_pulls(
            work.app.organization_id, repository.repository_id, new_etag, newest_us
        )

    def _keep_pull(self, work: _Work, repository: ForgeRepository, info: PullInfo) -> None:
        """With its added and deleted lines, which a list leaves out, while there are not many."""
        if work.pull_requests < MOST_PULLS and self._read_pull(work, repository, info.number):
            return
        self._take_pull(work, repository, info)

    def _read_pull(self, work: _Work, repository: ForgeRepository, number: int) -> bool:
        """Ask for one: whether there is such."""
        try:
            info = self._calls.pull(
                work.access, repository.installation_id, _full_name(repository), number
            )
        except GithubFault as fault:
            if fault.status in {301, 404, 410}:
                return False
            raise
        self._take_pull(work, repository, info)
        return True

    def _take_pull(self, work: _Work, repository: ForgeRepository, info: PullInfo) -> None:
        of = RepositoryInfo(repository.repository_id, _full_name(repository))
        try:
            named(work.host, of.full_name)
            pull = pull_request(info, of, work.host)
        except ValueError:
            return
        self._forge.take(work.app.organization_id, Facts(pull_requests=[pull]))
        work.pull_requests += 1

    def _keep_turn(self, work: _Work) -> bool:
        now_us = self._clock()
        if now_us - work.turn_us < _MINUTE_US:
            return True
        work.turn_us = now_us
        return self._take_turn(work.app.organization_id, now_us)

    def _take_turn(self, organization_id: str, now_us: int) -> bool:
        return self._forge.begin_sync(organization_id, self._holder, now_us, now_us + TURN_US)

    def _end(self, organization_id: str, fault: str, wait_us: int) -> None:
        now_us = self._clock()
        faults = self._faults.get(organization_id, 0) + 1 if fault else 0
        self._faults[organization_id] = faults
        if fault and not wait_us:
            wait_us = _BACKOFF_US[min(faults, len(_BACKOFF_US)) - 1] * _MINUTE_US
        retry_us = now_us + wait_us if fault else 0
        self._forge.end_sync(organization_id, self._holder, now_us, error=fault, retry_us=retry_us)


def is_due(status: ForgeStatus, now_us: int) -> bool:
    """Whether GitHub is to be asked: it is time, or someone wants it, and GitHub lets us."""
    if now_us < status.retry_us:
        return False
    if status.retry_us or status.requested_us > status.last_sync_us:
        return True
    hooks_come = now_us - status.last_delivery_us < _HOOKS_COME_US
    return now_us - status.last_sync_us >= (HOOKED_US if hooks_come else POLLED_US)


def _full_name(repository: ForgeRepository) -> str:
    return repository.name.partition("/")[2]


def _no_access(repository: ForgeRepository, at_us: int) -> AccessFact:
    return AccessFact(
        repository_id=repository.repository_id,
        name=repository.name,
        installation_id=repository.installation_id,
        accessible=False,
        at_us=at_us,
        private=repository.private,
    )
