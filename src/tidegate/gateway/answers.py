"""Whether a request may go on, where that may take a moment to say."""

import asyncio
from collections.abc import Callable
from typing import Union

from tidegate.core.errors import Failure

Answer = Union[Failure, "asyncio.Future[Failure | None]", None]
"""Why it may not, None if it may, or what will say so."""


def then(first: "asyncio.Future[Failure | None]", second: Callable[[], Answer]) -> Answer:
    """Ask `second` when `first` lets the request pass. Cancelled, it asks and says nothing."""
    both: asyncio.Future[Failure | None] = asyncio.get_running_loop().create_future()

    def take(answer: Answer) -> None:
        if isinstance(answer, asyncio.Future):
            answer.add_done_callback(lambda done: both.set_result(done.result()))
        else:
            both.set_result(answer)

    def on_first(done: "asyncio.Future[Failure | None]") -> None:
        if not done.cancelled():
            try:
                answer = done.result() or second()
            except BaseException:
                both.set_result(None)  # a fault of ours is no reason to stop an agent
                raise
            take(answer)

    first.add_done_callback(on_first)
    return both
