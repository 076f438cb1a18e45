"""The first visit: what is still missing before a number can stand on the page."""

import shlex
from dataclasses import dataclass, field

from tidegate.console.options import ConsoleOptions
from tidegate.services.logins import Viewer


@dataclass(frozen=True)
class Step:
    title: str
    why: str
    commands: tuple[str, ...] = ()
    done: bool = False
    now: bool = False


@dataclass(frozen=True)
class FirstRun:
    lead: str
    steps: list[Step] = field(default_factory=list)
    more: str = ""

    @property
    def done(self) -> int:
        return sum(step.done for step in self.steps)

    @property
    def percent(self) -> int:
        return 100 * self.done // len(self.steps)


def for_admin(
    viewer: Viewer, options: ConsoleOptions, *, has_credential: bool, has_key: bool
) -> FirstRun:
    """On the server's machine: a credential, an enrolment; then the developer's three commands."""
    admin = shlex.join(options.admin_command)
    steps = [
        Step(
            "Add a provider credential",
            "The organization's API key; stored encrypted, never shown again. "
            "Skip this if everyone brings a subscription of their own.",
            (
                f"{admin} credential set --provider anthropic "
                "--base-url https://api.anthropic.com --api-key-stdin",
            ),
            done=has_credential,
        ),
        Step(
            "Enrol a coding agent",
            "Makes a key for one member and agent, and prints a code that works once.",
            (f"{admin} enroll --email {shlex.quote(viewer.email)} --agent claude_code",),
            done=has_key,
        ),
        _first_request(options),
    ]
    lead = (
        "Three steps to the first number on this page. The first two run on the server's machine."
    )
    return FirstRun(lead, _with_next(steps), "No command line yet?")


def for_member(options: ConsoleOptions, *, has_key: bool) -> FirstRun:
    steps = [
        Step(
            "Get a login code",
            "An admin enrols you with a coding agent and sends you the code.",
            done=has_key,
        ),
        _first_request(options),
    ]
    return FirstRun("Two steps to your first number on this page.", _with_next(steps), "New here?")


def _first_request(options: ConsoleOptions) -> Step:
    login = f"tidegate login {shlex.quote(options.public_url.rstrip('/'))} CODE"
    return Step(
        "Send the first request",
        "On the developer's machine. Reload this page after it.",
        (login, "tidegate launch claude"),
    )


def _with_next(steps: list[Step]) -> list[Step]:
    first = next((step for step in steps if not step.done), None)
    return [
        Step(step.title, step.why, step.commands, step.done, now=step is first) for step in steps
    ]
