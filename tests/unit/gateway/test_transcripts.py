"""Conversations that are remembered: within a number of bytes, alone while in use."""

from tests.tool_requests import body, reading, shorten

from tidegate.core.compression.requests_transcript import Transcript
from tidegate.core.model import Dialect
from tidegate.gateway.transcripts import Place, Transcripts
from tidegate.store.pins import Pin


def place(session: str) -> Place:
    return Place("org_1", session, "", Dialect.MESSAGES, Pin("lossless", 1))


def transcript(turns: int = 2) -> Transcript:
    made = Transcript(Dialect.MESSAGES, "lossless", 1)
    shorten(made, Dialect.MESSAGES, body(Dialect.MESSAGES, [reading(n) for n in range(turns)]))
    return made


def test_who_takes_a_conversation_has_it_alone() -> None:
    kept, one, two = Transcripts(1 << 20), transcript(), transcript()
    kept.put(place("a"), [one])
    assert kept.take(place("a")) == [one]
    assert kept.take(place("a")) == []
    assert kept.size_bytes == 0
    kept.put(place("a"), [two])
    kept.put(place("a"), [one])
    assert kept.take(place("b")) == []
    assert kept.take(place("a")) == [one, two]


def test_the_oldest_go_first() -> None:
    size = 2 * transcript().size_bytes
    assert size > 2 * len(body(Dialect.MESSAGES, [reading(1)]))
    kept = Transcripts(2 * size)
    for name in "abc":
        kept.put(place(name), [transcript()])
    assert (len(kept), kept.size_bytes) == (2, 2 * size)
    kept.put(place("b"), kept.take(place("b")))
    kept.put(place("d"), [transcript()])
    assert [bool(kept.take(place(name))) for name in "abcd"] == [False, True, False, True]
    assert kept.size_bytes == 0


def test_of_a_session_with_many_branches_the_newest_stay() -> None:
    kept = Transcripts(1 << 30)
    made = [transcript(1) for _ in range(9)]
    for one in made:
        kept.put(place("a"), [one])
    assert kept.take(place("a")) == made[:-5:-1]


def test_a_long_conversation_counts_with_all_it_keeps() -> None:
    for turns in (1, 10, 40):
        assert transcript(turns).size_bytes > len(body(Dialect.MESSAGES, [reading(1)] * turns))
