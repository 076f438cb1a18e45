"""Which sessions worked on a pull request, by its head branch: a guess, and stored as one.

A session counts if it worked in that repository on that branch, was not over for more than 30 days
when the pull request was opened, and began before it was closed. The link holds from when the pull
request was opened, or from the session's beginning if that was later: so of two pull requests from
one branch each gets its time, and what came before the first belongs to the first. The default
branch and branches of forks say nothing.
"""

from collections.abc import Iterable
from typing import Final

from tidegate.core.attribution import Kind, Method, TimedLink
from tidegate.store.forge import PullRequest
from tidegate.store.ports import Store
from tidegate.store.sessions import SessionFilter, SessionRow, SessionSort

_DAY_US: Final = 86_400_000_000
_BEFORE_US: Final = 30 * _DAY_US
_MOST_SESSIONS: Final = 200
_RECENT: Final = 500
_SOURCE: Final = "pull request from this branch"


class BranchLinks:
    """Links sessions with pull requests from their branches."""

    def __init__(self, store: Store) -> None:
        self._usage = store.usage

    def link(self, organization_id: str, heads: Iterable[tuple[int, str]]) -> int:
        """For branches of repositories that GitHub told of: how many links were new."""
        repositories = {
            each.repository_id: each for each in self._usage.forge.repositories(organization_id)
        }
        added = 0
        for repository_id, branch in heads:
            repository = repositories.get(repository_id)
            if repository is None or not branch or branch == repository.default_branch:
                continue
            pulls = self._usage.forge.with_head(organization_id, repository_id, branch)
            if pulls:
                names = self._usage.forge.names(organization_id).names_of(repository.name)
                added += self._link(organization_id, pulls, names, branch)
        return added

    def link_recent(self, organization_id: str, since_us: int) -> int:
        """For sessions that were in use since then: their pull request may be older than they."""
        only = SessionFilter(start_us=since_us)
        rows = self._usage.sessions.page(organization_id, only, SessionSort.LAST, _RECENT)
        names = self._usage.forge.names(organization_id)
        ids = {
            each.name: each.repository_id
            for each in self._usage.forge.repositories(organization_id)
        }
        heads = {
            (ids[current], row.branch)
            for row in rows
            if row.branch and (current := names.current(row.repository, row.last_us)) in ids
        }
        return self.link(organization_id, sorted(heads))

    def _link(
        self, organization_id: str, pulls: list[PullRequest], names: Iterable[str], branch: str
    ) -> int:
        start_us = max(0, pulls[0].created_us - _BEFORE_US)
        added = 0
        for name in sorted(names):
            only = SessionFilter(repository=name, branch=branch, start_us=start_us)
            rows = self._usage.sessions.page(
                organization_id, only, SessionSort.LAST, _MOST_SESSIONS
            )
            for row in rows:
                links = [found for pull in pulls if (found := link_of(row, name, pull))]
                if links:
                    added += self._usage.links.add(organization_id, row.session_id, links)
        return added


def link_of(session: SessionRow, repository: str, pull: PullRequest) -> TimedLink | None:
    """That a session worked on a pull request, if it may have."""
    if session.last_us < pull.created_us - _BEFORE_US:
        return None
    if pull.closed_us and session.first_us > pull.closed_us:
        return None
    return TimedLink(
        kind=Kind.PULL_REQUEST.value,
        value=f"{repository}#{pull.number}",
        method=Method.BRANCH.value,
        at_us=max(session.first_us, pull.created_us),
        certain=False,
        source=_SOURCE,
    )
