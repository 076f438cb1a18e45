"""What was used: sums for the command line, the first page and a launch's summary."""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from tidegate.core.calendar import RANGE_DAYS, RANGE_HOURS, range_start_us
from tidegate.services.errors import InvalidField
from tidegate.store.ports import Group, SessionSums, Store, Sums

RANGES: Final = (*RANGE_HOURS, *RANGE_DAYS)
_FOREVER_US: Final = 1 << 62


class UsageRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one member used with one agent and model, billed in one way."""

    member_id: str
    email: str
    name: str
    agent: str  # Agent
    model: str
    billing: str  # Billing
    sums: Sums
    last_us: int


class UsageTable(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of a time range, dearest first, and their totals."""

    range_name: str
    start_us: int
    end_us: int
    time_zone: str
    rows: list[UsageRow]
    totals: Sums


class UsageReports:
    """Reads only. Pages read rollups; `totals` reads the ledger itself."""

    def __init__(self, store: Store) -> None:
        self._directory = store.directory
        self._usage = store.usage

    def totals(self, organization_id: str) -> dict[str, Any]:
        """All that an organization ever used; the fields are a contract with scripts."""
        people = self._people(organization_id)
        sums = self._usage.ledger_sums(organization_id, ())
        by_model = self._usage.ledger_sums(organization_id, ("model", "provider"))
        return {
            **_fields(sums[0].sums if sums else Sums()),
            "by_outcome": self._outcomes(organization_id),
            "by_key": [
                {"key_id": key_id, "agent": agent, "email": people.get(member_id, ("", ""))[0]}
                | _fields(group.sums)
                for group in self._usage.ledger_sums(
                    organization_id, ("key_id", "agent", "member_id")
                )
                for key_id, agent, member_id in [group.values]
            ],
            "by_session": [_session(s) for s in self._usage.session_sums(organization_id)],
            "by_model": [
                {"model": g.values[0], "provider": g.values[1]} | _fields(g.sums) for g in by_model
            ],
            "price_unknown_models": sorted({g.values[0] for g in by_model if g.sums.price_unknown}),
        }

    def table(
        self, organization_id: str, range_name: str, now_us: int, member_id: str = ""
    ) -> UsageTable:
        """A time range by member, agent and model, in the organization's time zone."""
        if range_name not in RANGES:
            raise InvalidField(f"Choose one of {', '.join(RANGES)}.", field="range")
        zone = self._usage.time_zone(organization_id)
        start_us = range_start_us(range_name, now_us, ZoneInfo(zone))
        groups = self._usage.rollup_sums(
            organization_id,
            ("member_id", "agent", "model", "billing"),
            bucket="hour" if range_name in RANGE_HOURS else "day",
            start_us=start_us,
            end_us=_FOREVER_US,
            member_id=member_id,
        )
        people = self._people(organization_id)
        rows = [_row(group, people) for group in groups]
        rows.sort(key=lambda row: (-row.sums.cost_nusd, row.email, row.agent, row.model))
        return UsageTable(
            range_name=range_name,
            start_us=start_us,
            end_us=now_us,
            time_zone=zone,
            rows=rows,
            totals=add_up(row.sums for row in rows),
        )

    def launch_summary(self, organization_id: str, key_id: str, launch_id: str) -> dict[str, Any]:
        """What one run of `tidegate launch` used; empty sums for one without traffic."""
        chosen = {"launch_id": launch_id, "key_id": key_id}
        groups = (
            self._usage.ledger_sums(organization_id, ("session_id",), **chosen) if launch_id else []
        )
        sums = add_up(group.sums for group in groups)
        return {
            **_fields(sums),
            "tokens": sums.tokens,
            "by_outcome": self._outcomes(organization_id, **chosen) if groups else {},
            "sessions": sum(bool(group.values[0]) for group in groups),
        }

    def last_used(self, organization_id: str) -> dict[str, int]:
        """When each key was last used, in UTC microseconds; a key never used is absent."""
        return self._usage.team.key_uses(organization_id)

    def _outcomes(self, organization_id: str, **chosen: str) -> dict[str, int]:
        groups = self._usage.ledger_sums(organization_id, ("outcome",), **chosen)
        return {group.values[0]: group.sums.requests for group in groups}

    def _people(self, organization_id: str) -> dict[str, tuple[str, str]]:
        """Email and name by member, of removed members too."""
        with self._directory.reading() as reads:
            return {m.member_id: (m.email, m.name) for m in reads.members(organization_id)}


def add_up(parts: Iterable[Sums]) -> Sums:
    """The sums of disjoint sets of requests, together."""
    listed: Sequence[Sums] = list(parts)
    return Sums(
        **{name: sum(getattr(part, name) for part in listed) for name in Sums.__struct_fields__}
    )


def _fields(sums: Sums) -> dict[str, Any]:
    return msgspec.structs.asdict(sums)


def _row(group: Group, people: dict[str, tuple[str, str]]) -> UsageRow:
    member_id, agent, model, billing = group.values
    email, name = people.get(member_id, ("", ""))
    return UsageRow(
        member_id=member_id,
        email=email,
        name=name,
        agent=agent,
        model=model,
        billing=billing,
        sums=group.sums,
        last_us=group.last_us,
    )


def _session(session: SessionSums) -> dict[str, Any]:
    fields = msgspec.structs.asdict(session)
    sums = _fields(fields.pop("sums"))
    # The sessions table keeps no such counts; the ledger's totals do.
    del sums["estimated"], sums["price_unknown"]
    return fields | sums
