"""What is known of the repositories and pull requests on a forge, such as GitHub.

It arrives in any order and more than once. Each fact carries the forge's own time of its last
change, and the later one holds, whenever it comes; of two of the same time the greater one holds.
So every order of the same facts ends in the same state.
"""

from collections.abc import Collection, Sequence
from enum import IntEnum
from typing import Protocol

import msgspec

from tidegate.core.repository_names import RepositoryNames


class Telling(IntEnum):
    """Which of two facts of the same time holds: the greater."""

    MENTIONED = 0  # beside something else
    RENAMED = 1  # or transferred: the fact is about the name
    DELETED = 2


class RepositoryFact(msgspec.Struct, frozen=True, kw_only=True):
    """A repository as the forge told of it."""

    repository_id: int
    name: str  # with the forge's host: github.com/acme/app
    at_us: int  # its last change, by the forge
    telling: int = Telling.MENTIONED
    private: bool = False
    default_branch: str = ""
    created_us: int = 0
    former: str = ""  # the name that it had before this change


class AccessFact(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an installation may read a repository."""

    repository_id: int
    name: str
    installation_id: int
    accessible: bool
    at_us: int
    private: bool = False


class PullRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A pull request as the forge told of it. `repository` is what is called so now."""

    repository_id: int
    repository: str
    number: int
    title: str
    author: str
    state: str  # "open", "draft", "merged" or "closed"
    head_repository_id: int = 0  # another repository's: a fork
    head_branch: str = ""
    base_branch: str = ""
    created_us: int = 0
    merged_us: int = 0  # 0: not
    closed_us: int = 0
    additions: int = 0
    deletions: int = 0
    url: str = ""
    updated_us: int = 0


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What one delivery, or one answer of the forge's API, tells."""

    repositories: Sequence[RepositoryFact] = ()
    access: Sequence[AccessFact] = ()
    pull_requests: Sequence[PullRequest] = ()


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook's delivery, which counts once."""

    delivery_id: str
    event: str
    action: str
    received_us: int


class ForgeRepository(msgspec.Struct, frozen=True, kw_only=True):
    """A repository as it is known."""

    repository_id: int
    name: str
    private: bool
    default_branch: str
    deleted: bool
    accessible: bool
    installation_id: int
    pulls_etag: str = ""  # of the last answer with its pull requests
    pulls_seen_us: int = 0  # the newest change of a pull request in it


class PullCost(msgspec.Struct, frozen=True, kw_only=True):
    """A merged pull request, and what it cost from its first request to its last."""

    pull_request: PullRequest
    cost_nusd: int = 0
    subscription_nusd: int = 0
    tokens: int = 0
    requests: int = 0
    saved_tokens: int = 0
    saved_nusd: int = 0
    saved_subscription_nusd: int = 0
    sessions: int = 0
    last_us: int = 0


class MergedTotals(msgspec.Struct, frozen=True, kw_only=True):
    """Of the pull requests that were merged in a period."""

    merged: int = 0
    with_cost: int = 0  # those that requests were made for
    cost_nusd: int = 0
    subscription_nusd: int = 0


class ForgeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the connection fares; 0 is never."""

    last_delivery_us: int = 0
    last_event: str = ""
    last_sync_us: int = 0  # begun
    last_success_us: int = 0  # a whole one
    last_error: str = ""  # a sentence; empty after a success
    retry_us: int = 0  # the forge is not asked before
    requested_us: int = 0  # someone asked for a sync


class ForgeStore(Protocol):
    """Part of `tidegate.store.ports.UsageStore`: `usage.forge`."""

    def take(self, organization_id: str, facts: Facts, delivery: Delivery | None = None) -> bool:
        """Take in facts, with the delivery that brought them: False if it was seen before."""
        ...

    def names(self, organization_id: str) -> RepositoryNames:
        """Former names of repositories and what they are called now."""
        ...

    def repositories(self, organization_id: str) -> list[ForgeRepository]: ...
    def pull_requests(
        self, organization_id: str, wanted: Collection[tuple[str, int]]
    ) -> dict[tuple[str, int], PullRequest]:
        """Those that are known, under the repository's name and the number that they were asked
        by: a former name will do."""
        ...

    def with_head(self, organization_id: str, repository_id: int, branch: str) -> list[PullRequest]:
        """The pull requests from a branch of the repository itself, oldest first."""
        ...

    def merged_between(
        self, organization_id: str, start_us: int, end_us: int, cursor: str, limit: int
    ) -> tuple[list[PullCost], str]:
        """The latest first, and the cursor of the next page, empty at the end."""
        ...

    def merged_totals(self, organization_id: str, start_us: int, end_us: int) -> MergedTotals: ...
    def merged_median(self, organization_id: str, start_us: int, end_us: int) -> int:
        """What the middle one of those that requests were made for cost, in nano-USD."""
        ...

    def unknown_pull_requests(self, organization_id: str, limit: int) -> list[tuple[int, str, int]]:
        """Repository id, name and number of pull requests that sessions worked on and of which
        nothing is known."""
        ...

    def note_pulls(
        self, organization_id: str, repository_id: int, etag: str, seen_us: int
    ) -> None: ...
    def status(self, organization_id: str) -> ForgeStatus: ...
    def request_sync(self, organization_id: str, at_us: int) -> None: ...
    def begin_sync(self, organization_id: str, holder: str, now_us: int, until_us: int) -> bool:
        """Take the turn to sync, for all replicas; False while another has it."""
        ...

    def end_sync(
        self, organization_id: str, holder: str, now_us: int, *, error: str = "", retry_us: int = 0
    ) -> None: ...
    def forget_status(self, organization_id: str) -> None: ...
    def delete_deliveries_before(self, at_us: int) -> int: ...
    def delete_all(self, organization_id: str) -> None:
        """Everything that the forge told of an organization's repositories."""
        ...
