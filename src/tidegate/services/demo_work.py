"""What the demo's sessions work on: one pull request after another, each with a few sessions."""

from random import Random
from typing import Final

import msgspec

from tidegate.core.attribution import Kind, Method
from tidegate.core.model import Link
from tidegate.store.forge import Facts, PullRequest, RepositoryFact

_HOUR_US: Final = 3_600_000_000
_ON_MAIN: Final = 0.16  # sessions that only look around
_GIVEN_UP: Final = 0.07
_DRAFT: Final = 0.2  # of those that are not done
_FIRST_NUMBER: Final = 118
_MOST_SESSIONS: Final = 6
_WORK: Final = (
    ("fix", "Retry uploads after a change of network"),
    ("feat", "Keyboard navigation for the session timeline"),
    ("feat", "Stream usage events to the ledger in batches of 500"),
    ("fix", "Round half-even when converting nano-USD to cents"),
    ("chore", "Drain replicas before rotating the signing key"),
    ("fix", "Reject unknown models instead of pricing them at zero"),
    ("feat", "Compact hourly rollups older than 90 days"),
    ("feat", "Table view for organizations above 50 members"),
    ("fix", "Keep the cursor when the list is sorted anew"),
    ("chore", "Upgrade the date picker to version 4"),
    ("feat", "Export invoices as CSV"),
    ("fix", "Count days in the customer's time zone"),
    ("feat", "Search across archived projects"),
    ("fix", "Close the stream when the client goes away"),
    ("perf", "Read the price list once a day only"),
    ("feat", "Dark mode for the e-mail templates"),
    ("fix", "Do not send the same webhook twice"),
    ("docs", "Explain how to rotate keys without downtime"),
    ("test", "Cover the checkout with a slow network"),
    ("refactor", "Split the scheduler from its queue"),
)


class Task(msgspec.Struct):
    """A pull request while it is worked on."""

    repository: str  # github.com/brightwater/…
    number: int
    kind: str
    title: str
    author: str
    sessions_left: int
    begun_us: int
    opened_us: int = 0  # 0: not yet
    last_us: int = 0

    @property
    def branch(self) -> str:
        words = self.title.lower().split()[:4]
        return f"{self.kind}/{'-'.join(filter(str.isalnum, words))}"

    @property
    def name(self) -> str:
        return f"{self.repository}#{self.number}"


class Work:
    """What one member does, apart from the chance that decides how much."""

    def __init__(self, seed: int, author: str, place: int, people: int) -> None:
        self._chance = Random(f"{seed}:{author}:work")  # noqa: S311 -- no secret
        self._author = author.split(maxsplit=1)[0].lower()
        self._next_number = _FIRST_NUMBER + place
        self._people = people
        self._current: dict[str, Task] = {}
        self.tasks: list[Task] = []

    def begin(self, repository: str, at_us: int) -> Task | None:
        """What a session in the repository goes on with; None if it stays on main."""
        if self._chance.random() < _ON_MAIN:
            return None
        task = self._current.get(repository)
        if task is None or not task.sessions_left:
            kind, title = self._chance.choice(_WORK)
            task = Task(
                repository,
                self._next_number,
                kind,
                title,
                self._author,
                self._chance.randint(1, _MOST_SESSIONS),
                at_us,
            )
            self._next_number += self._people
            self._current[repository] = task
            self.tasks.append(task)
        task.sessions_left -= 1
        return task

    def links(self, task: Task | None, turn: int, at_us: int) -> tuple[Link, ...]:
        """What a turn's tool calls show: a commit now and then, and the pull request."""
        if task is None or turn < 2:
            return ()
        task.last_us = at_us
        found = []
        if turn == 2:
            found.append(_link(Kind.BRANCH, task.branch, "git switch"))
        if turn % 5 == 3:
            found.append(_link(Kind.COMMIT, f"{self._chance.getrandbits(28):07x}", "git commit"))
        if turn == 3:
            source = "gh pr view" if task.opened_us else "gh pr create"
            task.opened_us = task.opened_us or at_us
            found.append(_link(Kind.PULL_REQUEST, task.name, source))
        return tuple(found)


def facts_of(tasks: list[Task], seed: int, now_us: int) -> Facts:
    """What GitHub would tell of the work."""
    chance = Random(f"{seed}:facts")  # noqa: S311 -- no secret
    opened = [task for task in tasks if task.opened_us]
    ids = {name: 1_000 + n for n, name in enumerate(sorted({task.repository for task in opened}))}
    repositories = [
        RepositoryFact(repository_id=number, name=name, at_us=1, default_branch="main")
        for name, number in ids.items()
    ]
    pulls = [_pull(task, ids[task.repository], chance, now_us) for task in opened]
    return Facts(repositories=repositories, pull_requests=pulls)


def _pull(task: Task, repository_id: int, chance: Random, now_us: int) -> PullRequest:
    ended_us = task.last_us + int(chance.uniform(0.5, 20) * _HOUR_US)
    done = not task.sessions_left and ended_us < now_us
    given_up = chance.random() < _GIVEN_UP
    state = "draft" if chance.random() < _DRAFT else "open"
    if done:
        state = "closed" if given_up else "merged"
    additions = int(chance.lognormvariate(4.6, 1.0))
    return PullRequest(
        repository_id=repository_id,
        repository=task.repository,
        number=task.number,
        title=task.title,
        author=task.author,
        state=state,
        head_repository_id=repository_id,
        head_branch=task.branch,
        base_branch="main",
        created_us=task.opened_us,
        merged_us=ended_us if state == "merged" else 0,
        closed_us=ended_us if done else 0,
        additions=additions,
        deletions=int(additions * chance.uniform(0.05, 0.9)),
        url=f"https://{task.repository}/pull/{task.number}",
        updated_us=ended_us if done else task.last_us,
    )


def _link(kind: Kind, value: str, source: str) -> Link:
    return Link(kind.value, value, Method.TOOL.value, source=source)
