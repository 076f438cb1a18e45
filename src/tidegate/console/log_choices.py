"""The filters of the log as values: what can be chosen, and what is."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tidegate.console.list_filters import (
    ANY,
    REPOSITORIES,
    FilterBar,
    Group,
    Loaded,
    Menu,
    Option,
    Pinned,
    Search,
    Switch,
    agents_menu,
    choice,
    listed,
    members_menus,
    menu,
    repository_words,
    words_of,
)
from tidegate.console.log_query import NO_MODEL, YES_NO, LogQuery
from tidegate.console.log_rows import OUTCOME_TITLES, id_tail
from tidegate.core.model import Billing
from tidegate.services.request_log import STATUS_CLASSES
from tidegate.store.people import MemberRecord

_STATUS_TITLES: Final[Mapping[str, str]] = {
    "2xx": "2xx, success",
    "3xx": "3xx, redirect",
    "4xx": "4xx, refused",
    "5xx": "5xx, failed",
}
_FLAGS: Final = (
    ("captured", "Debug capture"),
    ("estimated", "Estimated"),
    ("unpriced", "Price unknown"),
)
_BILLINGS: Final = {Billing.API: "Billed by token", Billing.SUBSCRIPTION: "On a subscription"}
MODELS: Final = Loaded(
    "model", "Model", "Models", "Model by its whole name",
    many=True, none=NO_MODEL, without="Without a model",
)  # fmt: skip
LOADED: Final = {each.name: each for each in (MODELS, REPOSITORIES)}
_SEARCH: Final = Search("Id of a request, session or launch", "Find by id, at any time")


def filter_bar(query: LogQuery, people: Sequence[MemberRecord]) -> FilterBar:
    """`people` are those whose rows may be seen."""
    captured = query.captured == YES_NO[0]
    return FilterBar(
        search=_SEARCH,
        menus=[
            *members_menus(query, people),
            MODELS.menu(query, words_of({NO_MODEL: "none"}, query.model) or ANY),
            _statuses(query),
            agents_menu(query),
            REPOSITORIES.menu(query, repository_words(query.repository)),
            _more(query),
        ],
        switch=Switch(
            name="captured",
            title="Debug captures",
            icon="bug",
            href=query.url(captured="" if captured else YES_NO[0]),
            is_on=captured,
        ),
        pinned=list(_pinned(query)),
        clear_href=query.cleared() if query.is_filtered else "",
    )


def _statuses(query: LogQuery) -> Menu:
    classes = [Option("", "Any", not query.status)]
    classes += [Option(v, _STATUS_TITLES[v], v == query.status) for v in STATUS_CLASSES]
    outcomes = [Option(v, t, v in query.outcome) for v, t in OUTCOME_TITLES.items()]
    chosen = [query.status] if query.status else []
    chosen += [OUTCOME_TITLES[each].lower() for each in query.outcome]
    groups = [
        Group("outcome", "Outcome", many=True, options=outcomes),
        Group("status", "Status", many=False, options=classes),
    ]
    return menu("status", "Status", query, groups, listed(chosen), "outcome")


def _more(query: LogQuery) -> Menu:
    groups = [
        choice(name, title, getattr(query, name), (("yes", "Yes"), ("no", "No")))
        for name, title in _FLAGS
    ]
    groups.append(choice("billing", "Paid", query.billing, tuple(_BILLINGS.items())))
    chosen = [
        title.lower() if getattr(query, name) == "yes" else f"not {title.lower()}"
        for name, title in _FLAGS
        if getattr(query, name)
    ]
    chosen += [_BILLINGS[Billing(query.billing)].lower()] if query.billing else []
    names = [name for name, _ in _FLAGS]
    return menu("more", "More", query, groups, listed(chosen), *names, "billing")


def _pinned(query: LogQuery) -> Iterator[Pinned]:
    if query.session:
        href = query.url(session="", range="")
        yield Pinned("Session", id_tail(query.session), query.session, href, is_id=True)
    if query.key:
        yield Pinned("Key", id_tail(query.key), query.key, query.url(key=""), is_id=True)
