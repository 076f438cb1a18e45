"""The filters of a list as values: what can be chosen, and what is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tidegate.console.list_query import ListQuery
from tidegate.core.model import Agent
from tidegate.services.request_log import NO_REPOSITORY
from tidegate.store.people import MemberRecord

ANY: Final = "any"


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
class Search:
    """The field that looks for something at any time, whatever the range."""

    placeholder: str
    label: str


@dataclass(frozen=True, slots=True)
class Switch:
    """A filter that is on or off."""

    name: str
    title: str
    icon: str
    href: str  # switches it
    is_on: bool


@dataclass(frozen=True, slots=True)
class Pinned:
    """A filter that a link set, to be taken away again."""

    title: str
    shown: str
    exact: str
    href: str
    is_id: bool = False


@dataclass(frozen=True, slots=True)
class FilterBar:
    search: Search
    menus: list[Menu]
    switch: Switch
    pinned: list[Pinned]
    clear_href: str  # empty: nothing is chosen


@dataclass(frozen=True, slots=True)
class Loaded:
    """A filter whose values are fetched when its menu opens; any may be typed."""

    name: str
    title: str
    titles: str  # of several
    label: str
    many: bool = False
    none: str = ""  # how the address says: without one
    without: str = ""  # the same in words

    def menu(self, query: ListQuery, chosen: str) -> Menu:
        """`chosen` is in words."""
        groups = [self.group((), query)] if self._chosen(query) else []
        return Menu(
            self.name, self.title, chosen, groups, self.name, self.name, self.label,
            kept=tuple(query.kept(self.name)),
        )  # fmt: skip

    def group(self, values: Iterable[str], query: ListQuery) -> Group:
        """The values, and before them those chosen that are not among them."""
        chosen = self._chosen(query)
        found = [value or self.none for value in values]
        listed_once = dict.fromkeys([*(each for each in chosen if each not in found), *found])
        options = [] if self.many else [Option("", "Any", not chosen)]
        options += [
            Option(each, self.without if each == self.none else each, each in chosen)
            for each in listed_once
            if each
        ]
        return Group(self.name, self.titles, self.many, options)

    def _chosen(self, query: ListQuery) -> tuple[str, ...]:
        value: tuple[str, ...] | str = getattr(query, self.name)
        return ((value,) if value else ()) if isinstance(value, str) else value


REPOSITORIES: Final = Loaded(
    "repository", "Repository", "Repositories", "Repository by its remote",
    none=NO_REPOSITORY, without="Without a repository",
)  # fmt: skip


def repository_words(repository: str) -> str:
    return "none" if repository == NO_REPOSITORY else repository.rpartition("/")[2]


def members_menus(query: ListQuery, people: Sequence[MemberRecord]) -> list[Menu]:
    """`people` are those whose rows may be seen; of oneself alone nothing is to choose."""
    if len(people) <= 1:
        return []
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
    return [menu("member", "Member", query, [group], words_of(names, query.member) or ANY)]


def agents_menu(query: ListQuery) -> Menu:
    options = [Option(each.value, each.title, each in query.agent) for each in Agent]
    group = Group("agent", "Agents", many=True, options=options)
    titles = {each.value: each.title for each in Agent}
    return menu("agent", "Agent", query, [group], words_of(titles, query.agent))


def menu(
    name: str, title: str, query: ListQuery, groups: list[Group], chosen: str, *changed: str
) -> Menu:
    return Menu(name, title, chosen, groups, kept=tuple(query.kept(name, *changed)))


def choice(name: str, title: str, chosen: str, values: Sequence[tuple[str, str]]) -> Group:
    options = [Option("", "Any", not chosen)]
    options += [Option(value, words, value == chosen) for value, words in values]
    return Group(name, title, many=False, options=options)


def words_of(titles: Mapping[str, str], chosen: Sequence[str]) -> str:
    return listed([titles.get(each, each) for each in chosen])


def listed(words: Sequence[str]) -> str:
    """The first two, and how many more."""
    shown = ", ".join(words[:2])
    return f"{shown} +{len(words) - 2}" if len(words) > 2 else shown
