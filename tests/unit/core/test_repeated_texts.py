"""What is remembered of a text changes nothing of what is found in the next."""

import random

import pytest
from tests.planted import EVERY

from tidegate.core.redaction import Redactor
from tidegate.core.repeated_texts import RepeatedTexts

_WORDS = [word.encode() for _, word in EVERY]


def _conversation(chance: random.Random, size: int) -> bytes:
    words: list[bytes] = []
    while sum(map(len, words)) < size:
        plain = b" turn" * chance.randrange(1, 400)
        words.append(plain + (chance.choice(_WORDS) if chance.random() < 0.2 else b"") + b"\n")
    return b"".join(words)[:size]


@pytest.mark.parametrize("seed", range(12))
def test_a_growing_conversation(seed: int) -> None:
    chance = random.Random(seed)
    repeated, plain = RepeatedTexts(), Redactor()
    text = b""
    for _ in range(12):
        text += _conversation(chance, chance.randrange(1000, 60_000))
        if chance.random() < 0.3:  # a part of what was said is left out from now on
            cut = chance.randrange(len(text))
            text = text[:cut] + text[cut + 5000 :]
        assert repeated.redact(text) == plain.redact(text)
        assert repeated.redact(text) == plain.redact(text)


def test_several_conversations_at_once_and_what_is_known_of_each() -> None:
    repeated, plain = RepeatedTexts(), Redactor()
    talks = [bytes([65 + n]) * 50_000 + b" opensesame " + _WORDS[n] for n in range(12)]
    for turn in range(3):
        for n, talk in enumerate(talks):
            text = talk + b" more" * turn * 4000
            known = (b"opensesame",) if (n + turn) % 2 else ()
            assert repeated.redact(text, known) == plain.redact(text, known)


def test_a_secret_that_ends_in_what_is_new() -> None:
    repeated, plain = RepeatedTexts(), Redactor()
    secret = _WORDS[0]
    for at in range(0, len(secret), 7):
        first = b"x " * 32_768 + secret[:at]
        repeated.redact(first)
        text = first + secret[at:] + b" y" * 20_000
        assert repeated.redact(text) == plain.redact(text)


def test_memory_is_bounded() -> None:
    repeated = RepeatedTexts()
    for n in range(40):
        repeated.redact(bytes([n]) * (1 << 20))
    assert repeated._held <= 8 << 20
    assert len(repeated._searched) <= 8
