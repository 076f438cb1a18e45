"""What is put aside for requests, on SQL; see `tidegate.store.holds`.

Whoever writes holds the lock of the table. A reader of it that then looks into the ledger counts
nothing not at all: a row goes only after its event was committed there. It may meet both, so that
before it refuses it asks the ledger which of the rows it has.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby, zip_longest
from typing import Final, NamedTuple

import msgspec
import sqlalchemy as sa

from tidegate.core.budgets import Envelope, Scope, Standing, fits
from tidegate.store.holds import (
    EXPIRY_S,
    RENEW_S,
    Decision,
    Holder,
    HoldRequest,
    Settlement,
    Want,
)
from tidegate.store.sql.engines import Lock
from tidegate.store.sql.even_clock import EvenClock, Watch, clock_of, wall_us
from tidegate.store.sql.spent import SpentReads
from tidegate.store.sql.straight import Statements, transactions_on

_FOREVER_US: Final = 1 << 62
_MOST_CACHED: Final = 10_000
_SECOND_US: Final = 1_000_000
ABANDONED_S: Final = 15 * 60
"""Then the machine of a worker, with its spool, is taken for lost, if it still gives no sign."""
_WATCHED_S: Final = 3 * RENEW_S
_SETTLED_US: Final = 7 * 24 * 3600 * _SECOND_US
"""For so long a request that ended waits for the ledger, which may be away."""

_PUT: Final = "INSERT INTO holds VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?) ON CONFLICT DO NOTHING"
_SETTLE: Final = "UPDATE holds SET amount_nusd = ?, settled_us = ? WHERE event_id = ?"
_DROP: Final = "DELETE FROM holds WHERE event_id = ?"
_HELD: Final = (
    "SELECT coalesce(sum(amount_nusd), 0),"
    " coalesce(sum(CASE WHEN settled_us = 0 AND bound_nusd > amount_nusd"
    " THEN bound_nusd - amount_nusd ELSE 0 END), 0)"
    " FROM holds WHERE budget_id = ? AND subject = ? AND started_us >= ? AND started_us < ?"
)
_ROWS: Final = (
    "SELECT event_id, subject, amount_nusd, CASE WHEN settled_us = 0 AND bound_nusd > amount_nusd"
    " THEN bound_nusd - amount_nusd ELSE 0 END FROM holds"
    " WHERE budget_id = ? AND started_us >= ? AND started_us < ?"
)
_RENEW: Final = (
    "INSERT INTO holders VALUES (?, ?, ?, ?) ON CONFLICT (worker)"
    " DO UPDATE SET boot = excluded.boot, renewed_us = excluded.renewed_us"
)
_STALE: Final = (
    "SELECT worker, renewed_us FROM holders WHERE boot <> ? OR renewed_us < ? OR renewed_us > ?"
)
_EXPIRED: Final = (
    "SELECT DISTINCT event_id FROM holds WHERE settled_us = 0 AND place = ? AND worker = ?"
)
_ABANDON: Final = "DELETE FROM holds WHERE settled_us = 0 AND worker = ?"
_END: Final = "DELETE FROM holds WHERE settled_us = 0 AND event_id = ?"
_FORGET_HOLDER: Final = (
    "DELETE FROM holders WHERE worker = ? AND NOT EXISTS"
    " (SELECT 1 FROM holds WHERE holds.worker = holders.worker)"
)


_ANY: Final = "SELECT 1 FROM holds LIMIT 1"
_EVENTS: Final = "SELECT DISTINCT event_id FROM holds"
_GIVE_UP: Final = "DELETE FROM holds WHERE settled_us > 0 AND settled_us < ?"


class _Held(NamedTuple):
    event_id: str
    subject: str
    amount_nusd: int
    beyond_nusd: int


class _Cached(NamedTuple):
    version: int
    spent_nusd: int


class SqlHolds:
    """See `tidegate.store.holds.HoldStore`. `usage` is where the ledger is."""

    def __init__(self, holds: sa.Engine, usage: sa.Engine) -> None:
        self._holds = transactions_on(holds, Lock.HOLDS)
        self._usage = transactions_on(usage, Lock.USAGE)
        self._is_one_database = holds is usage
        self.clock: EvenClock = clock_of(self._holds)
        self.own_s: Callable[[], float] = time.monotonic
        self._watch = Watch(_WATCHED_S, _WATCHED_S)
        self._known: dict[tuple[str, Envelope], _Cached] = {}
        self._holders: set[Holder] = set()

    def exchange(
        self,
        holder: Holder,
        *,
        reserve: Sequence[HoldRequest] = (),
        settle: Sequence[Settlement] = (),
        release: Sequence[str] = (),
    ) -> list[Decision]:
        decisions: list[Decision] = []
        is_new = bool(reserve) and holder not in self._holders
        with self._holds.write() as holds:
            if settle:
                at_us = wall_us()
                holds.each(_SETTLE, [(s.cost_nusd, at_us, s.event_id) for s in settle])
            if release:
                holds.each(_DROP, [(event_id,) for event_id in release])
            if is_new:
                self._renew(holds, holder)
            if reserve:
                with self._usage.read() as ledger:
                    till = _Till(holds, SpentReads(ledger), self._known)
                    decisions = [till.decide(request) for request in reserve]
                till.put(holder)
        if is_new:
            self._holders.add(holder)
        return decisions

    def renew(self, holder: Holder) -> None:
        with self._holds.write() as holds:
            self._renew(holds, holder)

    def standings(self, organization_id: str, envelopes: Sequence[Envelope]) -> list[Standing]:
        with self._looking() as till:
            return [till.exact(organization_id, envelope) for envelope in envelopes]

    def subjects(
        self,
        organization_id: str,
        envelopes: Sequence[Envelope],
        *,
        used_since_us: int = 0,
        least_nusd: Sequence[int] = (),
    ) -> list[dict[str, Standing]]:
        with self._looking() as till:
            return [
                till.subjects(organization_id, each, used_since_us, least)
                for each, least in zip_longest(envelopes, least_nusd)
            ]

    def drop_recorded(self, event_ids: Sequence[str]) -> None:
        if event_ids and self._has_any():
            with self._holds.write() as holds:
                holds.each(_DROP, [(event_id,) for event_id in event_ids])

    def expired(
        self, place: str, *, living: Collection[str] = (), gone: Collection[str] = ()
    ) -> list[str]:
        with self._holds.read() as holds:
            if not holds.rows(_ANY):
                return []
            workers = set(self._stale(holds, EXPIRY_S)) - set(living) | set(gone)
            found: list[str] = []
            for worker in sorted(workers):
                found.extend(row[0] for row in holds.rows(_EXPIRED, (place, worker)))
        return found

    def sweep(self, event_ids: Sequence[str]) -> int:
        with self._holds.read() as holds:
            before = [str(row[0]) for row in holds.rows(_EVENTS)]
        with self._usage.read() as ledger:
            known = SpentReads(ledger).known(before)
        with self._holds.write() as holds:
            holds.each(_DROP, [(event_id,) for event_id in sorted(known)])
            holds.each(_END, [(event_id,) for event_id in event_ids])
            stale = self._stale(holds, ABANDONED_S)
            for worker in self._watch.silent(stale, self.own_s()):
                holds.run(_ABANDON, (worker,))
                holds.run(_FORGET_HOLDER, (worker,))
            holds.run(_GIVE_UP, (wall_us() - _SETTLED_US,))
            left = {str(row[0]) for row in holds.rows(_EVENTS)}
        return len(set(before) - left)

    def close(self) -> None:
        """Close the connections that are kept here."""
        self._holds.close()
        self._usage.close()

    def _has_any(self) -> bool:
        """Most installations have nothing here."""
        with self._holds.read() as holds:
            return bool(holds.rows(_ANY))

    def _renew(self, holds: Statements, holder: Holder) -> None:
        now_us, boot = self.clock.now(holds)
        holds.run(_RENEW, (holder.worker, holder.place, boot, now_us))

    def _stale(self, holds: Statements, after_s: int) -> dict[str, int]:
        """Workers that have not renewed for so long, or that a restart of the machine ended.

        With each its last sign of life.
        """
        now_us, boot = self.clock.now(holds)
        patience_us = after_s * _SECOND_US
        values = (boot, now_us - patience_us, now_us + patience_us)
        return {str(row[0]): int(row[1]) for row in holds.rows(_STALE, values)}

    @contextmanager
    def _looking(self) -> Iterator["_Till"]:
        """For who only wants to know: waits for nobody."""
        if self._is_one_database:  # one snapshot, and one of the few connections
            with self._usage.read() as both:
                yield _Till(both, SpentReads(both), {})
            return
        with self._holds.read() as holds:
            holds.rows(_ANY)  # takes its snapshot first: what it lacks the ledger has
            with self._usage.read() as ledger:
                yield _Till(holds, SpentReads(ledger), {})


class _Till:
    """What is there and what is put aside, in one transaction on the holds, one on the ledger."""

    def __init__(
        self,
        holds: Statements,
        ledger: SpentReads,
        known: dict[tuple[str, Envelope], _Cached],
    ) -> None:
        self._holds = holds
        self._ledger = ledger
        self._known = known
        self._standings: dict[Envelope, Standing] = {}
        self._exact: set[Envelope] = set()
        self._added: list[tuple[HoldRequest, Want]] = []

    def decide(self, request: HoldRequest) -> Decision:
        """Put aside what a request wants if it fits all of its budgets, and only then."""
        organization_id = request.organization_id
        wants = [self._of_root(organization_id, want) for want in request.wants]
        standings = [self._quick(organization_id, want.envelope) for want in wants]
        refused_by = _refused_by(wants, standings)
        if refused_by >= 0:  # what is counted twice must not refuse anybody
            standings = [self.exact(organization_id, want.envelope) for want in wants]
            refused_by = _refused_by(wants, standings)
        if refused_by < 0:
            self._add(request, wants)
        return Decision(
            event_id=request.event_id, standings=tuple(standings), refused_by=refused_by
        )

    def put(self, holder: Holder) -> None:
        """Write what was put aside."""
        rows = [
            (
                request.event_id, want.envelope.budget_id, want.envelope.subject.text,
                request.organization_id, request.started_us, want.amount_nusd, want.bound_nusd,
                holder.place, holder.worker,
            )
            for request, want in self._added
        ]  # fmt: skip
        self._holds.each(_PUT, rows)

    def exact(self, organization_id: str, envelope: Envelope) -> Standing:
        """Each request counted once: as spent if the ledger has it, else as held."""
        envelope = self._root(organization_id, envelope)
        if envelope in self._exact:
            return self._standings[envelope]
        text = envelope.subject.text
        rows = [row for row in self._held_rows(envelope) if row.subject == text]
        recorded = self._ledger.known([row.event_id for row in rows])
        added = [want for _, want in self._added if want.envelope == envelope]
        standing = Standing(
            self._spent(organization_id, envelope),
            sum(row.amount_nusd for row in rows if row.event_id not in recorded)
            + sum(want.amount_nusd for want in added),
            sum(row.beyond_nusd for row in rows if row.event_id not in recorded)
            + sum(max(want.bound_nusd - want.amount_nusd, 0) for want in added),
        )
        self._exact.add(envelope)
        self._standings[envelope] = standing
        return standing

    def subjects(
        self, organization_id: str, envelope: Envelope, used_since_us: int, least_nusd: int | None
    ) -> dict[str, Standing]:
        """The standings of the subjects of an envelope of EACH."""
        spent = self._ledger.subjects(
            organization_id, envelope, used_since_us=used_since_us, least_nusd=least_nusd
        )
        found = {subject.text: Standing(amount_nusd) for subject, amount_nusd in spent.items()}
        rows = self._held_rows(envelope)
        recorded = self._ledger.known([row.event_id for row in rows])
        waiting = sorted(
            (row for row in rows if row.event_id not in recorded), key=lambda row: row.subject
        )
        for text, of_one in groupby(waiting, key=lambda row: row.subject):
            parts = list(of_one)
            found[text] = Standing(
                found[text].spent_nusd if text in found else 0,
                sum(row.amount_nusd for row in parts),
                sum(row.beyond_nusd for row in parts),
            )
        return found

    def _quick(self, organization_id: str, envelope: Envelope) -> Standing:
        """The same, but what holds and ledger both have is counted twice."""
        standing = self._standings.get(envelope)
        if standing is None:
            window = envelope.window
            within = (window.start_us, window.end_us or _FOREVER_US)
            values = (envelope.budget_id, envelope.subject.text, *within)
            ((held, beyond),) = self._holds.rows(_HELD, values)
            spent = self._spent(organization_id, envelope)
            standing = self._standings[envelope] = Standing(spent, int(held), int(beyond))
        return standing

    def _spent(self, organization_id: str, envelope: Envelope) -> int:
        version = self._ledger.version(organization_id)
        known = self._known.get((organization_id, envelope))
        if known is not None and known.version == version:
            return known.spent_nusd
        spent_nusd = self._ledger.spent(organization_id, envelope)
        if len(self._known) >= _MOST_CACHED:
            self._known.clear()
        self._known[organization_id, envelope] = _Cached(version, spent_nusd)
        return spent_nusd

    def _held_rows(self, envelope: Envelope) -> list[_Held]:
        window = envelope.window
        values = (envelope.budget_id, window.start_us, window.end_us or _FOREVER_US)
        rows = self._holds.rows(_ROWS, values)
        return [_Held(str(row[0]), str(row[1]), int(row[2]), int(row[3])) for row in rows]

    def _add(self, request: HoldRequest, wants: Iterable[Want]) -> None:
        for want in wants:
            self._added.append((request, want))
            before = self._standings[want.envelope]
            self._standings[want.envelope] = Standing(
                before.spent_nusd,
                before.held_nusd + want.amount_nusd,
                before.beyond_nusd + max(want.bound_nusd - want.amount_nusd, 0),
            )

    def _of_root(self, organization_id: str, want: Want) -> Want:
        if want.envelope.subject.scope != Scope.SESSION:
            return want
        return msgspec.structs.replace(want, envelope=self._root(organization_id, want.envelope))

    def _root(self, organization_id: str, envelope: Envelope) -> Envelope:
        """The envelope of the run that a session belongs to."""
        if envelope.subject.scope != Scope.SESSION:
            return envelope
        root_id = self._ledger.root_of(organization_id, envelope.subject.id)
        subject = msgspec.structs.replace(envelope.subject, id=root_id)
        return msgspec.structs.replace(envelope, subject=subject)


def _refused_by(wants: Sequence[Want], standings: Sequence[Standing]) -> int:
    for index, (want, standing) in enumerate(zip(wants, standings, strict=True)):
        if not fits(standing, want.amount_nusd, want.limit_nusd):
            return index
    return -1
