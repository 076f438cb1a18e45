"""Repositories and pull requests of a time range, of which there may be very many.

What is settled is added up once and kept; what the running bucket adds is laid over it, so that
a look while the team works takes no longer than what it shows.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from operator import attrgetter
from typing import Final

import msgspec
from msgspec import structs

from tidegate.core.figures import Figures, Metric
from tidegate.core.periods import Period
from tidegate.core.repository_names import RepositoryNames
from tidegate.core.spans import later_slices, running_slice, settled_slices
from tidegate.services.known_sums import Known
from tidegate.store.forge import ForgeStore
from tidegate.store.team import PlaceKey, PlaceSums, TeamReads

_by_name: Final = attrgetter("repository", "pull_request")


class PullTotals(msgspec.Struct, frozen=True):
    """Of all pull requests of a range."""

    count: int
    sessions: int
    figures: Figures


class Settled:
    """Places by the names that their repositories have now."""

    def __init__(self, asked: Sequence[PlaceSums], names: RepositoryNames) -> None:
        self.places = _by_key(_renamed(asked, names))
        self.asked: Collection[PlaceKey] = (
            {place.key for place in asked} if names.renamed else self.places.keys()
        )
        pulls = [place for place in self.places.values() if place.pull_request]
        pulls.sort(key=_by_name)
        self._pulls = pulls
        self._ranked: dict[Metric, list[PlaceSums]] = {}
        self.totals = PullTotals(len(pulls), sessions_of(pulls), figures_of(pulls))

    def pulls_by(self, metric: Metric) -> list[PlaceSums]:
        """Most of the metric first; equal ones by sessions, then by name."""
        ranked = self._ranked.get(metric)
        if ranked is None:
            order = attrgetter(metric.field, "sessions")
            ranked = self._ranked[metric] = sorted(self._pulls, key=order, reverse=True)
        return ranked


class Places:
    """What is settled, and those that are not as they are there."""

    def __init__(self, settled: Settled, changed: Mapping[PlaceKey, PlaceSums]) -> None:
        self._settled = settled
        self._pulls = {key: place for key, place in changed.items() if place.pull_request}
        whole = {key: place for key, place in settled.places.items() if not place.pull_request}
        whole |= {key: place for key, place in changed.items() if not place.pull_request}
        self.repositories = list(whole.values())
        self.pull_totals = self._totals()

    def pulls(self, metric: Metric, shown: slice) -> list[PlaceSums]:
        """Some, most of the metric first."""
        rest = (p for p in self._settled.pulls_by(metric) if p.key not in self._pulls)
        first = [*islice(rest, shown.stop), *self._pulls.values()]
        first.sort(key=_by_name)
        first.sort(key=attrgetter(metric.field, "sessions"), reverse=True)
        return first[shown]

    def _totals(self) -> PullTotals:
        settled = self._settled.totals
        replaced = [p for key in self._pulls if (p := self._settled.places.get(key))]
        pulls = self._pulls.values()
        return PullTotals(
            count=settled.count + len(pulls) - len(replaced),
            sessions=settled.sessions + sessions_of(pulls) - sessions_of(replaced),
            figures=settled.figures + figures_of(pulls) - figures_of(replaced),
        )


class TeamPlaces:
    """Reads them, and knows what was read."""

    def __init__(self, team: TeamReads, forge: ForgeStore, known: Known) -> None:
        self._team = team
        self._forge = forge
        self._known = known

    def of(self, organization_id: str, period: Period) -> Places:
        """All of a range; one page asks several times."""
        return self._known.unchanged(
            organization_id, period, lambda: self._read(organization_id, period), "places"
        )

    def _read(self, organization_id: str, period: Period) -> Places:
        names = self._forge.names(organization_id)

        def read() -> Settled:
            found = self._team.place_sums(organization_id, settled_slices(period))
            return Settled(found, names)

        what = ("settled places", names.renamed)
        settled = self._known.settled(organization_id, period, what, read) or Settled((), names)
        running = self._team.place_sums(organization_id, (running_slice(period),))
        changed: dict[PlaceKey, PlaceSums] = {}
        for key, place in _by_key(_renamed(running, names)).items():
            before = settled.places.get(key)
            changed[key] = before + place if before else place
        asked = {place.key for place in running}
        ended = self._team.sessions_after(organization_id, later_slices(period))
        for key, sessions in ended.items():
            if (
                key in asked or key in settled.asked
            ):  # else nothing was requested there in the range
                _end(changed, settled, _now(key, names), sessions)
        return Places(settled, changed)


def sessions_of(places: Iterable[PlaceSums]) -> int:
    return sum(place.sessions for place in places)


def figures_of(places: Collection[PlaceSums]) -> Figures:
    """As many as there are: column by column is quickest."""
    names = Figures.__struct_fields__
    return Figures(**{name: sum(map(attrgetter(name), places)) for name in names})


def _end(
    changed: dict[PlaceKey, PlaceSums], settled: Settled, key: PlaceKey, sessions: int
) -> None:
    """Count sessions that were under way when the range ended."""
    place = changed.get(key) or settled.places[key]
    changed[key] = structs.replace(place, sessions=place.sessions + sessions)


def _by_key(places: Iterable[PlaceSums]) -> dict[PlaceKey, PlaceSums]:
    sums: dict[PlaceKey, PlaceSums] = {}
    for place in places:
        key = (place.repository, place.pull_request)
        before = sums.setdefault(key, place)
        if before is not place:
            sums[key] = before + place
    return sums


def _renamed(places: Sequence[PlaceSums], names: RepositoryNames) -> Iterable[PlaceSums]:
    """Each under the name that its repository has now."""
    if not names:
        return places
    named = {place.repository for place in places} - {""}
    former = {name: now for name in named if (now := names.current(name)) != name}
    return (
        structs.replace(place, repository=former[place.repository])
        if place.repository in former
        else place
        for place in places
    )


def _now(key: PlaceKey, names: RepositoryNames) -> PlaceKey:
    repository, pull_request = key
    return (names.current(repository) if repository else "", pull_request)
