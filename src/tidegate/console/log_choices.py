"""The filters of the log as values: what can be chosen, and what is."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from tidegate.console.log_query import NO_MODEL, YES_NO, LogQuery
from tidegate.console.log_rows import OUTCOME_TITLES, id_tail
from tidegate.core.model import Agent, Billing
from tidegate.services.request_log import NO_REPOSITORY, STATUS_CLASSES
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
ANY: Final = "any"


class Choosing(Protocol):
    """The state of a list by members and agents."""

    @property
    def member(self) -> tuple[str, ...]: ...
    @property
    def agent(self) -> tuple[str, ...]: ...
    def kept(self, *changed: str) -> list[tuple[str, str]]: ...


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    title: str
    chosen: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """The values of one parameter. Of `many` several may be chosen."""

    name: str
    title: str
    many: bool
    options: list[Option]


@dataclass(frozen=True, slots=True)
class Menu:
    """A button of the filter bar with what opens under it."""

    name: str
    title: str
    chosen: str  # in words; empty: it does not matter
    groups: list[Group]
    loads: str = ""  # the parameter whose values are fetched when it opens
    text: str = ""  # the parameter that is typed
    label: str = ""  # of the field for it
    typed: str = ""
    kept: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Pinned:
    """A filter that a link set, to be taken away again."""

    title: str
    shown: str
    exact: str
    href: str


@dataclass(frozen=True, slots=True)
class FilterBar:
    menus: list[Menu]
    pinned: list[Pinned]
    captured_href: str  # switches the filter by debug captures
    captured: bool
    clear_href: str  # empty: nothing is chosen


def filter_bar(query: LogQuery, people: Sequence[MemberRecord]) -> FilterBar:
    """`people` are those whose rows may be seen; of oneself alone nothing is to choose."""
    menus = [
        *([members_menu(query, people)] if len(people) > 1 else []),
        _models(query),
        _statuses(query),
        agents_menu(query),
        _repositories(query),
        _more(query),
    ]
    captured = query.captured == YES_NO[0]
    return FilterBar(
        menus=menus,
        pinned=list(_pinned(query)),
        captured_href=query.url(captured="" if captured else YES_NO[0]),
        captured=captured,
        clear_href=query.cleared() if query.is_filtered else "",
    )


def loaded(name: str, values: Iterable[str], query: LogQuery) -> Group:
    """Values that are fetched when a menu opens, with those chosen that are not among them."""
    is_model = name == "model"
    chosen = query.model if is_model else (query.repository,) if query.repository else ()
    none = NO_MODEL if is_model else NO_REPOSITORY
    found = [value or none for value in values]
    listed = [*(each for each in chosen if each not in found), *found]
    titles = {none: "Without a model" if is_model else "Without a repository"}
    options = [Option(each, titles.get(each, each), each in chosen) for each in listed]
    if not is_model:
        options.insert(0, Option("", "Any", not chosen))
    return Group(name, "Models" if is_model else "Repositories", is_model, options)


def members_menu(query: Choosing, people: Sequence[MemberRecord]) -> Menu:
    names = {each.member_id: each.name or each.email for each in people}
    options = [
        Option(
            each.member_id,
            names[each.member_id],
            each.member_id in query.member,
            "removed" if each.removed_us else "",
        )
        for each in sorted(people, key=lambda m: (bool(m.removed_us), names[m.member_id].lower()))
    ]
    group = Group("member", "Members", many=True, options=options)
    return menu("member", "Member", query, [group], words_of(names, query.member) or ANY)


def _models(query: LogQuery) -> Menu:
    groups = [loaded("model", (), query)] if query.model else []
    chosen = words_of({NO_MODEL: "none"}, query.model) or ANY
    return Menu(
        "model", "Model", chosen, groups, "model", "model", "Model by its whole name",
        kept=tuple(query.kept("model")),
    )  # fmt: skip


def _repositories(query: LogQuery) -> Menu:
    groups = [loaded("repository", (), query)] if query.repository else []
    chosen = "none" if query.repository == NO_REPOSITORY else query.repository.rpartition("/")[2]
    return Menu(
        "repository", "Repository", chosen, groups, "repository", "repository",
        "Repository by its remote", "", tuple(query.kept("repository")),
    )  # fmt: skip


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
    return menu("status", "Status", query, groups, _listed(chosen), "outcome")


def agents_menu(query: Choosing) -> Menu:
    options = [Option(each.value, each.title, each in query.agent) for each in Agent]
    group = Group("agent", "Agents", many=True, options=options)
    titles = {each.value: each.title for each in Agent}
    return menu("agent", "Agent", query, [group], words_of(titles, query.agent))


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
    return menu("more", "More", query, groups, _listed(chosen), *names, "billing")


def choice(name: str, title: str, chosen: str, values: Sequence[tuple[str, str]]) -> Group:
    options = [Option("", "Any", not chosen)]
    options += [Option(value, words, value == chosen) for value, words in values]
    return Group(name, title, many=False, options=options)


def menu(
    name: str, title: str, query: Choosing, groups: list[Group], chosen: str, *changed: str
) -> Menu:
    return Menu(name, title, chosen, groups, kept=tuple(query.kept(name, *changed)))


def _pinned(query: LogQuery) -> Iterator[Pinned]:
    if query.session:
        yield Pinned(
            "Session", id_tail(query.session), query.session, query.url(session="", range="")
        )
    if query.key:
        yield Pinned("Key", id_tail(query.key), query.key, query.url(key=""))


def words_of(titles: Mapping[str, str], chosen: Sequence[str]) -> str:
    return _listed([titles.get(each, each) for each in chosen])


def _listed(words: Sequence[str]) -> str:
    """The first two, and how many more."""
    shown = ", ".join(words[:2])
    return f"{shown} +{len(words) - 2}" if len(words) > 2 else shown
