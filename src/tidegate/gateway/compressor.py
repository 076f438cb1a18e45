"""Makes the tool results of a request shorter before it goes out, or leaves it as it came.

Small work is done at once, the rest in threads, within a time. On any doubt, fault or delay the
request goes out as it came, and that is counted.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import msgspec

from tidegate.core.compression.conversation import LEVELS
from tidegate.core.compression.requests import RESULT_MARK, place
from tidegate.core.compression.requests_savings import Compression, CountTokens, is_counted
from tidegate.core.compression.requests_transcript import Plan, Shortened, Transcript
from tidegate.core.compression.splice import Doubt
from tidegate.core.compression.versions import VERSIONS
from tidegate.core.identity import session_id
from tidegate.core.model import Dialect
from tidegate.core.ticket import Ticket
from tidegate.gateway.admission import Caller, Reading
from tidegate.gateway.counters import Counters
from tidegate.gateway.request import Request
from tidegate.gateway.session_pins import SessionPins, wanted_pin
from tidegate.gateway.transcripts import Place, Transcripts
from tidegate.store.pins import Pin, PinStore

_AT_ONCE_BYTES: Final = 16 << 10  # so little that is new is worked on in the loop
_LARGE_BYTES: Final = 1 << 20  # of a body so large nothing is
_THREADS: Final = 2
_WAITING: Final = 64  # requests at once; more go out as they came
_COUNTED_WITHIN_S: Final = 1.0  # a usage event does not wait longer for the count
_SWITCH: Final = b"x-tidegate-compression"


class CompressionOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker spends on compression."""

    cpu_s: float = 2.0  # of a thread for one request; what is left then goes out as it came
    wait_s: float = 5.0  # by the clock; then all of the request does
    cache_bytes: int = 64 << 20  # of conversations that are remembered


DEFAULTS: Final = CompressionOptions()


class Job(msgspec.Struct):
    """One request on its way."""

    request: Request
    ticket: Ticket
    reading: Reading
    session_id: str
    pin: Pin | None = None

    @property
    def dialect(self) -> Dialect:
        return self.ticket.dialect

    def place(self, pin: Pin) -> Place:
        """Which conversation it belongs to."""
        ticket = self.ticket
        organization_id = ticket.key.organization_id
        subagent = ticket.client.subagent
        return Place(organization_id, self.session_id, subagent, ticket.dialect, pin)


class _Done(msgspec.Struct, frozen=True):
    """What came of a job, and the conversations to put back."""

    transcripts: list[Transcript]
    shortened: Shortened | None


class Compressor:
    """Compresses the requests of one worker."""

    def __init__(
        self,
        options: CompressionOptions,
        pins: PinStore,
        count_tokens: CountTokens | None,
        counters: Counters,
        log: Any,
    ) -> None:
        self._options = options
        self._pins = SessionPins(pins, counters, log)
        self._transcripts = Transcripts(options.cache_bytes)
        self._counters = counters
        self._count_tokens = count_tokens
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="compress")
        self._counting = ThreadPoolExecutor(1, thread_name_prefix="tokens")
        self._tasks: set[asyncio.Task[None]] = set()

    def consider(
        self, caller: Caller, request: Request, ticket: Ticket, reading: Reading
    ) -> "asyncio.Future[None] | None":
        """Do what is to be done with a request; what to wait for, if that takes a while."""
        client = ticket.client
        if not client.session:
            return None
        own = (caller.key.organization_id, caller.key.key_id)
        job = Job(request, ticket, reading, session_id(*own, client.session))
        job.pin = self._pins.get(job.session_id)
        if job.pin is None:
            root = session_id(*own, client.parent_session) or job.session_id
            wanted = wanted_pin(caller.organization, caller.key, root)
            self._pins.ask(own[0], job.session_id, wanted, ticket.started_us)
            job.pin = self._pins.get(job.session_id)
        if job.pin is not None and job.pin.level not in LEVELS:
            ticket.compression = Compression(job.pin.level)
            return None
        if request.first.get(_SWITCH, b"").lower() == b"off" or not self._has_results(job):
            return None
        if job.pin is None:
            return self._later(self._when_pinned(job))
        return self._start(job, job.pin)

    def _has_results(self, job: Job) -> bool:
        return RESULT_MARK[job.dialect] in job.reading.plain

    def count(self, compression: Compression) -> None:
        """Count the tokens of a request that is on its way."""
        if compression.is_counted or self._count_tokens is None:
            return
        try:
            counted = self._counting.submit(compression.count, self._count_tokens)
        except RuntimeError:  # shut down
            return
        compression.settle = partial(_settle, counted)

    def counters(self) -> dict[str, int]:
        return {
            "compression_sessions_kept": len(self._transcripts),
            "compression_bytes_kept": self._transcripts.size_bytes,
        }

    def close(self) -> None:
        """Start nothing more."""
        self._pins.close()
        for task in self._tasks:
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._counting.shutdown(wait=False, cancel_futures=True)

    # -- one request ---------------------------------------------------------

    def _later(self, work: Awaitable[None]) -> "asyncio.Future[None]":
        task = asyncio.get_running_loop().create_task(self._safely(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _safely(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception:  # noqa: BLE001 - whatever ails us, the request goes out as it came
            self._counters.add("compression_faults")

    async def _when_pinned(self, job: Job) -> None:
        pin = job.pin = await self._pins.wait(job.session_id)
        if pin.level not in LEVELS:
            job.ticket.compression = Compression(pin.level)
        elif (started := self._start(job, pin)) is not None:
            await started

    def _start(self, job: Job, pin: Pin) -> "asyncio.Future[None] | None":
        """Compress at once if that is little work, else in a thread."""
        if pin.version not in VERSIONS:  # of a release too old, or to come
            self._leave(job, pin, "compression_versions_unknown")
            return None
        where = job.place(pin)
        transcripts = self._transcripts.take(where)
        if job.reading.members is not None and len(job.reading.plain) <= _LARGE_BYTES:
            done = _guarded(lambda: _work(job, pin, transcripts, _in_time, at_once=True))
            if done is not None:
                self._finish(job, pin, done)
                return None
        if len(self._tasks) > _WAITING:
            self._transcripts.put(where, transcripts)
            self._leave(job, pin, "compression_overloaded")
            return None
        return self._later(self._apart(job, pin, transcripts))

    async def _apart(self, job: Job, pin: Pin, transcripts: list[Transcript]) -> None:
        loop = asyncio.get_running_loop()
        options = self._options
        work = loop.run_in_executor(self._threads, _in_thread, job, pin, transcripts, options.cpu_s)
        await asyncio.wait((work,), timeout=options.wait_s)
        if work.done():
            self._finish(job, pin, work.result())
        else:
            self._pins.turn_off(job.session_id)
            self._leave(job, pin, "compression_timeouts")

    def _finish(self, job: Job, pin: Pin, done: _Done) -> None:
        self._transcripts.put(job.place(pin), done.transcripts)
        shortened, request, ticket = done.shortened, job.request, job.ticket
        if shortened is None:
            self._leave(job, pin, "compression_doubts")
            return
        ticket.compression = Compression(
            level=pin.level,
            version=pin.version,
            faults=shortened.faults,
            entries=shortened.entries,
        )
        if is_counted(shortened.entries):
            ticket.compression.conclude()
        self._counters.add("compression_requests")
        if shortened.faults:
            self._counters.add("compression_faults", shortened.faults)
        if shortened.body is not None:
            saved = len(job.reading.plain) - len(shortened.body)
            self._counters.add("compression_bytes_saved", saved)
            request.shorter = shortened.body
            ticket.prompt_bytes = len(shortened.body)

    def _leave(self, job: Job, pin: Pin, why: str) -> None:
        """Let a request go out as it came."""
        job.ticket.compression = Compression(pin.level, pin.version, faults=1)
        self._counters.add(why)
        self._counters.add("compression_faults")


def _in_thread(job: Job, pin: Pin, transcripts: list[Transcript], cpu_s: float) -> _Done:
    until = time.thread_time() + cpu_s
    done = _guarded(
        lambda: _work(job, pin, transcripts, lambda: time.thread_time() > until, at_once=False)
    )
    return done or _Done([], None)


def _guarded(work: "Callable[[], _Done | None]") -> _Done | None:
    try:
        return work()
    except Exception:  # noqa: BLE001 - whatever ails us, the request goes out as it came
        return _Done([], None)


def _in_time() -> bool:
    return False


def _work(
    job: Job,
    pin: Pin,
    transcripts: list[Transcript],
    is_late: Callable[[], bool],
    *,
    at_once: bool,
) -> _Done | None:
    """Shorten a request by the conversation that it goes on with. None: not at once."""
    body = job.reading.plain
    try:
        span = place(body, job.reading.members, job.dialect)
        if span is None:
            return _Done(transcripts, Shortened(None, ()))
        transcript, plan = _best(job, pin, transcripts, span)
        if at_once and (plan.new_bytes > _AT_ONCE_BYTES or transcript.goes_back(plan)):
            return None
        shortened = transcript.shorten(plan, is_late)
    except Doubt:
        return _Done(transcripts, None)
    return _Done([transcript, *(t for t in transcripts if t is not transcript)], shortened)


def _best(
    job: Job, pin: Pin, transcripts: list[Transcript], span: tuple[int, int]
) -> tuple[Transcript, Plan]:
    """The conversation that has most in common with the request, or a new one."""
    body = job.reading.plain
    plans = [(transcript, transcript.plan(body, span)) for transcript in transcripts]
    best = max(plans, key=lambda pair: pair[1].at, default=None)
    if best is not None and best[1].known:
        return best
    transcript = Transcript(job.dialect, pin.level, pin.version)
    return transcript, transcript.plan(body, span)


def _settle(counted: "Future[None]") -> None:
    """Wait for a count, not for long. In a thread."""
    try:
        counted.exception(timeout=_COUNTED_WITHIN_S)
    except Exception:  # noqa: BLE001 - late or cancelled: what is not counted is estimated
        return
