"""Finds what the rows of a batch say of where their sessions worked, and where they count.

What every request says anew, its headers and metadata, is kept where it changes. What else was
found is kept each time. A batch's rows are attributed before they are stored; which older ones now
count for something else is told, see `moving.py`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Final

import msgspec
import sqlalchemy as sa

from tidegate.core.attribution import (
    FOREVER_US,
    NOWHERE,
    STATED,
    Kind,
    Method,
    TimedLink,
    Whereabouts,
    changed,
    pieces_of,
    stated_anew,
    where_at,
)
from tidegate.core.model import Link, UsageEvent
from tidegate.store.sql import session_tables as s
from tidegate.store.sql import usage_tables as t
from tidegate.store.sql.ledger import Row
from tidegate.store.sql.said import said_in, said_next
from tidegate.store.sql.session_links import (
    MOST_LINKS,
    Key,
    delete_all,
    delete_links,
    identity,
    links_of,
    of_kind,
    put_links,
    storable_link,
)
from tidegate.store.sql.sessions import Roots, root_of

Change = tuple[int, int, Whereabouts]  # from when until when requests now count for what
Found = Mapping[str, UsageEvent]  # by event id, those that have links or calls
Again = Callable[[str, int, int], int | None]

_HEADERS: Final = (
    (Kind.REPOSITORY.value, "repository"),
    (Kind.BRANCH.value, "branch"),
    (Kind.COMMIT.value, "commit"),
)


_headers: Final = itemgetter(*(column for _, column in _HEADERS))


class Attributed(msgspec.Struct, frozen=True):
    where: dict[Key, Whereabouts]  # where runs are now
    changes: dict[Key, list[Change]]  # what that means for older rows


class Run:
    """A root session's links, as known and as they become."""

    def __init__(self, links: Iterable[TimedLink] = ()) -> None:
        self.links = list(links)
        self.before = pieces_of(self.links) if self.links else NOWHERE
        self.pieces = self.before
        self.is_merged = False  # rows that it did not have count for it now
        self.added: list[TimedLink] = []
        self.removed: list[TimedLink] = []
        self._said: dict[str, tuple[str, int, int]] = {}  # what holds from when until when
        self._headers: tuple[str, ...] | None = None
        self._since_us = self._until_us = 0

    @property
    def is_changed(self) -> bool:
        return bool(self.added or self.removed or self.is_merged)

    def state(self, said: TimedLink, again: Again) -> None:
        """Take what a request says anew. `again` tells when something of a kind was said next
        between two moments."""
        holding = self._said.get(said.kind)
        if holding and holding[0] == said.value and holding[1] <= said.at_us < holding[2]:
            return
        known = [x for x in self.links if x.kind == said.kind and x.method in STATED]
        if len(known) == 1 and known[0].value == said.value and known[0].at_us <= said.at_us:
            self._said[said.kind] = (said.value, known[0].at_us, FOREVER_US)  # as nearly always
            return
        if len(known) < MOST_LINKS:
            next_us = min((x.at_us for x in known if x.at_us > said.at_us), default=FOREVER_US)
            added, removed = stated_anew(known, said, again_us=None)
            if added and any(x.at_us <= said.at_us for x in known):
                again_us = again(said.kind, said.at_us, next_us)
                added, removed = stated_anew(known, said, again_us=again_us)
                next_us = next_us if again_us is None else again_us
            self._change(added, removed)
            self._said[said.kind] = (said.value, said.at_us, next_us)

    def holds(self, headers: tuple[str, ...], at_us: int) -> bool:
        """Whether a request's headers say what the last ones said, for the same time."""
        return self._headers == headers and self._since_us <= at_us < self._until_us

    def held(self, headers: tuple[str, ...], at_us: int) -> None:
        """Note what a request's headers said, that was taken."""
        said = [self._said.get(kind) for kind, _ in _HEADERS]
        ends = [each[2] for each in said if each]
        is_known = all(each or not value for each, value in zip(said, headers, strict=True))
        self._headers = headers if is_known else None
        self._since_us, self._until_us = at_us, min(ends, default=FOREVER_US)

    def find(self, link: TimedLink) -> bool:
        """Take what was found; whether it was not known."""
        known = of_kind(self.links, link.kind)
        if len(known) >= MOST_LINKS or any(identity(x) == identity(link) for x in known):
            return False
        if link.kind == Kind.COMMIT and any(
            x.value == link.value and x.at_us <= link.at_us for x in known
        ):
            return False
        self._change([link], [])
        return True

    def merge(self, links: Iterable[TimedLink], said: Sequence[TimedLink]) -> None:
        """Take the links of runs that turned out to be part of this one. `said` is what all their
        requests said, each for itself, as far as the ledger has them."""
        links = list(links)
        found = [link for link in (*self.links, *links) if link.method not in STATED]
        merged = Run()
        stated = [link for link in (*self.links, *links, *said) if link.method in STATED]
        for link in sorted(stated, key=_order):
            merged.state(link, _never)
        wanted = {identity(link): link for link in (*found, *merged.links)}
        known = {identity(link): link for link in self.links}
        self._change(
            [link for name, link in wanted.items() if name not in known],
            [link for name, link in known.items() if name not in wanted],
        )
        self.is_merged = True

    def replace(self, kind: str, method: str, link: TimedLink | None) -> bool:
        """Put a link in place of all of its kind and method; whether that changes anything."""
        known = [x for x in self.links if x.kind == kind and x.method == method]
        if link and any(x.value == link.value for x in known):
            return False
        self._change([link] if link else [], known)
        return bool(link or known)

    def _change(self, added: Sequence[TimedLink], removed: Sequence[TimedLink]) -> None:
        for link in removed:
            self.links.remove(link)
            if link in self.added:
                self.added.remove(link)
            else:
                self.removed.append(link)
        self.links += added
        self.added += added
        if added or removed:
            self._said.clear()
            self._headers = None

    def settle(self) -> None:
        self.pieces = pieces_of(self.links) if self.is_changed else self.before

    def changes(self) -> list[Change]:
        """What counts for something else than before; of a merged run, anything may."""
        if not self.is_merged:
            return changed(self.before, self.pieces)
        starts = [piece.start_us for piece in self.pieces]
        starts[0] = 0
        ends = [*starts[1:], FOREVER_US]
        return [
            (start_us, end_us, piece.where)
            for start_us, end_us, piece in zip(starts, ends, self.pieces, strict=True)
        ]


def attribute(
    connection: sa.Connection,
    rows: Sequence[Row],
    moved: Iterable[Key],
    roots: Roots,
    found: Found,
    told: Mapping[Key, Sequence[TimedLink]],
) -> Attributed:
    """Keep what new rows say and set what they count for; `told` is what agents said."""
    by_run: dict[Key, list[Row]] = {}
    for row in rows:
        if row["session_id"]:
            by_run.setdefault(root_of(row, roots), []).append(row)
    moved = set(moved)
    heirs = {(key[0], roots.get(key, key[1])) for key in moved}
    keys = {*by_run, *heirs, *told}
    known = links_of(connection, keys | moved)
    runs = {key: Run(known.get(key, ())) for key in keys}
    for heir in sorted(heirs):
        children = sorted(key for key in moved if (key[0], roots.get(key, key[1])) == heir)
        theirs = [link for key in children for link in known.get(key, ())]
        if theirs or heir in known:
            runs[heir].merge(theirs, said_in(connection, heir, children, known))
        runs[heir].is_merged = True
        for key in children:
            delete_all(connection, key)
    for key, of_run in by_run.items():
        _read(connection, key, runs[key], of_run, found)
    for key, links in told.items():
        for link in links:
            runs[key].find(link)
    return _settled(connection, runs, by_run)


def store_changes(connection: sa.Connection, key: Key, run: Run) -> None:
    delete_links(connection, key, run.removed)
    put_links(connection, key, run.added)


def _settled(
    connection: sa.Connection, runs: Mapping[Key, Run], by_run: Mapping[Key, list[Row]]
) -> Attributed:
    for key, run in sorted(runs.items()):
        if run.is_changed:
            run.settle()
            store_changes(connection, key, run)
    for key, of_run in by_run.items():
        pieces = runs[key].pieces
        for row in of_run:
            where = where_at(pieces, row["started_us"])
            row["repository"], row["branch"], row["pull_request"] = where
    changes = {key: found for key, run in runs.items() if (found := _changes(run))}
    begun = _begun(connection, changes) | {key for key in changes if runs[key].is_merged}
    return Attributed(
        where={key: run.pieces[-1].where for key, run in runs.items()},
        changes={key: found for key, found in changes.items() if key in begun},
    )


def _changes(run: Run) -> list[Change]:
    return run.changes() if run.is_changed else []


def _begun(connection: sa.Connection, keys: Iterable[Key]) -> set[Key]:
    """Those of the runs that have had requests before."""
    columns = s.runs.c
    ids = {key[1] for key in keys}
    if not ids:
        return set()
    query = sa.select(columns.organization_id, columns.session_id).where(
        columns.session_id.in_(ids)
    )
    return {
        (organization_id, session_id) for organization_id, session_id in connection.execute(query)
    }


def _read(connection: sa.Connection, key: Key, run: Run, rows: Sequence[Row], found: Found) -> None:
    """Take what the rows of a run say, in the order of their time."""

    def again(kind: str, after_us: int, before_us: int) -> int | None:
        return said_next(connection, key, kind, (after_us, before_us))

    unsaid = 0
    for row in sorted(rows, key=_started):
        event = found.get(row["event_id"])
        metadata: dict[str, Link] = {}
        if event is not None:
            metadata = {x.kind: x for x in event.links if x.method == Method.TURN_METADATA}
            for each in found_links(event):
                run.find(each)
        at_us = row["started_us"]
        headers = _headers(row)
        if event is None and run.holds(headers, at_us):
            row["unsaid"] = unsaid
            continue
        for kind, column in _HEADERS:
            said = metadata.get(kind)
            value = row[column]
            if said is not None and (link := _timed(said, at_us)):
                run.state(link, again)
            elif value:
                run.state(TimedLink(kind, value, Method.LAUNCH.value, at_us), again)
            else:
                row["unsaid"] |= t.UNSAID.get(kind, 0)
        unsaid = row["unsaid"]
        if event is None:
            run.held(headers, at_us)


def found_links(event: UsageEvent) -> list[TimedLink]:
    """What was found in a request's tool traffic, the last of it at the request's time."""
    links = [link for link in event.links if link.method not in STATED]
    first_us = event.started_us - len(links) + 1
    timed = [_timed(link, first_us + index) for index, link in enumerate(links)]
    return [link for link in timed if link and link.method != Method.PERSON]


def _timed(link: Link, at_us: int) -> TimedLink | None:
    return storable_link(
        TimedLink(link.kind, link.value, link.method, at_us, link.certain, link.source)
    )


def _never(_kind: str, _after_us: int, _before_us: int) -> int | None:
    """Where all is known and comes in its order."""
    return None


def _order(link: TimedLink) -> tuple[int, str, str]:
    return link.at_us, link.method, link.value


def _started(row: Row) -> int:
    started_us: int = row["started_us"]
    return started_us
