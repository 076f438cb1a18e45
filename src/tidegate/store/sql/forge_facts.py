"""Taking in what a forge tells, one fact at a time, so that the order of facts does not matter."""

from typing import Any, Final

import msgspec
import sqlalchemy as sa

from tidegate.core.repository_names import FOREVER_US
from tidegate.store.forge import AccessFact, PullRequest, RepositoryFact, Telling
from tidegate.store.sql import forge_tables as t
from tidegate.store.sql.forge_costs import Pull, renew_named, renew_pulls

_STATES: Final = ("open", "draft", "closed", "merged")
"""Of two states that the forge dates alike the later one here holds."""


class FactWriter:
    """One organization's facts, in a transaction that nobody else writes beside."""

    def __init__(self, connection: sa.Connection, organization_id: str) -> None:
        self._connection = connection
        self._organization_id = organization_id
        self._new_pulls: set[Pull] = set()
        self._parted: set[str] = set()  # names that mean another repository at some time

    def repository(self, fact: RepositoryFact) -> None:
        self._name(fact.repository_id, fact.name, fact.at_us)
        if fact.former:
            self._name(fact.repository_id, fact.former, fact.created_us)
        row = {
            "name": fact.name,
            "default_branch": fact.default_branch,
            "private": fact.private,
            "telling": fact.telling,
            "at_us": fact.at_us,
        }
        self._hold(fact.repository_id, row)

    def access(self, fact: AccessFact) -> None:
        self._name(fact.repository_id, fact.name, fact.at_us)
        mention = {
            "name": fact.name, "default_branch": "", "private": fact.private,
            "telling": int(Telling.MENTIONED), "at_us": 0,
        }  # fmt: skip
        row = {
            "installation_id": fact.installation_id,
            "accessible": fact.accessible,
            "access_us": fact.at_us,
        }
        self._hold(fact.repository_id, mention)
        before = self._one(t.repositories, repository_id=fact.repository_id)
        if before is not None and _access_rank(row) > _access_rank(before):
            self._update(t.repositories, row, repository_id=fact.repository_id)

    def pull_request(self, fact: PullRequest) -> None:
        row = msgspec.structs.asdict(fact)
        del row["repository"]
        which = {"repository_id": row.pop("repository_id"), "number": row.pop("number")}
        before = self._one(t.pull_requests, **which)
        if before is None:
            key = {"organization_id": self._organization_id, **which}
            self._connection.execute(sa.insert(t.pull_requests), {**key, **row})
            self._new_pulls.add((self._organization_id, which["repository_id"], which["number"]))
        elif _pull_rank(row) > _pull_rank(before):
            self._update(t.pull_requests, row, **which)

    def renew_spent(self) -> None:
        """Renew what pull requests cost of which this is said for the first time, or anew."""
        renew_named(self._connection, self._organization_id, self._parted)
        renew_pulls(self._connection, self._new_pulls)

    def _name(self, repository_id: int, name: str, at_us: int) -> None:
        """A name means a repository from the first moment that we know of it."""
        for spelled in sorted({name, name.lower()}):
            before = self._one(t.names, name=spelled, repository_id=repository_id)
            if before is not None and before["first_us"] <= at_us:
                continue
            if before is None:
                row = {
                    "organization_id": self._organization_id, "name": spelled,
                    "repository_id": repository_id, "first_us": at_us, "from_us": 0,
                    "until_us": FOREVER_US,
                }  # fmt: skip
                self._connection.execute(sa.insert(t.names), row)
                self._parted.add(spelled)
            else:
                which = {"name": spelled, "repository_id": repository_id}
                self._update(t.names, {"first_us": at_us}, **which)
            self._part(spelled)

    def _part(self, name: str) -> None:
        """Part all time among the repositories that had a name, by when each got it."""
        mine = (t.names.c.organization_id == self._organization_id) & (t.names.c.name == name)
        query = sa.select(t.names).where(mine).order_by(t.names.c.first_us, t.names.c.repository_id)
        owners = self._connection.execute(query).all()
        starts = [0, *(owner.first_us for owner in owners[1:])]
        for owner, from_us, until_us in zip(owners, starts, [*starts[1:], FOREVER_US], strict=True):
            if (owner.from_us, owner.until_us) != (from_us, until_us):
                span = {"from_us": from_us, "until_us": until_us}
                self._update(t.names, span, name=name, repository_id=owner.repository_id)
                self._parted.add(name)

    def _hold(self, repository_id: int, row: dict[str, Any]) -> None:
        """Keep what a fact says of a repository, unless what is kept is later."""
        before = self._one(t.repositories, repository_id=repository_id)
        if before is not None:
            if _rank(row) > _rank(before):
                self._update(t.repositories, row, repository_id=repository_id)
            return
        unknown = {
            "installation_id": 0, "accessible": False, "access_us": -1, "pulls_etag": "",
            "pulls_seen_us": 0,
        }  # fmt: skip
        key = {"organization_id": self._organization_id, "repository_id": repository_id}
        self._connection.execute(sa.insert(t.repositories), {**key, **unknown, **row})

    def _one(self, table: sa.Table, **which: object) -> sa.RowMapping | None:
        query = sa.select(table).where(*self._where(table, which))
        return self._connection.execute(query).mappings().one_or_none()

    def _update(self, table: sa.Table, row: dict[str, Any], **which: object) -> None:
        self._connection.execute(sa.update(table).where(*self._where(table, which)), row)

    def _where(self, table: sa.Table, which: dict[str, object]) -> "list[sa.ColumnElement[bool]]":
        mine = table.c.organization_id == self._organization_id
        return [mine, *(table.c[name] == value for name, value in which.items())]


def _rank(row: Any) -> tuple[object, ...]:
    return (
        row["at_us"], row["telling"], row["name"], bool(row["private"]), row["default_branch"],
    )  # fmt: skip


def _access_rank(row: Any) -> tuple[object, ...]:
    return row["access_us"], not row["accessible"], row["installation_id"]


def _pull_rank(row: Any) -> tuple[object, ...]:
    rest = tuple(row[name] for name in sorted(row.keys()) if name not in _UNRANKED)
    return row["updated_us"], _STATES.index(row["state"]), rest


_UNRANKED: Final = frozenset(
    ("organization_id", "repository_id", "number", "updated_us", "state", *t.SPENT)
)
