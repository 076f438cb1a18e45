"""An event loop that knows how long its callbacks kept it, in CPU time of its thread."""

# mypy: disable-error-code="override"

import asyncio
import functools
import time
from collections.abc import Callable
from typing import Any, Final

import uvloop

_CALLBACKS: Final = (
    "connection_made",
    "data_received",
    "eof_received",
    "connection_lost",
    "pause_writing",
    "resume_writing",
)


class WatchedLoop(uvloop.Loop):
    """`longest_ms` is of the longest callback since `forget`, `culprit` names it."""

    def __init__(self) -> None:
        super().__init__()
        self.longest_ms = 0.0
        self.culprit = ""

    def forget(self) -> None:
        self.longest_ms, self.culprit = 0.0, ""

    def timed(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        """The same callback, which notes how long it took."""

        def run(*arguments: Any) -> Any:
            began = time.thread_time()
            try:
                return callback(*arguments)
            finally:
                spent_ms = (time.thread_time() - began) * 1000
                if spent_ms > self.longest_ms:
                    self.longest_ms, self.culprit = spent_ms, repr(callback)

        return run

    def call_soon(self, callback: Any, *arguments: Any, context: Any = None) -> Any:
        return super().call_soon(self.timed(callback), *arguments, context=context)

    def call_soon_threadsafe(self, callback: Any, *arguments: Any, context: Any = None) -> Any:
        return super().call_soon_threadsafe(self.timed(callback), *arguments, context=context)

    def call_later(self, delay: float, callback: Any, *arguments: Any, context: Any = None) -> Any:
        return super().call_later(delay, self.timed(callback), *arguments, context=context)

    async def create_server(self, factory: Any, *arguments: Any, **options: Any) -> Any:
        return await super().create_server(self._watching(factory), *arguments, **options)

    async def create_connection(self, factory: Any, *arguments: Any, **options: Any) -> Any:
        return await super().create_connection(self._watching(factory), *arguments, **options)

    def _watching(self, factory: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        def make() -> asyncio.Protocol:
            protocol = factory()
            protocol.__class__ = self._watched(type(protocol))
            return protocol

        return make

    def _watched(self, kind: type) -> type:
        """A subclass that is timed wherever the transport calls it."""

        def timed(name: str) -> Callable[..., Any]:
            return lambda protocol, *arguments: self.timed(
                functools.partial(getattr(kind, name), protocol)
            )(*arguments)

        methods = {name: timed(name) for name in _CALLBACKS if hasattr(kind, name)}
        return type(kind.__name__, (kind,), {"__slots__": (), **methods})
