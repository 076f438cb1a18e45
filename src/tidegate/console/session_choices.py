"""The filters of the list of sessions as values: what can be chosen, and what is."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tidegate.console.log_choices import (
    Group,
    Menu,
    Option,
    Pinned,
    agents_menu,
    members_menu,
)
from tidegate.console.session_query import SessionQuery
from tidegate.services.request_log import NO_REPOSITORY
from tidegate.store.people import MemberRecord

LOADED: Final = {"model": "Models", "repository": "Repositories", "branch": "Branches"}
_YES: Final = "yes"


@dataclass(frozen=True, slots=True)
class SessionFilterBar:
    menus: list[Menu]
    pinned: list[Pinned]
    errors_href: str  # switches the filter by errors
    errors: bool
    clear_href: str  # empty: nothing is chosen


def session_filter_bar(query: SessionQuery, people: Sequence[MemberRecord]) -> SessionFilterBar:
    """`people` are those whose sessions may be seen; of oneself alone nothing is to choose."""
    repository = "none" if query.repository == NO_REPOSITORY else _tail(query.repository)
    least = f"from ${query.cost}" if query.cost else ""
    errors = query.errors == _YES
    return SessionFilterBar(
        menus=[
            *([members_menu(query, people)] if len(people) > 1 else []),
            agents_menu(query),
            _loading("model", "Model", "Model by its whole name", query.model, query),
            _loading("repository", "Repository", "Repository by its remote", repository, query),
            _loading("branch", "Branch", "Branch by its whole name", query.branch, query),
            _typing("pull_request", "Pull request", "As github.com/acme/app#12", query),
            _typing("cost", "Cost", "At least so many dollars", query, least),
        ],
        pinned=list(_pinned(query)),
        errors_href=query.url(errors="" if errors else _YES),
        errors=errors,
        clear_href=query.cleared() if query.is_filtered else "",
    )


def loaded_choices(name: str, values: Iterable[str], query: SessionQuery) -> Group:
    """Values that are fetched when a menu opens, with the chosen one if it is not among them."""
    chosen: str = getattr(query, name)
    none = NO_REPOSITORY if name == "repository" else ""
    found = list(dict.fromkeys(value or none for value in values))
    if chosen and chosen not in found:
        found.insert(0, chosen)
    titles = {NO_REPOSITORY: "Without a repository"} if none else {}
    options = [Option("", "Any", not chosen)]
    options += [Option(each, titles.get(each, each), each == chosen) for each in found if each]
    return Group(name, LOADED[name], many=False, options=options)


def _loading(name: str, title: str, label: str, chosen: str, query: SessionQuery) -> Menu:
    groups = [loaded_choices(name, (), query)] if getattr(query, name) else []
    return Menu(
        name, title, chosen, groups, name, name, label, kept=tuple(query.kept(name))
    )  # fmt: skip


def _typing(name: str, title: str, label: str, query: SessionQuery, chosen: str = "") -> Menu:
    typed: str = getattr(query, name)
    return Menu(
        name, title, chosen or typed.rpartition("/")[2], [], text=name, label=label, typed=typed,
        kept=tuple(query.kept(name)),
    )  # fmt: skip


def _pinned(query: SessionQuery) -> Iterator[Pinned]:
    if query.errors == "no":
        yield Pinned("Without", "errors", "errors", query.url(errors=""))


def _tail(repository: str) -> str:
    return repository.rpartition("/")[2]
