"""Which repository, branch and pull request a session's requests count for.

All that is known of it are links: at some time, something said what the session works on. What a
person says holds for the whole session. Else what was done or said in the session (a tool call, a
push, an opened pull request) goes before what the agent was started with, and of each the latest
that is not after the request. A request from before the first link belongs to that first one.

A pull request holds where its repository does. A request from before the first pull request of its
repository belongs to that one.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

FOREVER_US: Final = 1 << 62


class Kind(StrEnum):
    REPOSITORY = "repository"
    BRANCH = "branch"
    COMMIT = "commit"
    PULL_REQUEST = "pull_request"


class Method(StrEnum):
    """How a link was found."""

    LAUNCH = "launch"  # the headers of tidegate launch
    TURN_METADATA = "turn_metadata"  # what Codex sends with a turn
    TOOL = "tool"  # seen in the session's tool traffic
    MCP = "mcp"  # the agent said so
    BRANCH = "branch"  # an opened pull request from the session's repository and branch
    PERSON = "person"


STATED: Final = frozenset({Method.LAUNCH.value, Method.TURN_METADATA.value})
"""Methods by which every request says anew what the agent was started with."""


class TimedLink(msgspec.Struct, frozen=True, omit_defaults=True):
    """A link and when it was found."""

    kind: str
    value: str
    method: str
    at_us: int
    certain: bool = True
    source: str = ""


class Whereabouts(NamedTuple):
    """What a request counts for; "" is none."""

    repository: str = ""
    branch: str = ""
    pull_request: str = ""  # the number


class Piece(NamedTuple):
    """From when on, until the next piece begins, requests count for what."""

    start_us: int
    where: Whereabouts


Pieces = tuple[Piece, ...]
"""A session's time from beginning to end; there is always one piece."""

NOWHERE: Final[Pieces] = (Piece(0, Whereabouts()),)
_Steps = list[tuple[int, str]]  # from when on it is what; the first holds for all time before, too


def pieces_of(links: Iterable[TimedLink]) -> Pieces:
    """What links, in whatever order, say of a session's requests at any time."""
    by_kind: dict[str, list[TimedLink]] = {}
    for link in links:
        by_kind.setdefault(link.kind, []).append(link)
    repositories = _steps(by_kind.get(Kind.REPOSITORY, ()))
    branches = _steps(by_kind.get(Kind.BRANCH, ()))
    pulls = _pull_requests(by_kind.get(Kind.PULL_REQUEST, ()))
    if not pulls and len(repositories) == len(branches) == 1:
        return (Piece(0, Whereabouts(repositories[0][1], branches[0][1])),)
    starts = {at_us for steps in (repositories, branches, *pulls.values()) for at_us, _ in steps}
    pieces = [Piece(0, _where(0, repositories, branches, pulls))]
    for start_us in sorted(starts):
        where = _where(start_us, repositories, branches, pulls)
        if where != pieces[-1].where:
            pieces.append(Piece(start_us, where))
    return tuple(pieces)


def where_at(pieces: Pieces, at_us: int) -> Whereabouts:
    """What a request of that time counts for."""
    if len(pieces) == 1:
        return pieces[0].where
    return pieces[max(0, bisect_right(pieces, at_us, key=_start) - 1)].where


def changed(before: Pieces, after: Pieces) -> list[tuple[int, int, Whereabouts]]:
    """The times [start, end) at which requests count for something else, and for what now."""
    if before == after:
        return []
    starts = sorted({piece.start_us for piece in (*before, *after)})
    found: list[tuple[int, int, Whereabouts]] = []
    for start_us, end_us in zip(starts, [*starts[1:], FOREVER_US], strict=True):
        where = where_at(after, start_us)
        if where == where_at(before, start_us):
            continue
        if found and found[-1][1:] == (start_us, where):
            found[-1] = (found[-1][0], end_us, where)
        else:
            found.append((start_us, end_us, where))
    return found


def split_pull_request(value: str) -> tuple[str, str]:
    """The repository and the number of `github.com/acme/app#12`; "" for what is not so."""
    repository, _, number = value.rpartition("#")
    return (repository, number) if repository else ("", "")


def value_at(links: Iterable[TimedLink], at_us: int) -> str | None:
    """What links of one kind and sort said last at a time; None: nothing yet."""
    said = [link for link in links if link.at_us <= at_us]
    return max(said, key=_order).value if said else None


def stated_anew(
    known: Sequence[TimedLink], said: TimedLink, *, again_us: int | None
) -> tuple[list[TimedLink], list[TimedLink]]:
    """What a request's statement adds to those of one kind that are known, and takes from them.

    Of statements in a row that say the same, the first is kept. Requests come late too: what held
    before this one was said again at `again_us`, before the next known statement, if at all.
    """
    ordered = sorted(known, key=_order)
    index = bisect_right(ordered, said.at_us, key=_at) - 1
    if index < 0:
        following = ordered[0] if ordered else None
        repeats = following is not None and following.value == said.value
        return [said], [following] if following and repeats else []
    current = ordered[index]
    if current.value == said.value:
        return [], []
    if again_us is None:
        return [said], []
    return [said, msgspec.structs.replace(current, at_us=again_us)], []


def _steps(links: Sequence[TimedLink]) -> _Steps:
    if not links:
        return [(0, "")]
    if len(links) == 1:
        return [(links[0].at_us, links[0].value)]
    corrections = [link for link in links if link.method == Method.PERSON]
    if corrections:
        return [(0, max(corrections, key=_order).value)]
    found = [link for link in links if link.method not in STATED]
    found_us = min((link.at_us for link in found), default=FOREVER_US)
    stated = [link for link in links if link.method in STATED and link.at_us < found_us]
    steps: _Steps = []
    for link in (*sorted(stated, key=_order), *sorted(found, key=_order)):
        if steps and steps[-1][0] == link.at_us:
            steps.pop()
        if not steps or steps[-1][1] != link.value:
            steps.append((link.at_us, link.value))
    return steps


def _pull_requests(links: Sequence[TimedLink]) -> dict[str, _Steps]:
    """Steps of the numbers by repository; where a person said that there is none, none."""
    corrections = [link for link in links if link.method == Method.PERSON]
    if corrections:
        links = [max(corrections, key=_order)]
    by_repository: dict[str, list[TimedLink]] = {}
    for link in links:
        repository, number = split_pull_request(link.value)
        if number:
            numbered = msgspec.structs.replace(link, value=number)
            by_repository.setdefault(repository, []).append(numbered)
    return {repository: _steps(of_it) for repository, of_it in by_repository.items()}


def _where(
    at_us: int, repositories: _Steps, branches: _Steps, pulls: dict[str, _Steps]
) -> Whereabouts:
    repository = _step_at(repositories, at_us)
    numbers = pulls.get(repository)
    number = _step_at(numbers, at_us) if numbers else ""
    return Whereabouts(repository, _step_at(branches, at_us), number)


def _step_at(steps: _Steps, at_us: int) -> str:
    return steps[max(0, bisect_right(steps, at_us, key=_first) - 1)][1]


def _first(step: tuple[int, str]) -> int:
    return step[0]


def _start(piece: Piece) -> int:
    return piece.start_us


def _at(link: TimedLink) -> int:
    return link.at_us


def _order(link: TimedLink) -> tuple[int, str, str]:
    """Of what was said at the same time, the turn's metadata go before the launch."""
    return link.at_us, link.method, link.value
