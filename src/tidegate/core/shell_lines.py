"""The single commands of a shell's command line, as far as it can be told without running it.

Quoted text stays text: `echo "git push"` runs one command, and it is echo.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

_LONGEST: Final = 20_000  # characters of a command line
_MOST_COMMANDS: Final = 100
_DEPTH: Final = 2  # of `bash -c` within `bash -c`
_HERE_DOCUMENT: Final = re.compile(
    r"<<-?[ \t]*(?P<quote>['\"]?)(?P<end>\w+)(?P=quote)(?P<rest>[^\n]*)\n"
    r"(?:(?![ \t]*(?P=end)[ \t]*(?:\n|$)).*(?:\n|$))*(?:[ \t]*(?P=end)[ \t]*(?=\n|$))?"
)
_TOKEN: Final = re.compile(
    r"(?P<blank>(?:[ \t\r]|\\\n)+)"
    r"|(?P<comment>#[^\n]*)"
    r"|(?P<redirect>[0-9]*(?:&>|[<>])[<>&|]*[ \t]*)"
    r"|(?P<break>&&|\|\||\|&|[;|&\n()])"
    r"|(?P<word>(?:\\.|'[^']*'|\"(?:[^\"\\]|\\.)*\"|[^\s;&|()<>'\"\\])+)"
    r"|(?P<odd>.)",
    re.S,
)
_PIECE: Final = re.compile(r"\\(.)|'([^']*)'|\"((?:[^\"\\]|\\.)*)\"|([^'\"\\]+)", re.S)
_ESCAPED: Final = re.compile(r"\\([\"\\$`\n])")
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*\+?=.*", re.S)
_BEFORE: Final = frozenset(
    {"sudo", "env", "time", "command", "nohup", "exec", "builtin", "then", "do", "else", "if"}
    | {"while", "!", "{", "stdbuf", "nice"}
)
_SHELLS: Final = frozenset({"bash", "sh", "zsh", "dash", "ksh"})
Words = list[str]


def commands(line: str, depth: int = _DEPTH) -> list[Words]:
    """The words of each command, without what assigns, redirects or merely starts it."""
    found: list[Words] = []
    for raw in _split(_HERE_DOCUMENT.sub(r"\g<rest>\n", line[:_LONGEST])):
        words = _bare(raw)
        if not words:
            continue
        inner = _script(words) if depth else None
        found += commands(inner, depth - 1) if inner is not None else [words]
        if len(found) >= _MOST_COMMANDS:
            break
    return found


def _split(line: str) -> Iterator[Words]:
    words: Words = []
    redirects = False
    for token in _TOKEN.finditer(line):
        kind = token.lastgroup
        if kind == "word":
            if not redirects:
                words.append(_unquoted(token[0]))
            redirects = False
        elif kind == "break":
            yield words
            words, redirects = [], False
        elif kind == "redirect":
            redirects = True
        elif kind == "odd":  # an end of quotation that never comes: what follows is text
            break
    yield words


def _unquoted(word: str) -> str:
    return _PIECE.sub(
        lambda piece: (
            _ESCAPED.sub(r"\1", piece[3])
            if piece[3] is not None
            else "".join(filter(None, piece.groups()))
        ),
        word,
    )


def _bare(words: Words) -> Words:
    """Without assignments and what runs the command that follows it."""
    at = 0
    while at < len(words):
        word = words[at]
        if word in _BEFORE or _ASSIGNMENT.fullmatch(word):
            at += 1
        elif word == "timeout":
            at += 1
            while at < len(words) and words[at].startswith("-"):
                at += 1
            at += 1  # how long
        elif at and word.startswith("-") and words[at - 1] in _BEFORE:
            at += 1
        else:
            break
    return words[at:]


def _script(words: Words) -> str | None:
    """The command line that a shell is given."""
    if words[0].rpartition("/")[2] not in _SHELLS:
        return None
    for option, given in pairwise(words[1:]):
        if re.fullmatch(r"-[a-z]*c", option):
            return given
        if not option.startswith("-"):
            return None
    return None
