"""`tidegate compress`: show what compression makes of a transcript or of one tool result."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Final

import typer

from tidegate.cli.errors import CommandError
from tidegate.compression import LEVELS, compress_messages, compress_result

_LEVEL_HELP: Final = f"One of {', '.join(LEVELS)}."


def compress(
    tool: Annotated[
        str, typer.Option("--tool", help="The input is one result of this tool, such as Bash.")
    ] = "",
    level: Annotated[str, typer.Option("--level", help=_LEVEL_HELP)] = LEVELS[0],
    call: Annotated[
        str, typer.Option("--input", help="Arguments of the tool's call, as JSON or a command.")
    ] = "",
) -> None:
    """Compress a transcript or one tool result from standard input; a report goes to stderr.

    A transcript is Anthropic messages (a list, or an object with `messages`) or Claude Code's JSON
    lines. With --tool, or if it is neither, the input is one result.
    """
    if level not in LEVELS:
        raise CommandError(f"There is no level {level!r}. There are {', '.join(LEVELS)}.")
    came = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    lines = None if tool else _transcript(came)
    if lines is None:
        went = compress_result(tool, _arguments(call), came, level=level)
        pairs = [(came, went)]
    else:
        went, pairs = _compressed(lines, level)
    sys.stdout.buffer.write(went.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()
    print(_report(pairs, level), file=sys.stderr)  # noqa: T201


def _arguments(call: str) -> Any:
    try:
        found = json.loads(call)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"command": call}


class _Transcript:
    """Messages, and how to write what holds them with others in their place."""

    def __init__(self, messages: list[Any], written: Callable[[list[Any]], str]) -> None:
        self.messages = messages
        self.written = written


def _transcript(text: str) -> _Transcript | None:
    try:
        whole = json.loads(text)
    except ValueError:
        return _json_lines(text)
    except RecursionError:
        return None
    if _are_messages(whole):
        return _Transcript(whole, _json)
    if isinstance(whole, dict) and _are_messages(whole.get("messages")):
        return _Transcript(
            whole["messages"], lambda messages: _json({**whole, "messages": messages})
        )
    return _json_lines(text)


def _json_lines(text: str) -> _Transcript | None:
    """Claude Code's transcript: an entry a line, of which some hold a `message`."""
    try:
        entries = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError):
        return None
    holders = [e for e in entries if isinstance(e, dict) and isinstance(e.get("message"), dict)]
    if not holders:
        return None

    def written(messages: list[Any]) -> str:
        shorter = dict(zip(map(id, holders), messages, strict=True))
        return "".join(
            _json({**entry, "message": shorter[id(entry)]} if id(entry) in shorter else entry)
            for entry in entries
        )

    return _Transcript([entry["message"] for entry in holders], written)


def _are_messages(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(message, dict) and "role" in message for message in value)
    )


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def _compressed(transcript: _Transcript, level: str) -> tuple[str, list[tuple[str, str]]]:
    shorter = compress_messages(transcript.messages, level=level)
    pairs = zip(_results(transcript.messages), _results(shorter), strict=True)
    return transcript.written(shorter), list(pairs)


def _results(messages: Iterable[Any]) -> Iterator[str]:
    for message in messages:
        content = message.get("content")
        for block in content if isinstance(content, list) else []:
            if isinstance(block, dict) and block.get("type") == "tool_result":
                inner = block.get("content")
                if isinstance(inner, str):
                    yield inner
                for part in inner if isinstance(inner, list) else []:
                    if isinstance(part, dict) and isinstance(part.get("text"), str):
                        yield part["text"]


def _report(pairs: list[tuple[str, str]], level: str) -> str:
    changed = sum(came != went for came, went in pairs)
    lines = [
        f"{level}: {len(pairs)} tool results, {changed} made shorter",
        _saved("bytes", _bytes, pairs),
    ]
    count = _token_counter()
    if count is not None:
        lines.append(_saved("tokens", count, pairs))
    return "\n".join(lines)


def _saved(unit: str, count: Callable[[str], int], pairs: list[tuple[str, str]]) -> str:
    before = sum(count(came) for came, _ in pairs)
    after = sum(count(went) for _, went in pairs)
    saved = 100 * (1 - after / max(1, before))
    return f"{unit}: {before:,} before, {after:,} after, {saved:.1f} % saved"


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _token_counter() -> Callable[[str], int] | None:
    try:
        # The tokenizer is not part of the base install.
        import bpe_openai  # noqa: PLC0415  and takes seconds to load
    except ImportError:
        return None
    encoding = bpe_openai.get_encoding("o200k_base")
    return lambda text: len(encoding.encode(text.encode("utf-8", "replace").decode()))
