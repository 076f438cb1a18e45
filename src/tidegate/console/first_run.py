"""The first visit: what is still missing before a number can stand on the page."""

from dataclasses import dataclass, field, replace
from typing import Final

from tidegate.console.team_query import TeamQuery
from tidegate.core.model import Provider
from tidegate.services.logins import Viewer

PROVIDER_TITLES: Final = {Provider.ANTHROPIC: "Anthropic", Provider.OPENAI: "OpenAI"}


@dataclass(frozen=True)
class Link:
    """What a step takes; a dialog where the page can show it in one."""

    title: str
    href: str
    icon: str = ""
    dialog: bool = False


@dataclass(frozen=True)
class Step:
    title: str
    why: str
    after: str = ""  # said instead of why, once it is done
    command: str = ""
    done: bool = False
    link: Link | None = None
    change: Link | None = None  # once it is done
    may_skip: bool = False
    marks: bool = False
    now: bool = False
    skip_href: str = ""


@dataclass(frozen=True)
class Progress:
    """How far the organization is."""

    providers: tuple[str, ...]  # that have a credential, by name
    invited: bool
    key_id: str  # of the newest key, empty: nobody is enrolled


@dataclass(frozen=True)
class FirstRun:
    title: str
    lead: str
    steps: list[Step] = field(default_factory=list)

    @property
    def done(self) -> int:
        return sum(step.done for step in self.steps)

    @property
    def percent(self) -> int:
        return 100 * self.done // len(self.steps)


def for_admin(viewer: Viewer, progress: Progress, query: TeamQuery) -> FirstRun:
    """Credential, colleagues, agent, request."""
    providers = "/settings/providers"
    enrol = f"/members/{viewer.member_id}/agents/new"
    steps = [
        Step(
            "Add a provider credential",
            "The organization's API key, stored encrypted. Skip this if everyone signs in with a "
            "subscription of their own.",
            after=f"{' and '.join(progress.providers)}. Stored encrypted.",
            done=bool(progress.providers),
            link=Link("Add a credential", providers, "key-round"),
            change=Link("Change", providers),
            may_skip=True,
        ),
        Step(
            "Invite your first member",
            "They get a link by email. You can also start with yourself and skip this.",
            after="They get a link, by email or from you.",
            done=progress.invited,
            link=Link("Invite a member", "/invite", "user-plus", dialog=True),
            change=Link("Invite another", "/invite", dialog=True),
            may_skip=True,
        ),
        Step(
            "Enrol a coding agent",
            "Makes a key and shows the commands to run.",
            after="A key was made.",
            done=bool(progress.key_id),
            link=Link("Enrol your agent", enrol, "plus", dialog=True),
            marks=True,
        ),
        _first_request(progress.key_id),
    ]
    lead = "Four steps to the first number on this page. It takes about five minutes."
    return FirstRun(_welcome(viewer), lead, _with_next(steps, query))


def for_member(viewer: Viewer, query: TeamQuery, *, key_id: str, may_enrol: bool) -> FirstRun:
    """Agent, request."""
    enrol = f"/members/{viewer.member_id}/agents/new"
    step = Step(
        "Enrol a coding agent",
        "Makes a key of yours and shows the commands to run."
        if may_enrol
        else "An admin enrols you with a coding agent and sends you the commands to run.",
        after="You have a key of your own.",
        done=bool(key_id),
        link=Link("Enrol your agent", enrol, "plus", dialog=True) if may_enrol else None,
        marks=True,
    )
    lead = "Two steps to your first number on this page."
    return FirstRun(_welcome(viewer), lead, _with_next([step, _first_request(key_id)], query))


def _welcome(viewer: Viewer) -> str:
    given = viewer.name.split()[:1]
    return f"Welcome to Tidegate, {given[0]}" if given else "Welcome to Tidegate"


def _first_request(key_id: str) -> Step:
    setup = Link("Setup steps", f"/agents/{key_id}/setup", "terminal", dialog=True)
    return Step(
        "Send the first request",
        "This page fills by itself.",
        command="tidegate launch claude",
        link=setup if key_id else None,
    )


def _with_next(steps: list[Step], query: TeamQuery) -> list[Step]:
    """Marks the first step to take, of those that were not skipped."""
    open_steps = [n for n, step in enumerate(steps, 1) if not step.done and n > query.skip]
    now = open_steps[0] if open_steps else 0
    return [
        replace(
            step, now=n == now, skip_href=query.url(skip=n) if step.may_skip and n == now else ""
        )
        for n, step in enumerate(steps, 1)
    ]
