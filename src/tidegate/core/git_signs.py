"""What a command and its output show of a session's repository, branch, commits and pull requests.

The output is the proof: a commit is one when git wrote `[main 1a2b3c4] subject`. Only where git was
told to be quiet is the command alone believed, and then the link is inferred, not certain.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from tidegate.core.attribution import Kind, Method
from tidegate.core.model import Link
from tidegate.core.redaction import redact_name
from tidegate.core.remotes import (
    PullRequestName,
    branch_of,
    commit_of,
    normalise_remote,
    pull_request_of,
    repository_of,
)
from tidegate.core.shell_lines import Words, commands

_LONGEST_OUTPUT: Final = 200_000  # characters; of a longer one its end counts
_MOST_LINKS: Final = 50
_PROGRAMS: Final = re.compile(r"\b(?:git|gh|glab)\b")
_GIT_VALUES: Final = frozenset({"-C", "-c", "--git-dir", "--work-tree", "--namespace"})
_SWITCHED: Final = re.compile(
    r"^(?:Switched to (?:a new |and reset )?branch|Already on|Reset branch) '(.+)'$", re.M
)
_COMMITTED: Final = re.compile(
    r"^\[(?P<branch>[^\]\n]{1,300}?)(?: \(root-commit\))? (?P<commit>[0-9a-f]{7,64})\] ", re.M
)
_DETACHED: Final = "detached HEAD"
_TO: Final = re.compile(r"^To (\S+)$")
_REF: Final = re.compile(
    r"^ (?P<flag>[ +*]) (?P<what>\[new branch\]|[0-9a-f]{4,64}\.{2,3}[0-9a-f]{4,64})\s+"
    r"\S+ -> (?P<branch>\S+)(?: \(.*\))?$"
)
_DEPLOYS: Final = (
    "git.heroku.com",
    ".scm.azurewebsites.net",
)  # where code runs, not where it lives
_PAGE_LINE: Final = re.compile(r"^[ \t]*(https://[^\s\"'<>]{1,500})[ \t]*$", re.M)
_PAGE_SHOWN: Final = re.compile(
    r"^(?:url:[ \t]+|View this pull request on GitHub: |.{0,3}\bView in browser: ?|web_url:[ \t]+)"
    r"(https://[^\s\"'<>]{1,500})",
    re.M,
)
_PAGE_KEY: Final = re.compile(r'"(?:url|web_url)":\s*"(https://[^\s"\\]{1,500})"')
_REMOTE_PAGE: Final = re.compile(
    r"^remote: +[^\n]{0,40}\bView [^\n]{0,300}\n(?:remote: *\n)*remote: +(https://\S{1,500})", re.M
)
_FETCHED: Final = re.compile(r"^From (\S+)$", re.M)


def links_of(command: str, output: str, is_error: bool) -> list[Link]:
    """What is shown, in the order of the commands. Never raises for what they say.

    A failed command shows nothing. Of several in a row it is not known which failed: then only
    what the output proves counts.
    """
    if not _PROGRAMS.search(command):
        return []
    run = [sign for words in commands(command) if (sign := _sign(words)) is not None]
    if is_error and len(run) < 2:
        return []
    text = output[-_LONGEST_OUTPUT:].replace("\r\n", "\n")
    found: dict[tuple[str, str], Link] = {}
    for source, reader, arguments in run:
        for link in reader(source, arguments, text):
            known = found.get((link.kind, link.value))
            if (link.certain or not is_error) and (known is None or link.certain > known.certain):
                found[link.kind, link.value] = link
    return list(found.values())[:_MOST_LINKS]


Reader = Callable[[str, Words, str], Iterator[Link]]


def _sign(words: Words) -> tuple[str, Reader, Words] | None:
    """What to look for after a command: its name for people, its reader and arguments."""
    program = words[0].rpartition("/")[2].removesuffix(".exe")
    if program == "git":
        rest = _after_options(words[1:])
        return _known(_GIT, "git", rest[:1], rest[1:])
    if program in {"gh", "glab"}:
        return _known(_FORGE, program, words[1:3], words[3:])
    return None


def _known(
    readers: dict[str, Reader], program: str, name: Words, rest: Words
) -> tuple[str, Reader, Words] | None:
    verb = " ".join(name)
    return (f"{program} {verb}", readers[verb], rest) if verb in readers else None


def _after_options(words: Words) -> Words:
    at = 0
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in _GIT_VALUES else 1
    return words[at:]


# -- git ---------------------------------------------------------------------


def _switch(source: str, arguments: Words, output: str) -> Iterator[Link]:
    shown = _SWITCHED.findall(output)
    if shown:
        yield from _branch(shown[-1], source)
        return
    made = _value_of(arguments, ("-c", "-C", "--create", "-b", "-B", "--force-create"))
    if not made and source == "git switch":
        made = next((word for word in arguments if not word.startswith("-")), "")
        made = "" if "--detach" in arguments or "-d" in arguments else made
    if made and not output.strip():
        yield from _branch(made, source, certain=False)


def _commit(source: str, _arguments: Words, output: str) -> Iterator[Link]:
    for made in _COMMITTED.finditer(output):
        if made["branch"] != _DETACHED:
            yield from _branch(made["branch"], source)
        yield _link(Kind.COMMIT, commit_of(made["commit"]), source)


def _push(source: str, _arguments: Words, output: str) -> Iterator[Link]:
    remote = ""
    for line in output.split("\n"):
        if to := _TO.match(line):
            remote = normalise_remote(to[1]) or ""
        elif remote and (ref := _REF.match(line)):
            yield from _pushed(remote, ref, source)
    if remote:
        for page in _REMOTE_PAGE.findall(output):
            yield from _pull_request(pull_request_of(page), source)


def _pushed(remote: str, ref: re.Match[str], source: str) -> Iterator[Link]:
    if remote.partition("/")[0].endswith(_DEPLOYS):
        return
    branch = ref["branch"].removeprefix("refs/heads/")
    if branch.startswith("refs/"):
        return
    yield _link(Kind.REPOSITORY, remote, source)
    yield from _branch(branch, source)
    if commit := commit_of(ref["what"].rpartition(".")[2]):
        yield _link(Kind.COMMIT, commit, source)


_GIT: Final[dict[str, Reader]] = {
    "switch": _switch,
    "checkout": _switch,
    "commit": _commit,
    "cherry-pick": _commit,
    "revert": _commit,
    "push": _push,
}


# -- forges' own programs ----------------------------------------------------


def _created(source: str, _arguments: Words, output: str) -> Iterator[Link]:
    """The page stands on a line of its own, the last one where there are several."""
    pages = [found for page in _PAGE_LINE.findall(output) if (found := pull_request_of(page))]
    yield from _pull_request(pages[-1] if pages else None, source)


def _viewed(source: str, arguments: Words, output: str) -> Iterator[Link]:
    """Whoever looks at the pull request of the branch works on it; at another, perhaps."""
    of_branch = not arguments or arguments[0].startswith("-")
    for pattern in (_PAGE_SHOWN, _PAGE_KEY, _PAGE_LINE):
        pages = [found for page in pattern.findall(output) if (found := pull_request_of(page))]
        if pages:
            yield from _pull_request(pages[0], source, certain=of_branch)
            return


def _checked_out(source: str, arguments: Words, output: str) -> Iterator[Link]:
    yield from _switch(source, [], output)
    fetched = _FETCHED.search(output)
    named = _value_of(arguments, ("-R", "--repo"))
    repository = repository_of(named, default_host="github.com") if named else None
    if repository is None and fetched is not None:
        repository = repository_of(fetched[1])
    asked = next((word for word in arguments if not word.startswith("-") and word != named), "")
    yield from _pull_request(pull_request_of(asked, repository or ""), source)


_FORGE: Final[dict[str, Reader]] = {
    "pr create": _created,
    "pr new": _created,
    "pr edit": _created,
    "pr view": _viewed,
    "pr checkout": _checked_out,
    "pr co": _checked_out,
    "mr create": _created,
    "mr new": _created,
    "mr update": _created,
    "mr view": _viewed,
    "mr show": _viewed,
    "mr checkout": _checked_out,
}


# -- links -------------------------------------------------------------------


def _value_of(arguments: Sequence[str], names: tuple[str, ...]) -> str:
    """What an option is set to."""
    for at, word in enumerate(arguments):
        if word in names and at + 1 < len(arguments):
            return arguments[at + 1]
        name, has_value, value = word.partition("=")
        if has_value and name in names:
            return value
    return ""


def _branch(name: str, source: str, *, certain: bool = True) -> Iterator[Link]:
    if found := branch_of(name):
        yield _link(Kind.BRANCH, found, source, certain=certain)


def _pull_request(
    found: PullRequestName | None, source: str, *, certain: bool = True
) -> Iterator[Link]:
    if found is not None:
        yield _link(Kind.REPOSITORY, found.repository, source, certain=certain)
        yield _link(Kind.PULL_REQUEST, found.value, source, certain=certain)


def _link(kind: Kind, value: str, source: str, *, certain: bool = True) -> Link:
    return Link(kind.value, redact_name(value), Method.TOOL.value, certain, source)
