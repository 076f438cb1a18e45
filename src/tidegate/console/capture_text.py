"""Texts of a capture as a page shows them: a bounded piece at a time, nothing in them invisible.

Whatever agents and providers wrote may be in a capture. Control characters are shown by their
pictures, characters that would turn the direction of what follows by their numbers.
"""

from dataclasses import dataclass
from typing import Final

from tidegate.core.captures import Part

EXCERPT_CHARS: Final = 2_000
CHUNK_CHARS: Final = 32_000
_LINE_CHARS: Final = frozenset("\t\n")
_TURNING: Final = (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200B, 0x200E, 0x200F, 0x061C)
_SEPARATING: Final = (0x85, 0x2028, 0x2029, 0xFEFF)


def _picture(code: int) -> str:
    if code < 0x20:
        return chr(0x2400 + code)
    return (
        "\N{SYMBOL FOR DELETE}"
        if code == 0x7F
        else f"\N{LEFT CEILING}U+{code:04X}\N{RIGHT CEILING}"
    )


_VISIBLE: Final = {
    code: _picture(code)
    for code in (*range(0x20), *range(0x7F, 0xA0), *_TURNING, *_SEPARATING)
    if chr(code) not in _LINE_CHARS
}
_SURROGATES: Final = range(0xD800, 0xE000)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The beginning of a text, or a piece of it, and where the rest is."""

    shown: str
    rest: int = 0  # characters that follow
    source: str = ""  # where to ask for them
    start: int = 0  # at which character they begin


def visible(text: str) -> str:
    """The text with what cannot be seen made visible. Lines and tabs stay."""
    text = text.replace("\r\n", "\n").translate(_VISIBLE)
    if text.isascii() or not any(0xD800 <= ord(char) < 0xE000 for char in text):
        return text
    return "".join(_picture(ord(char)) if ord(char) in _SURROGATES else char for char in text)


def one_line(text: str, most: int) -> str:
    """The beginning of a text as one line."""
    line = visible(" ".join(text[: 4 * most].split()))
    return line if len(line) <= most and len(text) <= 4 * most else f"{line[:most]}…"


def excerpt(text: str, source: str, start: int = 0, most: int = EXCERPT_CHARS) -> Excerpt:
    """A piece of a text from a character on. A little more than asked for is not cut off."""
    end = start + most
    if end + most // 8 >= len(text):
        end = len(text)
    return Excerpt(visible(text[start:end]), max(0, len(text) - end), source, end)


def body_text(part: Part) -> str:
    """A body as text; what is no UTF-8 in it is replaced."""
    return part.body.decode("utf-8", "replace")


def is_binary(body: bytes) -> bool:
    """Whether it is no text at all."""
    head = body[:4_096]
    odd = sum(1 for byte in head if byte < 0x20 and byte not in b"\t\r\n\x1b")
    bad = head.decode("utf-8", "replace").count("\N{REPLACEMENT CHARACTER}")
    return bool(head) and 8 * (odd + bad) > len(head)


def header(part: Part, name: str) -> str:
    """The value of a header, empty if there is none."""
    return next((value for key, value in part.headers if key.lower() == name), "")
