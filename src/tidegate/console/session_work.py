"""What a session worked on, and how each of it was found."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tidegate.console.session_query import SessionQuery
from tidegate.console.session_rows import pull_request_number
from tidegate.core.attribution import Kind, Method, TimedLink
from tidegate.core.remotes import (
    RepositoryName,
    commit_url,
    pull_request_of,
    pull_request_url,
    repository_name,
)
from tidegate.services.session_reports import PullRequest, SessionRow

_MOST: Final = 5  # of a kind
_MOST_COMMITS: Final = 6
_COMMIT_CHARS: Final = 7
_STRENGTH: Final = {
    Method.PERSON: 0,
    Method.MCP: 1,
    Method.TOOL: 2,
    Method.BRANCH: 3,
    Method.TURN_METADATA: 4,
    Method.LAUNCH: 5,
}
_LAUNCH: Final = {
    Kind.REPOSITORY: "git remote",
    Kind.BRANCH: "branch",
    Kind.COMMIT: "commit",
}
ICONS: Final = {
    Kind.REPOSITORY: "folder-git-2",
    Kind.BRANCH: "git-branch",
    Kind.COMMIT: "git-commit-horizontal",
    Kind.PULL_REQUEST: "git-pull-request",
}
TITLES: Final = {
    Kind.REPOSITORY: "Repository",
    Kind.BRANCH: "Branch",
    Kind.PULL_REQUEST: "Pull request",
    Kind.COMMIT: "Commits",
}
_STATES: Final = {"open": "Open", "draft": "Draft", "merged": "Merged", "closed": "Closed"}


@dataclass(frozen=True, slots=True)
class WorkLine:
    """One thing that a session worked on."""

    icon: str
    name: RepositoryName | None  # of a repository
    text: str  # of anything else
    is_code: bool
    title: str  # of a pull request
    href: str  # its page at the forge
    sessions_href: str  # the sessions that worked on it
    how: str
    tool: str  # the command or call that showed it
    certainty: str  # certain or inferred
    state: str  # of a pull request: open, draft, merged, closed; else empty
    state_title: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class WorkPart:
    """All of a kind."""

    kind: str
    title: str
    lines: list[WorkLine]
    more: int  # lines that are not shown
    corrected: str  # who corrected it; empty: nobody
    instead_of: list[str]  # what was found, where a person says otherwise
    may_correct: bool


@dataclass(frozen=True, slots=True)
class CommitLine:
    shown: str
    exact: str
    href: str


@dataclass(frozen=True, slots=True)
class WorkView:
    parts: list[WorkPart]
    commits: list[CommitLine]
    more_commits: int
    commits_how: str
    commits_tool: str
    commits_certainty: str
    found: bool


def work_view(
    row: SessionRow,
    links: Iterable[TimedLink],
    pull_requests: Mapping[str, PullRequest],
    people: Mapping[str, str],
    *,
    for_anyone: bool = False,
) -> WorkView:
    """`people` are the names of those who corrected something; for anyone there is no link to the
    sessions, and who they are is not told."""
    by_kind: dict[str, list[TimedLink]] = {}
    for link in links:
        by_kind.setdefault(link.kind, []).append(link)
    drawing = _Drawing(row, pull_requests, people, for_anyone)
    parts = [
        drawing.part(kind, by_kind.get(kind, []))
        for kind in (Kind.REPOSITORY, Kind.BRANCH, Kind.PULL_REQUEST)
    ]
    commits = _strongest(by_kind.get(Kind.COMMIT, []))
    best = next(iter(commits.values()), None)
    return WorkView(
        parts=parts,
        commits=[drawing.commit(value) for value in list(commits)[:_MOST_COMMITS]],
        more_commits=max(0, len(commits) - _MOST_COMMITS),
        commits_how=drawing.how(best) if best else "",
        commits_tool=best.source if best and _shows_source(best) else "",
        commits_certainty=_certainty(best) if best else "",
        found=bool(commits) or any(part.lines or part.corrected for part in parts),
    )


@dataclass(frozen=True)
class _Drawing:
    row: SessionRow
    pull_requests: Mapping[str, PullRequest]
    people: Mapping[str, str]
    for_anyone: bool

    def part(self, kind: Kind, links: list[TimedLink]) -> WorkPart:
        persons = [link for link in links if link.method == Method.PERSON]
        found = [link for link in links if link.method != Method.PERSON]
        word = persons[-1] if persons else None
        values = _strongest([word] if word and word.value else [] if word else found)
        ranked = sorted(values.values(), key=lambda link: -link.at_us)
        ranked.sort(key=lambda link: not self._is_current(kind, link.value))
        return WorkPart(
            kind=kind.value,
            title=TITLES[kind],
            lines=[self._line(kind, link) for link in ranked[:_MOST]],
            more=max(0, len(ranked) - _MOST),
            corrected=self._who(word) if word else "",
            instead_of=[
                self._shown(kind, value)
                for value in list(_strongest(found))[:_MOST]
                if word and value != word.value
            ],
            may_correct=not self.for_anyone,
        )

    def commit(self, value: str) -> CommitLine:
        return CommitLine(value[:_COMMIT_CHARS], value, commit_url(self.row.repository, value))

    def how(self, link: TimedLink) -> str:
        """How it was found, in words."""
        match link.method:
            case Method.LAUNCH:
                what = _LAUNCH.get(Kind(link.kind), "")
                return f"from the launch context ({what})" if what else "from the launch context"
            case Method.TURN_METADATA:
                return "told by Codex with the turn"
            case Method.TOOL:
                return "seen in tool traffic"
            case Method.MCP:
                return "set by the agent"
            case Method.BRANCH:
                return "opened from this repository and branch"
            case Method.PERSON:
                return f"set by {self._who(link)}"
        return ""

    def _line(self, kind: Kind, link: TimedLink) -> WorkLine:
        is_repository = kind is Kind.REPOSITORY
        name = repository_name(link.value) if is_repository else None
        known = self.pull_requests.get(link.value)
        state = known.state if known and known.state in _STATES else ""
        query = SessionQuery(range="all")
        return WorkLine(
            icon="git-merge" if state == "merged" else ICONS[kind],
            name=name,
            text="" if is_repository else self._shown(kind, link.value),
            is_code=kind is Kind.BRANCH,
            title=known.title if known else "",
            href=name.href if name else _pull_request_href(kind, link.value),
            sessions_href="" if self.for_anyone else query.url(**{kind.value: link.value}),
            how=self.how(link),
            tool=link.source if _shows_source(link) else "",
            certainty=_certainty(link),
            state=state,
            state_title=_STATES.get(state, ""),
            is_current=self._is_current(kind, link.value),
        )

    def _is_current(self, kind: Kind, value: str) -> bool:
        current = {
            Kind.REPOSITORY: (self.row.repository,),
            Kind.BRANCH: (self.row.branch,),
            Kind.PULL_REQUEST: self.row.pull_requests[:1],
        }
        return value in current.get(kind, ())

    def _shown(self, kind: Kind, value: str) -> str:
        if kind is not Kind.PULL_REQUEST:
            return value
        repository = value.rpartition("#")[0]
        number = pull_request_number(value)
        if repository == self.row.repository:
            return number
        name = repository_name(repository)
        return f"{name.owner}/{name.name}{number}" if name.owner else f"{name.name}{number}"

    def _who(self, link: TimedLink) -> str:
        return "a person" if self.for_anyone else self.people.get(link.source) or "a person"


def _strongest(links: Iterable[TimedLink]) -> dict[str, TimedLink]:
    """Each value with the best reason to believe it, in the order in which they were found."""
    found: dict[str, TimedLink] = {}
    for link in links:
        known = found.get(link.value)
        if link.value and (known is None or _rank(link) < _rank(known)):
            found[link.value] = link
    return found


def _rank(link: TimedLink) -> tuple[bool, int]:
    return not link.certain, _STRENGTH.get(Method(link.method), 9)


def _certainty(link: TimedLink) -> str:
    return "certain" if link.certain else "inferred"


def _shows_source(link: TimedLink) -> bool:
    return link.method in {Method.TOOL, Method.MCP}


def _pull_request_href(kind: Kind, value: str) -> str:
    named = pull_request_of(value) if kind is Kind.PULL_REQUEST else None
    return pull_request_url(named.repository, named.number) if named else ""
