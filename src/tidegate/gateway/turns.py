"""What a client's connection expects of the rest of the worker."""

from typing import TYPE_CHECKING, Protocol

from tidegate.gateway.options import GatewayOptions
from tidegate.gateway.request import Request

if TYPE_CHECKING:  # the connection knows these protocols, they only its name
    from tidegate.gateway.client import ClientConnection


class Turn(Protocol):
    """What serves one request; told when its client can take more, or is gone."""

    def client_paused(self) -> None: ...
    def client_resumed(self) -> None: ...
    def client_gone(self) -> None: ...


class Host(Protocol):
    """Who owns the connections: serves complete requests and refuses bodies by their head."""

    options: GatewayOptions
    draining: bool

    def now(self) -> float: ...
    def joined(self, connection: "ClientConnection") -> None: ...
    def left(self, connection: "ClientConnection") -> None: ...
    def welcomes(self, request: Request) -> bool:
        """Whether a large body is worth waiting for: one of a stranger is not."""
        ...

    def serve(self, connection: "ClientConnection", request: Request) -> None: ...
    def refuse_body(self, connection: "ClientConnection", request: Request) -> None: ...
    def refused_head(self, status: int) -> None: ...
