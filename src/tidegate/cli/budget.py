"""`tidegate budget`: how your budgets stand, asking for more, and taking that back."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from tidegate.cli.errors import CommandError
from tidegate.cli.git_context import read_git_context
from tidegate.cli.login import ProfileName
from tidegate.cli.profile import (
    DEFAULT_PROFILE,
    AgentKey,
    find_profile,
    load_profiles,
    profile_path,
)
from tidegate.cli.server_api import BudgetState, ServerApi, ServerError
from tidegate.cli.summary import local_time_text, usd

_TIMEOUT_S: Final = 15.0
_BAR_CELLS: Final = 20
_Which = Annotated[str, typer.Option("--budget", help="Its id, where there are several.")]

budget = typer.Typer(
    help="Show how your budgets stand, ask for more, or take that back.", rich_markup_mode=None
)


@dataclass(frozen=True, slots=True)
class _Found:
    """A budget, and the key that it was found with."""

    state: BudgetState
    key: AgentKey


@budget.callback(invoke_without_command=True)
def show(context: typer.Context, profile: ProfileName = DEFAULT_PROFILE) -> None:
    """Show what is spent, held and left of every budget that your requests count under."""
    if context.invoked_subcommand is not None:
        context.obj = profile
        return
    found = _all(*_server(profile))
    if not found:
        typer.echo("No budget bounds what you spend.")
    for each in found:
        typer.echo("\n".join(_lines(each.state)))


@budget.command("request")
def request(
    context: typer.Context,
    amount: Annotated[str, typer.Option("--amount", help="How much more, in US dollars.")],
    reason: Annotated[str, typer.Option("--reason", help="What it is needed for.")],
    budget_id: Annotated[
        str, typer.Option("--budget", help="Its id; by default the one nearest to its end.")
    ] = "",
) -> None:
    """Ask an admin for more of a budget."""
    server, keys = _server(context.obj)
    found = _all(server, keys)
    if budget_id:
        found = [each for each in found if each.state.budget_id == budget_id]
    if not found:
        raise CommandError(
            f"There is no budget {budget_id!r} for you; `tidegate budget` shows yours."
            if budget_id
            else "No budget bounds what you spend: there is nothing to ask for."
        )
    wanted = max(found, key=lambda each: (each.state.hard, each.state.used_percent))
    try:
        asked = server.ask_for_more(
            wanted.key.key,
            amount=amount,
            reason=reason,
            budget_id=wanted.state.budget_id,
            repository=_repository(),
            timeout_s=_TIMEOUT_S,
        )
    except ServerError as error:
        raise CommandError(f"Nothing was asked for. {error}") from None
    typer.echo(
        f"Asked for {usd(asked.amount_nusd)} more of: {wanted.state.title}. "
        "An admin will decide; `tidegate budget` shows what became of it."
    )


@budget.command("withdraw")
def withdraw(context: typer.Context, budget_id: _Which = "") -> None:
    """Take your open request back."""
    server, keys = _server(context.obj)
    waiting = {
        each.state.asked.request_id: each
        for each in _all(server, keys)
        if each.state.asked is not None
        and each.state.asked.state == "open"
        and budget_id in {"", each.state.budget_id}
    }
    if not waiting:
        raise CommandError("You have no open request; `tidegate budget` shows what you asked for.")
    if len(waiting) > 1:
        ids = ", ".join(each.state.budget_id for each in waiting.values())
        raise CommandError(f"Several of your requests are open. Say which: --budget, of {ids}.")
    [(request_id, found)] = waiting.items()
    try:
        taken = server.withdraw(found.key.key, request_id, timeout_s=_TIMEOUT_S)
    except ServerError as error:
        raise CommandError(f"Nothing was taken back. {error}") from None
    typer.echo(f"Took back: {usd(taken.amount_nusd)} more of: {found.state.title}.")


def _server(profile: str) -> tuple[ServerApi, list[AgentKey]]:
    found = find_profile(load_profiles(profile_path(os.environ)), profile)
    return ServerApi(found.base_url), [found.keys[agent] for agent in sorted(found.keys)]


def _all(server: ServerApi, keys: Iterable[AgentKey]) -> list[_Found]:
    """The budgets of all agents' keys, each once: most of them bound more than one key."""
    repository = _repository()
    found: dict[tuple[str, str], _Found] = {}
    refusal: ServerError | None = None
    for key in keys:
        try:
            states = server.budgets(key.key, repository, timeout_s=_TIMEOUT_S)
        except ServerError as error:
            refusal = refusal or error
            if error.status not in {401, 403}:
                break
            continue  # one agent was unenrolled: the others' keys still count
        for state in states:
            found.setdefault((state.budget_id, state.whose), _Found(state, key))
    if refusal is not None and not found:
        raise CommandError(f"Your budgets cannot be shown. {refusal}")
    return list(found.values())


def _repository() -> str:
    return read_git_context(Path.cwd(), os.environ).repository


def _lines(state: BudgetState) -> list[str]:
    kind = "requests are refused at the limit" if state.hard else "a warning only"
    raised = f", {usd(state.raised_nusd)} of it a raise" if state.raised_nusd else ""
    held = f", {usd(state.held_nusd)} held" if state.held_nusd else ""
    resets = f"resets {local_time_text(state.resets_at)}" if state.resets_at else "never resets"
    lines = [
        f"{state.title} ({state.whose})",
        f"  {_bar(state.used_percent)} {state.used_percent} %",
        f"  {usd(state.spent_nusd)} of {usd(state.limit_nusd)} spent{held},"
        f" {usd(state.left_nusd)} left{raised}",
        f"  {resets}; {kind}; id {state.budget_id}",
    ]
    if (asked := state.asked) is not None:
        note = f": {asked.note}" if asked.note else ""
        lines.append(f"  you asked for {usd(asked.amount_nusd)} more: {asked.state}{note}")
    return lines


def _bar(percent: int) -> str:
    cells = min(_BAR_CELLS, max(percent, 0) * _BAR_CELLS // 100)
    return "#" * cells + "." * (_BAR_CELLS - cells)
