"""What a tool call does, as far as the shape of its result does not tell."""

import re
from enum import Enum
from typing import Any, Final

_READS: Final = frozenset({"read", "read_file", "view", "readfile", "notebookread"})
_SHELLS: Final = frozenset(
    {"bash", "shell", "exec_command", "shell_command", "local_shell", "execute_bash",
     "run_shell_command", "bashoutput", "run", "container.exec"}
)  # fmt: skip
# Where a command begins: not behind a pipe, where head, tail and grep only select lines.
_START: Final = (
    r"(?:^|[;&(\n]|\|\||\bthen\s|\bdo\s|\s-l?c\s+[\"']?)\s*"
    r"(?:\w+=\S*\s+|sudo\s+|time\s+|timeout\s+\S+\s+|env\s+|command\s+)*"
)
_PRINTERS: Final = (
    r"(?:cat|sed|head|tail|nl|less|bat|awk|more|open|goto|scroll_\w+|edit|type|Get-Content)\b"
)
_PRINTS_FILES: Final = re.compile(
    rf"{_START}(?:{_PRINTERS}|git\s+(?:cat-file|show\s+\S+:))"
    rf"|\|\s*cat\b|\bxargs\s[^|;&\n]*\b{_PRINTERS}|-exec\s+{_PRINTERS}"
)
_SEARCHES: Final = re.compile(rf"{_START}(?:(?:git\s+)?grep|rg|egrep|fgrep|ag|ack)\b")
_BETWEEN: Final = re.compile(r"&&|\|\||;|\n")
_SILENT: Final = re.compile(r"\s*(?:(?:cd|export|set|source|pwd|true|echo|mkdir|:|#)\b|$)")
_LISTS: Final = frozenset({"glob", "list", "ls", "list_directory", "list_dir", "find_file"})
_EDITS: Final = frozenset(
    {"edit", "multiedit", "write", "apply_patch", "notebookedit", "write_file", "replace"}
)
_LISTS_FILES: Final = re.compile(
    rf"{_START}(?:ls|find|tree|fd|du|wc|git\s+(?:-\S+\s+)*(?:status|ls-files|ls-tree)|rg\s+--files)\b"
)
_SEARCH_TOOLS: Final = frozenset({"grep", "search_file_content", "search_dir", "search_file"})


class Kind(Enum):
    READ = 1  # a tool that prints one file
    FILE = 2  # a shell command that prints files: their lines are kept to the character
    SHELL = 3
    SEARCH = 4  # a tool or shell command that prints matches with their paths
    LIST = 5  # a tool that prints paths
    OTHER = 6


def kind_of(tool: str, call: Any) -> Kind:
    """Tell by the tool's name, and for a shell by its command."""
    name = tool.lower()
    if name in _READS or (name == "str_replace_editor" and _within(call, "command") == "view"):
        return Kind.READ
    if name in _SHELLS:
        command = command_of(call)
        if _PRINTS_FILES.search(command):
            return Kind.FILE
        return Kind.SEARCH if _SEARCHES.match(_first(command)) else Kind.SHELL
    if name in _SEARCH_TOOLS:
        return Kind.SEARCH
    return Kind.LIST if name in _LISTS else Kind.OTHER


def _first(command: str) -> str:
    """The first part of a command line that prints something."""
    for part in _BETWEEN.split(command):
        if not _SILENT.match(part):
            return part
    return ""


def command_of(call: Any) -> str:
    """The command line of a shell call."""
    if isinstance(call, dict):
        for name in ("command", "cmd"):
            value = call.get(name)
            if isinstance(value, list):
                return " ".join(map(str, value))
            if isinstance(value, str):
                return value
    return call if isinstance(call, str) else ""


def _within(call: Any, name: str) -> Any:
    return call.get(name) if isinstance(call, dict) else None


def path_of(call: Any) -> str:
    """The file that a call names; empty if none."""
    if isinstance(call, dict):
        for name in ("file_path", "filePath", "path"):
            value = call.get(name)
            if isinstance(value, str):
                return value
    return ""


def text_of(tool: str, call: Any) -> str | None:
    """What a call writes to the file that it names; None if it is not such a call."""
    if not isinstance(call, dict) or not path_of(call):
        return None
    name = tool.lower()
    if name not in _EDITS and name != "str_replace_editor":
        return None
    for field in ("new_string", "newString", "new_str", "content", "file_text"):
        value = call.get(field)
        if isinstance(value, str):
            return value
    return None


def class_of(tool: str, call: Any) -> str:
    """The class that reports count a result in: read, search, list, shell, edit or other."""
    name = tool.lower()
    if name in _LISTS:
        return "list"
    if name in _EDITS:
        return "edit"
    kind = kind_of(tool, call)
    if kind in (Kind.READ, Kind.FILE):
        return "read"
    if kind is Kind.SEARCH:
        return "search"
    if name in _SHELLS:
        return "list" if _LISTS_FILES.search(command_of(call)) else "shell"
    return "edit" if name == "str_replace_editor" else "other"
