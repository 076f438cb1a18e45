"""Debug mode: what is seen of a request is kept for its organization, redacted and encrypted.

While a request passes, references to its bytes are collected; nothing is copied and nothing waits.
When it is over, a thread makes a capture of them and appends it to a file, for the drain. Captures
are the first to go: when memory or the disk gets short, they are dropped and counted.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import msgspec

from tidegate.core.capture_records import FREE_BYTES, SealedCapture, capture_frames
from tidegate.core.captures import MARGIN_BYTES, PART_BYTES, Seen, SeenRequest, pack, seal_off
from tidegate.core.headers import Header
from tidegate.core.model import UsageEvent
from tidegate.core.repeated_texts import RepeatedTexts
from tidegate.gateway.capture_file import CaptureFiles
from tidegate.gateway.request import Request
from tidegate.gateway.upstream import Answer
from tidegate.services.vault import seal_capture

_PIECE_BYTES: Final = 64  # what a piece costs beside its content
_IDLE_S: Final = 1.0  # then the file is closed, so that the drain can delete it
_REMIND_S: Final = 10.0
_SETTLE_S: Final = 10.0


class CaptureOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of debug mode, in bytes."""

    part_bytes: int = PART_BYTES  # of each message's body
    flight_bytes: int = 64 << 20  # of all that a worker holds for captures
    disk_bytes: int = 256 << 20  # of all that waits for the drain
    free_bytes: int = FREE_BYTES  # left to others on the disk


_DEFAULTS: Final = CaptureOptions()


class Draft:
    """What was seen of one request. Everything in it is as it was sent, secrets included."""

    __slots__ = (
        "_held",
        "_is_over",
        "_is_promised",
        "_keeper",
        "_most",
        "_response_bytes",
        "event",
        "seen",
    )

    def __init__(self, keeper: "CaptureKeeper", request: Request, event_id: str) -> None:
        self._keeper = keeper
        self._most = keeper.options.part_bytes + MARGIN_BYTES
        self._held = 0
        self._is_promised = False
        self._is_over = False
        self._response_bytes = 0
        self.event: UsageEvent | None = None
        received = Seen(headers=request.headers, missing_bytes=request.body_bytes)
        self.seen: SeenRequest | None = SeenRequest(
            event_id, request.method, request.target, received
        )

    def received(self, request: Request) -> None:
        """The body is complete, or was not read because it is too large."""
        if self.seen is not None and request.body:
            self.seen.received.missing_bytes = 0
            self._add(self.seen.received, request.body)

    def sent(self, head: bytes, request: Request, set_header: tuple[bytes, bytes] | None) -> None:
        """The request as it goes to the upstream."""
        body = request.outgoing
        if (seen := self.seen) is not None:
            pieces = seen.received.pieces
            missing = seen.received.missing_bytes
            seen.sent = Seen(head=head)
            if request.shorter is None and pieces and len(body) == len(pieces[0]) + missing:
                seen.sent.pieces, seen.sent.missing_bytes = pieces, missing
            elif body:
                self._add(seen.sent, body)
            seen.credential = set_header[1] if set_header is not None else b""

    def answer(self, answer: Answer) -> None:
        """The head of the upstream's answer."""
        if self.seen is not None:
            self.seen.status = answer.status
            self.seen.response = Seen(headers=answer.headers)
            self._response_bytes = 0

    def add(self, chunk: bytes) -> None:
        """The next bytes of the answer's body."""
        if self.seen is None or self._is_over:
            return
        self._response_bytes += len(chunk)
        if self._response_bytes <= self._most:
            self._add(self.seen.response, chunk)
        else:
            self._add(self.seen.response, chunk[: self._left_for(chunk)], len(chunk))

    def replied(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        """We answered ourselves."""
        if self.seen is not None:
            self.seen.status = status
            self.seen.response = Seen(headers=headers, note="this answer is Tidegate's own")
            self._add(self.seen.response, body)

    def promise(self, event: UsageEvent) -> UsageEvent:
        """The request's usage event, telling that it is captured if it will be."""
        self.event = event
        if self.seen is None:
            return event
        self._is_promised = True
        self.event = msgspec.structs.replace(event, captured=True)
        return self.event

    def finish(self) -> None:
        """The request is over."""
        if self.seen is None or self._is_over:
            return
        self._is_over = True
        if self.event is not None:
            self._keeper.put(self)
        else:
            self.drop()

    def drop(self) -> None:
        self.seen = None
        self._keeper.release(self._held, is_lost=True)

    def release(self) -> None:
        """All that was held is free again."""
        self.seen = None
        self._keeper.release(self._held)

    def _left_for(self, chunk: bytes) -> int:
        return max(0, self._most - self._response_bytes + len(chunk))

    def _add(self, part: Seen, piece: bytes, size: int | None = None) -> None:
        """Hold a piece; what is beyond the limits is counted as missing."""
        whole = len(piece) if size is None else size
        if len(piece) > self._most:
            piece = piece[: self._most]
        cost = len(piece) + _PIECE_BYTES if piece else 0
        if not self._keeper.reserve(cost):
            if self._is_promised:
                part.missing_bytes += whole
            else:
                self.drop()
            return
        self._held += cost
        if piece:
            part.pieces.append(piece)
        part.missing_bytes += whole - len(piece)


class CaptureKeeper:
    """Makes captures of drafts, within limits."""

    def __init__(
        self,
        directory: Path,
        worker: str,
        subkey: bytes,
        log: Any,
        options: CaptureOptions = _DEFAULTS,
    ) -> None:
        self.options = options
        self._files = CaptureFiles(
            directory, worker, limit_bytes=options.disk_bytes, free_bytes=options.free_bytes
        )
        self._subkey = subkey
        self._log = log
        self._redactor = RepeatedTexts()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="capture")
        self._waiting: deque[Draft] = deque()
        self._is_keeping = False
        self._lock = threading.Lock()
        self._flight_bytes = 0
        self._kept = 0
        self._lost = 0
        self._fault = ""
        self._told = 0
        self._told_at = float("-inf")
        self._put_at = 0.0
        self._closed = False

    # -- for the loop --------------------------------------------------------

    def reserve(self, size: int) -> bool:
        """Whether so many bytes may be held."""
        with self._lock:
            if self._flight_bytes + size > self.options.flight_bytes:
                return False
            self._flight_bytes += size
            return True

    def release(self, size: int, *, is_lost: bool = False) -> None:
        with self._lock:
            self._flight_bytes -= size
            if is_lost:
                self._lost += 1
                self._fault = "too much is held in memory"

    def put(self, draft: Draft) -> None:
        """Take over a draft that is complete."""
        self._put_at = 0.0
        if self._closed:
            draft.drop()
            return
        with self._lock:
            self._waiting.append(draft)
            if self._is_keeping:  # the thread need not be woken, which costs more than this
                return
            self._is_keeping = True
        self._thread.submit(self._keep_all)

    def watch(self, now: float) -> None:
        """Tell of what was lost, and let go of a file that is not written to. Twice a second."""
        if self._lost > self._told and now - self._told_at >= _REMIND_S:
            self._log.error("gateway.captures_lost", count=self._lost - self._told, why=self._fault)
            self._told, self._told_at = self._lost, now
        self._put_at = self._put_at or now
        if self._files.is_open and now - self._put_at >= _IDLE_S and not self._closed:
            self._put_at = now
            self._thread.submit(self._files.close)

    def counters(self) -> dict[str, int]:
        return {
            "captures_kept": self._kept,
            "captures_lost": self._lost,
            "capture_bytes_held": self._flight_bytes,
        }

    async def settled(self) -> None:
        """Wait until all that was put is written, within reason; nothing more is taken."""
        if self._closed:
            return
        self._closed = True
        loop = asyncio.get_running_loop()
        try:
            await asyncio.wait_for(loop.run_in_executor(self._thread, self._files.close), _SETTLE_S)
        except TimeoutError:
            self._log.error("gateway.captures_lost", why="the worker ended before they were kept")
            with self._lock:
                self._waiting.clear()
        self._thread.shutdown(wait=False, cancel_futures=True)

    # -- in the thread -------------------------------------------------------

    def _keep_all(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_keeping = False
                    return
                draft = self._waiting.popleft()
            self._keep(draft)

    def _keep(self, draft: Draft) -> None:
        try:
            self._files.append(self._frames(draft))
            self._kept += 1
        except Exception as fault:  # noqa: BLE001 - no content and no disk may stop the others
            with self._lock:
                self._lost += 1
                self._fault = (
                    str(fault)[:200] if isinstance(fault, OSError) else type(fault).__name__
                )
        finally:
            draft.release()

    def _frames(self, draft: Draft) -> list[bytes]:
        seen, event = draft.seen, draft.event
        assert seen is not None
        assert event is not None
        seen.first_byte_us, seen.duration_us = event.first_byte_us, event.duration_us
        capture = seal_off(seen, self._redactor, part_bytes=self.options.part_bytes)
        organization_id, event_id = event.organization_id, event.event_id
        return capture_frames(
            SealedCapture(
                event_id=event_id,
                organization_id=organization_id,
                key_id=event.key_id,
                member_id=event.member_id,
                at_us=event.started_us,
                truncated=capture.truncated,
                ciphertext=seal_capture(self._subkey, organization_id, event_id, pack(capture)),
            )
        )
