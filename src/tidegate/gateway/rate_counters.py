"""Counters of requests, tokens and streams that the workers of one server share.

A file in the server's runtime directory is mapped by all of them and changed under a lock, so that
counts are exact across workers. Time is cut into steps; a minute is the last twelve of them and
the one that runs. A worker's streams are counted apart, so that those of one that was killed are
gone when another takes its place.
"""

import contextlib
import fcntl
import mmap
import os
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple

STEP_S: Final = 5
STEPS: Final = 13  # a minute and the step that runs
WORKERS: Final = 64
_SLOTS: Final = 2048
_PROBES: Final = 32
_TRIES: Final = 2_000  # to get the lock: whoever has it needs some microseconds
_STREAMS_AT: Final = 1 + 3 * STEPS
_WORDS: Final = _STREAMS_AT + WORKERS  # of a slot: its name, steps of (number, requests, tokens)
_SIZE: Final = _SLOTS * _WORDS * 8


class Count(NamedTuple):
    """What happened in the last minute, and what runs now."""

    requests: int
    tokens: int
    streams: int


class CountersBusy(Exception):
    """Another worker holds the lock for longer than it could need."""


class Slot:
    """The counters of one subject. Only to be used while `Shared.locked`."""

    def __init__(self, words: memoryview, begin: int, worker: int, step: int) -> None:
        self._words = words
        self._begin = begin
        self._stream = begin + _STREAMS_AT + worker
        self._step = step

    def count(self) -> Count:
        words, oldest = self._words, self._step - STEPS
        requests = tokens = 0
        for at in range(self._begin + 1, self._begin + _STREAMS_AT, 3):
            if oldest < words[at] <= self._step:
                requests += words[at + 1]
                tokens += words[at + 2]
        streams = sum(words[self._begin + _STREAMS_AT : self._begin + _WORDS])
        return Count(requests, max(tokens, 0), streams)

    def add(self, requests: int, tokens: int, streams: int) -> None:
        words, at = self._words, self._begin + 1 + 3 * (self._step % STEPS)
        if words[at] != self._step:
            words[at], words[at + 1], words[at + 2] = self._step, 0, 0
        words[at + 1] += requests
        words[at + 2] += tokens
        words[self._stream] = max(0, words[self._stream] + streams)

    def gives_back_in(self) -> int:
        """Seconds until the oldest step with anything in it no longer counts, at least 1."""
        words, oldest = self._words, self._step - STEPS
        counted = [
            words[at]
            for at in range(self._begin + 1, self._begin + _STREAMS_AT, 3)
            if oldest < words[at] <= self._step and (words[at + 1] or words[at + 2])
        ]
        return max(1, (min(counted, default=self._step) + STEPS - self._step) * STEP_S)


class SharedCounters:
    """The mapped file, as one worker sees it."""

    def __init__(self, path: Path, worker: int) -> None:
        self._worker = worker % WORKERS
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._file, _SIZE)
        self._map = mmap.mmap(self._file, _SIZE)
        self._words = memoryview(self._map).cast("q")
        self._at: dict[str, int] = {}
        with self.locked():  # what a worker in this place had open ended with it
            for begin in range(0, _SLOTS * _WORDS, _WORDS):
                self._words[begin + _STREAMS_AT + self._worker] = 0

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep all others out. Raises CountersBusy rather than wait for long."""
        for _ in range(_TRIES):
            with contextlib.suppress(BlockingIOError, PermissionError):
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
        else:
            raise CountersBusy
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def slot(self, subject: str, now: float) -> Slot | None:
        """The counters of a subject; None where there is no room for more subjects."""
        step = int(now) // STEP_S
        begin = self._find(subject, step)
        return Slot(self._words, begin, self._worker, step) if begin is not None else None

    def _find(self, subject: str, step: int) -> int | None:
        name = int.from_bytes(blake2b(subject.encode(), digest_size=7).digest(), "big") + 1
        known = self._at.get(subject)
        if known is not None and self._words[known] == name:
            return known
        places = [(name + probe) % _SLOTS * _WORDS for probe in range(_PROBES)]
        found = next((at for at in places if self._words[at] == name), None)
        if found is None:
            found = next((at for at in places if self._is_free(at, step)), None)
            if found is None:
                return None
            self._words[found : found + _WORDS] = memoryview(bytes(_WORDS * 8)).cast("q")
            self._words[found] = name
            self._words[found + 1 + 3 * (step % STEPS)] = step  # so that it is not taken at once
        if len(self._at) >= _SLOTS:
            self._at.clear()
        self._at[subject] = found
        return found

    def _is_free(self, begin: int, step: int) -> bool:
        """Whether nothing was counted there lately."""
        words = self._words
        steps = range(begin + 1, begin + _STREAMS_AT, 3)
        return not words[begin] or (
            all(words[at] <= step - STEPS for at in steps)
            and not any(words[begin + _STREAMS_AT : begin + _WORDS])
        )

    def close(self) -> None:
        self._words.release()
        self._map.close()
        os.close(self._file)
