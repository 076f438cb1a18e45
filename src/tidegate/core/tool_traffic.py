"""What the newest tool calls of a conversation and their results say of its session.

An agent sends its whole conversation with every request. New is only what follows the model's last
words: the results of its last calls. Almost never is there anything in them for us, so first a few
short strings are looked for where those calls stand, and only if one is there is that end of the
conversation decoded.

    Messages          the last message of the assistant, and the user's with its results
    Chat Completions  the last message of the assistant, and the tools' after it
    Responses         the calls before the last outputs, and those outputs
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from tidegate.core.compression.requests import CONVERSATION, Call, Item, ResultText, read_message
from tidegate.core.compression.splice import members, text_of, without_lone_surrogates
from tidegate.core.git_signs import links_of
from tidegate.core.model import Dialect, Link, SessionCall
from tidegate.core.session_tools import NEEDLES, digest, tool_of

_WINDOWS: Final = (32 << 10, 1 << 20)  # bytes of a conversation's end that are looked at
_MOST_CALLS: Final = 50
_LONGEST_ID: Final = 200
_LONGEST_COMMAND: Final = 20_000
_NEEDLES: Final = (b"git ", b"gh pr", b"glab mr", *NEEDLES)
_OF_MODEL: Final = {
    Dialect.MESSAGES: b'"assistant"',
    Dialect.CHAT: b'"assistant"',
    Dialect.RESPONSES: b'_call"',
}
_OF_RESULT: Final = {
    Dialect.MESSAGES: b'"tool_result"',
    Dialect.CHAT: b'"tool_call_id"',
    Dialect.RESPONSES: b'_call_output"',
}
_OBJECT: Final = b'{"'
_ELEMENTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_SHELLS: Final = frozenset(
    {"bash", "shell", "exec_command", "shell_command", "local_shell", "run_shell_command"}
    | {"execute_bash", "execute_command", "run_terminal_cmd", "run_in_terminal", "powershell"}
)
_CODE_MODE: Final = "exec"  # Codex: JavaScript that calls the other tools
_IN_CODE: Final = re.compile(
    r"""\bexec_command\(\s*\{[^{}]{0,400}?["']?\bcmd["']?\s*:\s*"""
    r"""(?:"((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'|`((?:[^`\\$]|\\.)*)`)""",
    re.S,
)
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.S)
_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r", "\n": "", "b": "\b", "f": "\f", "0": ""}
_EXIT: Final = re.compile(
    r"\A(?:(?:Chunk ID|Wall time|Original token count): ?[^\n]*\n)*"
    r"(?:Process exited with code |Exit code:? )(-?\d+)"
)
_ABOVE: Final = re.compile(
    r"\A(?:(?:Chunk ID|Wall time|Original token count|Process exited|Script completed)[^\n]*\n)+"
    r"Output:\n+"
)
_NO_OUTPUT: Final = re.compile(
    r"\s*(?:\(?(?:no output|Bash completed with no output|Tool ran without output)\)?\.?\s*)?", re.I
)
_FAILED: Final = re.compile(r"\A(?:Script failed|exec_command failed|Error: |error: )")


Result = tuple[str, bool]
"""An output, and whether the command failed."""


class Seen(msgspec.Struct, frozen=True):
    """What one request's new part says of its session."""

    links: tuple[Link, ...] = ()
    calls: tuple[SessionCall, ...] = ()


NOTHING: Final = Seen()


def look(body: bytes, fields: Mapping[str, msgspec.Raw] | None, dialect: Dialect) -> Seen:
    """Read the new part of a request's body; `fields` are its members, if they were told apart.

    Raises `Doubt`, and what decoding raises, where the body is not as it should be.
    """
    source = _conversation(body, fields, CONVERSATION[dialect])
    if source is None:
        return NOTHING
    for window in _WINDOWS:
        end = bytes(source[-window:])
        begins = _begin_of_calls(end, dialect)
        if begins is None:
            return NOTHING
        if begins >= 0:
            return _read(source, end[begins:], dialect)
        if len(end) == len(source):
            break
    return NOTHING


def _conversation(
    body: bytes, fields: Mapping[str, msgspec.Raw] | None, name: str
) -> memoryview | None:
    if fields is not None:
        raw = fields.get(name)
        return memoryview(raw) if raw is not None else None
    if len(body) > _WINDOWS[-1]:
        return None  # telling its members apart takes too long for what it is worth
    plain = without_lone_surrogates(body)
    start, end = members(plain).get(name, (0, 0))
    return memoryview(plain)[start:end]


# -- where it is -------------------------------------------------------------


def _begin_of_calls(end: bytes, dialect: Dialect) -> int | None:
    """Where the newest calls begin in a conversation's end; None if nothing there is for us.

    -1 where they begin before this end of it.
    """
    model, result = _OF_MODEL[dialect], _OF_RESULT[dialect]
    said = end.rfind(model)
    if said < 0:
        return -1
    first_result = end.find(result, said)
    if first_result < 0:
        return None  # nothing was called, or a person spoke after it
    begins = _first_call(end, said, first_result, dialect)
    if begins < 0 or any(end.find(needle, begins, first_result) >= 0 for needle in _NEEDLES):
        return begins
    return None


def _first_call(end: bytes, said: int, first_result: int, dialect: Dialect) -> int:
    """Where the object begins that holds the first of the newest calls."""
    if dialect is Dialect.RESPONSES:
        result = _OF_RESULT[dialect]
        for _ in range(min(end.count(result, first_result), _MOST_CALLS) - 1):
            earlier = end.rfind(b'_call"', 0, said)
            if earlier < 0 or end.find(result, earlier, said) >= 0:
                break
            said = earlier
    elif end[said + 11 : said + 12] == b"}":  # the role stands behind the content
        before = end.rfind(b'"role"', 0, said - 7)
        return end.find(_OBJECT, before, said) if before >= 0 else -1
    return end.rfind(_OBJECT, 0, said)


# -- what it says ------------------------------------------------------------


def _read(conversation: memoryview, end: bytes, dialect: Dialect) -> Seen:
    try:
        calls, results = _newest(b"[" + end, dialect)
    except msgspec.DecodeError:  # no object of the conversation begins there: from its beginning
        calls, results = _newest(conversation, dialect)
    found: dict[tuple[str, str], Link] = {}
    for call in calls[-_MOST_CALLS:]:
        command = _command(call)
        shown = results.get(call.call_id) if command else None
        for link in links_of(command, *shown) if shown is not None else ():
            known = found.get((link.kind, link.value))
            if known is None or link.certain > known.certain:
                found[link.kind, link.value] = link
    return Seen(tuple(found.values()), tuple(_session_calls(calls[-_MOST_CALLS:])))


def _newest(elements: bytes | memoryview, dialect: Dialect) -> tuple[list[Call], dict[str, Result]]:
    """The model's last calls, and what each gave."""
    calls: list[Call] = []
    results: dict[str, Result] = {}
    for element in reversed(_ELEMENTS.decode(elements)):
        source = bytes(element)
        message = read_message(dialect, source)
        if message.by_model:
            calls = [*(item for item in message.items if isinstance(item, Call)), *calls]
            if dialect is not Dialect.RESPONSES or not calls:
                break
        elif calls:
            break
        else:
            results |= _results(source, message.items)
    return calls, results


def _results(source: bytes, items: Sequence[Item]) -> dict[str, Result]:
    texts: dict[str, list[str]] = {}
    failed: set[str] = set()
    for item in items:
        if isinstance(item, ResultText):
            texts.setdefault(item.call_id, []).append(text_of(source[item.span[0] : item.span[1]]))
            if item.is_error:
                failed.add(item.call_id)
    return {
        call_id: _result("\n".join(parts), is_error=call_id in failed)
        for call_id, parts in texts.items()
    }


def _result(text: str, *, is_error: bool) -> Result:
    """The output without what agents write above it, and whether the command failed."""
    exited = _EXIT.match(text)
    failed = is_error or (exited is not None and exited[1] != "0") or bool(_FAILED.match(text))
    output = text[above.end() :] if (above := _ABOVE.match(text)) else text
    return ("" if _NO_OUTPUT.fullmatch(output) else output), failed


def _command(call: Call) -> str:
    """The command line that a call runs, if it runs one."""
    tool = re.split(r"__|\.", call.tool.lower())[-1]
    if tool == _CODE_MODE and isinstance(call.arguments, str):
        return "\n".join(map(_of_code, _IN_CODE.finditer(call.arguments[:_LONGEST_COMMAND])))
    if tool not in _SHELLS or not isinstance(call.arguments, dict):
        return ""
    given = call.arguments.get("command", call.arguments.get("cmd"))
    if isinstance(given, list):
        return shlex.join(map(str, given[:_MOST_CALLS]))
    return given if isinstance(given, str) else ""


def _of_code(found: re.Match[str]) -> str:
    """A JavaScript string."""
    return _ESCAPE.sub(_unescaped, found[1] or found[2] or found[3] or "")


def _unescaped(found: re.Match[str]) -> str:
    escape = found[1]
    if escape[0] in "ux" and len(escape) > 1:
        return chr(int(escape[1:], 16))
    return _ESCAPED.get(escape, escape)


def _session_calls(calls: Sequence[Call]) -> Iterator[SessionCall]:
    for call in calls:
        tool = tool_of(call.tool)
        if tool and call.call_id and isinstance(call.arguments, dict):
            yield SessionCall(call.call_id[:_LONGEST_ID], tool, digest(call.arguments))
