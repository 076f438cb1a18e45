"""The driver of a request whose key is in debug mode: the same, with a draft beside it."""

from collections.abc import Sequence
from typing import Any

from tidegate.core.errors import Failure, Reply
from tidegate.core.exchange import Command
from tidegate.core.model import UsageEvent
from tidegate.core.routing import Route
from tidegate.gateway.capture import Draft
from tidegate.gateway.driver import ExchangeDriver
from tidegate.gateway.upstream import Answer


class CapturedDriver(ExchangeDriver):
    """Shows the draft all that passes. Another driver knows nothing of captures."""

    __slots__ = ("_draft",)

    def __init__(self, draft: Draft, *args: Any, **kwargs: Any) -> None:
        self._draft = draft
        super().__init__(*args, **kwargs)

    def start(self, refusal: Failure | None) -> None:
        self._draft.received(self._request)
        super().start(refusal)

    def upstream_head(self, answer: Answer) -> None:
        self._draft.answer(answer)
        super().upstream_head(answer)

    def upstream_body(self, chunk: bytes, *, last: bool) -> None:
        self._draft.add(chunk)
        super().upstream_body(chunk, last=last)

    def _head(self, route: Route) -> bytes:
        head = super()._head(route)
        self._draft.sent(head, self._request, route.set_header)
        return head

    def _reply(self, reply: Reply, lines: Sequence[bytes]) -> None:
        content_type = (b"content-type", b"content-type", reply.content_type)
        self._draft.replied(reply.status, (content_type,), reply.body)
        super()._reply(reply, lines)

    def _record(self, event: UsageEvent) -> None:
        super()._record(self._draft.promise(event))

    # Whatever can end the exchange: then all has been seen, our own answer too.

    def _execute(self, command: Command) -> None:
        super()._execute(command)
        self._finish()

    def _go_on(self) -> None:
        super()._go_on()
        self._finish()

    def client_gone(self) -> None:
        super().client_gone()
        self._finish()

    def _finish(self) -> None:
        if self._over:
            self._draft.finish()
