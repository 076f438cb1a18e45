"""What the pages about people and repositories may ask of the ledger's sums."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from tidegate.core.comparison import SessionGroup
from tidegate.core.figures import Figures
from tidegate.core.spans import Slice

PlaceKey = tuple[str, str]  # repository, pull request


class PlaceSums(msgspec.Struct, frozen=True, gc=False):
    """A repository, or a pull request of it, in a time range. The repository without a name is
    what could not be attributed. There are very many: the figures are its own fields."""

    repository: str
    pull_request: str  # empty: the whole repository
    cost_nusd: int
    subscription_nusd: int
    tokens: int
    requests: int
    saved_tokens: int
    saved_nusd: int
    saved_subscription_nusd: int
    sessions: int
    last_us: int

    @property
    def key(self) -> PlaceKey:
        return self.repository, self.pull_request

    @property
    def figures(self) -> Figures:
        return Figures(**{name: getattr(self, name) for name in Figures.__struct_fields__})

    def __add__(self, other: "PlaceSums") -> "PlaceSums":
        return PlaceSums(
            self.repository,
            self.pull_request,
            self.cost_nusd + other.cost_nusd,
            self.subscription_nusd + other.subscription_nusd,
            self.tokens + other.tokens,
            self.requests + other.requests,
            self.saved_tokens + other.saved_tokens,
            self.saved_nusd + other.saved_nusd,
            self.saved_subscription_nusd + other.saved_subscription_nusd,
            self.sessions + other.sessions,
            max(self.last_us, other.last_us),
        )


class ModelSums(msgspec.Struct, frozen=True):
    """What a member used with one agent and model."""

    agent: str
    model: str
    figures: Figures
    last_us: int


class TeamReads(Protocol):
    """Time ranges are slices of buckets that exclude each other, see `core/spans.py`."""

    def version(self, organization_id: str) -> int: ...
    def changes(self, organization_id: str, part: Slice) -> int:
        """Raised with whatever is added to one of the slice's buckets."""
        ...

    def time_zone(self, organization_id: str) -> str: ...
    def totals(self, organization_id: str, slices: Sequence[Slice]) -> dict[int, Figures]:
        """By bucket."""
        ...

    def member_buckets(
        self, organization_id: str, part: Slice, member_ids: Sequence[str]
    ) -> dict[tuple[str, int], Figures]:
        """By member and bucket."""
        ...

    def member_sums(
        self, organization_id: str, slices: Sequence[Slice], member_ids: Sequence[str] = ()
    ) -> dict[str, Figures]:
        """By member: of these, or of all who used anything."""
        ...

    def place_sums(self, organization_id: str, slices: Sequence[Slice]) -> list[PlaceSums]:
        """All repositories and pull requests, some in several parts; of sessions those whose last
        request was then."""
        ...

    def sessions_after(
        self, organization_id: str, slices: Sequence[Slice]
    ) -> dict[tuple[str, str], int]:
        """By repository and pull request: how many sessions ended in a time that they did not
        begin in, which is all the time after a range."""
        ...

    def model_sums(self, organization_id: str, part: Slice, member_id: str) -> list[ModelSums]: ...
    def session_groups(
        self, organization_id: str, start_us: int, end_us: int
    ) -> dict[str, SessionGroup]:
        """Sessions whose last request was then, by what they are pinned to."""
        ...

    def member_uses(self, organization_id: str) -> dict[str, int]:
        """When each member last used anything; one who never did is absent."""
        ...

    def key_uses(self, organization_id: str, member_ids: Sequence[str] = ()) -> dict[str, int]:
        """When each key was last used: of these members, or of all."""
        ...
