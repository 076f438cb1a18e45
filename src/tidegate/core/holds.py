"""How much to put aside for a request before it goes out.

The *bound* is what it cannot cost more than: no tokenizer makes more tokens of a text than it has
bytes, and no answer is longer than was asked for. What providers fetch or run by themselves while
they answer has no such bound; where a bound is asked for, such a request has a problem instead.
The *typical* amount is what requests like it have cost.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from tidegate.core.dialects import Members
from tidegate.core.model import Dialect
from tidegate.core.price_book import ListedModel, PriceBook
from tidegate.core.pricing import TOKENS_PER_MTOK

TYPICAL_OUTPUT_TOKENS: Final = 4_000  # of a request like which there was none
SAMPLES: Final = 200
_PERCENT: Final = 99
_SCAFFOLD_TOKENS: Final = 2_000  # what providers put around a prompt: templates, notes on tools
_TYPED_TOOL_TOKENS: Final = 1_500  # a tool that the provider describes itself
_IMAGE_TOKENS: Final = {Dialect.MESSAGES: 5_000}  # at most; a small file can hold a large picture
_ANY_IMAGE_TOKENS: Final = 50_000
_TIERS_ABOVE: Final = 5  # a window is at most so many times the least prompt that is "long"
_MOST_USES: Final = 1_000
_MOST_ANSWERS: Final = 128
_ABSURD_TOKENS: Final = 2_000_000
_ROUNDING_NUSD: Final = 4

_OUTPUT_FIELDS: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_STORED_FIELDS: Final = ("previous_response_id", "conversation", "prompt", "container")
_FIELDS: Final = (
    *_OUTPUT_FIELDS,
    *_STORED_FIELDS,
    *("n", "mcp_servers", "background", "web_search_options", "prediction"),
    *("max_tool_calls", "context_management"),
)
_COUNTED_TOOL: Final = re.compile(r"web_(search|fetch)_\d+")  # each has a `max_uses`
_SEARCH: Final = re.compile(r"web_search(_preview\w*)?")  # all together have `max_tool_calls`
_OWN_TOOLS: Final = {
    Dialect.MESSAGES: re.compile(r"custom|(bash|text_editor|computer|memory)_\d+"),
    Dialect.RESPONSES: re.compile(
        r"function|custom|namespace|tool_search|(local_)?shell|apply_patch|computer\w*"
    ),
    Dialect.CHAT: re.compile(r"function|custom"),
}
_TYPES: Final = re.compile(rb'"type"\s*:\s*"([a-z_0-9]+)"')
_IMAGES: Final = frozenset((b"image", b"input_image", b"image_url"))
# Its tokens are not in the body, or not by its size.
_ELSEWHERE: Final = frozenset(
    (b"url", b"file", b"document", b"input_file", b"item_reference", b"input_audio")
)
_LATE_TOOLS: Final = frozenset((b"additional_tools", b"tool_search_output"))
_SERVER_TOOLS: Final = re.compile(
    rb"web_search(_preview\w*|_\d+)?|web_fetch_\d+|code_interpreter|code_execution_\d+"
    rb"|file_search|image_generation|mcp|mcp_toolset"
)
_ESCAPED_LETTER: Final = re.compile(rb"\\u00[2-7]")


class _Tool(msgspec.Struct):
    """What of a tool's description matters here."""

    type: Any = None
    max_uses: Any = None


_TOOLS: Final = msgspec.json.Decoder(list[_Tool])


class Hold(msgspec.Struct, frozen=True):
    """An amount, or why there is none."""

    amount_nusd: int = 0
    problem: str = ""  # the rest of a sentence that begins with "its cost has no bound: "


class Priceable(msgspec.Struct, frozen=True, kw_only=True):
    """What of a request decides on its price."""

    provider: str
    model: str
    price_table: str
    at_us: int


class Ceiling(msgspec.Struct, frozen=True):
    """The highest rates that a request can be charged, whatever the upstream makes of it."""

    prompt: int
    output: int
    web_search_nusd: int

    def cost(self, prompt_tokens: int, output_tokens: int, searches: int = 0) -> int:
        micro = prompt_tokens * self.prompt + output_tokens * self.output
        return -(-micro // TOKENS_PER_MTOK) + searches * self.web_search_nusd + _ROUNDING_NUSD


class _Unbounded(Exception):
    """Why a request has no bound."""


def bound(
    book: PriceBook, what: Priceable, dialect: Dialect, body: bytes, members: Members | None
) -> Hold:
    """What a request with this body cannot cost more than."""
    try:
        return Hold(_bound(book, what, dialect, body, members))
    except _Unbounded as problem:
        return Hold(problem=str(problem))


def size_bound(book: PriceBook, what: Priceable, prompt_bytes: int, max_tokens: int | None) -> int:
    """The bound of a request that has nothing done by the provider; 0: it has none."""
    listed = book.known(what.provider, what.model, what.price_table)
    if listed is None or (limit := output_limit(book, listed)) is None:
        return 0
    prompt = prompt_bytes + _SCAFFOLD_TOKENS
    output = min(max_tokens, _window(listed) or _ABSURD_TOKENS) if max_tokens else limit
    return ceiling(book, what, prompt).cost(prompt, output)


def typical(costs: Sequence[int]) -> int:
    """The 99th percentile of the last requests' costs, nearest rank."""
    ordered = sorted(costs[-SAMPLES:])
    return ordered[-(-len(ordered) * _PERCENT // 100) - 1] if ordered else 0


def first_typical(
    book: PriceBook, what: Priceable, prompt_bytes: int, max_tokens: int | None
) -> int:
    """The amount for a request like which there was none."""
    prompt = prompt_bytes + _SCAFFOLD_TOKENS
    output = min(max_tokens or TYPICAL_OUTPUT_TOKENS, TYPICAL_OUTPUT_TOKENS)
    return ceiling(book, what, prompt).cost(prompt, output)


def ceiling(book: PriceBook, what: Priceable, prompt_tokens: int) -> Ceiling:
    """The highest rates of a model over its modes, regions and tiers up to a prompt's length."""
    prompt = output = search = 0
    for quote in book.every_quote(what.provider, what.model, what.price_table):
        step = quote.at(what.at_us)
        search = max(search, step.web_search_nusd)
        tiers = [tier.rates for tier in step.long_context if prompt_tokens > tier.above_tokens]
        for rates in (step.rates, *tiers):
            side = (rates.input, rates.cache_write_5m, rates.cache_write_1h, rates.cache_read)
            prompt, output = max(prompt, *side), max(output, rates.output)
    return Ceiling(prompt, output, search)


def output_limit(book: PriceBook, listed: ListedModel) -> int | None:
    """The longest answer of a model; where it is not listed, no answer exceeds the window."""
    for each in book.sheet.agent_models:
        if each.model_id == listed.model_id and each.output_tokens:
            return each.output_tokens
    return _window(listed)


def _window(listed: ListedModel) -> int | None:
    """The longest prompt that a model takes, those that are charged as long included."""
    if listed.context_tokens is None:
        return None
    long = [tier.above_tokens for entry in listed.entries for tier in entry.long_context]
    return max(listed.context_tokens, *(above * _TIERS_ABOVE for above in long), 0)


def _bound(
    book: PriceBook, what: Priceable, dialect: Dialect, body: bytes, members: Members | None
) -> int:
    listed = book.known(what.provider, what.model, what.price_table)
    if listed is None:
        raise _Unbounded(f"the price of the model {what.model[:80]!r} is not known")
    fields = _fields(body, members)
    if fields.get("background"):
        raise _Unbounded("an answer in the background is not seen")
    uses, typed = _tool_uses(dialect, fields)
    named = _named_types(body, members)
    types = set(named)
    if types & _LATE_TOOLS and (found := next(filter(_SERVER_TOOLS.fullmatch, types), None)):
        raise _Unbounded(_without_limit(found.decode()))
    images = sum(kind in _IMAGES for kind in named)
    prompt = len(body) + _SCAFFOLD_TOKENS + typed * _TYPED_TOOL_TOKENS
    prompt += images * _IMAGE_TOKENS.get(dialect, _ANY_IMAGE_TOKENS)
    if uses or types & _ELSEWHERE or any(fields.get(name) for name in _STORED_FIELDS):
        prompt = max(prompt, _known_window(listed))
    rounds = 1 + uses
    output = _answers(fields) * _output_tokens(book, listed, fields)
    output += len(body) if fields.get("prediction") else 0  # what of it is wrong is charged
    if _compacts(fields):  # each round may be preceded by one that makes a summary
        prompt, output = prompt * 2, output + _longest(book, listed)
    prompt, output = prompt * rounds, output * rounds
    return ceiling(book, what, prompt).cost(prompt, output, uses)


def _fields(body: bytes, members: Members | None) -> dict[str, Any]:
    """The members that matter here, decoded."""
    try:
        if members is None:
            whole = json.loads(body)
            fields = {name: whole.get(name) for name in (*_FIELDS, "tools")}
            fields["tools"] = msgspec.convert(fields["tools"] or [], list[_Tool])
            return fields
        fields = {n: msgspec.json.decode(members[n]) for n in _FIELDS if n in members}
        if "tools" in members and bytes(members["tools"]) != b"null":
            fields["tools"] = _TOOLS.decode(members["tools"])
        return fields
    except (ValueError, RecursionError, AttributeError):
        raise _Unbounded("the request body cannot be read in full") from None


def _named_types(body: bytes, members: Members | None) -> list[bytes]:
    """Every `type` that is named somewhere in the body, as often as it is.

    Not those of the tools, which are looked at one by one, and whose schemas name many.
    """
    if members is None:
        return _types_in(body)
    apart = [bytes(value) for name, value in members.items() if name != "tools"]
    return [kind for value in apart for kind in _types_in(value)]


def _types_in(text: bytes) -> list[bytes]:
    if b"\\u00" in text and _ESCAPED_LETTER.search(text):  # a name can be written in other ways
        try:
            text = json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8", "replace")
        except (ValueError, RecursionError):
            raise _Unbounded("the request body cannot be read in full") from None
    return _TYPES.findall(text)


def _tool_uses(dialect: Dialect, fields: dict[str, Any]) -> tuple[int, int]:
    """How often the provider may use tools by itself, and how many tools it describes."""
    for name in ("mcp_servers", "web_search_options"):
        if fields.get(name):
            raise _Unbounded(_without_limit(name))
    uses = together = typed = 0
    for tool in fields.get("tools") or []:
        kind = tool.type
        if kind is None and dialect is Dialect.MESSAGES:
            continue
        if not isinstance(kind, str) or not _OWN_TOOLS[dialect].fullmatch(kind):
            if dialect is Dialect.RESPONSES and _SEARCH.fullmatch(str(kind)):
                together = _counted(str(kind), fields.get("max_tool_calls"))
            elif dialect is Dialect.MESSAGES and _COUNTED_TOOL.fullmatch(str(kind)):
                uses += _counted(str(kind), tool.max_uses)
            else:
                raise _Unbounded(_without_limit(str(kind)[:60]))
        typed += kind not in {"custom", "function", "namespace"}
    return uses + together, typed


def _counted(kind: str, uses: Any) -> int:
    """How often a tool of the provider's may be used at most."""
    if type(uses) is int and 0 <= uses <= _MOST_USES:
        return int(uses)
    raise _Unbounded(_without_limit(kind[:60]))


def _without_limit(tool: str) -> str:
    off = "Turn that tool off in your agent"
    if tool == "web_search":
        off += f' (Codex: {tool} = "disabled" in its config.toml)'
    return f"the provider may use {tool!r} as often as it likes. {off}"


def _compacts(fields: dict[str, Any]) -> bool:
    """Whether the provider may make the conversation shorter first."""
    management = fields.get("context_management")
    edits = management.get("edits") if isinstance(management, dict) else management
    if not isinstance(edits, list):
        return False
    kinds = [each.get("type") for each in edits if isinstance(each, dict)]
    return any(str(kind).startswith("compact") for kind in kinds)


def _known_window(listed: ListedModel) -> int:
    window = _window(listed)
    if window is None:
        raise _Unbounded("it refers to files or tools, and the model's context window is not known")
    return window


def _output_tokens(book: PriceBook, listed: ListedModel, fields: dict[str, Any]) -> int:
    """The longest answer that is asked for; nonsense asks for the longest there is."""
    asked = [fields[name] for name in _OUTPUT_FIELDS if fields.get(name) is not None]
    if asked and all(type(value) is int and value > 0 for value in asked):
        return int(min(max(asked), _window(listed) or _ABSURD_TOKENS))
    return _longest(book, listed)


def _longest(book: PriceBook, listed: ListedModel) -> int:
    limit = output_limit(book, listed)
    if limit is None:
        raise _Unbounded("the model's longest answer is not known. Send max_tokens")
    return limit


def _answers(fields: dict[str, Any]) -> int:
    count = fields.get("n")
    if count is None:
        return 1
    return int(count) if type(count) is int and 1 <= count <= _MOST_ANSWERS else _MOST_ANSWERS
