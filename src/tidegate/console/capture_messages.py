"""The conversation that a request carries, whichever of the three dialects it speaks.

Nothing here trusts the request to be what its dialect says: what is of another shape than expected
is shown as JSON, so that it is seen at all.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tidegate.console.capture_json import plain, read_document
from tidegate.core.model import Dialect

SYSTEM, USER, ASSISTANT, TOOL = "system", "user", "assistant", "tool"


@dataclass(frozen=True, slots=True)
class Piece:
    """A text of a block; a call's arguments have names."""

    text: str
    name: str = ""
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a message: text, thinking, call, result, image, file, tools, error or other."""

    kind: str
    pieces: list[Piece] = field(default_factory=list)
    title: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    role: str
    blocks: list[Block]


def read_conversation(dialect: Dialect, body: Any) -> list[Message]:
    """The messages of a request's body, in their order: instructions and tools first."""
    if not isinstance(body, dict):
        return []
    reader = _READERS[dialect](_names_of_calls(body))
    return [*_tools(body), *reader.messages(body)]


def read_answer(dialect: Dialect, value: Any) -> list[Message]:
    """The messages of an answer: of a whole one, or of one put together from its events."""
    if not isinstance(value, dict):
        return []
    error = value.get("error")
    reader = _READERS[dialect]({})
    return [
        *([Message(ASSISTANT, [error_block(error)])] if error else []),
        *reader.answer(value),
    ]


def error_block(error: Any) -> Block:
    said = error.get("message") if isinstance(error, dict) else error
    kind = error.get("type") if isinstance(error, dict) else ""
    text = said if isinstance(said, str) else plain(error)
    return Block("error", [Piece(text)], kind if isinstance(kind, str) else "", failed=True)


class _Reader:
    """Reads one dialect. `names`: those of the tools that were called, by the id of the call."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def messages(self, body: dict[str, Any]) -> Iterator[Message]:
        raise NotImplementedError

    def answer(self, value: dict[str, Any]) -> Iterator[Message]:
        raise NotImplementedError

    def _content(self, content: Any) -> list[Block]:
        """A string, or a list of parts."""
        if content is None:
            return []
        if isinstance(content, str):
            return [Block("text", [Piece(content)])] if content else []
        if isinstance(content, list):
            return [self._part(part) for part in content]
        return [_other(content)]

    def _part(self, part: Any) -> Block:
        """One part, of whichever dialect: their names are different enough."""
        if not isinstance(part, dict):
            return _other(part)
        kind = _name(part.get("type"))
        if kind in _TEXTS and isinstance(part.get("text"), str):
            return Block("text", [Piece(part["text"])])
        if kind in _PARTS:
            return _PARTS[kind](part)
        if kind in _CALLS:
            return call(part.get("name"), part.get("input", part.get("arguments")))
        if kind.endswith("tool_result"):
            return self._result(part.get("tool_use_id"), part.get("content"), part.get("is_error"))
        return _other(part)

    def _result(self, call_id: Any, content: Any, failed: Any = False) -> Block:
        pieces = [piece for block in self._content(content) for piece in _as_pieces(block)]
        return Block("result", pieces, self._names.get(str(call_id), ""), failed=bool(failed))


class _Messages(_Reader):
    def messages(self, body: dict[str, Any]) -> Iterator[Message]:
        if system := self._content(body.get("system")):
            yield Message(SYSTEM, system)
        for message in _list(body.get("messages")):
            if not isinstance(message, dict):
                yield Message("", [_other(message)])
                continue
            blocks = self._content(message.get("content"))
            only_results = bool(blocks) and all(block.kind == "result" for block in blocks)
            yield Message(TOOL if only_results else _role(message), blocks)

    def answer(self, value: dict[str, Any]) -> Iterator[Message]:
        if blocks := self._content(value.get("content")):
            yield Message(ASSISTANT, blocks)


class _Chat(_Reader):
    def messages(self, body: dict[str, Any]) -> Iterator[Message]:
        for message in _list(body.get("messages")):
            yield self._message(message)

    def answer(self, value: dict[str, Any]) -> Iterator[Message]:
        for choice in _list(value.get("choices")):
            if isinstance(choice, dict) and isinstance(choice.get("message"), dict):
                yield self._message({"role": ASSISTANT} | choice["message"])

    def _message(self, message: Any) -> Message:
        if not isinstance(message, dict):
            return Message("", [_other(message)])
        if message.get("role") == TOOL:
            return Message(
                TOOL, [self._result(message.get("tool_call_id"), message.get("content"))]
            )
        blocks = []
        for name in ("reasoning_content", "reasoning"):
            if isinstance(message.get(name), str) and message[name]:
                blocks.append(Block("thinking", [Piece(message[name])]))
                break
        blocks += self._content(message.get("content"))
        if isinstance(message.get("refusal"), str) and message["refusal"]:
            blocks.append(Block("error", [Piece(message["refusal"])], "refusal"))
        blocks += [_chat_call(each) for each in _list(message.get("tool_calls"))]
        return Message(_role(message), blocks)


class _Responses(_Reader):
    def messages(self, body: dict[str, Any]) -> Iterator[Message]:
        if instructions := self._content(body.get("instructions")):
            yield Message(SYSTEM, instructions)
        if isinstance(body.get("input"), str):
            yield Message(USER, self._content(body["input"]))
        yield from self._items(_list(body.get("input")))

    def answer(self, value: dict[str, Any]) -> Iterator[Message]:
        yield from self._items(_list(value.get("output")))

    def _items(self, items: list[Any]) -> Iterator[Message]:
        """What one side says without the other in between is one message."""
        held: Message | None = None
        for item in items:
            message = self._item(item)
            if held is not None and held.role == message.role and message.role in {ASSISTANT, TOOL}:
                held = Message(held.role, [*held.blocks, *message.blocks])
                continue
            if held is not None:
                yield held
            held = message
        if held is not None:
            yield held

    def _item(self, item: Any) -> Message:
        if not isinstance(item, dict):
            return Message("", [_other(item)])
        kind = _name(item.get("type", "message"))
        if kind == "message":
            return Message(_role(item), self._content(item.get("content")))
        if kind == "reasoning":
            return Message(ASSISTANT, [_reasoning(item)])
        if kind in {"function_call", "custom_tool_call"}:
            return Message(
                ASSISTANT, [call(item.get("name"), item.get("arguments", item.get("input")))]
            )
        if kind.endswith("_call_output"):
            return Message(TOOL, [self._result(item.get("call_id"), item.get("output"))])
        if kind.endswith("_call"):
            return Message(ASSISTANT, [call(kind, item.get("action", item))])
        return Message("", [_other(item)])


def _chat_call(made: Any) -> Block:
    wanted = made.get("function") if isinstance(made, dict) else None
    if not isinstance(wanted, dict):
        return _other(made)
    return call(wanted.get("name"), wanted.get("arguments"))


def call(name: Any, arguments: Any) -> Block:
    """A call of a tool; arguments that came as text are shown as what they mean."""
    value = _decoded(arguments)
    if isinstance(value, dict):
        pieces = [Piece(plain(each), str(key), is_code=True) for key, each in value.items()]
    else:
        pieces = [Piece(plain(value), is_code=True)] if value not in (None, "") else []
    return Block("call", pieces, name if isinstance(name, str) else "")


def _decoded(arguments: Any) -> Any:
    if not isinstance(arguments, str):
        return arguments
    found = read_document(arguments.encode("utf-8", "replace"))
    return found.value if isinstance(found.value, dict) else arguments


def _thinking(part: dict[str, Any]) -> Block:
    text = part.get("thinking") or part.get("text")
    if isinstance(text, str):
        return Block("thinking", [Piece(text)])
    return Block("thinking", [], "signed, its text was not sent")


def _reasoning(item: dict[str, Any]) -> Block:
    parts = [*_list(item.get("summary")), *_list(item.get("content"))]
    pieces = [Piece(part["text"]) for part in parts if isinstance(part, dict) and _is_text(part)]
    return Block("thinking", pieces, "" if pieces else "encrypted")


def _is_text(part: dict[str, Any]) -> bool:
    return isinstance(part.get("text"), str)


def _image(part: dict[str, Any]) -> Block:
    return Block("image", [], _attached(part, "image"))


def _file(part: dict[str, Any]) -> Block:
    return Block("file", [], _attached(part, "file"))


def _attached(part: dict[str, Any], noun: str) -> str:
    """What is said in the place of an attachment: `image/png, 48,210 characters of base64`."""
    source = (
        part.get("source") or part.get("image_url") or part.get("file") or part.get(noun) or part
    )
    if isinstance(source, dict):
        media = source.get("media_type") or source.get("filename") or source.get("format") or ""
        content = next((source[k] for k in ("data", "url", "file_data") if k in source), "")
    else:
        media, content = "", source
    if not isinstance(content, str):
        return str(media or noun)
    head, comma, rest = content.partition(",")
    if head.startswith("data:"):
        media, content = head[5:].partition(";")[0], rest if comma else ""
    elif "://" in content[:12]:
        return content
    told = [str(media or noun)]
    return ", ".join([*told, f"{len(content):,} characters of base64"] if content else told)


def _refusal(part: dict[str, Any]) -> Block:
    return Block("error", [Piece(plain(part.get("refusal")))], "refusal")


def _other(value: Any) -> Block:
    kind = value.get("type") if isinstance(value, dict) else ""
    return Block(
        "other", [Piece(plain(value), is_code=True)], kind if isinstance(kind, str) else ""
    )


def _as_pieces(block: Block) -> list[Piece]:
    """What a tool answered with, pictures too."""
    if block.kind in {"image", "file"}:
        return [Piece(f"[{block.title}]")]
    return block.pieces


def _tools(body: dict[str, Any]) -> Iterator[Message]:
    """The tools that the model may call: name and what each is for."""
    pieces = []
    for tool in _list(body.get("tools")):
        known = tool.get("function", tool) if isinstance(tool, dict) else {}
        if not isinstance(known, dict):
            continue
        name, told = known.get("name") or known.get("type"), known.get("description")
        pieces.append(Piece(told if isinstance(told, str) else "", str(name or "?")))
    if pieces:
        yield Message(SYSTEM, [Block("tools", pieces, f"{len(pieces):,}")])


def _names_of_calls(body: dict[str, Any]) -> dict[str, str]:
    """The name of each tool that was called, by the id of the call."""
    names: dict[str, str] = {}
    for message in [*_list(body.get("messages")), *_list(body.get("input"))]:
        if not isinstance(message, dict):
            continue
        calls = [message, *_list(message.get("content")), *_list(message.get("tool_calls"))]
        for each in calls:
            if isinstance(each, dict):
                wanted = each.get("function")
                name = wanted.get("name") if isinstance(wanted, dict) else each.get("name")
                if isinstance(name, str):
                    names[str(each.get("call_id") or each.get("id"))] = name
    return names


def _role(message: dict[str, Any]) -> str:
    return _name(message.get("role"))


def _name(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


_TEXTS: Final = frozenset({"text", "input_text", "output_text", "summary_text", ""})
_CALLS: Final = frozenset({"tool_use", "server_tool_use", "mcp_tool_use", "function_call"})
_PARTS: Final[Mapping[str, Callable[[dict[str, Any]], Block]]] = {
    "thinking": _thinking,
    "redacted_thinking": _thinking,
    "image": _image,
    "image_url": _image,
    "input_image": _image,
    "document": _file,
    "file": _file,
    "input_file": _file,
    "input_audio": _file,
    "refusal": _refusal,
}
_READERS: Final[Mapping[Dialect, Callable[[Mapping[str, str]], _Reader]]] = {
    Dialect.MESSAGES: _Messages,
    Dialect.CHAT: _Chat,
    Dialect.RESPONSES: _Responses,
}
