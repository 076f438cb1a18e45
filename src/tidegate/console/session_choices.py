"""The filters of the list of sessions: what can be chosen, and what is."""

from collections.abc import Iterator, Sequence
from typing import Final

from tidegate.console.list_filters import (
    REPOSITORIES,
    FilterBar,
    Loaded,
    Menu,
    Pinned,
    Search,
    Switch,
    agents_menu,
    members_menus,
    repository_words,
)
from tidegate.console.session_query import SessionQuery
from tidegate.store.people import MemberRecord

MODELS: Final = Loaded("model", "Model", "Models", "Model by its whole name")
BRANCHES: Final = Loaded("branch", "Branch", "Branches", "Branch by its whole name")
LOADED: Final = {each.name: each for each in (MODELS, REPOSITORIES, BRANCHES)}
_SEARCH: Final = Search(
    "Name, repository, branch, id", "Find by name, repository, branch or id, at any time"
)
_YES: Final = "yes"


def session_filter_bar(query: SessionQuery, people: Sequence[MemberRecord]) -> FilterBar:
    """`people` are those whose sessions may be seen."""
    least = f"from ${query.cost}" if query.cost else ""
    errors = query.errors == _YES
    return FilterBar(
        search=_SEARCH,
        menus=[
            *members_menus(query, people),
            agents_menu(query),
            MODELS.menu(query, query.model),
            REPOSITORIES.menu(query, repository_words(query.repository)),
            BRANCHES.menu(query, query.branch),
            _typing("pull_request", "Pull request", "As github.com/acme/app#12", query),
            _typing("cost", "Cost", "At least so many dollars", query, least),
        ],
        switch=Switch(
            name="errors",
            title="With errors",
            icon="circle-alert",
            href=query.url(errors="" if errors else _YES),
            is_on=errors,
        ),
        pinned=list(_pinned(query)),
        clear_href=query.cleared() if query.is_filtered else "",
    )


def _typing(name: str, title: str, label: str, query: SessionQuery, chosen: str = "") -> Menu:
    typed: str = getattr(query, name)
    return Menu(
        name, title, chosen or typed.rpartition("/")[2], [], text=name, label=label, typed=typed,
        kept=tuple(query.kept(name)),
    )  # fmt: skip


def _pinned(query: SessionQuery) -> Iterator[Pinned]:
    if query.errors == "no":
        yield Pinned("Without", "errors", "errors", query.url(errors=""))
