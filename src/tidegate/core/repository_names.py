"""What a repository is called now, by a name that it had: renamed and transferred ones.

The ledger keeps the name that a request was made under; whoever reads it asks here. A name may have
belonged to several repositories, one after another: then the time decides whose it was.
"""

from collections import defaultdict
from collections.abc import Iterable

import msgspec
from msgspec import structs

FOREVER_US = 1 << 62


class NameSpan(msgspec.Struct, frozen=True):
    """That a name meant a repository within [from_us, until_us)."""

    name: str  # as the forge writes it, or all in lower case
    current: str
    from_us: int = 0
    until_us: int = FOREVER_US


class RepositoryNames:
    """The names that an organization's forge told of. A name it knows nothing of is current."""

    def __init__(self, spans: Iterable[NameSpan] = ()) -> None:
        self._spans: dict[str, list[NameSpan]] = defaultdict(list)
        self._former: dict[str, set[str]] = defaultdict(set)
        self._renamed: list[NameSpan] = []
        for span in spans:
            self._spans[span.name.lower()].append(span)
            self._former[span.current].add(span.name)
            if span.name != span.current:
                self._renamed.append(span)

    @property
    def renamed(self) -> tuple[NameSpan, ...]:
        """What any name differs in from today's: as long as it is the same, so are all answers."""
        return tuple(sorted(self._renamed, key=structs.astuple))

    def current(self, name: str, at_us: int = FOREVER_US - 1) -> str:
        """What the repository is called now that had the name at that time, by default today.

        A new repository that takes a former name does not take what was done under it before,
        where the time is given.
        """
        for span in self._spans.get(name.lower(), ()):
            if span.from_us <= at_us < span.until_us:
                return span.current
        return name

    def names_of(self, name: str) -> frozenset[str]:
        """Every name under which the ledger may have this repository, its current one too."""
        current = self.current(name)
        return frozenset(self._former.get(current, ())) | {name, current}

    def turns(self, start_us: int, end_us: int) -> list[int]:
        """When within a period a name began to mean another repository: mostly never.

        Sums of a period are right where the parts between these moments are read apart, each
        with a time of its own; else what is older counts to the newer repository.
        """
        moments = {span.from_us for spans in self._spans.values() for span in spans}
        return sorted(moment for moment in moments if start_us < moment < end_us)

    def __bool__(self) -> bool:
        return bool(self._renamed)
